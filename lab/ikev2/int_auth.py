"""IntAuth: what AUTH says of the IKE_INTERMEDIATE exchanges in front of it (RFC 9242 3.3.2).

    IntAuth      = IntAuth_iN | IntAuth_rN | IKE_AUTH_MID
    IntAuth_i(n) = prf(SK_pi(n), [IntAuth_i(n-1) |] IntAuth_i(n)A | IntAuth_i(n)P)       IntAuth_r likewise, SK_pr

A is the message from its first SPI to the end of the generic header of SK, P the payloads inside SK, without padding.
Both lengths in A are those of a message that has no IV, padding and ICV, so that it does not matter whether the message
travelled whole or in fragments. SK_p of an exchange are those that were in use before it began.
"""

from dataclasses import dataclass, replace

from lab.crypto.macs import PrfSpec
from lab.ikev2.keys import IkeKeys
from lab.wire.header import SIZE, Header
from lab.wire.ids import PayloadType
from lab.wire.message import Message
from lab.wire.payloads import Payload, encode_chain, first_type
from lab.wire.sealed import Encrypted

_GENERIC = 4
_SEALED = (PayloadType.SK, PayloadType.SKF)


@dataclass(frozen=True, slots=True)
class IntAuth:
    """The chain so far: of the initiator, of the responder, and the message ID of the last exchange in it."""

    i: bytes = b""
    r: bytes = b""
    message_id: int = 0

    def then(self, prf: PrfSpec, keys: IkeKeys, request: bytes, response: bytes, message_id: int) -> "IntAuth":
        """The chain with one more exchange; the two messages as `sent` and `received` give them."""
        return IntAuth(
            prf.compute(keys.sk_pi, self.i + request), prf.compute(keys.sk_pr, self.r + response), message_id
        )

    @property
    def octets(self) -> bytes:
        """What both sides sign behind the usual octets; nothing where no such exchange ran."""
        # The first IKE_AUTH follows the last IKE_INTERMEDIATE at once.
        return self.i + self.r + (self.message_id + 1).to_bytes(4, "big") if self.i else b""


def sent(header: Header, payloads: tuple[Payload, ...]) -> bytes:
    """A | P of a message of ours, all of whose payloads are inside SK."""
    body = encode_chain((Encrypted(first_type(payloads), encode_chain(payloads)),))
    return replace(header, next_payload=PayloadType.SK, length=SIZE + len(body)).encode() + body


def received(message: Message) -> bytes:
    """A | P of an opened message, from the octets that came: reserved bits count as the peer set them."""
    raw = bytearray(message.raw)
    pointer, at = 16, SIZE  # the octet that names the type of the payload at `at`
    while raw[pointer] not in _SEALED:
        pointer, at = at, at + int.from_bytes(raw[at + 2 : at + 4], "big")
    raw[pointer] = PayloadType.SK  # a message that came in fragments counts as if it had come whole
    inside = message.payloads[message.outside :]
    length = _GENERIC + len(message.plaintext)
    raw[24:SIZE] = (at + length).to_bytes(4, "big")
    generic = bytes([first_type(inside), raw[at + 1]]) + length.to_bytes(2, "big")
    return bytes(raw[:at]) + generic + message.plaintext
