"""XFRM interfaces of the kernel: what is routed into one goes through the SAs of its ID (a route-based VPN)."""

from dataclasses import dataclass
from ipaddress import ip_interface

from lab.emulation.netlink import Batch

_UP, _MULTICAST = 0x1, 0x1000  # IFF_UP, IFF_MULTICAST


@dataclass(frozen=True, slots=True)
class XfrmInterface:
    """One end: the ID that its SAs and policies carry, and the device's own address.

    `mtu` is set, never guessed: OSPF forms no adjacency over a link whose ends differ in it (RFC 2328 10.6).
    """

    if_id: int
    address: str
    name: str = "ipsec1"
    mtu: int = 1400

    def batch(self, index: int) -> Batch:
        """Create the device under this number, with its address, and set it up, for groups too, which is no default."""
        own = ip_interface(self.address)
        batch = Batch()
        batch.link("add", kind="xfrm", ifname=self.name, index=index, mtu=self.mtu, xfrm_if_id=self.if_id)
        batch.address("add", index, str(own.ip), own.network.prefixlen)
        batch.link("set", index=index, flags=_UP | _MULTICAST, change=_UP | _MULTICAST)
        return batch
