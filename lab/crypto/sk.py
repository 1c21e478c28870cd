"""The Encrypted payload, sealed and opened (RFC 7296 3.14, RFC 5282, RFC 7634).

    IV | encrypted (payload chain | padding | pad length) | ICV

- With integrity: encrypt, then MAC over everything from the IKE header on. With AEAD: the associated data is everything
  up to and including the generic header of the SK payload.
- The ICV is checked before anything is decrypted or looked at. Whatever is wrong up to there is a ProtocolError without
  a notify; an error with one says that the ICV was right.
- CBC takes an unpredictable IV from the injected `random`; AEAD and counter modes take a counter, which never repeats
  under a key because every key seals in one direction only.
"""

from collections.abc import Callable

from lab.crypto import registry
from lab.errors import ProtocolError
from lab.wire.ids import NotifyType
from lab.wire.payloads_v2 import Transform


class IkeCipher:
    """One direction of an IKE SA: seals what we send with our keys, or opens what the peer sent with its keys."""

    __slots__ = ("_cipher", "_mac", "_random", "block", "icv_octets", "iv_octets", "next_iv")

    def __init__(
        self, encr: Transform, integ: Transform | None, sk_e: bytes, sk_a: bytes, random: Callable[[int], bytes]
    ) -> None:
        """`sk_e` has the salt at its end; `integ` is None (or NONE) and `sk_a` empty for AEAD."""
        spec = registry.encr(encr)
        self._cipher, self.block = spec.new(sk_e), spec.block
        self.iv_octets, self.icv_octets = spec.iv_octets, spec.icv_octets
        self._mac = None
        if not spec.aead:
            if integ is None:
                raise ValueError(f"{spec.name} needs an integrity algorithm")
            chosen = registry.integ(integ.id)
            self._mac, self.icv_octets = chosen.new(sk_a), chosen.icv_octets
        self._random = None if spec.counter_iv else random
        self.next_iv = 0

    def _new_iv(self) -> bytes:
        if self._random:
            return self._random(self.iv_octets)
        iv, self.next_iv = self.next_iv, self.next_iv + 1
        return iv.to_bytes(self.iv_octets, "big")

    def overhead(self, length: int) -> int:
        """Octets that sealing adds to a chain of `length` octets: IV, padding, pad length and ICV."""
        return self.iv_octets + -(length + 1) % self.block + 1 + self.icv_octets

    def seal(self, aad: bytes, plaintext: bytes) -> bytes:
        """IV | ciphertext | ICV; `aad` is the message up to and including the generic header of SK."""
        padding = -(len(plaintext) + 1) % self.block
        return self.enclose(aad, plaintext + bytes(padding) + bytes([padding]))

    def enclose(self, aad: bytes, padded: bytes, iv: bytes | None = None) -> bytes:
        """IV | ciphertext | ICV of what has its padding already; the IV is a fresh one unless it is given."""
        iv = self._new_iv() if iv is None else iv
        sealed = iv + self._cipher.encrypt(iv, padded, aad)
        return sealed + self._mac.sign(aad + sealed) if self._mac else sealed

    def open(self, aad: bytes, body: bytes) -> bytes:
        """The payload chain without padding; raises ProtocolError where the ICV or the padding is wrong."""
        if len(body) < self.iv_octets + self.block + self.icv_octets:
            raise ProtocolError("Encrypted payload too short for IV, pad length and ICV")
        if self._mac:
            split = len(body) - self.icv_octets
            self._mac.verify(aad + body[:split], body[split:])
            body = body[:split]
        padded = self._cipher.decrypt(body[: self.iv_octets], body[self.iv_octets :], aad)
        # RFC 7296 3.14: the content of the padding is not looked at, only its length.
        end = len(padded) - 1 - padded[-1]
        if end < 0:
            raise ProtocolError("Encrypted payload with more padding than content", NotifyType.INVALID_SYNTAX)
        return padded[:end]
