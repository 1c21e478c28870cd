"""Identities and secrets.

An identity is written as strongSwan writes it: `192.0.2.1`, `2001:db8::1`, `gw.example.org` or `@gw.example.org`
(FQDN), `user@example.org` (e-mail address), `@#0badc0de` (KEY_ID), `C=CH, O=Lab, CN=left` (distinguished name), `%any`
(anything), or with an explicit type in front (`fqdn:`, `email:`, `keyid:`, `dn:`, `ipv4:`, `ipv6:`). A leading `*` in
an FQDN or e-mail pattern stands for any beginning, `*` as a value in a distinguished name for any value. `%null` is
nobody (ID_NULL, RFC 7619), which is a word of ours.
"""

import base64
import binascii
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address

from lab.crypto import distinguished
from lab.crypto.certificates import Certificate, Crl
from lab.crypto.signatures import PrivateKey, PublicKey
from lab.crypto.trust import LONGEST
from lab.wire.ids import IdType

_PREFIXES = {
    "ipv4": IdType.ID_IPV4_ADDR,
    "ipv6": IdType.ID_IPV6_ADDR,
    "fqdn": IdType.ID_FQDN,
    "dns": IdType.ID_FQDN,
    "email": IdType.ID_RFC822_ADDR,
    "rfc822": IdType.ID_RFC822_ADDR,
    "userfqdn": IdType.ID_RFC822_ADDR,
    "keyid": IdType.ID_KEY_ID,
    "dn": IdType.ID_DER_ASN1_DN,
    "asn1dn": IdType.ID_DER_ASN1_DN,
}
_NAMES = (IdType.ID_FQDN, IdType.ID_RFC822_ADDR)


@dataclass(frozen=True, slots=True)
class Identity:
    """An identity as it goes over the wire: ID type and octets."""

    id_type: IdType
    data: bytes

    @classmethod
    def parse(cls, text: str) -> "Identity | None":
        """Read the written form; None for `%any`; ValueError where it is none."""
        prefix, colon, rest = text.partition(":")
        if colon and prefix in _PREFIXES:
            return cls(_PREFIXES[prefix], _octets(_PREFIXES[prefix], rest))
        if text in ("", "%any", "0.0.0.0", "::"):
            return None
        if text == "%null":
            return NOBODY
        if "=" in text:
            return cls(IdType.ID_DER_ASN1_DN, distinguished.encode(text))
        if "@" not in text:
            with contextlib.suppress(ValueError):
                return cls.of_address(text)
            return cls(IdType.ID_FQDN, text.encode())
        if text.startswith("@#"):
            return cls(IdType.ID_KEY_ID, _octets(IdType.ID_KEY_ID, "0x" + text[2:]))
        if text.startswith("@@"):
            return cls(IdType.ID_RFC822_ADDR, text[2:].encode())
        if text.startswith("@"):
            return cls(IdType.ID_FQDN, text[1:].encode())
        return cls(IdType.ID_RFC822_ADDR, text.encode())

    @classmethod
    def of_address(cls, text: str) -> "Identity":
        """The identity of an IP address; ValueError where the text is none."""
        address = ip_address(text)
        return cls(IdType.ID_IPV4_ADDR if address.version == 4 else IdType.ID_IPV6_ADDR, address.packed)

    @classmethod
    def subject_of(cls, certificate: Certificate) -> "Identity":
        """The identity of a certificate's subject."""
        return cls(IdType.ID_DER_ASN1_DN, certificate.subject)

    def matches(self, pattern: "Identity | None") -> bool:
        """Whether a pattern (None: anything) covers this identity; names compare without regard to case."""
        if pattern is None or self == pattern:
            return True
        if self.id_type == pattern.id_type == IdType.ID_DER_ASN1_DN:
            return distinguished.covers(pattern.data, self.data)
        if self.id_type != pattern.id_type or self.id_type not in _NAMES:
            return False
        own, wanted = self.data.lower(), pattern.data.lower()
        return own.endswith(wanted[1:]) if wanted.startswith(b"*") else own == wanted

    def named_in(self, certificate: Certificate) -> bool:
        """Whether a certificate is this identity's: its subject, an alternative name, or its key (RFC 4945 3.1)."""
        if self.id_type == IdType.ID_DER_ASN1_DN:
            named = (certificate.subject, *(data for kind, data in certificate.names if kind == self.id_type))
            return any(distinguished.same(name, self.data) for name in named)
        if self.id_type == IdType.ID_KEY_ID:
            return self.data in (certificate.key_id, certificate.public.fingerprint)
        folded = self.data.lower() if self.id_type in _NAMES else self.data
        return any(
            folded == (data.lower() if kind in _NAMES else data)
            for kind, data in certificate.names
            if kind == self.id_type
        )

    def __str__(self) -> str:
        if self == NOBODY:
            return NOBODY.id_type.name
        if self.id_type == IdType.ID_DER_ASN1_DN:
            return distinguished.text(self.data)
        if self.id_type == IdType.ID_IPV4_ADDR and len(self.data) == 4:
            return str(IPv4Address(self.data))
        if self.id_type == IdType.ID_IPV6_ADDR and len(self.data) == 16:
            return str(IPv6Address(self.data))
        if self.id_type in _NAMES:
            return self.data.decode("ascii", "backslashreplace")
        return f"{self.id_type.name}:{self.data.hex()}"


# Whoever does not say who it is.
NOBODY = Identity(IdType.ID_NULL, b"")


def _octets(id_type: IdType, text: str) -> bytes:
    """The octets of an identity whose type is known."""
    if id_type in (IdType.ID_IPV4_ADDR, IdType.ID_IPV6_ADDR):
        identity = Identity.of_address(text)
        if identity.id_type != id_type:
            raise ValueError(f"{text!r} is not of type {id_type.name}")
        return identity.data
    if id_type == IdType.ID_DER_ASN1_DN:
        return distinguished.encode(text)
    return secret_octets(text) if id_type == IdType.ID_KEY_ID else text.encode()


def secret_octets(text: str) -> bytes:
    """The octets of a secret as swanctl writes it: `0x` hexadecimal, `0s` Base64, otherwise the text itself."""
    try:
        if text.startswith("0x"):
            return bytes.fromhex(text[2:])
        if text.startswith("0s"):
            return base64.b64decode(text[2:], validate=True)
    except (ValueError, binascii.Error) as error:
        raise ValueError(f"not a valid {text[:2]} value: {error}") from error
    return text.encode()


@dataclass(frozen=True, slots=True)
class SharedSecret:
    """A pre-shared key and whom it belongs to; without owners it serves everybody."""

    name: str
    secret: bytes = field(repr=False)
    owners: tuple[Identity | None, ...] = ()

    def rank(self, local: Identity, remote: Identity) -> int:
        """How well this secret fits a pair of identities: 0 not at all, then better the higher."""
        if not self.owners:
            return 1
        theirs = max((_fit(remote, owner) for owner in self.owners), default=0)
        ours = max((_fit(local, owner) for owner in self.owners), default=0)
        return 2 + 4 * theirs + ours if theirs else 0


def _fit(identity: Identity, owner: Identity | None) -> int:
    """0 no match, 1 `%any`, 2 a pattern, 3 the identity itself."""
    if owner is None:
        return 1
    if identity == owner:
        return 3
    return 2 if identity.matches(owner) else 0


def identities_of(certificate: Certificate) -> str:
    """The identities that a certificate has, in words."""
    subject = (IdType.ID_DER_ASN1_DN, certificate.subject)
    return ", ".join(str(Identity(*name)) for name in (subject, *certificate.names))


@dataclass(frozen=True, slots=True)
class Credentials:
    """All secrets of an endpoint, and the CAs that it knows with their CRLs."""

    shared: tuple[SharedSecret, ...] = ()
    eap: tuple[SharedSecret, ...] = ()
    keys: tuple[PrivateKey, ...] = field(default=(), repr=False)
    authorities: tuple[Certificate, ...] = ()
    crls: tuple[Crl, ...] = ()
    ppks: tuple[SharedSecret, ...] = ()

    def ppk(self, name: bytes) -> SharedSecret | None:
        """The postquantum preshared key of this name (RFC 8784 5.1)."""
        owned = ((secret, owner) for secret in self.ppks for owner in secret.owners)
        return next((secret for secret, owner in owned if owner is not None and owner.data == name), None)

    def psk(self, local: Identity, remote: Identity) -> SharedSecret | None:
        """The pre-shared key that fits best; of equals the first; None where none fits."""
        ranked: Sequence[tuple[int, SharedSecret]] = [(s.rank(local, remote), s) for s in self.shared]
        best = max((rank for rank, _ in ranked), default=0)
        return next((secret for rank, secret in ranked if rank == best), None) if best else None

    def key(self, public: PublicKey) -> PrivateKey | None:
        """The private half of a key."""
        return next((key for key in self.keys if key.public == public), None)

    def chain(self, certificate: Certificate) -> tuple[Certificate, ...]:
        """The CAs above a certificate as far as they are known, from the nearest to the root."""
        found = [certificate]
        while len(found) < LONGEST and not found[-1].self_issued:
            above = next((c for c in self.authorities if c not in found and found[-1].signed_by(c)), None)
            if above is None:
                break
            found.append(above)
        return tuple(found[1:])

    def eap_secret(self, user: bytes) -> bytes | None:
        """The password of a name in EAP or XAUTH as it came; what names its owner exactly goes first."""
        identity = user_identity(user)
        ranked = [(max((_fit(identity, one) for one in s.owners), default=1), s.secret) for s in self.eap]
        best = max((rank for rank, _ in ranked), default=0)
        return next((secret for rank, secret in ranked if rank == best), None) if best else None


def user_identity(user: bytes) -> Identity:
    """A name in EAP or XAUTH is text; what cannot be read as one, or would mean anybody, is itself and no more."""
    with contextlib.suppress(ValueError):
        if found := Identity.parse(user.decode()):
            return found
    return Identity(IdType.ID_KEY_ID, user)
