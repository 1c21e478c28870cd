"""Make certificates and CRLs, for a lab's own CA.

Rules: nothing is drawn at random here - keys, serial numbers and times are arguments - and ECDSA and EdDSA signatures
follow from what they sign; so the same arguments give the same octets.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import ip_address

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from lab.crypto import der, distinguished
from lab.crypto.certificates import Certificate, Crl
from lab.crypto.schemes import ED448, ED25519
from lab.crypto.signatures import PrivateKey, PublicKey
from lab.wire.ids import IdType

_CURVE_HASHES: dict[int, hashes.HashAlgorithm] = {256: hashes.SHA256(), 384: hashes.SHA384(), 521: hashes.SHA512()}
_SIGNING = ("digital_signature", "content_commitment")
_ISSUING = ("key_cert_sign", "crl_sign")


@dataclass(frozen=True, slots=True)
class Issuer:
    """A certificate with its key."""

    certificate: Certificate
    key: PrivateKey


@dataclass(frozen=True, slots=True)
class Subject:
    """What a certificate says: name as text, alternative names, from when to when (seconds since 1970).

    `path_length` not None makes it a CA; -1 is a CA without limit. `usage` replaces the usual keyUsage, `purpose` the
    ipsecIKE of extendedKeyUsage.
    """

    name: str
    not_before: float
    not_after: float
    serial: int
    names: tuple[tuple[IdType, bytes], ...] = ()
    path_length: int | None = None
    usage: tuple[str, ...] | None = None
    purpose: str = ExtendedKeyUsageOID.IPSEC_IKE.dotted_string


def issue(subject: Subject, public: PublicKey, issuer: Issuer | PrivateKey) -> Certificate:
    """A certificate; with a bare key as issuer it is self-signed."""
    key = issuer.key if isinstance(issuer, Issuer) else issuer
    parent = issuer.certificate.parsed.subject if isinstance(issuer, Issuer) else _name(subject.name)
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(subject.name))
        .issuer_name(parent)
        .public_key(public.key)
        .serial_number(subject.serial)
        .not_valid_before(_time(subject.not_before))
        .not_valid_after(_time(subject.not_after))
    )
    for extension, critical in _extensions(subject, public, key.public):
        builder = builder.add_extension(extension, critical)
    made = builder.sign(key.key, _hash(key), ecdsa_deterministic=_deterministic(key))
    return Certificate.decode(made.public_bytes(Encoding.DER))


def revoke(issuer: Issuer, serials: Iterable[int], *, at: float, next_update: float) -> Crl:
    """A CRL with these serial numbers; an empty one says that all is well."""
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuer.certificate.parsed.subject)
        .last_update(_time(at))
        .next_update(_time(next_update))
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public.key), False)
        .add_extension(x509.CRLNumber(1), False)
    )
    for serial in serials:
        entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(_time(at)).build()
        builder = builder.add_revoked_certificate(entry)
    made = builder.sign(issuer.key.key, _hash(issuer.key), ecdsa_deterministic=_deterministic(issuer.key))
    return Crl.decode(made.public_bytes(Encoding.DER))


def _extensions(subject: Subject, public: PublicKey, issuer: PublicKey) -> Iterable[tuple[x509.ExtensionType, bool]]:
    is_ca = subject.path_length is not None
    length = subject.path_length if subject.path_length is not None and subject.path_length >= 0 else None
    words = subject.usage if subject.usage is not None else (_ISSUING if is_ca else _SIGNING)
    yield x509.BasicConstraints(ca=is_ca, path_length=length), True
    yield _usage(words), True
    yield x509.SubjectKeyIdentifier.from_public_key(public.key), False
    yield x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key), False
    if subject.names:
        yield x509.SubjectAlternativeName([_general(*name) for name in subject.names]), False
    if not is_ca:
        yield x509.ExtendedKeyUsage([x509.ObjectIdentifier(subject.purpose)]), False


def _usage(words: Iterable[str]) -> x509.KeyUsage:
    all_words = (
        "digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
        "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
    )  # fmt: skip
    return x509.KeyUsage(**{word: word in words for word in all_words})


def _general(kind: IdType, data: bytes) -> x509.GeneralName:
    match kind:
        case IdType.ID_FQDN:
            return x509.DNSName(data.decode("ascii"))
        case IdType.ID_RFC822_ADDR:
            return x509.RFC822Name(data.decode("ascii"))
        case IdType.ID_IPV4_ADDR | IdType.ID_IPV6_ADDR:
            return x509.IPAddress(ip_address(data))
    raise ValueError(f"{kind.name} is no alternative name")


_ATTRIBUTES = {der.oid(oid.dotted_string): oid for oid in vars(x509.NameOID).values() if hasattr(oid, "dotted_string")}


def _name(written: str) -> x509.Name:
    return x509.Name(
        [x509.NameAttribute(_ATTRIBUTES[p.oid], p.value) for p in distinguished.parts(distinguished.encode(written))]
    )


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(int(seconds), UTC)


def _hash(key: PrivateKey) -> hashes.SHA256 | hashes.SHA384 | hashes.SHA512 | None:
    if key.public.family in (ED25519, ED448):
        return None
    found = _CURVE_HASHES.get(key.public.bits, hashes.SHA256())
    assert isinstance(found, hashes.SHA256 | hashes.SHA384 | hashes.SHA512)
    return found


def _deterministic(key: PrivateKey) -> bool | None:
    return True if isinstance(key.key, ec.EllipticCurvePrivateKey) else None
