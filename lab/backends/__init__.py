"""Who carries ESP: our user-space data plane on a TUN device, or nobody (IKE alone).

backend      what the daemon drives: children go in, packets travel, reports come back
report       what a packet has to tell IKE: a child is wanted, has moved, has run out of sequence numbers
gre          the interfaces of our GRE tunnels
device       the TUN interface through which the system gives us packets for the tunnels and takes ours
"""
