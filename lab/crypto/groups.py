"""Key exchange methods: Diffie-Hellman over curves and primes, and key encapsulation, behind one shape.

    initiator   pair = group.generate(random)      sends pair.public       secret = pair.shared(responder's public)
    responder   public, secret = group.respond(random, initiator's public)      sends public

With Diffie-Hellman both sides do the same; with ML-KEM the responder's value is a ciphertext under the initiator's key,
which is why a responder never calls `generate`.

Rules of this file:
- Everything on the wire has the method's fixed length; any other length, a point off the curve, a value out of range
  and a secret of zero raise ProtocolError with INVALID_SYNTAX (RFC 6989 2, RFC 8031 3.1).
- Private keys are drawn from the injected `random`, so that runs replay. The one exception is the library's ML-KEM
  encapsulation, which draws its own.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from cryptography.hazmat.primitives.asymmetric import ec, mlkem
from cryptography.hazmat.primitives.asymmetric.x448 import X448PrivateKey, X448PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from lab.crypto import modp
from lab.errors import ProtocolError
from lab.wire.ids import KeMethod, NotifyType

Random = Callable[[int], bytes]


class KeyPair(Protocol):
    """A private key and its public value as the KE payload carries it."""

    @property
    def public(self) -> bytes:
        """The Key Exchange Data to send."""

    def shared(self, peer: bytes) -> bytes:
        """The shared secret with the peer's Key Exchange Data; raises ProtocolError where that is invalid."""


def _invalid(reason: str) -> ProtocolError:
    return ProtocolError(reason, NotifyType.INVALID_SYNTAX)


def _sized(peer: bytes, octets: int) -> bytes:
    if len(peer) != octets:
        raise _invalid(f"KE data has {len(peer)} octets, not {octets}")
    return peer


@dataclass(frozen=True, slots=True)
class GroupSpec:
    """A key exchange method: lengths on the wire in octets, and how to make a key pair."""

    id: KeMethod
    initiator_octets: int
    responder_octets: int
    secret_octets: int
    factory: Callable[[Random], KeyPair]
    encapsulate: Callable[[bytes], tuple[bytes, bytes]] | None = None

    @property
    def name(self) -> str:
        """The name in the enum of methods, `CURVE25519`."""
        return self.id.name

    def generate(self, random: Random) -> KeyPair:
        """The initiator's key pair."""
        return self.factory(random)

    def respond(self, random: Random, peer: bytes) -> tuple[bytes, bytes]:
        """The responder's public value and the shared secret; raises ProtocolError where the initiator's is invalid."""
        _sized(peer, self.initiator_octets)
        if self.encapsulate:
            return self.encapsulate(peer)
        pair = self.factory(random)
        return pair.public, pair.shared(peer)


def modp_group(id: KeMethod, bits: int, k: int, exponent_bits: int) -> GroupSpec:
    """A MODP group by its size, the constant of its prime and the size of our exponents."""
    octets = bits // 8
    return GroupSpec(id, octets, octets, octets, lambda random: modp.generate(bits, k, exponent_bits, random))


@dataclass(frozen=True, slots=True)
class EcpKeyPair:
    """A pair on a curve y^2 = x^3 + ax + b: x | y on the wire, x alone as the secret (RFC 5903 7, RFC 6954 2)."""

    key: ec.EllipticCurvePrivateKey
    public: bytes

    @classmethod
    def of(cls, key: ec.EllipticCurvePrivateKey) -> "EcpKeyPair":
        """The pair of a private key."""
        # The library puts 0x04 in front of the point; IKE does not.
        return cls(key, key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)[1:])

    def shared(self, peer: bytes) -> bytes:
        """The x coordinate of the common point; raises ProtocolError where the peer's point is not on the curve."""
        try:
            point = ec.EllipticCurvePublicKey.from_encoded_point(self.key.curve, b"\4" + _sized(peer, len(self.public)))
        except ValueError:
            raise _invalid("the peer's point is not on the curve") from None
        return self.key.exchange(ec.ECDH(), point)


def ecp_group(id: KeMethod, curve: ec.EllipticCurve) -> GroupSpec:
    """A random ECP group (RFC 5903, RFC 5114) or a Brainpool group (RFC 6954)."""
    octets = (curve.key_size + 7) // 8

    def factory(random: Random) -> KeyPair:
        # 64 more bits than the order has, so that the modulus leaves no bias worth naming (FIPS 186-5 A.2.1).
        scalar = int.from_bytes(random(octets + 8), "big") % (curve.group_order - 1) + 1
        return EcpKeyPair.of(ec.derive_private_key(scalar, curve))

    return GroupSpec(id, 2 * octets, 2 * octets, octets, factory)


@dataclass(frozen=True, slots=True)
class MontgomeryKeyPair:
    """A pair on Curve25519 or Curve448 (RFC 7748, RFC 8031)."""

    key: X25519PrivateKey | X448PrivateKey
    public: bytes

    @classmethod
    def of(cls, key: X25519PrivateKey | X448PrivateKey) -> "MontgomeryKeyPair":
        """The pair of a private key."""
        return cls(key, key.public_key().public_bytes_raw())

    def shared(self, peer: bytes) -> bytes:
        """The shared secret; raises ProtocolError where it is all zeros (RFC 8031 3.1)."""
        _sized(peer, len(self.public))
        try:
            if isinstance(self.key, X25519PrivateKey):
                return self.key.exchange(X25519PublicKey.from_public_bytes(peer))
            return self.key.exchange(X448PublicKey.from_public_bytes(peer))
        except ValueError:
            raise _invalid("the shared secret is zero: the peer's value has a small order") from None


def montgomery_group(id: KeMethod, kind: type[X25519PrivateKey] | type[X448PrivateKey], octets: int) -> GroupSpec:
    """Curve25519 or Curve448."""

    def factory(random: Random) -> KeyPair:
        return MontgomeryKeyPair.of(kind.from_private_bytes(random(octets)))

    return GroupSpec(id, octets, octets, octets, factory)


@dataclass(frozen=True, slots=True)
class KemKeyPair:
    """A decapsulation key; the peer's value is a ciphertext under its public half (FIPS 203)."""

    key: mlkem.MLKEM768PrivateKey | mlkem.MLKEM1024PrivateKey
    public: bytes
    ciphertext_octets: int

    def shared(self, peer: bytes) -> bytes:
        """The decapsulated secret. A forged ciphertext of the right length gives another secret, never an error."""
        return self.key.decapsulate(_sized(peer, self.ciphertext_octets))


SEED = 64  # d | z of FIPS 203 ML-KEM.KeyGen_internal
KEM_SECRET = 32


def kem_group(
    id: KeMethod,
    private: type[mlkem.MLKEM768PrivateKey] | type[mlkem.MLKEM1024PrivateKey],
    public: type[mlkem.MLKEM768PublicKey] | type[mlkem.MLKEM1024PublicKey],
    key_octets: int,
    ciphertext_octets: int,
) -> GroupSpec:
    """ML-KEM as a key exchange method (draft-ietf-ipsecme-ikev2-mlkem)."""

    def factory(random: Random) -> KeyPair:
        key = private.from_seed_bytes(random(SEED))
        return KemKeyPair(key, key.public_key().public_bytes_raw(), ciphertext_octets)

    def encapsulate(peer: bytes) -> tuple[bytes, bytes]:
        try:
            secret, ciphertext = public.from_public_bytes(peer).encapsulate()
        except ValueError:
            raise _invalid("the peer's encapsulation key fails the modulus check (FIPS 203 7.2)") from None
        return ciphertext, secret

    return GroupSpec(id, key_octets, ciphertext_octets, KEM_SECRET, factory, encapsulate)
