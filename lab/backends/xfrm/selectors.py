"""Traffic selectors as the kernel writes them: a network and a masked port on each side, and one protocol.

Rules of this file:
- A range that is no network becomes several selectors, and so does a range of ports. Nothing becomes wider than it was.
- What the kernel cannot say (OPAQUE ports, ICMP types) is refused in words.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from ipaddress import ip_network

from lab.backends.routes import Network, networks
from lab.wire.payloads_v2 import TrafficSelector

FAMILIES = {4: 2, 6: 10}
_WITHOUT_PORTS = (1, 58, 135)
_HIGHEST, _EXACT = 65535, 0xFFFF


class Unsayable(ValueError):
    """The kernel has no selector for this."""


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a kernel selector; a port counts where the mask has ones."""

    network: Network
    port: int = 0
    mask: int = 0


@dataclass(frozen=True, slots=True)
class KernelSelector:
    """Which packets: from this side to that, of this protocol (0: any)."""

    src: Side
    dst: Side
    protocol: int = 0

    @property
    def breadth(self) -> int:
        """How much of the world it covers, in bits."""
        sides = (self.src, self.dst)
        addresses = sum(side.network.max_prefixlen - side.network.prefixlen for side in sides)
        return addresses + sum(16 - side.mask.bit_count() for side in sides) + (0 if self.protocol else 8)

    def fields(self) -> dict[str, object]:
        """As struct xfrm_selector."""
        return {
            "daddr": self.dst.network.network_address.packed,
            "saddr": self.src.network.network_address.packed,
            "dport": self.dst.port,
            "dport_mask": self.dst.mask,
            "sport": self.src.port,
            "sport_mask": self.src.mask,
            "family": FAMILIES[self.src.network.version],
            "prefixlen_d": self.dst.network.prefixlen,
            "prefixlen_s": self.src.network.prefixlen,
            "proto": self.protocol,
        }

    def reversed(self) -> "KernelSelector":
        """The same packets' answers."""
        return KernelSelector(self.dst, self.src, self.protocol)

    def words(self) -> list[object]:
        """For the record, see `parse`."""
        return [self.protocol, *((str(s.network), s.port, s.mask) for s in (self.src, self.dst))]

    @classmethod
    def parse(cls, words: Sequence[object]) -> "KernelSelector":
        """What `words` wrote, back from JSON."""
        protocol, *sides = words
        src, dst = (Side(ip_network(str(s[0])), int(s[1]), int(s[2])) for s in sides if isinstance(s, list | tuple))
        return cls(src, dst, int(str(protocol)))


def selectors(sources: Sequence[TrafficSelector], targets: Sequence[TrafficSelector]) -> list[KernelSelector]:
    """Every source with every target of the same family, where their protocols agree."""
    found: dict[KernelSelector, None] = {}
    for source in sources:
        for target in targets:
            if source.start.version == target.start.version and _agree(source.protocol, target.protocol):
                protocol = source.protocol or target.protocol
                found |= dict.fromkeys(
                    KernelSelector(one, other, protocol) for one in _sides(source) for other in _sides(target)
                )
    return list(found)


def _agree(one: int, other: int) -> bool:
    return one == other or not one or not other


def _sides(selector: TrafficSelector) -> Iterator[Side]:
    blocks = list(_ports(selector))
    for network in networks([selector]):
        yield from (Side(network, port, mask) for port, mask in blocks)


def _ports(selector: TrafficSelector) -> Iterator[tuple[int, int]]:
    """A range as blocks of a power of two: the first port and the mask of each."""
    start, end = selector.start_port, selector.end_port
    if (start, end) == (0, _HIGHEST):
        yield 0, 0
        return
    if start > end or selector.protocol in _WITHOUT_PORTS:
        raise Unsayable(f"the kernel has no selector for ports {start} to {end} of protocol {selector.protocol}")
    while start <= end:
        size = start & -start or 1 << 16
        while size > end - start + 1:
            size >>= 1
        yield start, _EXACT & ~(size - 1)
        start += size
