"""The IP headers in front of AH: where it stands among them, and what its ICV sees of them (RFC 4302 3.1.1, 3.3.3.1).

    IPv4    header, options | AH | ...
    IPv6    header, hop-by-hop options, [destination options,] routing | AH | [destination options,] ...

Rules of this file:
- Mutable fields are zero. IPv4: DSCP, ECN, flags, fragment offset, TTL, checksum; IPv6: DSCP, ECN, flow label, hop
  limit. An IPv4 option is mutable as a whole, of an IPv6 option only the data (its third highest bit says so).
- Predictable fields are as at the destination: a source route has been gone to its end.
- Only Dropped comes out for headers that are malformed or that cannot be predicted.
"""

from lab.errors import ProtocolError
from lab.ipsec.drops import Dropped, Reason
from lab.wire.packets import AH_NUMBER, checksum

HOP_BY_HOP, ROUTING, DESTINATION_OPTIONS = 0, 43, 60
_END, _NOP = 0, 1
_SOURCE_ROUTES = (131, 137)  # loose and strict (RFC 791)
# RFC 4302 A1: security, extended security, commercial security, router alert, multi-destination delivery.
_IMMUTABLE_OPTIONS = frozenset((130, 133, 134, 148, 149))
_PAD1, _MAY_CHANGE = 0, 0x20  # RFC 8200 4.2
# Routing types whose addresses change places under way: source route (RFC 2460 4.4) and Mobile IPv6 (RFC 6275 6.4).
_ADDRESS_LISTS = (0, 2)


def before_ah(packet: bytes) -> int:
    """How many octets of headers stand before the AH header of a packet; Dropped where it has none."""
    at, protocol = _walk(packet, frozenset((HOP_BY_HOP, ROUTING, DESTINATION_OPTIONS)))
    if protocol != AH_NUMBER:
        raise Dropped(Reason.OUTER_HEADER, f"protocol {protocol} where AH should be")
    return at


def place_for_ah(packet: bytes) -> tuple[int, int]:
    """How many octets of headers go before AH in transport mode, and the number of what is behind them.

    Destination options go before AH where a routing header follows, since every stop reads them; else behind it.
    """
    at, protocol = _walk(packet, frozenset((HOP_BY_HOP, ROUTING)))
    if protocol == DESTINATION_OPTIONS:
        after, then = _walk(packet, frozenset((HOP_BY_HOP, ROUTING, DESTINATION_OPTIONS)))
        if _routed(packet, at, after):
            return after, then
    return at, protocol


def _routed(packet: bytes, at: int, end: int) -> bool:
    protocol = DESTINATION_OPTIONS
    while at < end:
        if protocol == ROUTING:
            return True
        protocol, at = packet[at], at + 8 + 8 * packet[at + 1]
    return False


def behind_options(packet: bytes) -> tuple[int, int]:
    """Offset and number of what an IP packet holds behind options for any stop; Dropped for headers cut short."""
    return _walk(packet, frozenset((HOP_BY_HOP, DESTINATION_OPTIONS)))


def _walk(packet: bytes, passed: frozenset[int]) -> tuple[int, int]:
    """Offset and number of the first header that is not among those to pass; IPv4 has only one."""
    version = packet[0] >> 4 if packet else 0
    if version == 4 and len(packet) >= 20:
        size = (packet[0] & 0xF) * 4
        if not 20 <= size <= len(packet):
            raise Dropped(Reason.OUTER_HEADER, "IPv4 header length")
        return size, packet[9]
    if version != 6 or len(packet) < 40:
        raise Dropped(Reason.OUTER_HEADER, "version or length")
    at, protocol = 40, packet[6]
    while protocol in passed:
        if len(packet) < at + 8 or len(packet) < at + 8 + 8 * packet[at + 1]:
            raise Dropped(Reason.OUTER_HEADER, "IPv6 extension header is cut short")
        protocol, at = packet[at], at + 8 + 8 * packet[at + 1]
    return at, protocol


def joined(front: bytes, protocol: int, payload: bytes) -> bytes:
    """The packet of these headers and another payload: its protocol, its length and the IPv4 checksum are set."""
    changed = bytearray(front)
    if front[0] >> 4 == 6:
        changed[4:6] = (len(front) - 40 + len(payload)).to_bytes(2, "big")
        changed[_last_next_header(front)] = protocol
        return bytes(changed) + payload
    changed[2:4] = (len(front) + len(payload)).to_bytes(2, "big")
    changed[9] = protocol
    changed[10:12] = bytes(2)
    changed[10:12] = checksum(bytes(changed)).to_bytes(2, "big")
    return bytes(changed) + payload


def _last_next_header(front: bytes) -> int:
    place, at = 6, 40
    while at < len(front):
        place, at = at, at + 8 + 8 * front[at + 1]
    return place


def for_icv(front: bytes) -> bytes:
    """The headers before AH as the ICV sees them."""
    try:
        return _ipv6(front) if front[0] >> 4 == 6 else _ipv4(front)
    except (IndexError, ProtocolError) as error:
        if isinstance(error, Dropped):
            raise
        raise Dropped(Reason.OUTER_HEADER, "options are cut short") from None


def _ipv4(front: bytes) -> bytes:
    seen = bytearray(front)
    seen[1] = 0  # DSCP and ECN
    seen[6:9] = bytes(3)  # flags, fragment offset, TTL
    seen[10:12] = bytes(2)  # checksum
    at = 20
    while at < len(front) and front[at] != _END:
        if front[at] == _NOP:
            at += 1
            continue
        kind, length = front[at], front[at + 1]
        if length < 2 or at + length > len(front):
            raise ProtocolError("IPv4 option length")
        if kind in _SOURCE_ROUTES and length >= 7 and front[at + 2] <= length:
            seen[16:20] = front[at + length - 4 : at + length]
        if kind not in _IMMUTABLE_OPTIONS:
            seen[at : at + length] = bytes(length)
        at += length
    return bytes(seen)


def _ipv6(front: bytes) -> bytes:
    seen = bytearray(front)
    seen[0:4] = b"\x60\0\0\0"  # traffic class and flow label
    seen[7] = 0  # hop limit
    protocol, at = front[6], 40
    while at < len(front):
        end = at + 8 + 8 * front[at + 1]
        if protocol == ROUTING:
            _arrived(seen, at, end)
        else:
            _still(seen, at + 2, end)
        protocol, at = front[at], end
    return bytes(seen)


def _still(seen: bytearray, at: int, end: int) -> None:
    """Hop-by-hop or destination options: the data of those that may change under way is zero."""
    while at < end:
        if seen[at] == _PAD1:
            at += 1
            continue
        kind, length = seen[at], seen[at + 1]
        if at + 2 + length > end:
            raise ProtocolError("IPv6 option length")
        if kind & _MAY_CHANGE:
            seen[at + 2 : at + 2 + length] = bytes(length)
        at += 2 + length


def _arrived(seen: bytearray, at: int, end: int) -> None:
    """A routing header as its last stop sees it: every address has changed places with the destination once."""
    kind, left = seen[at + 2], seen[at + 3]
    if not left:
        return
    total = (end - at - 8) // 16
    if kind not in _ADDRESS_LISTS or left > total:
        raise Dropped(Reason.OUTER_HEADER, f"routing header of type {kind} with {left} segments left")
    seen[at + 3] = 0
    for number in range(total - left, total):
        place = at + 8 + 16 * number
        seen[24:40], seen[place : place + 16] = seen[place : place + 16], seen[24:40]
