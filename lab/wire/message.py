"""An IKE message: a header and its payloads, with the Encrypted payload sealed or opened.

Decoding is in two steps, because the keys are found by the header: `Message.decode(data)` leaves SK sealed,
`.opened(opener)` checks the ICV before anything inside is looked at. `encode(sealer)` puts all payloads inside one SK.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Protocol, Self, TypeVar

from lab.errors import ProtocolError
from lab.wire.header import SIZE, Header
from lab.wire.ids import NotifyType, PayloadType
from lab.wire.payloads import Payload, decode_chain, encode_chain, first_type
from lab.wire.payloads_v2 import Notify
from lab.wire.sealed import Encrypted, EncryptedFragment

P = TypeVar("P")


class Sealer(Protocol):
    """Encrypts and authenticates the chain of an SK payload."""

    def overhead(self, length: int) -> int:
        """Octets of IV, padding, pad length and ICV added to a chain of `length` octets."""

    def seal(self, aad: bytes, plaintext: bytes) -> bytes:
        """IV | ciphertext | ICV; `aad` is the message up to and including the SK payload's generic header."""


class Opener(Protocol):
    """Checks and decrypts an SK payload."""

    def open(self, aad: bytes, body: bytes) -> bytes:
        """The chain without padding; raises ProtocolError where the ICV or the padding is wrong."""


@dataclass(frozen=True, slots=True)
class Message:
    """One IKE message.

    `encrypted` says that the payloads after the first `outside` ones came out of (or go into) an SK payload, whose
    decrypted octets are in `plaintext`. `raw` is the datagram as it was on the wire, without the non-ESP marker.
    """

    header: Header
    payloads: tuple[Payload, ...]
    raw: bytes = b""
    encrypted: bool = False
    outside: int = 0
    plaintext: bytes = b""

    @classmethod
    def decode(cls, data: bytes, opener: Opener | None = None) -> Self:
        """Read a datagram; raises Truncated or ProtocolError. Without `opener` an SK payload stays sealed."""
        header = Header.decode(data)
        payloads = decode_chain(header.next_payload, data[SIZE:])
        sealed = bool(payloads) and payloads[-1].type in (PayloadType.SK, PayloadType.SKF)
        message = cls(header, payloads, data, sealed, len(payloads) - 1 if sealed else len(payloads))
        return message.opened(opener) if opener and isinstance(message.sealed, Encrypted) else message

    @property
    def sealed(self) -> Payload | None:
        """The SK or SKF payload that is still sealed, if there is one."""
        last = self.payloads[-1] if self.payloads else None
        return last if last and last.type in (PayloadType.SK, PayloadType.SKF) else None

    def opened(self, opener: Opener) -> Self:
        """This message with the payloads inside SK in place of SK; the ICV is checked first."""
        sealed = self.sealed
        if not isinstance(sealed, Encrypted):
            raise ProtocolError("no Encrypted payload in the message", NotifyType.INVALID_SYNTAX)
        plaintext = self.unseal(opener)
        inner = decode_chain(sealed.first, plaintext)
        return replace(self, payloads=self.payloads[:-1] + inner, plaintext=plaintext)

    def unseal(self, opener: Opener) -> bytes:
        """What is inside SK or SKF: the chain, or a piece of one; ProtocolError where it is not authentic."""
        sealed = self.sealed
        if not isinstance(sealed, Encrypted | EncryptedFragment):
            raise ProtocolError("no Encrypted payload in the message", NotifyType.INVALID_SYNTAX)
        # SK is the last payload (RFC 7296 3.14): the ICV covers all octets before its body, and none may follow.
        start = len(self.raw) - len(sealed.body)
        if self.raw[start:] != sealed.body:
            raise ProtocolError("octets behind the Encrypted payload", NotifyType.INVALID_SYNTAX)
        return opener.open(self.raw[:start], sealed.body)

    def encode(self, sealer: Sealer | None = None) -> bytes:
        """The datagram; with `sealer` all payloads but the first `outside` ones travel inside SK."""
        if sealer is None:
            body = encode_chain(self.payloads)
            return self._header(first_type(self.payloads), len(body)).encode() + body
        outside, inside = self.payloads[: self.outside], self.payloads[self.outside :]
        chain = encode_chain(inside)
        size = len(chain) + sealer.overhead(len(chain))
        # The SK payload is encoded with an empty body of the right length: these octets are the associated data.
        shell = encode_chain((*outside, Encrypted(first_type(inside), bytes(size))))
        front = shell[: len(shell) - size]
        first = outside[0].type if outside else PayloadType.SK
        aad = self._header(first, len(shell)).encode() + front
        return aad + sealer.seal(aad, chain)

    def _header(self, first: PayloadType, body_length: int) -> Header:
        return replace(self.header, next_payload=first, length=SIZE + body_length)

    def all(self, kind: type[P]) -> Iterator[P]:
        """The payloads of one class."""
        return (payload for payload in self.payloads if isinstance(payload, kind))

    def get(self, kind: type[P]) -> P | None:
        """The first payload of one class."""
        return next(self.all(kind), None)

    def of(self, kind: PayloadType) -> Payload | None:
        """The first payload of one type, for types that share a class (IDi and IDr, TSi and TSr)."""
        return next((payload for payload in self.payloads if payload.type == kind), None)

    def notify(self, kind: NotifyType) -> Notify | None:
        """The first notify of one type."""
        return next((notify for notify in self.all(Notify) if notify.notify_type == kind), None)

    def notifies(self, kind: NotifyType) -> tuple[Notify, ...]:
        """All notifies of one type."""
        return tuple(notify for notify in self.all(Notify) if notify.notify_type == kind)

    @property
    def error(self) -> Notify | None:
        """The first notify that reports an error."""
        return next((notify for notify in self.all(Notify) if notify.notify_type.is_error), None)

    @property
    def names(self) -> tuple[str, ...]:
        """The payloads as a ladder shows them: `("SA", "KE", "N(COOKIE)")`."""
        return tuple(_name(payload) for payload in self.payloads)


def _name(payload: Payload) -> str:
    return f"N({payload.notify_type.name})" if isinstance(payload, Notify) else payload.type.name
