"""Integrity algorithms and pseudorandom functions; some share a keyed core and differ in how keys and results are cut.

Rules of this file:
- A core is a keyed object whose state is copied per message: setting up the key is half the cost of a short MAC.
- Integrity keys have exactly the registered length. PRF keys have any length; the AES PRFs bring them to 16 octets by
  the rule of their RFC, and take only 64 bits of each nonce for SKEYSEED (RFC 7296 2.14).
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from hmac import compare_digest
from typing import Protocol

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.cmac import CMAC
from cryptography.hazmat.primitives.hmac import HMAC

from lab.errors import ProtocolError
from lab.wire.ids import Integ, Prf

AES_KEY = 16


class Keyed(Protocol):
    """A MAC with its key inside."""

    def digest(self, data: bytes) -> bytes:
        """The whole MAC of `data`, not cut."""

    def digest_each(self, messages: Iterable[memoryview], behind: bytes) -> list[bytes]:
        """The whole MACs of many messages; `behind` belongs to the end of every one."""


class _Copied:
    """A MAC of the library, whose keyed state is copied for each message."""

    __slots__ = ("_keyed",)

    def __init__(self, keyed: HMAC | CMAC) -> None:
        self._keyed = keyed

    def digest(self, data: bytes) -> bytes:
        mac = self._keyed.copy()
        mac.update(data)
        return mac.finalize()

    def digest_each(self, messages: Iterable[memoryview], behind: bytes) -> list[bytes]:
        copy, found = self._keyed.copy, []
        for message in messages:
            mac = copy()
            mac.update(message)  # type: ignore[arg-type]  # CMAC takes any buffer too
            if behind:
                mac.update(behind)
            found.append(mac.finalize())
        return found


class Xcbc:
    """AES-XCBC-MAC (RFC 3566): CBC-MAC under K1, the last block masked with K2, or with K3 after padding with 10*."""

    __slots__ = ("_cipher", "_k2", "_k3")

    def __init__(self, key: bytes) -> None:
        ecb = Cipher(AES(key), modes.ECB()).encryptor()
        k1, self._k2, self._k3 = (ecb.update(bytes([number]) * 16) for number in (1, 2, 3))
        self._cipher = Cipher(AES(k1), modes.CBC(bytes(16)))

    def digest(self, data: bytes) -> bytes:
        """The 16 octets of the MAC."""
        split = max(len(data) - 1, 0) // 16 * 16
        last, mask = data[split:], self._k2
        if len(last) < 16:
            last, mask = (last + b"\x80").ljust(16, b"\0"), self._k3
        masked = bytes(a ^ b for a, b in zip(last, mask, strict=True))
        return self._cipher.encryptor().update(data[:split] + masked)[-16:]

    def digest_each(self, messages: Iterable[memoryview], behind: bytes) -> list[bytes]:
        """The MACs of many messages."""
        return [self.digest(bytes(message) + behind) for message in messages]


def _hmac(algorithm: hashes.HashAlgorithm) -> Callable[[bytes], Keyed]:
    return lambda key: _Copied(HMAC(key, algorithm))


hmac_md5 = _hmac(hashes.MD5())
hmac_sha1 = _hmac(hashes.SHA1())
hmac_sha2_256 = _hmac(hashes.SHA256())
hmac_sha2_384 = _hmac(hashes.SHA384())
hmac_sha2_512 = _hmac(hashes.SHA512())


def aes_cmac(key: bytes) -> Keyed:
    """AES-CMAC (RFC 4493) under a 16-octet key."""
    return _Copied(CMAC(AES(key)))


def xcbc_prf(key: bytes) -> Keyed:
    """AES-XCBC-PRF-128 (RFC 4434 2): a short key is padded with zeros, a long one first hashed under the zero key."""
    if len(key) > AES_KEY:
        key = Xcbc(bytes(AES_KEY)).digest(key)
    return Xcbc(key.ljust(AES_KEY, b"\0"))


def cmac_prf(key: bytes) -> Keyed:
    """AES-CMAC-PRF-128 (RFC 4615 3): a key of any length but 16 is first hashed under the zero key."""
    return aes_cmac(key if len(key) == AES_KEY else aes_cmac(bytes(AES_KEY)).digest(key))


class MacObject(Protocol):
    """An integrity algorithm with its key inside."""

    def sign(self, data: bytes) -> bytes:
        """The ICV over `data`."""

    def verify(self, data: bytes, icv: bytes) -> None:
        """Raises ProtocolError where `icv` is not the ICV over `data`."""


class CutMac:
    """An integrity algorithm that is the front of a MAC."""

    __slots__ = ("_digest", "_digest_each", "_name", "_octets")

    def __init__(self, spec: "IntegSpec", keyed: Keyed) -> None:
        self._name, self._octets = spec.name, spec.icv_octets
        self._digest, self._digest_each = keyed.digest, keyed.digest_each

    def sign(self, data: bytes) -> bytes:
        """The ICV over `data`."""
        return self._digest(data)[: self._octets]

    def verify(self, data: bytes, icv: bytes) -> None:
        """Raises ProtocolError where `icv` is not the ICV over `data`."""
        if not compare_digest(self.sign(data), icv):
            raise ProtocolError(f"integrity check failed ({self._name})")

    def sign_each(self, messages: Iterable[memoryview], behind: bytes = b"") -> bytes:
        """The ICVs over many messages, behind each other; `behind` belongs to the end of every one."""
        octets = self._octets
        return b"".join([digest[:octets] for digest in self._digest_each(messages, behind)])


class GmacIcv:
    """AES-GMAC as AH uses it (RFC 4543 4): the ICV is an IV of 8 octets and a tag of 16; the key ends with the salt."""

    __slots__ = ("_gcm", "_name", "_salt", "next_iv")

    def __init__(self, spec: "IntegSpec", key: bytes) -> None:
        self._name, self._gcm, self._salt, self.next_iv = spec.name, AESGCM(key[:-4]), key[-4:], 0

    def sign(self, data: bytes) -> bytes:
        """IV and tag over `data`; the IV counts, since it must never repeat under a key."""
        iv, self.next_iv = self.next_iv.to_bytes(8, "big"), self.next_iv + 1
        return iv + self._gcm.encrypt(self._salt + iv, b"", data)

    def verify(self, data: bytes, icv: bytes) -> None:
        """Raises ProtocolError where the tag is not that of `data` under the IV in front of it."""
        if len(icv) != 24 or not compare_digest(self._gcm.encrypt(self._salt + icv[:8], b"", data), icv[8:]):
            raise ProtocolError(f"integrity check failed ({self._name})")


@dataclass(frozen=True, slots=True)
class IntegSpec:
    """An integrity algorithm: sizes in octets, and how to make a keyed object."""

    id: Integ
    key_octets: int
    icv_octets: int
    factory: Callable[["IntegSpec", bytes], MacObject]

    @property
    def name(self) -> str:
        """The registered name, `AUTH_HMAC_SHA2_256_128`."""
        return self.id.name

    def new(self, key: bytes) -> MacObject:
        """An object for this key, for use once per packet."""
        if len(key) != self.key_octets:
            raise ValueError(f"{self.name} takes a key of {self.key_octets} octets, not {len(key)}")
        return self.factory(self, key)

    def sign(self, key: bytes, data: bytes) -> bytes:
        """The ICV over `data`, once."""
        return self.new(key).sign(data)

    def verify(self, key: bytes, data: bytes, icv: bytes) -> None:
        """Raises ProtocolError where `icv` is not the ICV over `data`."""
        self.new(key).verify(data, icv)


def cut(keyed: Callable[[bytes], Keyed]) -> Callable[[IntegSpec, bytes], MacObject]:
    """The integrity algorithm that cuts this MAC to its `icv_octets`."""
    return lambda spec, key: CutMac(spec, keyed(key))


@dataclass(frozen=True, slots=True)
class PrfSpec:
    """A pseudorandom function; `key_octets` is its preferred key length, the length of SK_d, SK_pi and SK_pr."""

    id: Prf
    key_octets: int
    output_octets: int
    fixed_key: bool
    factory: Callable[[bytes], Keyed]

    @property
    def name(self) -> str:
        """The registered name, `PRF_HMAC_SHA2_256`."""
        return self.id.name

    def compute(self, key: bytes, data: bytes) -> bytes:
        """prf(key, data)."""
        return self.factory(key).digest(data)

    def nonce_key(self, ni: bytes, nr: bytes) -> bytes:
        """The key of SKEYSEED: Ni | Nr, or 64 bits of each where the PRF has a fixed key (RFC 7296 2.14)."""
        half = self.key_octets // 2
        return ni[:half] + nr[:half] if self.fixed_key else ni + nr


def prf_plus(prf: PrfSpec, key: bytes, seed: bytes, length: int) -> bytes:
    """prf+ (RFC 7296 2.13): T1 | T2 | ... with Tn = prf(key, Tn-1 | seed | n), cut to `length` octets."""
    if length > 255 * prf.output_octets:
        raise ValueError(f"prf+ gives at most 255 blocks, not {length} octets of {prf.name}")
    keyed, block, output, number = prf.factory(key), b"", b"", 1
    while len(output) < length:
        block = keyed.digest(block + seed + bytes([number]))
        output += block
        number += 1
    return output[:length]
