"""IPv6 packets in fragments (RFC 8200 4.5): for ESP and AH that do not fit into their path and cannot be made smaller.

    IPv6 header, headers for routers | Fragment header | first piece
    IPv6 header, headers for routers | Fragment header | next piece  ...

The system does so by itself where it knows the path MTU. From packets of raw sockets it does not learn it (Linux wants
IPV6_RECVERR for that, and would make errors of what is none), so it is done here; ESP in UDP is left to the system.
"""

FRAGMENT, MORE = 44, 1
_FOR_ROUTERS = (0, 43, 60)  # hop-by-hop options, routing, destination options
_HEADER, _FRAGMENT_HEADER, _UNIT = 40, 8, 8


def pieces(packet: bytes, mtu: int, ident: int) -> list[bytes]:
    """An IPv6 packet in pieces of at most `mtu` octets with this identification; itself where it fits."""
    if len(packet) <= mtu:
        return [packet]
    at, last = _front(packet)
    front, rest, following = packet[:at], packet[at:], packet[last]
    size = (mtu - at - _FRAGMENT_HEADER) // _UNIT * _UNIT
    front = front[:last] + bytes((FRAGMENT,)) + front[last + 1 :]
    made = []
    for start in range(0, len(rest), size):
        more = MORE if start + size < len(rest) else 0
        header = bytes((following, 0)) + (start | more).to_bytes(2, "big") + ident.to_bytes(4, "big")
        made.append(_sized(front + header + rest[start : start + size]))
    return made


def _front(packet: bytes) -> tuple[int, int]:
    """Where the part ends that each piece repeats, and where the number of what follows it stands."""
    at, last = _HEADER, 6
    while packet[last] in _FOR_ROUTERS:
        last, at = at, at + 8 + 8 * packet[at + 1]
    return at, last


def _sized(packet: bytes) -> bytes:
    return packet[:4] + (len(packet) - _HEADER).to_bytes(2, "big") + packet[6:]
