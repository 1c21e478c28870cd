"""GRE devices of the kernel between two nodes (RFC 2784, RFC 2890), one netlink batch for each.

Over IPv6 the kernel puts a destination option before GRE, which says how deep tunnels may nest (RFC 2473 4.1.1), unless
it is told not to; `ip link` asks for it, and so does this.
"""

from dataclasses import dataclass
from ipaddress import ip_interface
from socket import htons

from lab.emulation.netlink import Batch
from lab.wire.gre import CHECKSUM, KEY, SEQUENCE

ENCAPSULATION_LIMIT = 4  # tunnels in one another over IPv6, as `ip link` has it
TTL = 64
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
            "add", ifname=self.name, index=index, mtu=self.mtu, **(self._v6 if ":" in self.local else self._v4)(flags)
        )
        batch.address("add", index, str(own.ip), own.network.prefixlen)
        batch.link("set", index=index, state="up")
        return batch

    def _v4(self, flags: int) -> dict[str, object]:
        return {"kind": "gre", **self._ends("gre", flags), "gre_ttl": TTL}

    def _v6(self, flags: int) -> dict[str, object]:
        # pyroute2 writes these flags in the order of the host, the kernel reads them in that of the network.
        ends = self._ends("ip6gre", htons(flags))
        return {"kind": "ip6gre", **ends, "ip6gre_ttl": TTL, "ip6gre_encap_limit": ENCAPSULATION_LIMIT}

    def _ends(self, kind: str, flags: int) -> dict[str, object]:
        values = {"local": self.local, "remote": self.remote, "iflags": flags, "oflags": flags}
        values |= dict.fromkeys(("ikey", "okey"), self.key or 0)
        return {f"{kind}_{name}": value for name, value in values.items()}
