"""An ISAKMP message: a header and a chain of payloads, in clear or encrypted as a whole (RFC 2408 3.1, 3.2).

Encryption covers everything behind the header, and has no ICV: what authenticates a message is its HASH payload.
Decoding is in two steps, because keys and IV are found by the header: `Message1.decode(data)` reads what is in clear
and leaves a `sealed` message without payloads; `opened(plain)` reads the decrypted octets, padding included.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Self, TypeVar

from lab.wire.cursor import Reader, Writer
from lab.wire.header import SIZE, Header
from lab.wire.ids import ExchangeType, PayloadType
from lab.wire.ids_v1 import ExchangeType1, Flag1, NotifyType1, PayloadType1
from lab.wire.payloads_v1 import (
    ID1,
    KE1,
    SA1,
    Attributes1,
    Cert1,
    CertReq1,
    Delete1,
    Hash1,
    NatD,
    NatOa,
    Nonce1,
    Notify1,
    Sig1,
    Unknown1,
    VendorId1,
    malformed,
)

Payload1 = (
    SA1
    | KE1
    | ID1
    | Cert1
    | CertReq1
    | Hash1
    | Sig1
    | Nonce1
    | Notify1
    | Delete1
    | VendorId1
    | Attributes1
    | NatD
    | NatOa
    | Unknown1
)
P = TypeVar("P")

GENERIC_HEADER = 4
# No exchange needs nearly as many; see `lab.wire.payloads`.
MAX_PAYLOADS = 100
_T = PayloadType1

_DECODERS: dict[PayloadType1, Callable[[bytes], Payload1]] = {
    _T.SA: SA1.decode,
    _T.KE: KE1.decode,
    _T.ID: ID1.decode,
    _T.CERT: Cert1.decode,
    _T.CR: CertReq1.decode,
    _T.HASH: Hash1.decode,
    _T.SIG: Sig1.decode,
    _T.NONCE: Nonce1.decode,
    _T.N: Notify1.decode,
    _T.D: Delete1.decode,
    _T.VID: VendorId1.decode,
    _T.ATTR: Attributes1.decode,
    _T.NAT_D: lambda body: NatD(body, _T.NAT_D),
    _T.NAT_D_DRAFT: lambda body: NatD(body, _T.NAT_D_DRAFT),
    _T.NAT_OA: lambda body: NatOa.decode(_T.NAT_OA, body),
    _T.NAT_OA_DRAFT: lambda body: NatOa.decode(_T.NAT_OA_DRAFT, body),
}


def decode_chain(first: PayloadType1, data: bytes) -> tuple[tuple[Payload1, ...], int]:
    """The payloads in `data` and how many octets they take; what follows is padding.

    The reserved octet must be zero (RFC 2408 3.2: "set to 0"; wrongly decrypted octets seldom are). ProtocolError.
    """
    reader, kind = Reader(data), first
    payloads: list[Payload1] = []
    while kind != _T.NONE:
        if len(payloads) >= MAX_PAYLOADS:
            raise malformed(f"more than {MAX_PAYLOADS} payloads")
        following, reserved, length = PayloadType1(reader.u8()), reader.u8(), reader.u16()
        if reserved:
            raise malformed("reserved octet of a payload header is not zero")
        body = reader.take(length - GENERIC_HEADER)
        decoder = _DECODERS.get(kind)
        payloads.append(decoder(body) if decoder else Unknown1(kind, body))
        kind = following
    return tuple(payloads), reader.position


def encode_chain(payloads: Sequence[Payload1]) -> bytes:
    """Payloads with their generic headers."""
    writer = Writer()
    for index, payload in enumerate(payloads):
        body = payload.encode()
        following = payloads[index + 1].type if index + 1 < len(payloads) else _T.NONE
        writer.u8(following).u8(0).u16(len(body) + GENERIC_HEADER).raw(body)
    return bytes(writer)


@dataclass(frozen=True, slots=True)
class Message1:
    """One ISAKMP message. `raw` is the datagram without non-ESP marker, `chain` the payloads as octets, unpadded."""

    header: Header
    payloads: tuple[Payload1, ...] = ()
    raw: bytes = b""
    chain: bytes = b""

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read a datagram; raises Truncated or ProtocolError. What is encrypted stays sealed."""
        message = cls(Header.decode(data), raw=data)
        return message if message.sealed else message.opened(data[SIZE:])

    @property
    def sealed(self) -> bool:
        """Whether everything behind the header is encrypted."""
        return bool(self.header.flags & Flag1.ENCRYPTION)

    @property
    def first(self) -> PayloadType1:
        """The type of the first payload."""
        return PayloadType1(self.header.next_payload)

    @property
    def body(self) -> bytes:
        """What is behind the header as it came."""
        return self.raw[SIZE:]

    @property
    def exchange(self) -> ExchangeType1:
        """The exchange type by its name in this version."""
        return ExchangeType1(self.header.exchange)

    def opened(self, plain: bytes) -> Self:
        """This message with the payloads of its (decrypted) body."""
        payloads, length = decode_chain(self.first, plain)
        return replace(self, payloads=payloads, chain=plain[:length])

    def behind_hash(self) -> bytes:
        """The chain behind a HASH payload that stands first: what HASH(1) and HASH(2) cover (RFC 2409 5.5)."""
        if not self.payloads or not isinstance(self.payloads[0], Hash1):
            raise malformed(f"no HASH payload in front of {self.exchange.name}")
        return self.chain[GENERIC_HEADER + len(self.payloads[0].data) :]

    def all(self, kind: type[P]) -> Iterator[P]:
        """The payloads of one class."""
        return (payload for payload in self.payloads if isinstance(payload, kind))

    def get(self, kind: type[P]) -> P | None:
        """The first payload of one class."""
        return next(self.all(kind), None)

    def need(self, kind: type[P], *, most: int = 1) -> P:
        """The payload of one class that has to be there; ProtocolError where there is none or more than `most`."""
        found = list(self.all(kind))
        if not 1 <= len(found) <= most:
            name = kind.__name__.rstrip("1")
            raise malformed(f"{len(found)} {name} payloads in {self.exchange.name}, 1 to {most} allowed")
        return found[0]

    def notify(self, kind: NotifyType1) -> Notify1 | None:
        """The first notify of one type."""
        return next((notify for notify in self.all(Notify1) if notify.notify_type == kind), None)

    @property
    def error(self) -> Notify1 | None:
        """The first notify that reports an error."""
        return next((notify for notify in self.all(Notify1) if notify.notify_type.is_error), None)

    @property
    def names(self) -> tuple[str, ...]:
        """The payloads in words, for the trace."""
        return tuple(_name(payload) for payload in self.payloads)


def _name(payload: Payload1) -> str:
    return f"N({payload.notify_type.name})" if isinstance(payload, Notify1) else payload.type.name


def header(
    cookies: tuple[bytes, bytes],
    exchange: ExchangeType1,
    payloads: Sequence[Payload1],
    *,
    message_id: int = 0,
    encrypted: bool = False,
    length: int,
) -> Header:
    """The header of a message of these payloads; `length` is that of the body."""
    first = PayloadType(payloads[0].type if payloads else 0)
    flags = int(Flag1.ENCRYPTION) if encrypted else 0
    return Header(*cookies, first, ExchangeType(exchange), flags, message_id, SIZE + length, major=1, minor=0)
