"""GRE packets: RFC 2784, with the key and the sequence number of RFC 2890.

 0                   1                   2                   3
 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
|C| |K|S| Reserved0       | Ver |         Protocol Type         |
+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
|      Checksum (optional)      |      Reserved1 (optional)     |
+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
|                         Key (optional)                        |
+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
|                   Sequence Number (optional)                  |
+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
"""

from dataclasses import dataclass
from typing import Self

from lab.errors import ProtocolError
from lab.wire.cursor import Reader, Writer
from lab.wire.packets import checksum

IPV4, IPV6 = 0x0800, 0x86DD  # protocol types are EtherTypes
CHECKSUM, KEY, SEQUENCE = 0x8000, 0x2000, 0x1000
_VERSION = 0x0007
# RFC 2784 2.3: a receiver MUST discard a packet in which any of bits 1 to 5 is set; RFC 2890 took K and S of them back.
_UNKNOWN = 0x4C00


@dataclass(frozen=True, slots=True)
class GREPacket:
    """What follows an IP header of protocol 47. Key and sequence number are 32-bit numbers, None where absent."""

    protocol: int
    payload: bytes
    key: int | None = None
    sequence: int | None = None
    checksummed: bool = False

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read a packet; a checksum, where there is one, must be right."""
        reader = Reader(data)
        flags, protocol = reader.u16(), reader.u16()
        if flags & _VERSION:
            raise ProtocolError(f"GRE version {flags & _VERSION}")
        if flags & _UNKNOWN:
            raise ProtocolError(f"GRE flags {flags:#06x} that RFC 2784 has us discard")
        if flags & CHECKSUM:
            reader.u32()
            if checksum(data):
                raise ProtocolError("wrong GRE checksum")
        key = reader.u32() if flags & KEY else None
        sequence = reader.u32() if flags & SEQUENCE else None
        return cls(protocol, reader.rest(), key, sequence, bool(flags & CHECKSUM))

    def encode(self) -> bytes:
        """The packet, with its checksum if it has one."""
        flags = CHECKSUM * self.checksummed | KEY * (self.key is not None) | SEQUENCE * (self.sequence is not None)
        front = bytes(Writer().u16(flags).u16(self.protocol))
        rest = b"".join(field.to_bytes(4, "big") for field in (self.key, self.sequence) if field is not None)
        rest += self.payload
        if not self.checksummed:
            return front + rest
        total = checksum(front + bytes(4) + rest)
        return front + total.to_bytes(2, "big") + bytes(2) + rest
