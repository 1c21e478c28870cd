"""Certificates for both sides of EAP methods that carry TLS."""

from dataclasses import replace
from functools import cache

from lab.crypto.certificates import Certificate
from lab.crypto.issue import Issuer, Subject, issue
from lab.crypto.signatures import generate
from lab.crypto.tls import Endorsed
from lab.crypto.trust import Anchors
from lab.ike.credentials import Identity
from lab.ikev2.eap.tls_link import TlsTerms
from lab.wire.ids import IdType
from tests.pair import seeded

NOW = 1.8e9
_RANDOM = seeded("certificates of EAP")


@cache
def authority(name: str) -> Issuer:
    key = generate("ecdsa-256", _RANDOM)
    subject = Subject(f"C=CH, O=ikelab, CN={name}", NOW - 1e6, NOW + 1e6, 1, path_length=-1)
    return Issuer(issue(subject, key.public, key), key)


@cache
def endorsed(name: str, by: str = "root") -> Endorsed:
    """A certificate for a name, of type FQDN."""
    key = generate("ecdsa-256", _RANDOM)
    subject = Subject(f"C=CH, O=ikelab, CN={name}", NOW - 1e5, NOW + 1e5, 2, names=((IdType.ID_FQDN, name.encode()),))
    return Endorsed(issue(subject, key.public, authority(by)).parsed, key.key)


def judge(chain: tuple[bytes, ...], name: bytes) -> str:
    if not chain:
        return "no certificate"
    leaf, *others = (Certificate.decode(der) for der in chain)
    if refusal := Anchors((authority("root").certificate,)).refusal(leaf, others, now=NOW):
        return refusal
    identity = Identity.parse(name.decode())
    assert identity is not None
    return "" if identity.named_in(leaf) else f"{leaf} is not {identity}"


def terms(name: str | None, *versions: str, by: str = "root") -> TlsTerms:
    made = TlsTerms(endorsed(name, by) if name else None, judge)
    return replace(made, versions=versions) if versions else made
