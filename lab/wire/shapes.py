"""Payload bodies that have one shape in both versions; each version's classes add their type and their bounds."""

from dataclasses import dataclass
from typing import Self

from lab.wire.cursor import Reader, Writer
from lab.wire.ids import CertEncoding


@dataclass(frozen=True, slots=True)
class Opaque:
    """Base of payloads that are octets only."""

    data: bytes

    @classmethod
    def decode(cls, body: bytes) -> Self:
        """Take the body as it is."""
        return cls(body)

    def encode(self) -> bytes:
        """The body."""
        return self.data


@dataclass(frozen=True, slots=True)
class Encoded:
    """An encoding and octets: the body of a certificate and of a request for one."""

    encoding: CertEncoding
    data: bytes

    @classmethod
    def decode(cls, body: bytes) -> Self:
        """Read encoding, data."""
        reader = Reader(body)
        return cls(CertEncoding(reader.u8()), reader.rest())

    def encode(self) -> bytes:
        """The body."""
        return bytes(Writer().u8(self.encoding).raw(self.data))
