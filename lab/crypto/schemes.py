"""Signature schemes and their AlgorithmIdentifiers (RFC 7427 appendix A, RFC 8420): one row per family and hash.

A scheme is what a key signs with: padding or curve family, and hash. IKE names it by the DER of an AlgorithmIdentifier.
RSASSA-PSS carries its parameters in it; every combination of one hash for message and mask and any salt is understood.
"""

from dataclasses import dataclass

from lab.crypto import der
from lab.errors import ProtocolError
from lab.wire.ids import HashAlgorithm, NotifyType

RSA, PSS, ECDSA, ED25519, ED448 = "rsa", "rsa/pss", "ecdsa", "ed25519", "ed448"
FAMILIES = (RSA, PSS, ECDSA, ED25519, ED448)
# The octets of a digest, which are also the salt of RSASSA-PSS where nothing else is said (RFC 8017 9.1).
DIGEST = {
    HashAlgorithm.SHA1: 20,
    HashAlgorithm.SHA2_256: 32,
    HashAlgorithm.SHA2_384: 48,
    HashAlgorithm.SHA2_512: 64,
}
_HASH_OIDS = {
    HashAlgorithm.SHA1: der.oid("1.3.14.3.2.26"),
    HashAlgorithm.SHA2_256: der.oid("2.16.840.1.101.3.4.2.1"),
    HashAlgorithm.SHA2_384: der.oid("2.16.840.1.101.3.4.2.2"),
    HashAlgorithm.SHA2_512: der.oid("2.16.840.1.101.3.4.2.3"),
}
_NULL = der.encode(der.NULL, b"")
_PSS, _MGF1 = der.oid("1.2.840.113549.1.1.10"), der.oid("1.2.840.113549.1.1.8")
_LONGEST_SALT = 1024


@dataclass(frozen=True, slots=True)
class Scheme:
    """A family with its hash; `salt` in octets, for RSASSA-PSS only."""

    family: str
    hash: HashAlgorithm
    salt: int = 0

    def __str__(self) -> str:
        return self.family if self.hash == HashAlgorithm.IDENTITY else f"{self.family}-{keyword(self.hash)}"

    @property
    def identifier(self) -> bytes:
        """The DER of the AlgorithmIdentifier."""
        return _pss(self) if self.family == PSS else _PLAIN[self]

    @classmethod
    def of_identifier(cls, data: bytes) -> "Scheme":
        """The scheme that a peer names; ProtocolError with the reason where it is none of ours."""
        known = _BY_IDENTIFIER.get(data)
        if known is not None:
            return known
        body = der.only(data, der.SEQUENCE)
        if body.startswith(_PSS):
            return _read_pss(body[len(_PSS) :])
        raise _unknown(f"signature algorithm {data.hex()} is not one of ours")


def scheme(family: str, digest: HashAlgorithm = HashAlgorithm.IDENTITY) -> Scheme:
    """A scheme with the usual salt."""
    return Scheme(family, digest, DIGEST[digest] if family == PSS else 0)


def keyword(digest: HashAlgorithm) -> str:
    """`sha256`, as strongSwan writes it."""
    return digest.name.lower().replace("sha2_", "sha")


# fmt: off
_PLAIN: dict[Scheme, bytes] = {
    Scheme(RSA, HashAlgorithm.SHA1):       der.sequence(der.oid("1.2.840.113549.1.1.5"), _NULL),
    Scheme(RSA, HashAlgorithm.SHA2_256):   der.sequence(der.oid("1.2.840.113549.1.1.11"), _NULL),
    Scheme(RSA, HashAlgorithm.SHA2_384):   der.sequence(der.oid("1.2.840.113549.1.1.12"), _NULL),
    Scheme(RSA, HashAlgorithm.SHA2_512):   der.sequence(der.oid("1.2.840.113549.1.1.13"), _NULL),
    Scheme(ECDSA, HashAlgorithm.SHA1):     der.sequence(der.oid("1.2.840.10045.4.1")),
    Scheme(ECDSA, HashAlgorithm.SHA2_256): der.sequence(der.oid("1.2.840.10045.4.3.2")),
    Scheme(ECDSA, HashAlgorithm.SHA2_384): der.sequence(der.oid("1.2.840.10045.4.3.3")),
    Scheme(ECDSA, HashAlgorithm.SHA2_512): der.sequence(der.oid("1.2.840.10045.4.3.4")),
    Scheme(ED25519, HashAlgorithm.IDENTITY): der.sequence(der.oid("1.3.101.112")),
    Scheme(ED448, HashAlgorithm.IDENTITY):   der.sequence(der.oid("1.3.101.113")),
}
# fmt: on
_BY_IDENTIFIER = {identifier: known for known, identifier in _PLAIN.items()}


def _unknown(reason: str) -> ProtocolError:
    return ProtocolError(reason, NotifyType.AUTHENTICATION_FAILED)


def _hash(algorithm: HashAlgorithm) -> bytes:
    return der.sequence(_HASH_OIDS[algorithm], _NULL)


def _pss(one: Scheme) -> bytes:
    """RSASSA-PSS-params, written out but for what equals a DEFAULT, as DER wants it (RFC 4055 3.1)."""
    parts = []
    if one.hash != HashAlgorithm.SHA1:
        parts.append(der.encode(der.CONTEXT, _hash(one.hash)))
        parts.append(der.encode(der.CONTEXT | 1, der.sequence(_MGF1, _hash(one.hash))))
    if one.salt != DIGEST[HashAlgorithm.SHA1]:
        parts.append(der.encode(der.CONTEXT | 2, der.integer(one.salt)))
    return der.sequence(_PSS, der.sequence(*parts))


def _read_pss(params: bytes) -> Scheme:
    fields: dict[int, bytes] = {}
    for tag, body in der.each(der.only(params, der.SEQUENCE)):
        if tag in fields or not der.CONTEXT <= tag <= der.CONTEXT | 3:
            raise _unknown(f"RSASSA-PSS parameters with tag {tag:#04x}")
        fields[tag] = body
    digest = _read_hash(fields[der.CONTEXT]) if der.CONTEXT in fields else HashAlgorithm.SHA1
    mask = _read_mask(fields[der.CONTEXT | 1]) if der.CONTEXT | 1 in fields else HashAlgorithm.SHA1
    salt = _small(fields[der.CONTEXT | 2]) if der.CONTEXT | 2 in fields else DIGEST[HashAlgorithm.SHA1]
    if mask != digest:
        raise _unknown(f"RSASSA-PSS with {keyword(digest)} and a mask of {keyword(mask)}")
    if der.CONTEXT | 3 in fields and _small(fields[der.CONTEXT | 3]) != 1:
        raise _unknown("RSASSA-PSS with another trailer than 0xbc")
    return Scheme(PSS, digest, salt)


def _small(data: bytes) -> int:
    body = der.only(data, der.INTEGER)
    value = int.from_bytes(body[:4], "big")
    if not body or len(body) > 4 or body[0] & 0x80 or value > _LONGEST_SALT:
        raise _unknown(f"number {body[:8].hex()} in RSASSA-PSS parameters")
    return value


def _read_hash(data: bytes) -> HashAlgorithm:
    body = der.only(data, der.SEQUENCE)
    for algorithm, name in _HASH_OIDS.items():
        if body in (name, name + _NULL):  # RFC 4055 2.1: both forms are to be taken
            return algorithm
    raise _unknown(f"hash algorithm {body[:16].hex()} is not one of ours")


def _read_mask(data: bytes) -> HashAlgorithm:
    body = der.only(data, der.SEQUENCE)
    if not body.startswith(_MGF1):
        raise _unknown("RSASSA-PSS with a mask generation function that is not MGF1")
    return _read_hash(body[len(_MGF1) :])
