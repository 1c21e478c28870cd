"""From frames to IP payloads: link layer taken off, extension headers skipped, fragments put together.

Rules of this file:
- A frame that is not IP, or whose headers contradict themselves, gives nothing: it is no IPsec datagram.
- Fragments are put together per capture point, because a fragment may be lost between two of them.
"""

from dataclasses import dataclass, field

from lab.errors import ProtocolError
from lab.evidence.capture import Frame
from lab.wire.packets import IP, IPv4, decode_ip
from lab.wire.pcapng import LinkType

_VLAN, _IPV4, _IPV6 = 0x8100, 0x0800, 0x86DD
_ETHERNET_HEADER = 14
_HOP_BY_HOP, _ROUTING, _FRAGMENT, _DESTINATION = 0, 43, 44, 60
_MORE_FRAGMENTS, _OFFSET = 0x2000, 0x1FFF


def network_offset(frame: Frame) -> int | None:
    """Where the IP header begins in the frame; None if it carries no IP."""
    if frame.link_type == LinkType.RAW:
        return 0
    if frame.link_type != LinkType.ETHERNET:
        return None
    at = _ETHERNET_HEADER
    kind = int.from_bytes(frame.data[12:14], "big")
    while kind == _VLAN:
        kind, at = int.from_bytes(frame.data[at + 2 : at + 4], "big"), at + 4
    return at if kind in (_IPV4, _IPV6) else None


def packet(frame: Frame) -> IP | None:
    """The IP packet in a frame, or None if there is none that can be read."""
    at = network_offset(frame)
    if at is None:
        return None
    try:
        return decode_ip(frame.data[at:])
    except ProtocolError:
        return None


@dataclass(frozen=True, slots=True)
class Piece:
    """The upper-layer octets of one IP packet; `ident` is None unless they are only a fragment."""

    protocol: int
    data: bytes
    offset: int = 0
    more: bool = False
    ident: int | None = None


def upper(ip: IP) -> Piece:
    """What is behind the IP header and the IPv6 extension headers."""
    if isinstance(ip, IPv4):
        offset, more = (ip.fragment & _OFFSET) * 8, bool(ip.fragment & _MORE_FRAGMENTS)
        return Piece(ip.protocol, ip.payload, offset, more, ip.ident if offset or more else None)
    protocol, data = ip.protocol, ip.payload
    while protocol in (_HOP_BY_HOP, _ROUTING, _DESTINATION) and len(data) >= 8:
        protocol, data = data[0], data[(data[1] + 1) * 8 :]
    if protocol == _FRAGMENT and len(data) >= 8:
        place = int.from_bytes(data[2:4], "big")
        return Piece(data[0], data[8:], place & 0xFFF8, bool(place & 1), int.from_bytes(data[4:8], "big"))
    return Piece(protocol, data)


@dataclass(frozen=True, slots=True)
class Whole:
    """The payload of an IP packet with all its fragments; `frames` are their indices in the capture."""

    ip: IP
    protocol: int
    payload: bytes
    first_ns: int
    frames: tuple[int, ...]


@dataclass(slots=True)
class _Assembly:
    """The fragments of one packet seen so far: offset -> octets."""

    first_ns: int
    pieces: dict[int, bytes] = field(default_factory=dict)
    frames: list[int] = field(default_factory=list)
    end: int | None = None

    def add(self, index: int, piece: Piece) -> bytes | None:
        """Take one fragment; the whole payload once nothing is missing."""
        self.frames.append(index)
        self.pieces.setdefault(piece.offset, piece.data)
        if not piece.more:
            self.end = piece.offset + len(piece.data)
        whole = bytearray()
        for offset, data in sorted(self.pieces.items()):
            if offset > len(whole):
                return None
            whole[offset:] = data
        return bytes(whole) if self.end is not None and len(whole) >= self.end else None


class Defragmenter:
    """Gives whole IP payloads for frames, fragments of one packet when the last of them came."""

    def __init__(self) -> None:
        self._open: dict[tuple[str, object, object, int, int], _Assembly] = {}

    def take(self, index: int, frame: Frame) -> Whole | None:
        """The IP payload that is complete with this frame, or None."""
        ip = packet(frame)
        if ip is None:
            return None
        piece = upper(ip)
        if piece.ident is None:
            return Whole(ip, piece.protocol, piece.data, frame.time_ns, (index,))
        key = (frame.point, ip.src, ip.dst, piece.protocol, piece.ident)
        assembly = self._open.setdefault(key, _Assembly(frame.time_ns))
        payload = assembly.add(index, piece)
        if payload is None:
            return None
        del self._open[key]
        return Whole(ip, piece.protocol, payload, assembly.first_ns, tuple(assembly.frames))
