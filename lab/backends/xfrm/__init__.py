"""The kernel's IPsec (XFRM) as data plane: IKE is ours, ESP and AH are Linux's.

state        an SA of one direction, known to the kernel by destination address, SPI and protocol
policy       what to do with packets of a selector and a direction: out, in (for this host), fwd (for hosts behind it)
template     the part of a policy that names the SAs: end points, mode, reqid and, outbound, the SPI
reqid        ties states to policies; ours begin with the letters "IK", so that nobody takes them for somebody else's
"""
