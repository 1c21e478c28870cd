"""X.509 certificates and CRLs, as much of RFC 5280 as RFC 4945 needs of them: read once, then plain values.

Rules: everything is read when a certificate comes in, so that a broken one is refused there and nowhere else; times are
seconds since 1970; whether to trust one is the business of `trust`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding

from lab.crypto import der, distinguished
from lab.crypto.schemes import Scheme
from lab.crypto.signatures import PublicKey
from lab.errors import ProtocolError
from lab.wire.ids import HashAlgorithm, IdType, NotifyType

LARGEST = 16384
# Hashes that may stand in the signature of a certificate or CRL: SHA-1 no longer.
_SIGNED_WITH = frozenset(HashAlgorithm) - {HashAlgorithm.SHA1}
_PARSING = (ValueError, UnsupportedAlgorithm, x509.DuplicateExtension, x509.UnsupportedGeneralNameType)
_INVALID = (*_PARSING, x509.InvalidVersion, TypeError, OverflowError)
_EXTENSION = x509.oid.ExtensionOID
# Extensions that `trust` heeds; another one that is critical has the certificate refused (RFC 5280 4.2).
_HEEDED = frozenset(
    {
        _EXTENSION.BASIC_CONSTRAINTS,
        _EXTENSION.KEY_USAGE,
        _EXTENSION.SUBJECT_ALTERNATIVE_NAME,
        _EXTENSION.EXTENDED_KEY_USAGE,
        _EXTENSION.SUBJECT_KEY_IDENTIFIER,
        _EXTENSION.AUTHORITY_KEY_IDENTIFIER,
    }
)


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate; `subject` and `issuer` are Names in DER, `names` the identities of the subjectAltName.

    `usage` None means that no keyUsage restricts the key, `purposes` None the same of extendedKeyUsage.
    """

    der: bytes = field(repr=False)
    subject: bytes
    issuer: bytes
    serial: int
    not_before: float
    not_after: float
    public: PublicKey
    names: tuple[tuple[IdType, bytes], ...]
    is_ca: bool
    path_length: int | None
    usage: frozenset[str] | None
    purposes: frozenset[str] | None
    key_id: bytes | None
    issuer_key_id: bytes | None
    unknown_critical: tuple[str, ...]
    parsed: x509.Certificate = field(repr=False, compare=False)

    @classmethod
    def decode(cls, data: bytes) -> "Certificate":
        """Read DER; ProtocolError with the reason where it is no certificate that we can use."""
        if len(data) > LARGEST:
            raise _broken(f"certificate of {len(data)} octets; we read {LARGEST}")
        try:
            return _read(x509.load_der_x509_certificate(data))
        except _INVALID as error:
            raise _broken(f"certificate that cannot be read: {error}") from error

    @property
    def self_issued(self) -> bool:
        """Whether subject and issuer have the same name."""
        return distinguished.same(self.subject, self.issuer)

    def __str__(self) -> str:
        return f'"{distinguished.text(self.subject)}"'

    def signed_by(self, issuer: "Certificate") -> bool:
        """Whether the issuer's key made this certificate's signature, with a hash that holds."""
        return _signed(self.der, self.parsed.signature, issuer.public)

    @property
    def pem(self) -> bytes:
        """The certificate as a PEM file."""
        return self.parsed.public_bytes(Encoding.PEM)


def _signed(data: bytes, signature: bytes, key: PublicKey) -> bool:
    """Whether a key signed a certificate or CRL; both name the algorithm twice, and both names must be the same.

    Names of issuers are not compared here: they may differ in case and blanks (RFC 5280 7.1).
    """
    try:
        body = der.only(data, der.SEQUENCE)
        signed = der.whole(body)
        algorithm = der.only(der.whole(body[len(signed) :]), der.SEQUENCE)
        inner = next((part for tag, part in der.each(der.only(signed, der.SEQUENCE)) if tag == der.SEQUENCE), None)
        scheme = Scheme.of_identifier(der.sequence(algorithm))
    except ProtocolError:
        return False
    return inner == algorithm and scheme.hash in _SIGNED_WITH and key.verify(scheme, signature, signed)


def _broken(reason: str) -> ProtocolError:
    return ProtocolError(reason, NotifyType.AUTHENTICATION_FAILED)


def _read(parsed: x509.Certificate) -> Certificate:
    if parsed.serial_number < 0:
        raise _broken("certificate with a negative serial number")
    found: dict[type, x509.ExtensionType] = {type(e.value): e.value for e in parsed.extensions}
    basic = found.get(x509.BasicConstraints)
    usage, purposes = found.get(x509.KeyUsage), found.get(x509.ExtendedKeyUsage)
    own, issuer = found.get(x509.SubjectKeyIdentifier), found.get(x509.AuthorityKeyIdentifier)
    names = found.get(x509.SubjectAlternativeName)
    return Certificate(
        der=parsed.public_bytes(Encoding.DER),
        subject=parsed.subject.public_bytes(),
        issuer=parsed.issuer.public_bytes(),
        serial=parsed.serial_number,
        not_before=parsed.not_valid_before_utc.timestamp(),
        not_after=parsed.not_valid_after_utc.timestamp(),
        public=PublicKey.of(parsed.public_key()),
        names=tuple(_names(names)) if isinstance(names, x509.SubjectAlternativeName) else (),
        is_ca=isinstance(basic, x509.BasicConstraints) and basic.ca,
        path_length=basic.path_length if isinstance(basic, x509.BasicConstraints) else None,
        usage=_usage(usage) if isinstance(usage, x509.KeyUsage) else None,
        purposes=frozenset(p.dotted_string for p in purposes) if isinstance(purposes, x509.ExtendedKeyUsage) else None,
        key_id=own.digest if isinstance(own, x509.SubjectKeyIdentifier) else None,
        issuer_key_id=issuer.key_identifier if isinstance(issuer, x509.AuthorityKeyIdentifier) else None,
        unknown_critical=tuple(e.oid.dotted_string for e in parsed.extensions if e.critical and e.oid not in _HEEDED),
        parsed=parsed,
    )


def _names(names: x509.SubjectAlternativeName) -> Iterator[tuple[IdType, bytes]]:
    """The alternative names that an IKE identity can be."""
    for name in names:
        match name:
            case x509.DNSName():
                yield IdType.ID_FQDN, name.value.encode()
            case x509.RFC822Name():
                yield IdType.ID_RFC822_ADDR, name.value.encode()
            case x509.DirectoryName():
                yield IdType.ID_DER_ASN1_DN, name.value.public_bytes()
            case x509.IPAddress() if hasattr(name.value, "packed"):
                kind = IdType.ID_IPV4_ADDR if name.value.version == 4 else IdType.ID_IPV6_ADDR
                yield kind, name.value.packed


def _usage(usage: x509.KeyUsage) -> frozenset[str]:
    words = ("digital_signature", "content_commitment", "key_cert_sign", "crl_sign")
    return frozenset(word for word in words if getattr(usage, word))


@dataclass(frozen=True, slots=True)
class Crl:
    """A certificate revocation list. `partial`: it does not speak of all its issuer's certificates."""

    issuer: bytes
    this_update: float
    next_update: float | None
    partial: bool
    parsed: x509.CertificateRevocationList = field(repr=False)

    @classmethod
    def decode(cls, data: bytes) -> "Crl":
        """Read DER; ProtocolError where it is no CRL."""
        try:
            parsed = x509.load_der_x509_crl(data)
            later = parsed.next_update_utc
            return cls(
                issuer=parsed.issuer.public_bytes(),
                this_update=parsed.last_update_utc.timestamp(),
                next_update=later.timestamp() if later else None,
                # A delta, a list for some reasons or distribution points only: all of these are critical extensions.
                partial=any(e.critical for e in parsed.extensions),
                parsed=parsed,
            )
        except _INVALID as error:
            raise _broken(f"CRL that cannot be read: {error}") from error

    def signed_by(self, issuer: Certificate) -> bool:
        """Whether the issuer's key made this list's signature."""
        return _signed(self.parsed.public_bytes(Encoding.DER), self.parsed.signature, issuer.public)

    def revoked_at(self, serial: int) -> float | None:
        """When a certificate was revoked; None where it was not, or was taken off again."""
        try:
            entry = self.parsed.get_revoked_certificate_by_serial_number(serial)
            if entry is None:
                return None
            reasons = [e.value.reason for e in entry.extensions if isinstance(e.value, x509.CRLReason)]
        except _INVALID as error:
            raise _broken(f"CRL that cannot be read: {error}") from error
        return None if x509.ReasonFlags.remove_from_crl in reasons else entry.revocation_date_utc.timestamp()

    @property
    def pem(self) -> bytes:
        """The list as a PEM file."""
        return self.parsed.public_bytes(Encoding.PEM)


def load_certificates(data: bytes) -> tuple[Certificate, ...]:
    """The certificates of a PEM or DER file; ValueError in words."""
    try:
        if b"-----BEGIN" not in data:
            return (Certificate.decode(data),)
        return tuple(Certificate.decode(c.public_bytes(Encoding.DER)) for c in x509.load_pem_x509_certificates(data))
    except (*_INVALID, ProtocolError) as error:
        raise ValueError(f"no usable certificate: {error}") from error


def load_crl(data: bytes) -> Crl:
    """The CRL of a PEM or DER file; ValueError in words."""
    try:
        if b"-----BEGIN" in data:
            data = x509.load_pem_x509_crl(data).public_bytes(Encoding.DER)
        return Crl.decode(data)
    except (*_INVALID, ProtocolError) as error:
        raise ValueError(f"no usable CRL: {error}") from error


def day(seconds: float) -> str:
    """A time in words: `2026-11-23 12:00:00 UTC`."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
