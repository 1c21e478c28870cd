"""What the kernel's IPsec wants of our UDP sockets, and nobody else does.

Rules of this file:
- On the NAT-T port the kernel takes ESP and keepalives out of the stream itself; IKE, with its marker, stays for us.
- IKE travels in the clear whatever the policies say, or a policy that covers the peer itself would swallow it.
"""

import socket

from lab.backends.datagrams import DatagramSocket
from lab.backends.xfrm.messages import ENCAP_ESPINUDP, IN, OUT
from lab.backends.xfrm.policies import bypass
from lab.errors import UnfitError
from lab.ike.path import PORT

UDP_ENCAP, IP_XFRM_POLICY, IPV6_XFRM_POLICY = 100, 17, 35


def prepare(opened: DatagramSocket) -> None:
    """Make a socket of the daemon's fit for IKE beside the kernel's ESP."""
    ipv6 = opened.family == socket.AF_INET6
    level, option = (
        (socket.IPPROTO_IPV6, IPV6_XFRM_POLICY) if ipv6 else (socket.IPPROTO_IP, IP_XFRM_POLICY)
    )  # fmt: skip
    try:
        for direction in (IN, OUT):
            opened.set(level, option, bypass(direction, int(opened.family)))
        if opened.port != PORT:
            opened.set(socket.IPPROTO_UDP, UDP_ENCAP, ENCAP_ESPINUDP)
    except OSError as error:
        raise UnfitError(
            f"the kernel's IPsec does not take our UDP port {opened.port}: {error.strerror}",
            fix="run as root on a kernel with XFRM, or use --backend userspace",
        ) from error
