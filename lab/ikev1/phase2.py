"""How the messages of phase 2 are authenticated: a HASH payload in front (RFC 2409 5.5, 5.7).

HASH(1) = prf(SKEYID_a, M-ID | chain behind HASH)               Quick Mode 1, Informational
HASH(2) = prf(SKEYID_a, M-ID | Ni_b | chain behind HASH)        Quick Mode 2
HASH(3) = prf(SKEYID_a, 0 | M-ID | Ni_b | Nr_b)                 Quick Mode 3
"""

from hmac import compare_digest

from lab.errors import ProtocolError
from lab.ikev1.exchange import Payloads
from lab.ikev1.sa import Sa
from lab.wire.message_v1 import Message1, Payload1, encode_chain
from lab.wire.payloads_v1 import Hash1


def hashed(sa: Sa, message_id: int, payloads: Payloads, nonce: bytes = b"") -> tuple[Payload1, ...]:
    """HASH(1), or with Ni_b HASH(2), in front of these payloads."""
    return Hash1(_first(sa, message_id, nonce, encode_chain(payloads))), *payloads


def unauthentic(sa: Sa, message: Message1, nonce: bytes = b"") -> str:
    """Why HASH(1), or with Ni_b HASH(2), does not verify, in words; empty where it does."""
    try:
        expected = _first(sa, message.header.message_id, nonce, message.behind_hash())
    except ProtocolError as error:
        return error.reason
    return _compare(message, expected)


def last_hash(sa: Sa, message_id: int, nonces: bytes) -> Hash1:
    """HASH(3)."""
    return Hash1(sa.prf(b"\0", message_id.to_bytes(4, "big"), nonces))


def wrong_last(sa: Sa, message: Message1, nonces: bytes) -> str:
    """Why HASH(3) does not verify, in words; empty where it does."""
    return _compare(message, last_hash(sa, message.header.message_id, nonces).data)


def _first(sa: Sa, message_id: int, nonce: bytes, chain: bytes) -> bytes:
    return sa.prf(message_id.to_bytes(4, "big"), nonce, chain)


def _compare(message: Message1, expected: bytes) -> str:
    given = message.get(Hash1)
    if given is None:
        return f"no HASH payload in {message.exchange.name}"
    return "" if compare_digest(given.data, expected) else f"HASH of {message.exchange.name} does not verify"
