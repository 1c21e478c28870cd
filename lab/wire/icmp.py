"""ICMP messages that say a packet was too big: "fragmentation needed" and "packet too big".

RFC 792 and 1191 4 (type 3, code 4)             RFC 4443 3.2 (type 2)

    +------+------+-------------+                   +------+------+-------------+
    | Type | Code |  Checksum   |                   | Type | Code |  Checksum   |
    +------+------+-------------+                   +------+------+-------------+
    |    unused   | next-hop MTU|                   |            MTU            |
    +-------------+-------------+                   +---------------------------+
    | start of the packet ...   |                   | start of the packet ...   |
    +---------------------------+                   +---------------------------+

Nobody has authenticated any of it. Of IPv4 a router need not give back more than 8 octets behind the IP header
(RFC 792): enough for the SPI of ESP, not for that of ESP in UDP.
"""

from dataclasses import dataclass
from ipaddress import ip_address
from typing import Self

from lab.errors import ProtocolError
from lab.wire.cursor import Reader
from lab.wire.packets import AH_NUMBER, ESP_NUMBER, UDP_NUMBER, checksum

UNREACHABLE, FRAGMENTATION_NEEDED, PACKET_TOO_BIG = 3, 4, 2
# IPv6 extension headers that have their length in units of 8 octets, and the fragment header.
_EXTENSIONS, _FRAGMENT = (0, 43, 60), 44


@dataclass(frozen=True, slots=True)
class TooBig:
    """What a router says of a packet of ours: the MTU of its next link (0: it does not say), and how the packet began.

    `length` is that of the whole packet; `ports` are those of UDP around ESP, None where there is none.
    """

    mtu: int
    src: str
    dst: str
    length: int
    protocol: int
    ports: tuple[int, int] | None
    spi: bytes
    sequence: int

    @classmethod
    def decode(cls, data: bytes, version: int) -> Self | None:
        """Read an ICMP message of this IP version; None where it is another one or speaks of no ESP or AH packet.

        Raises ProtocolError (Truncated) for a wrong checksum and where the packet is cut before its SPI.
        """
        reader = Reader(data)
        kind, code, _sum = reader.u8(), reader.u8(), reader.u16()
        if version == 6:  # the system has verified its checksum, which takes in addresses
            return cls._quoted(reader.u32(), _front_v6(reader)) if kind == PACKET_TOO_BIG else None
        if (kind, code) != (UNREACHABLE, FRAGMENTATION_NEEDED):
            return None
        if checksum(data):
            raise ProtocolError("wrong ICMP checksum")
        reader.u16()
        return cls._quoted(reader.u16(), _front_v4(reader))

    @classmethod
    def _quoted(cls, mtu: int, front: "_Front | None") -> Self | None:
        if front is None:
            return None
        reader, ports = front.reader, None
        if front.protocol == UDP_NUMBER:
            ports = reader.u16(), reader.u16()
            reader.take(4)
        elif front.protocol == AH_NUMBER:
            reader.take(4)
        elif front.protocol != ESP_NUMBER:
            return None
        spi, sequence = reader.take(4), reader.u32()
        return cls(mtu, front.src, front.dst, front.length, front.protocol, ports, spi, sequence)


@dataclass(frozen=True, slots=True)
class _Front:
    """The headers of IP of the packet that is spoken of; the reader stands behind them."""

    src: str
    dst: str
    length: int
    protocol: int
    reader: Reader


def _front_v4(reader: Reader) -> _Front | None:
    first, _tos, length, _ident, fragment = reader.u8(), reader.u8(), reader.u16(), reader.u16(), reader.u16()
    _ttl, protocol, _sum = reader.u8(), reader.u8(), reader.u16()
    src, dst = (str(ip_address(reader.take(4))) for _ in range(2))
    if first >> 4 != 4 or first & 0xF < 5:
        raise ProtocolError("not an IPv4 packet")
    reader.take((first & 0xF) * 4 - 20)
    # A later fragment holds no SPI.
    return None if fragment & 0x1FFF else _Front(src, dst, length, protocol, reader)


def _front_v6(reader: Reader) -> _Front | None:
    word, length, protocol, _hops = reader.u32(), reader.u16(), reader.u8(), reader.u8()
    src, dst = (str(ip_address(reader.take(16))) for _ in range(2))
    if word >> 28 != 6:
        raise ProtocolError("not an IPv6 packet")
    while protocol in _EXTENSIONS or protocol == _FRAGMENT:
        following, octets, offset = reader.u8(), reader.u8(), reader.u16()
        if protocol == _FRAGMENT and offset & 0xFFF8:
            return None
        reader.take(4 if protocol == _FRAGMENT else 4 + 8 * octets)
        protocol = following
    return _Front(src, dst, 40 + length, protocol, reader)
