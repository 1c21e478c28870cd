"""The IKE header, shared by both versions in shape (RFC 7296 3.1, RFC 2408 3.1)."""

from dataclasses import dataclass
from typing import Self

from lab.errors import ProtocolError
from lab.wire.cursor import Reader, Writer
from lab.wire.ids import ExchangeType, Flag, NotifyType, PayloadType

SIZE = 28
NO_SPI = bytes(8)


@dataclass(frozen=True, slots=True)
class Header:
    """The 28 octets in front of every IKE message.

     0                   1                   2                   3
     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    |                   IKE SA Initiator's SPI (8)                  |
    |                   IKE SA Responder's SPI (8)                  |
    |  Next Payload | MjVer | MnVer | Exchange Type |     Flags     |
    |                          Message ID                           |
    |                            Length                             |
    """

    spi_i: bytes
    spi_r: bytes
    next_payload: PayloadType
    exchange: ExchangeType
    flags: int
    message_id: int
    length: int = 0
    major: int = 2
    minor: int = 0

    @property
    def response(self) -> bool:
        """Whether this message answers a request."""
        return bool(self.flags & Flag.RESPONSE)

    @property
    def initiator(self) -> bool:
        """Whether the sender is the original initiator of the IKE SA."""
        return bool(self.flags & Flag.INITIATOR)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read the first 28 octets; raises Truncated, or ProtocolError where the length field is not the data's."""
        reader = Reader(data)
        spi_i, spi_r = reader.take(8), reader.take(8)
        following, version, exchange, flags = reader.take(4)
        message_id, length = reader.u32(), reader.u32()
        if length != len(data):
            raise ProtocolError(f"header says {length} octets, datagram has {len(data)}", NotifyType.INVALID_SYNTAX)
        kind, following_type = ExchangeType(exchange), PayloadType(following)
        return cls(spi_i, spi_r, following_type, kind, flags, message_id, length, version >> 4, version & 0xF)

    def encode(self) -> bytes:
        """The 28 octets."""
        writer = Writer().raw(self.spi_i).raw(self.spi_r).u8(self.next_payload)
        writer.u8(self.major << 4 | self.minor).u8(self.exchange).u8(self.flags)
        return bytes(writer.u32(self.message_id).u32(self.length))
