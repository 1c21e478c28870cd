"""The IKE header, shared by both versions in shape (RFC 7296 3.1, RFC 2408 3.1)."""

from dataclasses import dataclass
from struct import Struct
from typing import Self

from lab.errors import ProtocolError
from lab.wire.cursor import Reader
from lab.wire.ids import ExchangeType, Flag, NotifyType, PayloadType

_FIELDS = Struct(">8s8sBBBBII")
SIZE = _FIELDS.size
NO_SPI = bytes(8)
# Plain numbers: an IntFlag computes with a function of its own, and every packet asks.
_INITIATOR, _RESPONSE = int(Flag.INITIATOR), int(Flag.RESPONSE)


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
        return bool(self.flags & _RESPONSE)

    @property
    def initiator(self) -> bool:
        """Whether the sender is the original initiator of the IKE SA."""
        return bool(self.flags & _INITIATOR)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read the first 28 octets; raises Truncated, or ProtocolError where the length field is not the data's."""
        spi_i, spi_r, following, version, exchange, flags, message_id, length = _FIELDS.unpack(Reader(data).take(SIZE))
        if length != len(data):
            raise ProtocolError(f"header says {length} octets, datagram has {len(data)}", NotifyType.INVALID_SYNTAX)
        kind, following_type = ExchangeType(exchange), PayloadType(following)
        return cls(spi_i, spi_r, following_type, kind, flags, message_id, length, version >> 4, version & 0xF)

    def encode(self) -> bytes:
        """The 28 octets."""
        version = self.major << 4 | self.minor
        numbers = (self.next_payload, version, self.exchange, self.flags, self.message_id, self.length)
        return _FIELDS.pack(self.spi_i, self.spi_r, *numbers)
