"""What selectors see of an IP packet: addresses, the next layer protocol and its ports (RFC 4301 4.4.1.1)."""

from dataclasses import dataclass
from ipaddress import ip_address
from typing import TypeVar

from lab.errors import ProtocolError, Truncated

_ICMP, _TCP, _UDP, _ICMPV6, _DCCP, _SCTP, _MH, _UDPLITE = 1, 6, 17, 58, 33, 132, 135, 136
_PORTS = frozenset((_TCP, _UDP, _DCCP, _SCTP, _UDPLITE))
# IPv6 extension headers with the length in units of 8 octets: hop-by-hop options, routing, destination options.
_EXTENSIONS = frozenset((0, 43, 60))
_FRAGMENT = 44
_COMMON = (_TCP, _UDP)
MOST_KNOWN = 1024
_V = TypeVar("_V")


@dataclass(frozen=True, slots=True)
class Flow:
    """What selectors see of a packet; ports are None where they cannot be seen (other protocols, later fragments).

    Addresses are packed octets, which compare like the numbers they stand for. `single` marks a protocol with one
    "port" (ICMP, MH): then both ports hold it.
    """

    src: bytes
    dst: bytes
    protocol: int
    src_port: int | None = None
    dst_port: int | None = None
    single: bool = False

    def __str__(self) -> str:
        ends = f"{ip_address(self.src)} -> {ip_address(self.dst)}, protocol {self.protocol}"
        if self.src_port is None:
            return ends
        return f"{ends}, type/code {self.src_port}" if self.single else f"{ends}, {self.src_port} -> {self.dst_port}"


def key_of(packet: bytes) -> bytes:
    """Octets that the packets of one flow of TCP or UDP have in common, and those of no other flow.

    Empty where telling the flow takes more than a look at fixed places: other protocols, options, fragments.
    """
    if len(packet) < 44 or packet[0] == 0x45:
        plain = len(packet) >= 24 and packet[0] == 0x45 and packet[9] in _COMMON
        return packet[9:10] + packet[12:24] if plain and not (packet[6] & 0x3F or packet[7]) else b""
    return packet[6:7] + packet[8:44] if packet[0] >> 4 == 6 and packet[6] in _COMMON else b""


class Known(dict[bytes, _V]):
    """What was found out about flows, by the keys of `key_of`; where too many are known it begins anew."""

    __slots__ = ()

    def keep(self, key: bytes, found: _V) -> _V:
        """Remember it, unless the key is empty; gives it back."""
        if key:
            if len(self) >= MOST_KNOWN:
                self.clear()
            self[key] = found
        return found


def flow_of(packet: bytes) -> Flow:
    """The flow of an IP packet; raises ProtocolError where the headers are not all there."""
    version = packet[0] >> 4 if packet else 0
    if version == 4:
        return _flow_v4(packet)
    if version == 6:
        return _flow_v6(packet)
    raise ProtocolError("not an IP packet")


def _flow_v4(packet: bytes) -> Flow:
    size = (packet[0] & 0xF) * 4
    if size < 20 or len(packet) < size:
        raise Truncated("IPv4 header is cut short")
    later_fragment = (packet[6] << 8 | packet[7]) & 0x1FFF
    return _with_ports(packet[12:16], packet[16:20], packet[9], b"" if later_fragment else packet[size : size + 4])


def _flow_v6(packet: bytes) -> Flow:
    if len(packet) < 40:
        raise Truncated("IPv6 header is cut short")
    protocol, at = packet[6], 40
    while protocol in _EXTENSIONS or protocol == _FRAGMENT:
        if len(packet) < at + 8:
            raise Truncated("IPv6 extension header is cut short")
        later_fragment = protocol == _FRAGMENT and (packet[at + 2] << 8 | packet[at + 3]) & 0xFFF8
        size = 8 if protocol == _FRAGMENT else 8 + 8 * packet[at + 1]
        protocol = packet[at]
        if later_fragment:
            return Flow(packet[8:24], packet[24:40], protocol)
        at += size
    return _with_ports(packet[8:24], packet[24:40], protocol, packet[at : at + 4])


def _with_ports(src: bytes, dst: bytes, protocol: int, head: bytes) -> Flow:
    if protocol in _PORTS and len(head) == 4:
        return Flow(src, dst, protocol, head[0] << 8 | head[1], head[2] << 8 | head[3])
    if protocol in (_ICMP, _ICMPV6) and len(head) >= 2:
        kind = head[0] << 8 | head[1]
        return Flow(src, dst, protocol, kind, kind, single=True)
    if protocol == _MH and len(head) >= 3:
        # The type stands in the more significant octet of the port field (RFC 7296 3.13.1).
        return Flow(src, dst, protocol, head[2] << 8, head[2] << 8, single=True)
    return Flow(src, dst, protocol)
