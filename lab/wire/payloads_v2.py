"""One dataclass per IKEv2 payload, in the order of RFC 7296 section 3.

`decode` takes the body behind the generic payload header and `encode` gives it back. Reserved fields are sent as zero
and ignored when read, except in the ID payload, whose reserved octets are part of what AUTH signs (RFC 7296 2.15).
"""

from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_network, summarize_address_range
from struct import Struct
from typing import ClassVar, Self

from lab.errors import ProtocolError
from lab.wire.cursor import Reader, Writer
from lab.wire.ids import (
    AttributeType,
    AuthMethod,
    CfgAttribute,
    CfgType,
    Encr,
    Esn,
    IdType,
    Integ,
    KeMethod,
    NotifyType,
    OpenEnum,
    PayloadType,
    Prf,
    ProtocolId,
    TransformType,
    TsType,
)
from lab.wire.shapes import Encoded, Opaque

Address = IPv4Address | IPv6Address

_TRANSFORM_IDS: dict[TransformType, type[OpenEnum]] = {
    TransformType.ENCR: Encr,
    TransformType.PRF: Prf,
    TransformType.INTEG: Integ,
    TransformType.KE: KeMethod,
    TransformType.ESN: Esn,
    **{TransformType(number): KeMethod for number in range(TransformType.ADDKE1, TransformType.ADDKE7 + 1)},
}
# Type, reserved, ID | AF and type, value | last or more, reserved, length: each as the first octets of a substructure.
_TRANSFORM, _ATTRIBUTE, _SUBSTRUCTURE = Struct(">BBH"), Struct(">HH"), Struct(">BBH")


class TransformId(OpenEnum):
    """Transform IDs of a transform type that has no registry here."""

    NONE = 0


def _syntax(reason: str) -> ProtocolError:
    return ProtocolError(reason, NotifyType.INVALID_SYNTAX)


@dataclass(frozen=True, slots=True)
class Attribute:
    """A transform attribute: an int in the short form, octets in the long form (RFC 7296 3.3.5)."""

    type: AttributeType
    value: int | bytes

    @classmethod
    def decode(cls, reader: Reader) -> Self:
        """Read one attribute: AF(1) | type(15), then a value of 2 octets, or a length and that many octets."""
        kind = reader.u16()
        value = reader.u16() if kind & 0x8000 else reader.take(reader.u16())
        return cls(AttributeType(kind & 0x7FFF), value)

    def encode(self) -> bytes:
        """The octets of this attribute."""
        if isinstance(self.value, int):
            return _ATTRIBUTE.pack(0x8000 | self.type, self.value)
        return bytes(Writer().u16(self.type).u16(len(self.value)).raw(self.value))


@dataclass(frozen=True, slots=True)
class Transform:
    """One algorithm on offer (RFC 7296 3.3.2); `other` holds attributes that are not Key Length."""

    type: TransformType
    id: OpenEnum
    key_length: int | None = None
    other: tuple[Attribute, ...] = ()

    @classmethod
    def decode(cls, reader: Reader) -> Self:
        """Read type, reserved, ID and attributes (the substructure behind its length)."""
        kind = TransformType(reader.u8())
        reader.u8()
        number = _TRANSFORM_IDS.get(kind, TransformId)(reader.u16())
        if not reader.left:
            return cls(kind, number)
        attributes = []
        while reader.left:
            attributes.append(Attribute.decode(reader))
        lengths = [a.value for a in attributes if a.type == AttributeType.KEY_LENGTH and isinstance(a.value, int)]
        other = tuple(a for a in attributes if a.type != AttributeType.KEY_LENGTH or isinstance(a.value, bytes))
        return cls(kind, number, lengths[0] if lengths else None, other)

    def encode(self) -> bytes:
        """The substructure behind its length."""
        head = _TRANSFORM.pack(self.type, 0, self.id)
        if self.key_length is not None:
            head += Attribute(AttributeType.KEY_LENGTH, self.key_length).encode()
        return head + b"".join([attribute.encode() for attribute in self.other]) if self.other else head


@dataclass(frozen=True, slots=True)
class Proposal:
    """A set of transforms of which one per type is to be chosen (RFC 7296 3.3.1)."""

    number: int
    protocol: ProtocolId
    spi: bytes
    transforms: tuple[Transform, ...]

    def of(self, kind: TransformType) -> tuple[Transform, ...]:
        """The transforms of one type, in the order of the offer."""
        return tuple([transform for transform in self.transforms if transform.type is kind or transform.type == kind])

    @classmethod
    def decode(cls, reader: Reader) -> Self:
        """Read number, protocol, SPI and transforms (the substructure behind its length)."""
        number, protocol, spi_size, count = reader.take(4)
        spi = reader.take(spi_size)
        transforms = []
        while reader.left:
            _more, _reserved, length = reader.u8(), reader.u8(), reader.u16()
            transforms.append(Transform.decode(reader.block(length - 4)))
        if len(transforms) != count:
            raise _syntax(f"proposal {number} announces {count} transforms and holds {len(transforms)}")
        return cls(number, ProtocolId(protocol), spi, tuple(transforms))

    def encode(self) -> bytes:
        """The substructure behind its length."""
        writer = Writer().u8(self.number).u8(self.protocol).u8(len(self.spi)).u8(len(self.transforms)).raw(self.spi)
        for index, transform in enumerate(self.transforms, 1):
            body = transform.encode()
            writer.raw(_SUBSTRUCTURE.pack(0 if index == len(self.transforms) else 3, 0, len(body) + 4)).raw(body)
        return bytes(writer)


@dataclass(frozen=True, slots=True)
class SA:
    """Security Association payload (RFC 7296 3.3)."""

    type: ClassVar[PayloadType] = PayloadType.SA
    proposals: tuple[Proposal, ...]

    @classmethod
    def decode(cls, body: bytes) -> Self:
        """Read proposals until the body ends."""
        reader, proposals = Reader(body), []
        while reader.left:
            _more, _reserved, length = reader.u8(), reader.u8(), reader.u16()
            proposals.append(Proposal.decode(reader.block(length - 4)))
        return cls(tuple(proposals))

    def encode(self) -> bytes:
        """The body."""
        writer = Writer()
        for index, proposal in enumerate(self.proposals, 1):
            body = proposal.encode()
            writer.u8(0 if index == len(self.proposals) else 2).u8(0).u16(len(body) + 4).raw(body)
        return bytes(writer)


@dataclass(frozen=True, slots=True)
class KE:
    """Key Exchange payload (RFC 7296 3.4)."""

    type: ClassVar[PayloadType] = PayloadType.KE
    group: KeMethod
    data: bytes

    @classmethod
    def decode(cls, body: bytes) -> Self:
        """Read method, reserved, data."""
        reader = Reader(body)
        group, _reserved = reader.u16(), reader.u16()
        return cls(KeMethod(group), reader.rest())

    def encode(self) -> bytes:
        """The body."""
        return bytes(Writer().u16(self.group).u16(0).raw(self.data))


@dataclass(frozen=True, slots=True)
class ID:
    """Identification payload, initiator's or responder's (RFC 7296 3.5)."""

    kind: PayloadType
    id_type: IdType
    data: bytes
    reserved: bytes = bytes(3)

    @property
    def type(self) -> PayloadType:
        """IDi or IDr."""
        return self.kind

    @classmethod
    def decode(cls, kind: PayloadType, body: bytes) -> Self:
        """Read type, reserved, data."""
        reader = Reader(body)
        id_type, reserved = reader.u8(), reader.take(3)
        return cls(kind, IdType(id_type), reader.rest(), reserved)

    def encode(self) -> bytes:
        """The body; it is also what AUTH signs as RestOfIDPayload (RFC 7296 2.15)."""
        return bytes(Writer().u8(self.id_type).raw(self.reserved).raw(self.data))


@dataclass(frozen=True, slots=True)
class Cert(Encoded):
    """Certificate payload (RFC 7296 3.6)."""

    type: ClassVar[PayloadType] = PayloadType.CERT


@dataclass(frozen=True, slots=True)
class CertReq(Encoded):
    """Certificate Request payload (RFC 7296 3.7): a list of SHA-1 hashes of CA keys, 20 octets each."""

    type: ClassVar[PayloadType] = PayloadType.CERTREQ


@dataclass(frozen=True, slots=True)
class Auth:
    """Authentication payload (RFC 7296 3.8)."""

    type: ClassVar[PayloadType] = PayloadType.AUTH
    method: AuthMethod
    data: bytes

    @classmethod
    def decode(cls, body: bytes) -> Self:
        """Read method, reserved, data."""
        reader = Reader(body)
        method, _reserved = reader.u8(), reader.take(3)
        return cls(AuthMethod(method), reader.rest())

    def encode(self) -> bytes:
        """The body."""
        return bytes(Writer().u8(self.method).raw(bytes(3)).raw(self.data))


@dataclass(frozen=True, slots=True)
class Nonce(Opaque):
    """Nonce payload, 16 to 256 octets (RFC 7296 3.9)."""

    type: ClassVar[PayloadType] = PayloadType.NONCE

    @classmethod
    def decode(cls, body: bytes) -> Self:
        """Take the body; a length outside 16..256 is INVALID_SYNTAX."""
        if not 16 <= len(body) <= 256:
            raise _syntax(f"nonce of {len(body)} octets, 16 to 256 allowed")
        return cls(body)


@dataclass(frozen=True, slots=True)
class VendorId(Opaque):
    """Vendor ID payload (RFC 7296 3.12)."""

    type: ClassVar[PayloadType] = PayloadType.V


@dataclass(frozen=True, slots=True)
class EAP(Opaque):
    """EAP payload: one EAP packet (RFC 7296 3.16)."""

    type: ClassVar[PayloadType] = PayloadType.EAP


@dataclass(frozen=True, slots=True)
class Notify:
    """Notify payload (RFC 7296 3.10)."""

    type: ClassVar[PayloadType] = PayloadType.N
    notify_type: NotifyType
    data: bytes = b""
    protocol: ProtocolId = ProtocolId.NONE
    spi: bytes = b""

    @classmethod
    def decode(cls, body: bytes) -> Self:
        """Read protocol, SPI size, type, SPI, data."""
        reader = Reader(body)
        protocol, spi_size, kind = reader.u8(), reader.u8(), reader.u16()
        spi = reader.take(spi_size)
        return cls(NotifyType(kind), reader.rest(), ProtocolId(protocol), spi)

    def encode(self) -> bytes:
        """The body."""
        return bytes(Writer().u8(self.protocol).u8(len(self.spi)).u16(self.notify_type).raw(self.spi).raw(self.data))


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete payload (RFC 7296 3.11); no SPIs for the IKE SA itself."""

    type: ClassVar[PayloadType] = PayloadType.D
    protocol: ProtocolId
    spis: tuple[bytes, ...] = ()

    @classmethod
    def decode(cls, body: bytes) -> Self:
        """Read protocol, SPI size, count, SPIs."""
        reader = Reader(body)
        protocol, size, count = reader.u8(), reader.u8(), reader.u16()
        if count and not size:
            raise _syntax(f"Delete of {count} SPIs of no octets")
        spis = tuple(reader.take(size) for _ in range(count))
        return cls(ProtocolId(protocol), spis)

    def encode(self) -> bytes:
        """The body."""
        size = len(self.spis[0]) if self.spis else 0
        return bytes(Writer().u8(self.protocol).u8(size).u16(len(self.spis)).raw(b"".join(self.spis)))


@dataclass(frozen=True, slots=True)
class TrafficSelector:
    """A range of addresses and ports of one protocol, 0 for any (RFC 7296 3.13.1)."""

    protocol: int
    start_port: int
    end_port: int
    start: Address
    end: Address

    @classmethod
    def of_network(cls, text: str, protocol: int = 0, start_port: int = 0, end_port: int = 65535) -> Self:
        """The selector of a network such as `10.1.0.0/24` or a single address."""
        network = ip_network(text)
        return cls(protocol, start_port, end_port, network.network_address, network.broadcast_address)

    @property
    def ts_type(self) -> TsType:
        """The selector type that the address family asks for."""
        return TsType.IPV4_ADDR_RANGE if self.start.version == 4 else TsType.IPV6_ADDR_RANGE

    @classmethod
    def decode(cls, kind: TsType, reader: Reader) -> Self:
        """Read protocol, length, ports and addresses behind the type octet (the length is checked by the caller)."""
        protocol, _length, start_port, end_port = reader.u8(), reader.u16(), reader.u16(), reader.u16()
        if kind == TsType.IPV4_ADDR_RANGE:
            return cls(protocol, start_port, end_port, IPv4Address(reader.take(4)), IPv4Address(reader.take(4)))
        return cls(protocol, start_port, end_port, IPv6Address(reader.take(16)), IPv6Address(reader.take(16)))

    def encode(self) -> bytes:
        """The whole substructure."""
        writer = Writer().u8(self.ts_type).u8(self.protocol).u16(8 + 2 * len(self.start.packed))
        return bytes(writer.u16(self.start_port).u16(self.end_port).raw(self.start.packed).raw(self.end.packed))

    def __str__(self) -> str:
        """As strongSwan writes it: `10.1.0.0/24`, `10.1.0.5-10.1.0.9[17/500]`."""
        text = f"{self.start}-{self.end}"
        # Addresses of two families, or an end below the start, cannot be summarised; they are shown as they came.
        if self.start.version == self.end.version and int(self.start) <= int(self.end):
            networks = list(summarize_address_range(self.start, self.end))
            text = str(networks[0]) if len(networks) == 1 else text
        if self.protocol == 0 and (self.start_port, self.end_port) == (0, 65535):
            return text
        if (self.start_port, self.end_port) == (0, 65535):
            return f"{text}[{self.protocol}]"
        ports = str(self.start_port) if self.start_port == self.end_port else f"{self.start_port}-{self.end_port}"
        return f"{text}[{self.protocol}/{ports}]"


@dataclass(frozen=True, slots=True)
class TS:
    """Traffic Selector payload, initiator's or responder's (RFC 7296 3.13); `other` holds selectors of unknown type."""

    kind: PayloadType
    selectors: tuple[TrafficSelector, ...]
    other: tuple[bytes, ...] = ()

    @property
    def type(self) -> PayloadType:
        """TSi or TSr."""
        return self.kind

    @classmethod
    def decode(cls, kind: PayloadType, body: bytes) -> Self:
        """Read the count and the selectors."""
        reader = Reader(body)
        count, _reserved = reader.u8(), reader.take(3)
        known, other = [], []
        for _ in range(count):
            # type(1) protocol(1) length(2): the length counts from the type octet on
            start = reader.take(4)
            whole = start + reader.take(int.from_bytes(start[2:], "big") - 4)
            ts_type = TsType(whole[0])
            if ts_type in (TsType.IPV4_ADDR_RANGE, TsType.IPV6_ADDR_RANGE):
                known.append(TrafficSelector.decode(ts_type, Reader(whole, 1)))
            else:
                other.append(whole)
        return cls(kind, tuple(known), tuple(other))

    def encode(self) -> bytes:
        """The body."""
        parts = [selector.encode() for selector in self.selectors] + list(self.other)
        return bytes(Writer().u8(len(parts)).raw(bytes(3)).raw(b"".join(parts)))


@dataclass(frozen=True, slots=True)
class CP:
    """Configuration payload (RFC 7296 3.15): pairs of attribute type and value."""

    type: ClassVar[PayloadType] = PayloadType.CP
    cfg_type: CfgType
    attributes: tuple[tuple[CfgAttribute, bytes], ...] = field(default=())

    @classmethod
    def decode(cls, body: bytes) -> Self:
        """Read type, reserved, attributes."""
        reader = Reader(body)
        cfg_type, _reserved = reader.u8(), reader.take(3)
        attributes = []
        while reader.left:
            kind, length = reader.u16(), reader.u16()
            attributes.append((CfgAttribute(kind & 0x7FFF), reader.take(length)))
        return cls(CfgType(cfg_type), tuple(attributes))

    def encode(self) -> bytes:
        """The body."""
        writer = Writer().u8(self.cfg_type).raw(bytes(3))
        for kind, value in self.attributes:
            writer.u16(kind).u16(len(value)).raw(value)
        return bytes(writer)


@dataclass(frozen=True, slots=True)
class Unknown:
    """A payload of a type that we do not know; legal to ignore unless its critical bit is set (RFC 7296 2.5)."""

    type: PayloadType
    critical: bool
    data: bytes

    def encode(self) -> bytes:
        """The body as it came."""
        return self.data
