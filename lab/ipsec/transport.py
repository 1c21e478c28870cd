"""Transport mode: what is behind an IP header is protected, and the header stays outside (RFC 4303 3.1.1).

Rules of this file:
- Only whole datagrams (RFC 4303 3.3.4, RFC 4302 3.3.4): fragments are dropped.
- With ESP so are IPv4 options and the IPv6 headers that routers look at, which would have to stay outside and which the
  sockets of ESP do not send. AH goes out with all its headers and keeps them.
- Inbound the header is made anew from the addresses and the traffic class that the packet came with.
- Behind a NAT those addresses are not the ones that the sender summed up: the checksums of TCP and UDP are computed
  anew (RFC 3948 3.1.2 b), as the ICV has shown that nothing else changed.
"""

from ipaddress import IPv4Address, IPv6Address, ip_address

from lab.ike.path import Path
from lab.ipsec.drops import Dropped, Reason
from lab.ipsec.headers import place_for_ah
from lab.wire.packets import TCP, UDP_NUMBER, IPv4, IPv6, checksum

_FRAGMENT = 44
_ROUTERS_LOOK = {0: "hop-by-hop options", 43: "a routing header", _FRAGMENT: "a fragment"}
_PLACES = {TCP: 16, UDP_NUMBER: 6}


def refuse_fragments(packet: bytes) -> None:
    """Dropped where an IPv4 packet is a fragment; in IPv6 a fragment header would stand where AH goes."""
    fragment = place_for_ah(packet)[1] == _FRAGMENT if packet[0] >> 4 == 6 else _fragment(packet)
    if fragment:
        raise Dropped(Reason.NOT_WHOLE, "a fragment")


def _fragment(packet: bytes) -> bool:
    return bool(int.from_bytes(packet[6:8], "big") & 0x3FFF)


def taken_out(packet: bytes) -> tuple[bytes, int]:
    """What is behind the IP header, and its protocol; Dropped where it is not the whole of a plain datagram."""
    if packet[0] >> 4 == 6:
        if packet[6] in _ROUTERS_LOOK:
            raise Dropped(Reason.NOT_WHOLE, _ROUTERS_LOOK[packet[6]])
        return packet[40 : 40 + int.from_bytes(packet[4:6], "big")], packet[6]
    if _fragment(packet):
        raise Dropped(Reason.NOT_WHOLE, "a fragment")
    if packet[0] & 0xF != 5:
        raise Dropped(Reason.NOT_WHOLE, "IPv4 options")
    return packet[20 : int.from_bytes(packet[2:4], "big")], packet[9]


def put_back(payload: bytes, protocol: int, path: Path, traffic_class: int, *, translated: bool) -> bytes:
    """The packet that came along `path`; `translated` where a NAT may have changed its addresses."""
    src, dst = ip_address(path.remote_host), ip_address(path.local_host)
    if translated:
        payload = _summed(payload, protocol, src.packed + dst.packed)
    if isinstance(src, IPv6Address) and isinstance(dst, IPv6Address):
        return IPv6(src, dst, protocol, payload, tos=traffic_class).encode()
    assert isinstance(src, IPv4Address) and isinstance(dst, IPv4Address), "a path has one family"
    return IPv4(src, dst, protocol, payload, tos=traffic_class).encode()


def _summed(payload: bytes, protocol: int, addresses: bytes) -> bytes:
    """The payload with a checksum that fits these addresses; UDP without one stays without."""
    at = _PLACES.get(protocol)
    if at is None or len(payload) < at + 2:
        return payload
    if protocol == UDP_NUMBER and payload[at : at + 2] == bytes(2):
        return payload
    pseudo = addresses + len(payload).to_bytes(4, "big") + protocol.to_bytes(4, "big")
    total = checksum(pseudo + payload[:at] + bytes(2) + payload[at + 2 :])
    if protocol == UDP_NUMBER:
        total = total or 0xFFFF  # 0 would mean none (RFC 768)
    return payload[:at] + total.to_bytes(2, "big") + payload[at + 2 :]
