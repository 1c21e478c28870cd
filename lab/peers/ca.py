"""A small CA for one scenario: a root, intermediates, certificates for the peers, and CRLs.

Rules: made anew for each run from the run's seed and time; everything but RSA keys follows from the two. The keys of
CAs are ECDSA, so that certificates are small and IKE_AUTH fits into one packet. Its times are what a scenario asks
for: a certificate that has expired is made in the past.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lab.crypto.certificates import Certificate, Crl
from lab.crypto.issue import Issuer, Subject, issue, revoke
from lab.crypto.signatures import generate
from lab.ike.credentials import Identity

DAY = 86400.0
CA_KEY = "ecdsa-256"
_NAME = "C=CH, O=ikelab, CN="


@dataclass(frozen=True, slots=True)
class Validity:
    """From when to when, in days from now."""

    begins: float = -1.0
    ends: float = 30.0


USUAL, EXPIRED, FUTURE = Validity(), Validity(-30.0, -1.0), Validity(1.0, 30.0)


class Ca:
    """A root and what it issues; `now` in seconds since 1970."""

    def __init__(self, random: Callable[[int], bytes], now: float, name: str = "root") -> None:
        self._random, self._now = random, now
        key = generate(CA_KEY, random)
        self.root = Issuer(issue(self._subject(name, USUAL, path_length=-1), key.public, key), key)

    def intermediate(self, name: str, above: Issuer | None = None) -> Issuer:
        """A CA below the root or below another one."""
        key = generate(CA_KEY, self._random)
        subject = self._subject(name, USUAL, path_length=-1)
        return Issuer(issue(subject, key.public, above or self.root), key)

    def leaf(
        self,
        name: str,
        kind: str = "ecdsa-256",
        *,
        identities: Sequence[str] = (),
        issuer: Issuer | None = None,
        validity: Validity = USUAL,
    ) -> Issuer:
        """A certificate for a peer, with its key; the identities as swanctl.conf writes them."""
        key = generate(kind, self._random)
        found = (Identity.parse(text) for text in identities)
        names = tuple((identity.id_type, identity.data) for identity in found if identity)
        subject = self._subject(name, validity, names=names)
        return Issuer(issue(subject, key.public, issuer or self.root), key)

    def crl(self, *revoked: Certificate, issuer: Issuer | None = None) -> Crl:
        """The list of revoked certificates of the root or of another CA, as of an hour ago."""
        serials = (certificate.serial for certificate in revoked)
        return revoke(issuer or self.root, serials, at=self._now - 3600, next_update=self._now + 30 * DAY)

    def _subject(self, name: str, validity: Validity, **fields: object) -> Subject:
        begins, ends = (self._now + days * DAY for days in (validity.begins, validity.ends))
        # 8 octets, the first bit clear: positive, and no other is the same.
        serial = int.from_bytes(self._random(8), "big") >> 1
        return Subject(f"{_NAME}{name}", begins, ends, serial, **fields)  # type: ignore[arg-type]
