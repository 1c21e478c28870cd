"""Encryption transforms: one class per mode, each an object with its key inside that is used once per packet.

Rules of this file:
- `encrypt(iv, plaintext, aad)` gives ciphertext, with the ICV at its end where the mode is AEAD; `decrypt` is its
  inverse. The IV is what travels in the packet; the salt that comes before it in a nonce is part of the key (at the
  key's end).
- Nothing but ProtocolError leaves `decrypt`, whatever the octets are. It carries no notify: what is not authentic is
  not answered (RFC 7296 2.21).
- Padding belongs to the callers (SK payload and ESP trailer differ); CBC takes and gives whole blocks.
"""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from hmac import compare_digest
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.decrepit.ciphers.algorithms import Camellia, TripleDES
from cryptography.hazmat.primitives.ciphers import BlockCipherAlgorithm, Cipher, modes
from cryptography.hazmat.primitives.ciphers.aead import AESCCM, AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.ciphers.algorithms import AES

from lab.errors import ProtocolError
from lab.wire.ids import Encr


class CipherObject(Protocol):
    """A cipher with its key inside."""

    def encrypt(self, iv: bytes, plaintext: bytes, aad: bytes = b"") -> bytes:
        """The ciphertext, with the ICV at its end for AEAD ciphers (the others leave `aad` alone)."""

    def decrypt(self, iv: bytes, ciphertext: bytes, aad: bytes = b"") -> bytes:
        """The plaintext; raises ProtocolError where the ICV is wrong or the length is impossible."""


@dataclass(frozen=True, slots=True)
class CipherSpec:
    """An encryption algorithm at one key length: sizes in octets, and how to make an object with a key inside."""

    id: Encr
    key_length: int | None
    key_octets: int
    salt_octets: int
    iv_octets: int
    icv_octets: int
    block: int
    aead: bool
    factory: "Factory"

    @property
    def name(self) -> str:
        """The registered name, `ENCR_AES_GCM_16`."""
        return self.id.name

    @property
    def keymat_octets(self) -> int:
        """What this cipher takes from the keying material: key and salt."""
        return self.key_octets + self.salt_octets

    @property
    def counter_iv(self) -> bool:
        """Whether the IV must never repeat but may be predicted (AEAD and counter modes), so that a counter serves."""
        return self.aead or self.salt_octets > 0

    def new(self, key: bytes) -> CipherObject:
        """An object for this key, which has the salt at its end."""
        if len(key) != self.keymat_octets:
            raise ValueError(f"{self.name} takes {self.keymat_octets} octets of keying material, not {len(key)}")
        return self.factory(self, key)


Factory = Callable[[CipherSpec, bytes], CipherObject]
Buffers = Iterable[memoryview]


def _forged(spec: CipherSpec) -> ProtocolError:
    return ProtocolError(f"integrity check failed ({spec.name})")


class _Aead:
    """What AEAD modes have in common: nonce = salt | IV, and a check of sizes before the library sees anything."""

    __slots__ = ("_icv", "_iv", "_salt", "_spec")

    def __init__(self, spec: CipherSpec, key: bytes) -> None:
        self._spec, self._salt = spec, key[spec.key_octets :]
        self._icv, self._iv = spec.icv_octets, spec.iv_octets

    def _check(self, iv: bytes, ciphertext: bytes) -> None:
        if len(iv) != self._iv or len(ciphertext) < self._icv:
            raise ProtocolError(f"too short for the IV and ICV of {self._spec.name}")


class Sealing(_Aead):
    """An AEAD mode whose ICV has the full length that the library's object makes."""

    __slots__ = ("_cipher",)

    _cipher: AESGCM | AESCCM | ChaCha20Poly1305

    @property
    def salt(self) -> bytes:
        """What stands before the IV in a nonce."""
        return self._salt

    def encrypt_each(self, out: Buffers, nonces: Buffers, plaintexts: Buffers, aads: Buffers) -> None:
        """Encrypt many packets into buffers of the right length: as many as `out` has."""
        deque(map(self._cipher.encrypt_into, nonces, plaintexts, aads, out), 0)

    def decrypt_each(self, out: Buffers, nonces: Buffers, ciphertexts: Buffers, aads: Buffers) -> None:
        """The inverse; raises ProtocolError where one of them is not authentic."""
        try:
            deque(map(self._cipher.decrypt_into, nonces, ciphertexts, aads, out), 0)
        except InvalidTag:
            raise _forged(self._spec) from None

    def encrypt(self, iv: bytes, plaintext: bytes, aad: bytes = b"") -> bytes:
        """Ciphertext and ICV."""
        return self._cipher.encrypt(self._salt + iv, plaintext, aad)

    def decrypt(self, iv: bytes, ciphertext: bytes, aad: bytes = b"") -> bytes:
        """The plaintext; ProtocolError where the ICV is wrong."""
        self._check(iv, ciphertext)
        try:
            return self._cipher.decrypt(self._salt + iv, ciphertext, aad)
        except InvalidTag:
            raise _forged(self._spec) from None


class AesGcm16(Sealing):
    """AES-GCM with a 16-octet ICV (RFC 4106, RFC 5282): salt 4, IV 8."""

    __slots__ = ()

    def __init__(self, spec: CipherSpec, key: bytes) -> None:
        super().__init__(spec, key)
        self._cipher = AESGCM(key[: spec.key_octets])


class AesCcm(Sealing):
    """AES-CCM with an ICV of 8, 12 or 16 octets (RFC 4309, RFC 5282): salt 3, IV 8."""

    __slots__ = ()

    def __init__(self, spec: CipherSpec, key: bytes) -> None:
        super().__init__(spec, key)
        self._cipher = AESCCM(key[: spec.key_octets], tag_length=spec.icv_octets)


class ChaChaPoly(Sealing):
    """ChaCha20-Poly1305 (RFC 7634): salt 4, IV 8."""

    __slots__ = ()

    def __init__(self, spec: CipherSpec, key: bytes) -> None:
        super().__init__(spec, key)
        self._cipher = ChaCha20Poly1305(key[: spec.key_octets])


class AesGcmShort(_Aead):
    """AES-GCM with the ICV cut to 8 or 12 octets, for which the library has no object."""

    __slots__ = ("_gcm",)

    def __init__(self, spec: CipherSpec, key: bytes) -> None:
        super().__init__(spec, key)
        self._gcm = AESGCM(key[: spec.key_octets])

    def encrypt(self, iv: bytes, plaintext: bytes, aad: bytes = b"") -> bytes:
        """Ciphertext and shortened ICV."""
        return self._gcm.encrypt(self._salt + iv, plaintext, aad)[: len(plaintext) + self._icv]

    def decrypt(self, iv: bytes, ciphertext: bytes, aad: bytes = b"") -> bytes:
        """The plaintext; ProtocolError where the shortened ICV is wrong."""
        self._check(iv, ciphertext)
        nonce, length = self._salt + iv, len(ciphertext) - self._icv
        # GCM encrypts in counter mode, its own inverse; the ICV is then computed anew over what came out.
        plaintext = self._gcm.encrypt(nonce, ciphertext[:length], None)[:length]
        icv = self._gcm.encrypt(nonce, plaintext, aad)[length : length + self._icv]
        if not compare_digest(icv, ciphertext[length:]):
            raise _forged(self._spec)
        return plaintext


class AesGmac(_Aead):
    """AES-GMAC as ESP uses it (RFC 4543): nothing is encrypted; the ICV covers the AAD, the IV and the payload."""

    __slots__ = ("_gcm",)

    def __init__(self, spec: CipherSpec, key: bytes) -> None:
        super().__init__(spec, key)
        self._gcm = AESGCM(key[: spec.key_octets])

    def encrypt(self, iv: bytes, plaintext: bytes, aad: bytes = b"") -> bytes:
        """The payload as it is, and the ICV."""
        return plaintext + self._gcm.encrypt(self._salt + iv, b"", aad + iv + plaintext)

    def decrypt(self, iv: bytes, ciphertext: bytes, aad: bytes = b"") -> bytes:
        """The payload without its ICV; ProtocolError where that is wrong."""
        self._check(iv, ciphertext)
        plaintext, icv = ciphertext[: -self._icv], ciphertext[-self._icv :]
        if not compare_digest(self._gcm.encrypt(self._salt + iv, b"", aad + iv + plaintext), icv):
            raise _forged(self._spec)
        return plaintext


class Chaining:
    """CBC over any block cipher.

    Setting up a context costs four times as much as encrypting a packet, so one context per direction is kept and the
    chain is bent at the packet's start: CBC encrypts first ^ previous, so first ^ IV ^ previous is fed in for a packet
    with its own IV; decrypting iv | ciphertext and dropping the first block restarts the chain by itself.

    Where the IV may be any that nobody can predict, `chain` needs no bending, for one packet or many behind each other.
    """

    __slots__ = ("_block", "_decryptor", "_encryptor", "_previous", "_spec")

    def __init__(self, spec: CipherSpec, algorithm: BlockCipherAlgorithm) -> None:
        self._spec, self._block = spec, spec.block
        cipher = Cipher(algorithm, modes.CBC(bytes(spec.block)))
        self._encryptor, self._decryptor = cipher.encryptor(), cipher.decryptor()
        self._previous = 0

    def encrypt(self, iv: bytes, plaintext: bytes, aad: bytes = b"") -> bytes:
        """The ciphertext of whole blocks under this IV."""
        size = self._block
        if len(iv) != size or len(plaintext) % size:
            raise ValueError(f"{self._spec.name} takes an IV of {size} octets and whole blocks")
        if not plaintext:
            return b""
        first = int.from_bytes(plaintext[:size], "big") ^ int.from_bytes(iv, "big") ^ self._previous
        ciphertext = self._encryptor.update(first.to_bytes(size, "big") + plaintext[size:])
        self._previous = int.from_bytes(ciphertext[-size:], "big")
        return ciphertext

    def decrypt(self, iv: bytes, ciphertext: bytes, aad: bytes = b"") -> bytes:
        """The inverse; ProtocolError where these are no whole blocks."""
        if len(iv) != self._block or len(ciphertext) % self._block:
            raise ProtocolError(f"not a whole number of {self._spec.name} blocks")
        return self._decryptor.update(iv + ciphertext)[self._block :]

    def chain(self, blocks: bytes) -> bytes:
        """Whole blocks encrypted behind what came before.

        A random block so becomes an IV, and what follows is encrypted under it (SP 800-38A, appendix C).
        """
        ciphertext = self._encryptor.update(blocks)
        self._previous = int.from_bytes(ciphertext[-self._block :], "big")
        return ciphertext

    def chain_into(self, blocks: memoryview, out: memoryview) -> None:
        """The same into a buffer, which must be a block longer."""
        self._encryptor.update_into(blocks, out)
        self._previous = int.from_bytes(out[len(blocks) - self._block : len(blocks)], "big")

    def unchain_into(self, blocks: memoryview, out: memoryview) -> None:
        """The inverse; where an IV was is nothing of use. The buffer must be a block longer."""
        self._decryptor.update_into(blocks, out)


def aes_cbc(spec: CipherSpec, key: bytes) -> CipherObject:
    """AES in CBC mode (RFC 3602)."""
    return Chaining(spec, AES(key))


def camellia_cbc(spec: CipherSpec, key: bytes) -> CipherObject:
    """Camellia in CBC mode (RFC 4312, RFC 5529)."""
    return Chaining(spec, Camellia(key))


def triple_des(spec: CipherSpec, key: bytes) -> CipherObject:
    """3DES in CBC mode (RFC 2451); for old peers only."""
    return Chaining(spec, TripleDES(key))


class AesCtr:
    """AES in counter mode (RFC 3686): counter block = nonce(4, the salt) | IV(8) | counter(4) from 1; no ICV."""

    __slots__ = ("_context", "_iv", "_salt", "_spec")

    def __init__(self, spec: CipherSpec, key: bytes) -> None:
        self._spec, self._salt, self._iv = spec, key[spec.key_octets :], spec.iv_octets
        self._context = Cipher(AES(key[: spec.key_octets]), modes.CTR(bytes(16))).encryptor()

    def encrypt(self, iv: bytes, plaintext: bytes, aad: bytes = b"") -> bytes:
        """Encrypts, and decrypts: the mode is its own inverse."""
        if len(iv) != self._iv:
            raise ProtocolError(f"the IV of {self._spec.name} has {self._iv} octets")
        self._context.reset_nonce(self._salt + iv + b"\0\0\0\1")
        return self._context.update(plaintext)

    decrypt = encrypt


class NullCipher:
    """The NULL algorithm of ESP (RFC 2410)."""

    __slots__ = ()

    def __init__(self, spec: CipherSpec, key: bytes) -> None:
        pass

    def encrypt(self, iv: bytes, plaintext: bytes, aad: bytes = b"") -> bytes:
        """The plaintext as it is."""
        return plaintext

    decrypt = encrypt
