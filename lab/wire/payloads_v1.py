"""One dataclass per ISAKMP payload, in the order of RFC 2408 section 3, with the shapes that RFC 2407 gives them.

`decode` takes the body behind the generic payload header and `encode` gives it back. Payloads that IKEv2 shaped anew
have their own class here; octets that mean the same in both versions (nonce, vendor ID) share one.
"""

from dataclasses import dataclass
from typing import ClassVar, Self

from lab.errors import ProtocolError
from lab.wire.cursor import Reader, Writer
from lab.wire.ids_v1 import (
    DOI_IPSEC,
    SIT_IDENTITY_ONLY,
    Attribute1,
    CfgType1,
    IdType1,
    NotifyType1,
    PayloadType1,
    Protocol1,
    TransformId1,
)
from lab.wire.shapes import Encoded, Opaque

SHORTEST_NONCE, LONGEST_NONCE = 8, 256
# A proposal numbers its transforms with one octet; without a cap on proposals one datagram makes 8,000 objects.
MAX_PROPOSALS = 64


def malformed(reason: str) -> ProtocolError:
    """What stands for a payload that breaks its shape."""
    return ProtocolError(reason, NotifyType1.PAYLOAD_MALFORMED)


@dataclass(frozen=True, slots=True)
class Attribute:
    """A data attribute: a number of 2 octets in the basic form, octets in the variable one (RFC 2408 3.3).

    |1|      Attribute Type       |        Value        |        |0|   Attribute Type   |   Length   | Value ...
    """

    type: Attribute1
    value: int | bytes

    @classmethod
    def decode(cls, reader: Reader) -> Self:
        """Read one attribute."""
        kind = reader.u16()
        value = reader.u16() if kind & 0x8000 else reader.take(reader.u16())
        return cls(Attribute1(kind & 0x7FFF), value)

    @classmethod
    def of(cls, kind: int, number: int) -> Self:
        """A number: basic where it fits 2 octets, otherwise variable with 4 (as RFC 2409 wants long lifetimes)."""
        return cls(Attribute1(kind), number if number < 0x10000 else number.to_bytes(4, "big"))

    @property
    def number(self) -> int:
        """The value as a number, whatever the form; lifetimes come in both (RFC 2407 4.5)."""
        return self.value if isinstance(self.value, int) else int.from_bytes(self.value, "big")

    def encode(self) -> bytes:
        """The octets of this attribute."""
        if isinstance(self.value, int):
            return bytes(Writer().u16(0x8000 | self.type).u16(self.value))
        return bytes(Writer().u16(self.type).u16(len(self.value)).raw(self.value))


def _attributes(reader: Reader) -> tuple[Attribute, ...]:
    found = []
    while reader.left:
        found.append(Attribute.decode(reader))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Transform1:
    """Transform payload (RFC 2408 3.6): one set of algorithms on offer."""

    number: int
    id: TransformId1
    attributes: tuple[Attribute, ...] = ()

    def get(self, kind: int) -> int | None:
        """The number of an attribute; None where it is not there."""
        return next((attribute.number for attribute in self.attributes if attribute.type == kind), None)

    @classmethod
    def decode(cls, reader: Reader) -> Self:
        """Read number, ID, reserved and attributes."""
        number, kind = reader.u8(), reader.u8()
        reader.u16()
        return cls(number, TransformId1(kind), _attributes(reader))

    def encode(self) -> bytes:
        """The body."""
        front = Writer().u8(self.number).u8(self.id).u16(0)
        return bytes(front.raw(b"".join(attribute.encode() for attribute in self.attributes)))


def _nested(writer: Writer, kind: PayloadType1, bodies: list[bytes]) -> None:
    """Payloads of one type one after the other, each but the last announcing the next."""
    for index, body in enumerate(bodies, 1):
        writer.u8(PayloadType1.NONE if index == len(bodies) else kind).u8(0).u16(len(body) + 4).raw(body)


def _blocks(reader: Reader) -> list[Reader]:
    """The bodies of nested payloads; what each announces is left aside, the length of the whole decides."""
    found = []
    while reader.left:
        _following, _reserved, length = reader.u8(), reader.u8(), reader.u16()
        found.append(reader.block(length - 4))
        if len(found) > 255:
            raise malformed("more than 255 transforms or proposals")
    return found


@dataclass(frozen=True, slots=True)
class Proposal1:
    """Proposal payload (RFC 2408 3.5): transforms of which one is to be chosen."""

    number: int
    protocol: Protocol1
    spi: bytes
    transforms: tuple[Transform1, ...]

    @classmethod
    def decode(cls, reader: Reader) -> Self:
        """Read number, protocol, SPI and transforms."""
        number, protocol, spi_size, count = reader.take(4)
        spi = reader.take(spi_size)
        transforms = tuple(Transform1.decode(block) for block in _blocks(reader))
        if len(transforms) != count:
            raise malformed(f"proposal {number} announces {count} transforms and holds {len(transforms)}")
        return cls(number, Protocol1(protocol), spi, transforms)

    def encode(self) -> bytes:
        """The body."""
        writer = Writer().u8(self.number).u8(self.protocol).u8(len(self.spi)).u8(len(self.transforms)).raw(self.spi)
        _nested(writer, PayloadType1.T, [transform.encode() for transform in self.transforms])
        return bytes(writer)


@dataclass(frozen=True, slots=True)
class SA1:
    """Security Association payload (RFC 2408 3.4, RFC 2407 4.6.1): DOI, situation, proposals."""

    type: ClassVar[PayloadType1] = PayloadType1.SA
    proposals: tuple[Proposal1, ...]

    @classmethod
    def decode(cls, body: bytes) -> Self:
        """Read the body; another DOI or situation than ours is refused with the notify that says so."""
        reader = Reader(body)
        if (doi := reader.u32()) not in (0, DOI_IPSEC):
            raise ProtocolError(f"DOI {doi}, we know that of IPsec", NotifyType1.DOI_NOT_SUPPORTED)
        if (situation := reader.u32()) != SIT_IDENTITY_ONLY:
            raise ProtocolError(f"situation {situation}, we know identity only", NotifyType1.SITUATION_NOT_SUPPORTED)
        blocks = _blocks(reader)
        if len(blocks) > MAX_PROPOSALS:
            raise malformed(f"more than {MAX_PROPOSALS} proposals")
        return cls(tuple(Proposal1.decode(block) for block in blocks))

    def encode(self) -> bytes:
        """The body; it is also what HASH_I and HASH_R cover as SAi_b."""
        writer = Writer().u32(DOI_IPSEC).u32(SIT_IDENTITY_ONLY)
        _nested(writer, PayloadType1.P, [proposal.encode() for proposal in self.proposals])
        return bytes(writer)


@dataclass(frozen=True, slots=True)
class KE1(Opaque):
    """Key Exchange payload (RFC 2408 3.7): the public value; the group is the SA payload's business."""

    type: ClassVar[PayloadType1] = PayloadType1.KE


@dataclass(frozen=True, slots=True)
class ID1:
    """Identification payload (RFC 2407 4.6.2): type, IP protocol, port, data."""

    type: ClassVar[PayloadType1] = PayloadType1.ID
    id_type: IdType1
    data: bytes
    protocol: int = 0
    port: int = 0

    @classmethod
    def decode(cls, body: bytes) -> Self:
        """Read the body."""
        reader = Reader(body)
        id_type, protocol, port = reader.u8(), reader.u8(), reader.u16()
        return cls(IdType1(id_type), reader.rest(), protocol, port)

    def encode(self) -> bytes:
        """The body; it is also what HASH_I and HASH_R cover as IDii_b and IDir_b."""
        return bytes(Writer().u8(self.id_type).u8(self.protocol).u16(self.port).raw(self.data))


@dataclass(frozen=True, slots=True)
class Cert1(Encoded):
    """Certificate payload (RFC 2408 3.9)."""

    type: ClassVar[PayloadType1] = PayloadType1.CERT


@dataclass(frozen=True, slots=True)
class CertReq1(Encoded):
    """Certificate Request payload (RFC 2408 3.10): the distinguished name of a CA, or nothing for any."""

    type: ClassVar[PayloadType1] = PayloadType1.CR


@dataclass(frozen=True, slots=True)
class Hash1(Opaque):
    """Hash payload (RFC 2408 3.11)."""

    type: ClassVar[PayloadType1] = PayloadType1.HASH


@dataclass(frozen=True, slots=True)
class Sig1(Opaque):
    """Signature payload (RFC 2408 3.12)."""

    type: ClassVar[PayloadType1] = PayloadType1.SIG


@dataclass(frozen=True, slots=True)
class Nonce1(Opaque):
    """Nonce payload, 8 to 256 octets (RFC 2409 5)."""

    type: ClassVar[PayloadType1] = PayloadType1.NONCE

    @classmethod
    def decode(cls, body: bytes) -> Self:
        """Take the body; another length is malformed."""
        if not SHORTEST_NONCE <= len(body) <= LONGEST_NONCE:
            raise malformed(f"nonce of {len(body)} octets, {SHORTEST_NONCE} to {LONGEST_NONCE} allowed")
        return cls(body)


@dataclass(frozen=True, slots=True)
class Notify1:
    """Notification payload (RFC 2408 3.14): DOI, protocol, SPI size, type, SPI, data."""

    type: ClassVar[PayloadType1] = PayloadType1.N
    notify_type: NotifyType1
    data: bytes = b""
    protocol: Protocol1 = Protocol1.ISAKMP
    spi: bytes = b""
    doi: int = DOI_IPSEC

    @classmethod
    def decode(cls, body: bytes) -> Self:
        """Read the body."""
        reader = Reader(body)
        doi, protocol, size, kind = reader.u32(), reader.u8(), reader.u8(), reader.u16()
        spi = reader.take(size)
        return cls(NotifyType1(kind), reader.rest(), Protocol1(protocol), spi, doi)

    def encode(self) -> bytes:
        """The body."""
        writer = Writer().u32(self.doi).u8(self.protocol).u8(len(self.spi)).u16(self.notify_type)
        return bytes(writer.raw(self.spi).raw(self.data))


@dataclass(frozen=True, slots=True)
class Delete1:
    """Delete payload (RFC 2408 3.15): DOI, protocol, SPI size, number of SPIs, SPIs."""

    type: ClassVar[PayloadType1] = PayloadType1.D
    protocol: Protocol1
    spis: tuple[bytes, ...]
    doi: int = DOI_IPSEC

    @classmethod
    def decode(cls, body: bytes) -> Self:
        """Read the body."""
        reader = Reader(body)
        doi, protocol, size, count = reader.u32(), reader.u8(), reader.u8(), reader.u16()
        if count and not size:
            raise malformed(f"Delete of {count} SPIs of no octets")
        return cls(Protocol1(protocol), tuple(reader.take(size) for _ in range(count)), doi)

    def encode(self) -> bytes:
        """The body."""
        size = len(self.spis[0]) if self.spis else 0
        writer = Writer().u32(self.doi).u8(self.protocol).u8(size).u16(len(self.spis))
        return bytes(writer.raw(b"".join(self.spis)))


@dataclass(frozen=True, slots=True)
class VendorId1(Opaque):
    """Vendor ID payload (RFC 2408 3.16)."""

    type: ClassVar[PayloadType1] = PayloadType1.VID


@dataclass(frozen=True, slots=True)
class Attributes1:
    """Attribute payload of a Transaction exchange (draft-ietf-ipsec-isakmp-mode-cfg 3.2)."""

    type: ClassVar[PayloadType1] = PayloadType1.ATTR
    cfg_type: CfgType1
    identifier: int
    attributes: tuple[Attribute, ...] = ()

    @classmethod
    def decode(cls, body: bytes) -> Self:
        """Read type, reserved, identifier, attributes."""
        reader = Reader(body)
        kind, _reserved, identifier = reader.u8(), reader.u8(), reader.u16()
        return cls(CfgType1(kind), identifier, _attributes(reader))

    def encode(self) -> bytes:
        """The body."""
        front = Writer().u8(self.cfg_type).u8(0).u16(self.identifier)
        return bytes(front.raw(b"".join(attribute.encode() for attribute in self.attributes)))


@dataclass(frozen=True, slots=True)
class NatD:
    """NAT Discovery payload (RFC 3947 3.2): the hash of an address and a port; its drafts number it otherwise."""

    data: bytes
    type: PayloadType1 = PayloadType1.NAT_D

    def encode(self) -> bytes:
        """The body."""
        return self.data


@dataclass(frozen=True, slots=True)
class NatOa:
    """NAT Original Address payload (RFC 3947 5.2): type, reserved, address; its drafts number it otherwise."""

    id_type: IdType1
    data: bytes
    type: PayloadType1 = PayloadType1.NAT_OA

    @classmethod
    def decode(cls, kind: PayloadType1, body: bytes) -> Self:
        """Read the body; the address must have the length of its type."""
        reader = Reader(body)
        id_type, _reserved = IdType1(reader.u8()), reader.take(3)
        length = {IdType1.ID_IPV4_ADDR: 4, IdType1.ID_IPV6_ADDR: 16}.get(id_type)
        if length is None or reader.left != length:
            raise malformed(f"NAT-OA of type {id_type.name} with {reader.left} octets")
        return cls(id_type, reader.rest(), kind)

    def encode(self) -> bytes:
        """The body."""
        return bytes(Writer().u8(self.id_type).raw(bytes(3)).raw(self.data))


@dataclass(frozen=True, slots=True)
class Unknown1:
    """A payload of a type that we do not know."""

    type: PayloadType1
    data: bytes

    def encode(self) -> bytes:
        """The body as it came."""
        return self.data
