"""IPv4, IPv6, UDP, ESP and AH headers around IKE, checksums, and what a datagram on port 4500 is (RFC 3948 2)."""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Literal, Self

from lab.errors import ProtocolError, Truncated
from lab.wire.cursor import Reader, Writer

NON_ESP_MARKER = bytes(4)
KEEPALIVE = b"\xff"
IKE_PORT, NAT_PORT = 500, 4500
ICMP, TCP, UDP_NUMBER, GRE, ESP_NUMBER, AH_NUMBER = 1, 6, 17, 47, 50, 51


def checksum(data: bytes) -> int:
    """The Internet checksum: ones' complement of the ones' complement sum of 16-bit words (RFC 1071)."""
    padded = data if len(data) % 2 == 0 else data + b"\0"
    # 2^16 is 1 modulo 2^16 - 1: the sum of the words is the number itself modulo 65535.
    total = int.from_bytes(padded, "big") % 0xFFFF
    if total == 0 and any(padded):
        total = 0xFFFF
    return ~total & 0xFFFF


def classify_4500(data: bytes) -> Literal["keepalive", "ike", "esp", "bad"]:
    """What a UDP payload on port 4500 is: 4 zero octets mark IKE, one octet 0xFF a keepalive, all else is ESP."""
    if data == KEEPALIVE:
        return "keepalive"
    if len(data) < 8:
        return "bad"
    return "ike" if data[:4] == NON_ESP_MARKER else "esp"


def all_esp(data: bytes, size: int) -> bool:
    """Whether UDP payloads of this length on port 4500, the last one maybe shorter, are ESP all of them."""
    if size < 8 or 0 < len(data) % size < 8:
        return False
    if 0 not in data[::size]:
        return True
    return all(data[at : at + 4] != NON_ESP_MARKER for at in range(0, len(data), size))


@dataclass(frozen=True, slots=True)
class IPv4:
    """An IPv4 packet (RFC 791); `fragment` is the 16-bit field of flags and fragment offset."""

    src: IPv4Address
    dst: IPv4Address
    protocol: int
    payload: bytes
    ttl: int = 64
    tos: int = 0
    ident: int = 0
    fragment: int = 0
    options: bytes = b""

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read a packet; octets behind its total length (Ethernet padding) are ignored. The checksum must be right."""
        reader = Reader(data)
        first, tos, total, ident, fragment = reader.u8(), reader.u8(), reader.u16(), reader.u16(), reader.u16()
        ttl, protocol, _sum = reader.u8(), reader.u8(), reader.u16()
        src, dst = IPv4Address(reader.take(4)), IPv4Address(reader.take(4))
        size = (first & 0xF) * 4
        if first >> 4 != 4 or size < 20 or total < size:
            raise ProtocolError("not an IPv4 packet")
        options, payload = reader.take(size - 20), reader.take(total - size)
        if checksum(data[:size]):
            raise ProtocolError("wrong IPv4 header checksum")
        return cls(src, dst, protocol, payload, ttl, tos, ident, fragment, options)

    def encode(self) -> bytes:
        """The packet with its checksum."""
        size = 20 + len(self.options)
        writer = Writer().u8(0x40 | size // 4).u8(self.tos).u16(size + len(self.payload)).u16(self.ident)
        front = bytes(writer.u16(self.fragment).u8(self.ttl).u8(self.protocol))
        addresses = self.src.packed + self.dst.packed + self.options
        total = checksum(front + addresses)
        return front + total.to_bytes(2, "big") + addresses + self.payload


@dataclass(frozen=True, slots=True)
class IPv6:
    """An IPv6 packet (RFC 8200); extension headers stay in the payload."""

    src: IPv6Address
    dst: IPv6Address
    protocol: int
    payload: bytes
    ttl: int = 64
    tos: int = 0
    flow: int = 0

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read a packet; octets behind its payload length are ignored."""
        reader = Reader(data)
        word, length, protocol, ttl = reader.u32(), reader.u16(), reader.u8(), reader.u8()
        if word >> 28 != 6:
            raise ProtocolError("not an IPv6 packet")
        src, dst = IPv6Address(reader.take(16)), IPv6Address(reader.take(16))
        return cls(src, dst, protocol, reader.take(length), ttl, word >> 20 & 0xFF, word & 0xFFFFF)

    def encode(self) -> bytes:
        """The packet."""
        writer = Writer().u32(6 << 28 | self.tos << 20 | self.flow).u16(len(self.payload)).u8(self.protocol)
        return bytes(writer.u8(self.ttl).raw(self.src.packed).raw(self.dst.packed).raw(self.payload))


IP = IPv4 | IPv6


def decode_ip(data: bytes) -> IP:
    """Read an IPv4 or IPv6 packet by its version field; raises Truncated or ProtocolError."""
    if not data:
        raise Truncated("empty packet")
    return IPv6.decode(data) if data[0] >> 4 == 6 else IPv4.decode(data)


@dataclass(frozen=True, slots=True)
class UDP:
    """A UDP datagram (RFC 768); `sum` is the checksum as it was on the wire, 0 for none."""

    sport: int
    dport: int
    payload: bytes
    sum: int = 0

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read a datagram; octets behind its length are ignored."""
        reader = Reader(data)
        sport, dport, length, total = reader.u16(), reader.u16(), reader.u16(), reader.u16()
        return cls(sport, dport, reader.take(length - 8), total)

    def encode(self) -> bytes:
        """The datagram."""
        writer = Writer().u16(self.sport).u16(self.dport).u16(8 + len(self.payload)).u16(self.sum)
        return bytes(writer.raw(self.payload))


@dataclass(frozen=True, slots=True)
class ESPHeader:
    """The 8 octets in front of every ESP packet (RFC 4303 2)."""

    spi: bytes
    seq: int

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read SPI and sequence number."""
        reader = Reader(data)
        return cls(reader.take(4), reader.u32())

    def encode(self) -> bytes:
        """The 8 octets."""
        return self.spi + self.seq.to_bytes(4, "big")


@dataclass(frozen=True, slots=True)
class AHHeader:
    """The Authentication Header (RFC 4302 2); `icv` has the explicit padding at its end.

    +-------------+-------------+---------------------------+
    | Next Header | Payload Len |         Reserved          |
    +-------------+-------------+---------------------------+
    |            Security Parameters Index (SPI)            |
    +-------------------------------------------------------+
    |                    Sequence Number                    |
    +-------------------------------------------------------+
    |         Integrity Check Value (variable) ...          |
    +-------------------------------------------------------+
    """

    next_header: int
    spi: bytes
    seq: int
    icv: bytes
    reserved: int = 0

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read the header by its Payload Len, which counts words of 32 bits and leaves out two of them."""
        reader = Reader(data)
        next_header, words, reserved = reader.u8(), reader.u8(), reader.u16()
        if words < 1:
            raise ProtocolError("AH header shorter than its fixed part")
        spi, seq = reader.take(4), reader.u32()
        return cls(next_header, spi, seq, reader.take(words * 4 - 4), reserved)

    def encode(self) -> bytes:
        """The octets of the header."""
        front = Writer().u8(self.next_header).u8((len(self.icv) + 4) // 4).u16(self.reserved)
        return bytes(front.raw(self.spi).u32(self.seq).raw(self.icv))

    @property
    def size(self) -> int:
        """Octets of the whole header."""
        return 12 + len(self.icv)
