"""Traffic selectors: match packets, intersect, narrow.

Rules of this file:
- A selector is a range of addresses x a protocol (0 for any) x a range of ports. A packet fits a child when its local
  end fits one selector of that side and its remote end one of the other side: the lists are independent.
- Ports 0-65535 mean ANY, also a packet whose ports cannot be seen; 65535-0 means OPAQUE, only such packets
  (RFC 7296 3.13.1). ICMP and Mobility Header have one "port", type and code; it is held against the selector of the
  side that sends (RFC 4301 4.4.1.3: local is what we may send, remote what we may receive).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import ip_address

from lab.ipsec.flow import Flow
from lab.wire.payloads_v2 import TrafficSelector

ANY_PORT, OPAQUE_PORT = (0, 0xFFFF), (0xFFFF, 0)
MOST = 255  # the count of a TS payload is one octet


class Side:
    """The selectors of one side of a child, made ready for looking up packets."""

    __slots__ = ("_ranges",)

    def __init__(self, selectors: Iterable[TrafficSelector]) -> None:
        self._ranges = [
            (s.start.packed, s.end.packed, s.protocol, s.start_port, s.end_port)
            for s in selectors
            if s.start.version == s.end.version
        ]

    def fits(self, address: bytes, protocol: int, port: int | None, *, look: bool = True) -> bool:
        """Whether a selector takes this end of a packet; without `look` the port does not count."""
        size = len(address)
        for start, end, wanted, low, high in self._ranges:
            if len(start) != size or not start <= address <= end or wanted not in (0, protocol):
                continue
            if not look or (low, high) == ANY_PORT:
                return True
            if (low, high) == OPAQUE_PORT if port is None else low <= port <= high:
                return True
        return False


@dataclass(frozen=True, slots=True)
class Selectors:
    """Both sides of a child."""

    local: Side
    remote: Side

    @classmethod
    def of(cls, local: Iterable[TrafficSelector], remote: Iterable[TrafficSelector]) -> "Selectors":
        """Make ready the selectors of both sides."""
        return cls(Side(local), Side(remote))

    def outbound(self, flow: Flow) -> bool:
        """Whether a packet from here may go through this child."""
        return self.local.fits(flow.src, flow.protocol, flow.src_port) and self.remote.fits(
            flow.dst, flow.protocol, flow.dst_port, look=not flow.single
        )

    def inbound(self, flow: Flow) -> bool:
        """Whether a packet that came out of this child was allowed in it (RFC 4301 5.2 step 4)."""
        return self.remote.fits(flow.src, flow.protocol, flow.src_port) and self.local.fits(
            flow.dst, flow.protocol, flow.dst_port, look=not flow.single
        )


def packet_selectors(flow: Flow) -> tuple[TrafficSelector, TrafficSelector]:
    """The two selectors that name just this packet: what an initiator offers first (RFC 7296 2.9)."""
    ends = (flow.src, flow.src_port), (flow.dst, flow.dst_port)
    local, remote = (_exactly(flow.protocol, address, port) for address, port in ends)
    return local, remote


def _exactly(protocol: int, packed: bytes, port: int | None) -> TrafficSelector:
    low, high = ANY_PORT if port is None else (port, port)
    return TrafficSelector(protocol, low, high, ip_address(packed), ip_address(packed))


def _common_ports(a: TrafficSelector, b: TrafficSelector) -> tuple[int, int] | None:
    ours, theirs = (a.start_port, a.end_port), (b.start_port, b.end_port)
    if OPAQUE_PORT in (ours, theirs):
        other = theirs if ours == OPAQUE_PORT else ours
        return OPAQUE_PORT if other in (ANY_PORT, OPAQUE_PORT) else None
    low, high = max(ours[0], theirs[0]), min(ours[1], theirs[1])
    return (low, high) if low <= high else None


def intersect(a: TrafficSelector, b: TrafficSelector) -> TrafficSelector | None:
    """What both take; None where that is nothing."""
    if len({end.version for end in (a.start, a.end, b.start, b.end)}) > 1:
        return None
    if a.protocol and b.protocol and a.protocol != b.protocol:
        return None
    start, end = max(int(a.start), int(b.start)), min(int(a.end), int(b.end))
    ports = _common_ports(a, b)
    if start > end or ports is None:
        return None
    family = type(a.start)
    return TrafficSelector(a.protocol or b.protocol, *ports, family(start), family(end))


def contains(outer: TrafficSelector, inner: TrafficSelector) -> bool:
    """Whether every packet that `inner` takes is taken by `outer` as well."""
    if outer.start.version != inner.start.version or outer.protocol not in (0, inner.protocol):
        return False
    if not (int(outer.start) <= int(inner.start) and int(inner.end) <= int(outer.end)):
        return False
    return _common_ports(outer, inner) == (inner.start_port, inner.end_port)


def narrow(offered: Sequence[TrafficSelector], allowed: Sequence[TrafficSelector]) -> tuple[TrafficSelector, ...]:
    """The part of an offer that our policy allows (RFC 7296 2.9), empty for TS_UNACCEPTABLE.

    The order is the offer's, so that its first selector, the packet that the initiator wants to send, comes first. What
    a wider selector of the answer covers is left out.
    """
    common = (intersect(offer, rule) for offer in offered for rule in allowed)
    kept: list[TrafficSelector] = []
    # A dict drops equal selectors and keeps the order.
    for found in dict.fromkeys(selector for selector in common if selector):
        # What no payload could hold is not compared either: a peer may offer 255 selectors, each cut in many by ours.
        if len(kept) == MOST:
            break
        if any(contains(wider, found) for wider in kept):
            continue
        first = next((at for at, narrower in enumerate(kept) if contains(found, narrower)), len(kept))
        kept = [other for other in kept if not contains(found, other)]
        kept.insert(first, found)
    return tuple(kept)
