"""The chain of payloads: generic payload headers one after the other (RFC 7296 3.2).

 0                   1                   2                   3
 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
| Next Payload  |C|  RESERVED   |         Payload Length        |
"""

from collections.abc import Callable, Iterator, Sequence
from struct import Struct
from typing import NamedTuple

from lab.errors import ProtocolError
from lab.wire.cursor import Reader
from lab.wire.ids import NotifyType, PayloadType
from lab.wire.payloads_v2 import (
    CP,
    EAP,
    ID,
    KE,
    SA,
    TS,
    Auth,
    Cert,
    CertReq,
    Delete,
    Nonce,
    Notify,
    Unknown,
    VendorId,
)
from lab.wire.sealed import Encrypted, EncryptedFragment

Payload = (
    SA
    | KE
    | ID
    | Cert
    | CertReq
    | Auth
    | Nonce
    | Notify
    | Delete
    | VendorId
    | TS
    | CP
    | EAP
    | Encrypted
    | EncryptedFragment
    | Unknown
)

_GENERIC = Struct(">BBH")
GENERIC_HEADER = _GENERIC.size
# No exchange needs nearly as many; without a cap one datagram of empty payloads makes 16,000 objects.
MAX_PAYLOADS = 200

_DECODERS: dict[PayloadType, Callable[[bytes], Payload]] = {
    PayloadType.SA: SA.decode,
    PayloadType.KE: KE.decode,
    PayloadType.IDi: lambda body: ID.decode(PayloadType.IDi, body),
    PayloadType.IDr: lambda body: ID.decode(PayloadType.IDr, body),
    PayloadType.CERT: Cert.decode,
    PayloadType.CERTREQ: CertReq.decode,
    PayloadType.AUTH: Auth.decode,
    PayloadType.NONCE: Nonce.decode,
    PayloadType.N: Notify.decode,
    PayloadType.D: Delete.decode,
    PayloadType.V: VendorId.decode,
    PayloadType.TSi: lambda body: TS.decode(PayloadType.TSi, body),
    PayloadType.TSr: lambda body: TS.decode(PayloadType.TSr, body),
    PayloadType.CP: CP.decode,
    PayloadType.EAP: EAP.decode,
}


class Link(NamedTuple):
    """One payload of a chain, not looked into; `following` is its next-payload field."""

    kind: PayloadType
    critical: bool
    body: bytes
    following: PayloadType


def walk(first: PayloadType, data: bytes) -> Iterator[Link]:
    """The links of the chain in `data`, whose first payload is of type `first`; octets behind the last are ignored.

    SK and SKF end the chain: their next-payload field names what is inside (RFC 7296 3.14).
    Raises Truncated or ProtocolError(INVALID_SYNTAX).
    """
    reader, kind, count = Reader(data), first, 0
    while kind != PayloadType.NONE:
        if count >= MAX_PAYLOADS:
            raise ProtocolError(f"more than {MAX_PAYLOADS} payloads", NotifyType.INVALID_SYNTAX)
        number, flags, length = _GENERIC.unpack(reader.take(GENERIC_HEADER))
        following = PayloadType(number)
        yield Link(kind, bool(flags & 0x80), reader.take(length - GENERIC_HEADER), following)
        kind = PayloadType.NONE if kind in (PayloadType.SK, PayloadType.SKF) else following
        count += 1


def decode_chain(first: PayloadType, data: bytes) -> tuple[Payload, ...]:
    """The payloads in `data`, the first being of type `first`. Raises Truncated or ProtocolError(INVALID_SYNTAX)."""
    return tuple(_decode(link) for link in walk(first, data))


def _decode(link: Link) -> Payload:
    if link.kind == PayloadType.SK:
        return Encrypted(link.following, link.body)
    if link.kind == PayloadType.SKF:
        return EncryptedFragment.decode(link.following, link.body)
    decoder = _DECODERS.get(link.kind)
    return decoder(link.body) if decoder else Unknown(link.kind, link.critical, link.body)


def encode_chain(payloads: Sequence[Payload]) -> bytes:
    """Payloads with their generic headers; a sealed payload at the end keeps its own next-payload field."""
    parts: list[bytes] = []
    for index, payload in enumerate(payloads):
        body = payload.encode()
        following = payloads[index + 1].type if index + 1 < len(payloads) else PayloadType.NONE
        if isinstance(payload, (Encrypted, EncryptedFragment)):
            following = payload.first
        critical = 0x80 if isinstance(payload, Unknown) and payload.critical else 0
        parts += (_GENERIC.pack(following, critical, len(body) + GENERIC_HEADER), body)
    return b"".join(parts)


def first_type(payloads: Sequence[Payload]) -> PayloadType:
    """What the next-payload field in front of this chain must say."""
    return payloads[0].type if payloads else PayloadType.NONE
