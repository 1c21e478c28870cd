"""The headers of a captured packet in their order, opened where they were sealed: `IPv4 | ESP | IPv4 | GRE | IPv4`.

Rules of this file:
- Never raises: what cannot be read ends the list as `malformed`, what no key opens ends with `ESP`.
- Fragments are put together per capture point; a packet counts where and when its last fragment was seen.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from lab.errors import ProtocolError
from lab.evidence.capture import Frame
from lab.evidence.keyring import Inner
from lab.evidence.network import Defragmenter, upper
from lab.wire.gre import IPV4, IPV6, GREPacket
from lab.wire.ospf import OSPF_NUMBER
from lab.wire.packets import (
    AH_NUMBER,
    ESP_NUMBER,
    GRE,
    ICMP,
    NAT_PORT,
    TCP,
    UDP,
    UDP_NUMBER,
    classify_4500,
    decode_ip,
)
from lab.wire.pcapng import Direction

OpenEsp = Callable[[bytes], Inner | None]
_NAMES = {ICMP: "ICMP", 58: "ICMPv6", TCP: "TCP", OSPF_NUMBER: "OSPF", AH_NUMBER: "AH"}
_IP_IN_IP = (4, 41)


@dataclass(frozen=True, slots=True)
class Layer:
    """One header: its name, and the octets from it to the end of what it holds."""

    name: str
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Packet:
    """A packet at a capture point; `direction` is the point's view, `ends` are the addresses of its first header."""

    t: float
    point: str
    direction: Direction
    ends: tuple[str, str]
    layers: tuple[Layer, ...]

    @property
    def node(self) -> str:
        """The node that the capture point belongs to."""
        return self.point.partition(":")[0]

    @property
    def names(self) -> str:
        """The headers in words: `IPv4 | ESP | GRE | IPv4 | OSPF`."""
        return " | ".join(layer.name for layer in self.layers)

    def last(self, name: str) -> bytes | None:
        """The octets of the innermost header of this name; None where there is none."""
        return next((layer.data for layer in reversed(self.layers) if layer.name == name), None)


def packets(frames: Sequence[Frame], open_esp: OpenEsp) -> list[Packet]:
    """Every IP packet at every capture point, with all the headers that can be read."""
    defragmenter = Defragmenter()
    found = []
    for index, frame in enumerate(frames):
        whole = defragmenter.take(index, frame)
        if whole is None:
            continue
        outer = Layer(f"IPv{whole.ip.src.version}", whole.ip.encode())
        layers = (outer, *_behind_ip(whole.protocol, whole.payload, open_esp))
        ends = str(whole.ip.src), str(whole.ip.dst)
        found.append(Packet(frame.t, frame.point, frame.direction, ends, layers))
    return found


def _ip(data: bytes, open_esp: OpenEsp) -> Iterator[Layer]:
    """An IP packet within another one."""
    try:
        ip = decode_ip(data)
    except ProtocolError:
        yield Layer("malformed", data)
        return
    yield Layer(f"IPv{ip.src.version}", data)
    piece = upper(ip)
    if piece.offset or piece.more:
        yield Layer("fragment", piece.data)
    else:
        yield from _behind_ip(piece.protocol, piece.data, open_esp)


def _behind_ip(protocol: int, data: bytes, open_esp: OpenEsp) -> Iterator[Layer]:
    if protocol in _IP_IN_IP:
        yield from _ip(data, open_esp)
    elif protocol == ESP_NUMBER:
        yield from _esp(data, open_esp)
    elif protocol == GRE:
        yield from _gre(data, open_esp)
    elif protocol == UDP_NUMBER:
        yield from _udp(data, open_esp)
    else:
        yield Layer(_NAMES.get(protocol, f"protocol {protocol}"), data)


def _esp(data: bytes, open_esp: OpenEsp) -> Iterator[Layer]:
    yield Layer("ESP", data)
    inner = open_esp(data)
    if inner is not None:
        yield from _behind_ip(inner.next_header, inner.data, open_esp)


def _gre(data: bytes, open_esp: OpenEsp) -> Iterator[Layer]:
    try:
        gre = GREPacket.decode(data)
    except ProtocolError:
        yield Layer("malformed", data)
        return
    yield Layer("GRE", data)
    if gre.protocol in (IPV4, IPV6):
        yield from _ip(gre.payload, open_esp)
    else:
        yield Layer(f"EtherType {gre.protocol:#06x}", gre.payload)


def _udp(data: bytes, open_esp: OpenEsp) -> Iterator[Layer]:
    yield Layer("UDP", data)
    try:
        udp = UDP.decode(data)
    except ProtocolError:
        return
    if NAT_PORT in (udp.sport, udp.dport) and classify_4500(udp.payload) == "esp":
        yield from _esp(udp.payload, open_esp)
