"""GRE devices of the kernel between two nodes (RFC 2784, RFC 2890), one netlink batch for each."""

from dataclasses import dataclass
from ipaddress import ip_interface

from lab.emulation.netlink import Batch
from lab.wire.gre import CHECKSUM, KEY, SEQUENCE

FIRST_INDEX = 201  # above the link ends of any topology, below the devices of impairments


@dataclass(frozen=True, slots=True)
class Gre:
    """One end: the addresses that GRE travels between, the device's own address, and the options of both directions.

    `mtu` is set, never guessed: OSPF forms no adjacency over a link whose ends differ in it (RFC 2328 10.6).
    """

    local: str
    remote: str
    address: str
    name: str = "gre1"
    mtu: int = 1400
    key: int | None = None
    checksum: bool = False
    sequence: bool = False

    def batch(self, index: int) -> Batch:
        """Create the device under this number, with its address, and set it up."""
        flags = CHECKSUM * self.checksum | KEY * (self.key is not None) | SEQUENCE * self.sequence
        own = ip_interface(self.address)
        batch = Batch()
        batch.link(
            "add",
            kind="gre",
            ifname=self.name,
            index=index,
            mtu=self.mtu,
            gre_local=self.local,
            gre_remote=self.remote,
            gre_ttl=64,
            gre_iflags=flags,
            gre_oflags=flags,
            gre_ikey=self.key or 0,
            gre_okey=self.key or 0,
        )
        batch.address("add", index, str(own.ip), own.network.prefixlen)
        batch.link("set", index=index, state="up")
        return batch
