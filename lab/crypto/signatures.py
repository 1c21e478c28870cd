"""Keys that sign and keys that verify: RSA, ECDSA on P-256/384/521, Ed25519, Ed448.

Rules: RSA moduli have 2048 to 8192 bits - less is weak, more lets a stranger burn our time. ECDSA signs with nonces
that follow from key and message (RFC 6979), so that a run can be repeated. A signature that does not verify is False,
never an exception.
"""

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha1

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PrivateKey, Ed448PublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from lab.crypto.schemes import ECDSA, ED448, ED25519, PSS, RSA, Scheme
from lab.errors import ProtocolError
from lab.wire.ids import HashAlgorithm

RSA_BITS = (2048, 8192)
CURVES: dict[int, ec.EllipticCurve] = {256: ec.SECP256R1(), 384: ec.SECP384R1(), 521: ec.SECP521R1()}
_HASHES: dict[HashAlgorithm, hashes.HashAlgorithm] = {
    HashAlgorithm.SHA1: hashes.SHA1(),
    HashAlgorithm.SHA2_256: hashes.SHA256(),
    HashAlgorithm.SHA2_384: hashes.SHA384(),
    HashAlgorithm.SHA2_512: hashes.SHA512(),
}
_Public = rsa.RSAPublicKey | ec.EllipticCurvePublicKey | Ed25519PublicKey | Ed448PublicKey
_Private = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | Ed25519PrivateKey | Ed448PrivateKey


def _bare(digest: bytes) -> ec.ECDSA:
    """ECDSA of octets that are a hash already; ValueError where no hash has that length."""
    fitting = (one for one in _HASHES.values() if one.digest_size == len(digest))
    if (found := next(fitting, None)) is None:
        raise ValueError(f"no hash has {len(digest)} octets")
    return ec.ECDSA(utils.Prehashed(found), deterministic_signing=True)


def _pss(scheme: Scheme) -> padding.PSS:
    return padding.PSS(padding.MGF1(_HASHES[scheme.hash]), scheme.salt)


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key that verifies; `family` is `rsa`, `ecdsa`, `ed25519` or `ed448`."""

    key: _Public
    family: str
    bits: int

    @classmethod
    def of(cls, key: object) -> "PublicKey":
        """Wrap a key of `cryptography`; ProtocolError where it is of no use to us."""
        match key:
            case rsa.RSAPublicKey():
                if not RSA_BITS[0] <= key.key_size <= RSA_BITS[1]:
                    raise ProtocolError(f"RSA key of {key.key_size} bits; we take {RSA_BITS[0]} to {RSA_BITS[1]}")
                return cls(key, RSA, key.key_size)
            case ec.EllipticCurvePublicKey():
                if not any(key.curve.name == curve.name for curve in CURVES.values()):
                    raise ProtocolError(f"ECDSA key on the curve {key.curve.name}; we take P-256, P-384 and P-521")
                return cls(key, ECDSA, key.key_size)
            case Ed25519PublicKey():
                return cls(key, ED25519, 256)
            case Ed448PublicKey():
                return cls(key, ED448, 456)
        raise ProtocolError(f"keys of type {type(key).__name__} are not supported")

    def __str__(self) -> str:
        return self.family if self.family in (ED25519, ED448) else f"{self.family}-{self.bits}"

    @property
    def info(self) -> bytes:
        """The DER of SubjectPublicKeyInfo."""
        return self.key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)

    @property
    def fingerprint(self) -> bytes:
        """The SHA-1 of SubjectPublicKeyInfo, by which CERTREQ names a CA (RFC 7296 3.7)."""
        return sha1(self.info, usedforsecurity=False).digest()

    def fits(self, scheme: Scheme) -> bool:
        """Whether a key of this type can sign by a scheme."""
        return scheme.family == self.family or (scheme.family == PSS and self.family == RSA)

    def verify(self, scheme: Scheme, signature: bytes, data: bytes) -> bool:
        """Whether this is the signature of the data."""
        if not self.fits(scheme):
            return False
        try:
            self._check(scheme, signature, data)
        except (InvalidSignature, ValueError):
            return False
        return True

    def verify_bare(self, signature: bytes, digest: bytes) -> bool:
        """Whether this is the signature of a digest as IKEv1 makes it: see `PrivateKey.sign_bare`."""
        try:
            match self.key:
                case rsa.RSAPublicKey():
                    return self.key.recover_data_from_signature(signature, padding.PKCS1v15(), None) == digest
                case ec.EllipticCurvePublicKey():
                    self.key.verify(der_ecdsa(signature, self.bits) or b"", digest, _bare(digest))
                    return True
        except (InvalidSignature, ValueError):
            pass
        return False

    def _check(self, scheme: Scheme, signature: bytes, data: bytes) -> None:
        match self.key:
            case rsa.RSAPublicKey():
                pad = _pss(scheme) if scheme.family == PSS else padding.PKCS1v15()
                self.key.verify(signature, data, pad, _HASHES[scheme.hash])
            case ec.EllipticCurvePublicKey():
                self.key.verify(signature, data, ec.ECDSA(_HASHES[scheme.hash]))
            case _:
                self.key.verify(signature, data)


@dataclass(frozen=True, slots=True)
class PrivateKey:
    """A key that signs."""

    key: _Private
    public: PublicKey

    @classmethod
    def of(cls, key: object) -> "PrivateKey":
        """Wrap a key of `cryptography`; ProtocolError where it is of no use to us."""
        if not isinstance(key, _Private):
            raise ProtocolError(f"keys of type {type(key).__name__} are not supported")
        return cls(key, PublicKey.of(key.public_key()))

    def __repr__(self) -> str:
        return f"PrivateKey({self.public})"

    def sign(self, scheme: Scheme, data: bytes) -> bytes:
        """Sign; ValueError where the key is too short for the scheme. ECDSA gives DER, as RFC 7427 wants it."""
        assert self.public.fits(scheme), f"a key {self.public} cannot sign by {scheme}"
        match self.key:
            case rsa.RSAPrivateKey():
                pad = _pss(scheme) if scheme.family == PSS else padding.PKCS1v15()
                return self.key.sign(data, pad, _HASHES[scheme.hash])
            case ec.EllipticCurvePrivateKey():
                return self.key.sign(data, ec.ECDSA(_HASHES[scheme.hash], deterministic_signing=True))
            case _:
                return self.key.sign(data)

    def sign_bare(self, digest: bytes) -> bytes:
        """The signature of a digest that no further hash, and no name of one, is put around.

        RSA pads it as it is (RFC 2409 5.1); ECDSA takes it for the hash and gives r | s (RFC 4754 5, 7).
        """
        match self.key:
            case rsa.RSAPrivateKey():
                return self.key.sign(digest, padding.PKCS1v15(), utils.NoDigestInfo())
            case ec.EllipticCurvePrivateKey():
                return raw_ecdsa(self.key.sign(digest, _bare(digest)), self.public.bits)
        raise AssertionError(f"a key {self.public} signs nothing bare")

    @property
    def pem(self) -> bytes:
        """PKCS#8 without encryption."""
        none = serialization.NoEncryption()
        return self.key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, none)


def load_private(data: bytes) -> PrivateKey:
    """A private key from a PEM or DER file without passphrase; ValueError in words."""
    load = serialization.load_pem_private_key if b"-----BEGIN" in data else serialization.load_der_private_key
    try:
        return PrivateKey.of(load(data, None))
    except (ValueError, TypeError, UnsupportedAlgorithm, ProtocolError) as error:
        raise ValueError(f"no usable private key: {error}") from error


def generate(kind: str, random: Callable[[int], bytes]) -> PrivateKey:
    """A new key: `rsa-2048`, `ecdsa-256`, `ed25519`, `ed448`. All but RSA follow from the random source alone."""
    family, _, bits = kind.partition("-")
    if family == RSA:
        return PrivateKey.of(rsa.generate_private_key(65537, int(bits)))
    if family == ECDSA:
        curve = CURVES[int(bits)]
        # 64 bits more than the order has leave no bias worth a word (FIPS 186-5 A.2.1).
        scalar = int.from_bytes(random(curve.key_size // 8 + 9), "big") % (_order(int(bits)) - 1) + 1
        return PrivateKey.of(ec.derive_private_key(scalar, curve))
    if kind == ED25519:
        return PrivateKey.of(Ed25519PrivateKey.from_private_bytes(random(32)))
    if kind == ED448:
        return PrivateKey.of(Ed448PrivateKey.from_private_bytes(random(57)))
    raise ValueError(f"no keys of kind {kind!r}; there are rsa-BITS, ecdsa-BITS, ed25519, ed448")


def _order(bits: int) -> int:
    return CURVES[bits].group_order


def raw_ecdsa(signature: bytes, bits: int) -> bytes:
    """r | s, each as long as the order, as RFC 4754 wants it, from DER."""
    r, s = utils.decode_dss_signature(signature)
    size = (bits + 7) // 8
    return r.to_bytes(size, "big") + s.to_bytes(size, "big")


def der_ecdsa(signature: bytes, bits: int) -> bytes | None:
    """The DER of r | s; None where the length is not that of the curve."""
    size = (bits + 7) // 8
    if len(signature) != 2 * size:
        return None
    return utils.encode_dss_signature(int.from_bytes(signature[:size], "big"), int.from_bytes(signature[size:], "big"))
