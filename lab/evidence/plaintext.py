"""Whether inner packets were readable outside the tunnel: the question every scenario that protects traffic asks.

A packet is inner if both its addresses, or either of them, lie in the protected networks. A capture point is outside
unless its node is a host, or its interface is how a gateway reaches the protected network.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network

from lab.evidence.capture import Frame
from lab.evidence.inner import summary
from lab.evidence.network import network_offset, packet
from lab.evidence.places import Address, Places


@dataclass(frozen=True, slots=True)
class Leak:
    """An inner packet that could be read outside the tunnel; `frame` is its index in the capture."""

    frame: int
    point: str
    t: float
    what: str


def _in(address: Address, networks: Iterable[IPv4Network | IPv6Network]) -> bool:
    return any(network.version == address.version and address in network for network in networks)


def outside_of(places: Places, inner: Iterable[str]) -> Callable[[str], bool]:
    """Tells of a capture point whether it is outside: neither a host's nor on a link of the protected networks."""
    networks = [ip_network(prefix) for prefix in inner]
    inside = {point for point, addresses in places.points.items() if any(_in(a, networks) for a in addresses)}
    return lambda point: point not in inside and places.kinds.get(point.partition(":")[0]) != "host"


def leaks(frames: Sequence[Frame], inner: Iterable[str], outside: Callable[[str], bool]) -> list[Leak]:
    """Every packet from or to the inner networks that a capture point outside could read."""
    networks = [ip_network(prefix) for prefix in inner]
    found = []
    for index, frame in enumerate(frames):
        ip = packet(frame) if outside(frame.point) else None
        if ip is None:
            continue
        ends = [address for address in (ip.src, ip.dst) if not address.is_multicast]
        if any(_in(end, networks) for end in ends):
            what = summary(frame.data[network_offset(frame) :])
            found.append(Leak(index, frame.point, frame.t, what))
    return found
