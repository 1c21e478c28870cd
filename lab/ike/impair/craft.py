"""A message of ours while an impairment works on it: encoded as it would be, or with one step done wrongly.

Every step that is not the wrong one is done right, ICV included, so that the receiver meets the mistake that is meant
and not another one before it.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

from lab.crypto.sk import IkeCipher
from lab.wire.header import SIZE, Header
from lab.wire.ids import ExchangeType, PayloadType
from lab.wire.payloads import GENERIC_HEADER, Payload, encode_chain, first_type
from lab.wire.sealed import Encrypted

P = TypeVar("P")
Octets = Callable[[bytes], bytes]
Craft = Callable[["Draft"], bytes | tuple[bytes, ...]]


@dataclass(frozen=True, slots=True)
class Draft:
    """What is about to be sent, and what its craft may need of the SA.

    `cipher` seals what we send, once there are keys; `last` is the datagram that we sent last on this SA, `theirs` the
    peer's IKE_SA_INIT message; `fragments` tells whether both sides announced fragmentation.
    """

    header: Header
    payloads: tuple[Payload, ...]
    cipher: IkeCipher | None = None
    last: bytes = b""
    theirs: bytes = b""
    fragments: bool = False

    @property
    def sealer(self) -> IkeCipher:
        """The cipher of a message that travels inside SK."""
        assert self.cipher is not None, "only IKE_SA_INIT has no keys yet"
        return self.cipher

    def encode(
        self,
        *,
        header: Header | None = None,
        payloads: tuple[Payload, ...] | None = None,
        outside: tuple[Payload, ...] = (),
        first: PayloadType | None = None,
        chain: Octets = bytes,
        pad: Octets | None = None,
        iv: bytes | None = None,
        clear: bool = False,
    ) -> bytes:
        """The message; `chain` changes the payload chain in its encoded form, `pad` adds padding and its length."""
        header = self.header if header is None else header
        payloads = self.payloads if payloads is None else payloads
        first = first_type(payloads) if first is None else first
        octets = chain(encode_chain(payloads))
        if header.exchange == ExchangeType.IKE_SA_INIT or clear:
            return _headed(header, first, len(octets)) + octets
        padded = (pad or padding(self.sealer.block))(octets)
        size = self.sealer.iv_octets + len(padded) + self.sealer.icv_octets
        shell = encode_chain((*outside, Encrypted(first, bytes(size))))
        front = shell[: len(shell) - size]
        aad = _headed(header, outside[0].type if outside else PayloadType.SK, len(shell)) + front
        return aad + self.sealer.enclose(aad, padded, iv)


def _headed(header: Header, first: PayloadType, length: int) -> bytes:
    """The header with the true length, unless a craft has set another."""
    return replace(header, next_payload=first, length=header.length or SIZE + length).encode()


def padding(block: int, extra: int = 0, fill: int = 0) -> Octets:
    """The padding of SK (RFC 7296 3.14): to a multiple of `block`, and so many octets more."""

    def pad(chain: bytes) -> bytes:
        count = -(len(chain) + 1) % block + extra
        return chain + bytes([fill]) * count + bytes([count])

    return pad


def changed(payloads: tuple[Payload, ...], kind: type[P], change: Callable[[P], Payload]) -> tuple[Payload, ...]:
    """The payloads with those of one class changed."""
    return tuple(change(payload) if isinstance(payload, kind) else payload for payload in payloads)


def without(payloads: tuple[Payload, ...], *kinds: PayloadType) -> tuple[Payload, ...]:
    """The payloads without those of these types."""
    return tuple(payload for payload in payloads if payload.type not in kinds)


def resized(message: bytes) -> bytes:
    """The message with a header that tells its true length."""
    return message[:24] + len(message).to_bytes(4, "big") + message[28:]


def set_at(octets: bytes, at: int, new: bytes) -> bytes:
    """The octets with some of them overwritten."""
    return octets[:at] + new + octets[at + len(new) :]


def place(draft: Draft, kind: PayloadType) -> int:
    """Where the generic header of the first payload of a type stands in the chain."""
    at = 0
    for payload in draft.payloads:
        if payload.type == kind:
            return at
        at += GENERIC_HEADER + len(payload.encode())
    raise LookupError(f"no {kind.name} in the message")


def body_at(draft: Draft, kind: PayloadType) -> int:
    """Where the body of the first payload of a type begins in the chain."""
    return place(draft, kind) + GENERIC_HEADER
