"""What EAP methods compute: MD4 (RFC 1320), EAP-MD5 (RFC 3748 5.4), MS-CHAPv2 (RFC 2759), its keys (RFC 3079).

All of it is broken cryptography that peers still use; nothing else in this project may import it. MD4 and DES are
written or borrowed here because today's libraries no longer have them: MD4 is ours, DES is 3DES with three equal keys.
"""

import hashlib
from collections.abc import Callable
from hmac import compare_digest

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, modes

_MASK = 0xFFFFFFFF
_F: Callable[[int, int, int], int] = lambda x, y, z: (x & y) | (~x & z)  # noqa: E731
_G: Callable[[int, int, int], int] = lambda x, y, z: (x & y) | (x & z) | (y & z)  # noqa: E731
_H: Callable[[int, int, int], int] = lambda x, y, z: x ^ y ^ z  # noqa: E731
# RFC 1320 3.4: function, constant, order of the words, and shifts of each round.
_ROUNDS = (
    (_F, 0, tuple(range(16)), (3, 7, 11, 19)),
    (_G, 0x5A827999, (0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15), (3, 5, 9, 13)),
    (_H, 0x6ED9EBA1, (0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15), (3, 9, 11, 15)),
)


def md4(data: bytes) -> bytes:
    """The 16 octets of MD4 (RFC 1320)."""
    padded = data + b"\x80" + bytes(-(len(data) + 9) % 64) + (8 * len(data)).to_bytes(8, "little")
    state = [0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476]
    for at in range(0, len(padded), 64):
        words = [int.from_bytes(padded[i : i + 4], "little") for i in range(at, at + 64, 4)]
        state = [(old + new) & _MASK for old, new in zip(state, _md4_block(state, words), strict=True)]
    return b"".join(word.to_bytes(4, "little") for word in state)


def _md4_block(state: list[int], words: list[int]) -> list[int]:
    a, b, c, d = state
    for mix, constant, order, shifts in _ROUNDS:
        for step, index in enumerate(order):
            total = (a + mix(b, c, d) + words[index] + constant) & _MASK
            shift = shifts[step % 4]
            a, b, c, d = d, (total << shift | total >> (32 - shift)) & _MASK, b, c
    return [a, b, c, d]


def md5_response(identifier: int, secret: bytes, challenge: bytes) -> bytes:
    """The value of an EAP-MD5 response: MD5(Identifier | secret | challenge) (RFC 1994 4.1)."""
    return hashlib.md5(bytes([identifier]) + secret + challenge, usedforsecurity=False).digest()


def same(received: bytes, expected: bytes) -> bool:
    """Whether a received value is the expected one; takes the same time wherever they differ."""
    return compare_digest(received, expected)


def _sha1(*parts: bytes) -> bytes:
    return hashlib.sha1(b"".join(parts), usedforsecurity=False).digest()


def des(key: bytes, block: bytes) -> bytes:
    """DES of one block under 56 bits of key in 7 octets; a parity bit is put behind every 7 (RFC 2759 8.6)."""
    bits = int.from_bytes(key, "big")
    spread = bytes((bits >> shift & 0x7F) << 1 for shift in range(49, -1, -7))
    return Cipher(TripleDES(spread * 3), modes.ECB()).encryptor().update(block)


def nt_password_hash(password: str) -> bytes:
    """MD4 of the password in UTF-16, little endian (RFC 2759 8.3)."""
    return md4(password.encode("utf-16-le", "surrogatepass"))


def challenge_hash(peer_challenge: bytes, challenge: bytes, user: bytes) -> bytes:
    """The 8 octets that are encrypted as the response; `user` without a domain in front (RFC 2759 8.2)."""
    return _sha1(peer_challenge, challenge, user)[:8]


def challenge_response(challenge: bytes, password_hash: bytes) -> bytes:
    """Three times DES under the password hash, padded to 21 octets (RFC 2759 8.5)."""
    padded = password_hash + bytes(5)
    return b"".join(des(padded[at : at + 7], challenge) for at in (0, 7, 14))


def nt_response(challenge: bytes, peer_challenge: bytes, user: bytes, password_hash: bytes) -> bytes:
    """The 24 octets by which the peer proves the password (RFC 2759 8.1)."""
    return challenge_response(challenge_hash(peer_challenge, challenge, user), password_hash)


_MAGIC_1 = b"Magic server to client signing constant"
_MAGIC_2 = b"Pad to make it do more than one iteration"


def authenticator_response(
    password_hash: bytes, response: bytes, peer_challenge: bytes, challenge: bytes, user: bytes
) -> bytes:
    """The 20 octets by which the authenticator proves the password (RFC 2759 8.7), without `S=` and hexadecimal."""
    digest = _sha1(md4(password_hash), response, _MAGIC_1)
    return _sha1(digest, challenge_hash(peer_challenge, challenge, user), _MAGIC_2)


_MASTER = b"This is the MPPE Master Key"
_CLIENT_SENDS = (
    b"On the client side, this is the send key; on the server side, it is the receive key."
)  # fmt: skip
_SERVER_SENDS = (
    b"On the client side, this is the receive key; on the server side, it is the send key."
)  # fmt: skip
_PAD_1, _PAD_2 = bytes(40), b"\xf2" * 40


def master_key(password_hash: bytes, response: bytes) -> bytes:
    """The 16 octets of MasterKey (RFC 3079 3.4)."""
    return _sha1(md4(password_hash), response, _MASTER)[:16]


def start_key(master: bytes, octets: int, *, server_sends: bool) -> bytes:
    """The start key of one direction (RFC 3079 3.4, GetAsymmetricStartKey)."""
    return _sha1(master, _PAD_1, _SERVER_SENDS if server_sends else _CLIENT_SENDS, _PAD_2)[:octets]


def mschapv2_msk(password_hash: bytes, response: bytes) -> bytes:
    """The MSK of EAP-MSCHAPv2: what the server receives with, what it sends with, 32 octets of zero."""
    master = master_key(password_hash, response)
    return start_key(master, 16, server_sends=False) + start_key(master, 16, server_sends=True) + bytes(32)
