"""The two payloads whose content is sealed: Encrypted (RFC 7296 3.14) and Encrypted Fragment (RFC 7383 2.5)."""

from dataclasses import dataclass
from typing import ClassVar, Self

from lab.errors import ProtocolError
from lab.wire.cursor import Reader, Writer
from lab.wire.ids import NotifyType, PayloadType


@dataclass(frozen=True, slots=True)
class Encrypted:
    """Encrypted payload, still sealed (RFC 7296 3.14): `first` is the type of the first payload inside."""

    type: ClassVar[PayloadType] = PayloadType.SK
    first: PayloadType
    body: bytes

    def encode(self) -> bytes:
        """IV, ciphertext and ICV as they came."""
        return self.body


@dataclass(frozen=True, slots=True)
class EncryptedFragment:
    """Encrypted Fragment payload, still sealed (RFC 7383 2.5); `first` is 0 in all fragments but the first."""

    type: ClassVar[PayloadType] = PayloadType.SKF
    first: PayloadType
    number: int
    total: int
    body: bytes

    @classmethod
    def decode(cls, first: PayloadType, body: bytes) -> Self:
        """Read number and total; 1 <= number <= total is checked."""
        reader = Reader(body)
        number, total = reader.u16(), reader.u16()
        if not 1 <= number <= total:
            raise ProtocolError(f"fragment {number} of {total}", NotifyType.INVALID_SYNTAX)
        return cls(first, number, total, reader.rest())

    def encode(self) -> bytes:
        """Number, total, then IV, ciphertext and ICV as they came."""
        return bytes(Writer().u16(self.number).u16(self.total).raw(self.body))
