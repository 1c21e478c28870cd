"""EAP packets (RFC 3748 4) and what methods put into them: EAP-MSCHAPv2 (draft-kamath-pppext-eap-mschapv2-02), TLS.

Rules: a packet has exactly the length that its header tells; octets behind it would be data-link padding (4), which an
EAP payload of IKE cannot have. Success and Failure carry nothing (4.2).
"""

from dataclasses import dataclass
from typing import Self

from lab.errors import ProtocolError
from lab.wire.cursor import Reader, Writer
from lab.wire.ids import NotifyType, OpenEnum

HEADER = 4


class EapCode(OpenEnum):
    """RFC 3748 4."""

    REQUEST = 1
    RESPONSE = 2
    SUCCESS = 3
    FAILURE = 4


class EapType(OpenEnum):
    """Method types (IANA, from RFC 3748 5)."""

    IDENTITY = 1
    NOTIFICATION = 2
    NAK = 3
    MD5 = 4
    OTP = 5
    GTC = 6
    TLS = 13
    SIM = 18
    TTLS = 21
    AKA = 23
    PEAP = 25
    MSCHAPV2 = 26
    EXTENSIONS = 33
    EXPANDED = 254


def malformed(reason: str) -> ProtocolError:
    """An EAP packet that cannot be read."""
    return ProtocolError(reason, NotifyType.INVALID_SYNTAX)


@dataclass(frozen=True, slots=True)
class Packet:
    """One EAP packet; `type` is None for Success and Failure.

     0                   1                   2                   3
    |     Code      |  Identifier   |            Length             |
    |     Type      |  Type-Data ...
    """

    code: EapCode
    identifier: int
    type: EapType | None = None
    data: bytes = b""

    @classmethod
    def decode(cls, octets: bytes) -> Self:
        """Read a packet; ProtocolError (INVALID_SYNTAX) where code, length and type do not fit each other."""
        reader = Reader(octets)
        code, identifier, length = EapCode(reader.u8()), reader.u8(), reader.u16()
        if length != len(octets):
            raise malformed(f"EAP packet of {len(octets)} octets tells a length of {length}")
        if code in (EapCode.SUCCESS, EapCode.FAILURE):
            if reader.left:
                raise malformed(f"EAP {code.name} with {reader.left} octets of data")
            return cls(code, identifier)
        if code not in (EapCode.REQUEST, EapCode.RESPONSE):
            raise malformed(f"unknown EAP code {code.value}")
        return cls(code, identifier, EapType(reader.u8()), reader.rest())

    def encode(self) -> bytes:
        """The octets, header included."""
        body = b"" if self.type is None else bytes([self.type]) + self.data
        return bytes(Writer().u8(self.code).u8(self.identifier).u16(HEADER + len(body)).raw(body))

    def __str__(self) -> str:
        kind = f"/{self.type.name}" if self.type is not None else ""
        return f"{self.code.name}{kind} {self.identifier}"


class ChapCode(OpenEnum):
    """Op-codes of EAP-MSCHAPv2."""

    CHALLENGE = 1
    RESPONSE = 2
    SUCCESS = 3
    FAILURE = 4
    CHANGE_PASSWORD = 7


@dataclass(frozen=True, slots=True)
class Chap:
    """One packet of EAP-MSCHAPv2: Type-Data of an EAP packet. Success and Failure as responses are the op-code alone.

    |    OpCode     |  MS-CHAPv2-ID |  MS-Length  |  Data ...
    """

    code: ChapCode
    identifier: int = 0
    body: bytes = b""
    bare: bool = False

    @classmethod
    def decode(cls, octets: bytes) -> Self:
        """Read a packet; ProtocolError where MS-Length is not its length."""
        reader = Reader(octets)
        code = ChapCode(reader.u8())
        if not reader.left and code in (ChapCode.SUCCESS, ChapCode.FAILURE):
            return cls(code, bare=True)
        identifier, length = reader.u8(), reader.u16()
        if length != len(octets):
            raise malformed(f"EAP-MSCHAPv2 packet of {len(octets)} octets tells a length of {length}")
        return cls(code, identifier, reader.rest())

    def encode(self) -> bytes:
        """The octets."""
        if self.bare:
            return bytes([self.code])
        return bytes(Writer().u8(self.code).u8(self.identifier).u16(HEADER + len(self.body)).raw(self.body))


@dataclass(frozen=True, slots=True)
class ChapChallenge:
    """Body of a Challenge: Value-Size 16, Challenge, Name."""

    challenge: bytes
    name: bytes

    @classmethod
    def decode(cls, body: bytes) -> Self:
        """Read the body; ProtocolError where the challenge has another size than 16."""
        reader = Reader(body)
        if (size := reader.u8()) != 16:
            raise malformed(f"EAP-MSCHAPv2 challenge of {size} octets, 16 wanted")
        return cls(reader.take(16), reader.rest())

    def encode(self) -> bytes:
        """The octets."""
        return bytes(Writer().u8(len(self.challenge)).raw(self.challenge).raw(self.name))


@dataclass(frozen=True, slots=True)
class ChapResponse:
    """Body of a Response: Value-Size 49, Peer-Challenge (16), 8 octets of zero, NT-Response (24), Flags, Name."""

    challenge: bytes
    nt_response: bytes
    name: bytes

    @classmethod
    def decode(cls, body: bytes) -> Self:
        """Read the body; ProtocolError where the value has another size than 49."""
        reader = Reader(body)
        if (size := reader.u8()) != 49:
            raise malformed(f"EAP-MSCHAPv2 response of {size} octets, 49 wanted")
        challenge, _, nt_response, _ = reader.take(16), reader.take(8), reader.take(24), reader.u8()
        return cls(challenge, nt_response, reader.rest())

    def encode(self) -> bytes:
        """The octets."""
        return bytes([49]) + self.challenge + bytes(8) + self.nt_response + b"\0" + self.name


_LENGTH, _MORE, _START, _VERSION = 0x80, 0x40, 0x20, 0x07


@dataclass(frozen=True, slots=True)
class TlsFrame:
    """Type-Data of EAP-TLS, EAP-TTLS and PEAP: flags, the length of the whole TLS message, a part of it.

    |L M S R R|Ver| TLS Message Length (4, with L) | TLS Data ...     (RFC 5216 3.1; Ver: RFC 5281 9.1, PEAP)
    """

    data: bytes = b""
    more: bool = False
    start: bool = False
    length: int | None = None
    version: int = 0

    @classmethod
    def decode(cls, octets: bytes) -> Self:
        """Read a frame; reserved bits are ignored."""
        reader = Reader(octets)
        flags = reader.u8()
        length = reader.u32() if flags & _LENGTH else None
        return cls(reader.rest(), bool(flags & _MORE), bool(flags & _START), length, flags & _VERSION)

    def encode(self) -> bytes:
        """The octets."""
        writer = Writer().u8(
            (_LENGTH if self.length is not None else 0)
            | (_MORE if self.more else 0)
            | (_START if self.start else 0)
            | self.version
        )
        if self.length is not None:
            writer.u32(self.length)
        return bytes(writer.raw(self.data))


_VENDOR, _MANDATORY = 0x80, 0x40
EAP_MESSAGE = 79


@dataclass(frozen=True, slots=True)
class Avp:
    """One attribute of EAP-TTLS, in the shape of Diameter (RFC 5281 10.1); padded to a multiple of 4 octets.

    |            AVP Code           |V M r r r r r r|  AVP Length (3)  | Vendor-ID (4, with V) | Data ...
    """

    code: int
    data: bytes
    vendor: int = 0
    mandatory: bool = True

    @classmethod
    def decode_all(cls, octets: bytes) -> tuple[Self, ...]:
        """Read a sequence; ProtocolError where a length does not fit."""
        reader, found = Reader(octets), []
        while reader.left:
            code, head = reader.u32(), reader.u32()
            flags, length = head >> 24, head & 0xFFFFFF
            vendor = reader.u32() if flags & _VENDOR else 0
            data = reader.take(length - (12 if flags & _VENDOR else 8))
            reader.take(min(-length % 4, reader.left))  # some leave the last padding out
            found.append(cls(code, data, vendor, bool(flags & _MANDATORY)))
        return tuple(found)

    def encode(self) -> bytes:
        """The octets, padding included."""
        length = len(self.data) + (12 if self.vendor else 8)
        flags = (_VENDOR if self.vendor else 0) | (_MANDATORY if self.mandatory else 0)
        writer = Writer().u32(self.code).u32(flags << 24 | length)
        if self.vendor:
            writer.u32(self.vendor)
        return bytes(writer.raw(self.data).raw(bytes(-length % 4)))
