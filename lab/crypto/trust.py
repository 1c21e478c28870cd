"""Is this certificate to be trusted: a path from it to a trust anchor (RFC 5280 6, for what RFC 4945 asks).

Checked are names and signatures, validity at a given time, basicConstraints, keyUsage, extendedKeyUsage, critical
extensions, path lengths and CRLs. Policies and name constraints are not understood: where they are critical, the
certificate is refused. The work for one peer is bounded, whatever certificates it sends: so many paths are tried, each
so long. A refusal says in words what the most promising path lacked.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from lab.crypto.certificates import Certificate, Crl, day
from lab.crypto.distinguished import same, text

LONGEST = 8  # certificates in a path
MOST_STEPS = 64  # signatures verified while looking for one
# ipsecIKE, anyExtendedKeyUsage, and what TLS certificates have, which peers use as well (RFC 4945 5.1.3.12).
PURPOSES = frozenset({"1.3.6.1.5.5.7.3.17", "2.5.29.37.0", "1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"})


@dataclass(frozen=True, slots=True)
class Anchors:
    """What a path may end in, what is known of revocations, and whether not knowing is a reason to refuse."""

    certificates: tuple[Certificate, ...] = ()
    crls: tuple[Crl, ...] = ()
    strict: bool = False

    def refusal(self, leaf: Certificate, others: Iterable[Certificate], *, now: float) -> str:
        """Why there is no path to this end-entity certificate, in words; empty where there is one."""
        problem = _alone(leaf, now) or _end_entity(leaf)
        return problem or _Search(self, tuple(others), now).start(leaf)


@dataclass(slots=True)
class _Search:
    """Depth first from the leaf; remembers the complaint of the path that came furthest."""

    anchors: Anchors
    others: tuple[Certificate, ...]
    now: float
    steps: int = 0
    complaints: list[tuple[int, str]] = field(default_factory=list)

    def start(self, leaf: Certificate) -> str:
        if any(leaf.der == anchor.der for anchor in self.anchors.certificates):
            return ""
        if self.extend((leaf,)):
            return ""
        furthest = max(depth for depth, _ in self.complaints)
        return next(reason for depth, reason in self.complaints if depth == furthest)

    def complain(self, path: Sequence[Certificate], reason: str, weight: int = 1) -> None:
        self.complaints.append((2 * len(path) + weight, reason))

    def extend(self, path: tuple[Certificate, ...]) -> bool:
        """Whether this path can be led on to an anchor."""
        last = path[-1]
        for issuer in self.issuers(last):
            anchored = any(issuer.der == anchor.der for anchor in self.anchors.certificates)
            if issuer in path or not self.step(path, issuer):
                continue
            if anchored or self.extend((*path, issuer)):
                return True
        self.complain(path, _untrusted(last), 0)
        return False

    def issuers(self, last: Certificate) -> list[Certificate]:
        """Who may have issued a certificate, the anchors first."""
        found = [c for c in (*self.anchors.certificates, *self.others) if same(c.subject, last.issuer)]
        keyed = [c for c in found if last.issuer_key_id is None or c.key_id in (None, last.issuer_key_id)]
        return list({c.der: c for c in keyed or found}.values())

    def step(self, path: tuple[Certificate, ...], issuer: Certificate) -> bool:
        """Whether the path's last certificate is good under this issuer."""
        last = path[-1]
        self.steps += 1
        if self.steps > MOST_STEPS or len(path) >= LONGEST:
            self.complain(path, f"certificate {path[0]}: the chain is longer than we follow")
            return False
        problem = _alone(issuer, self.now) or _authority(issuer, path)
        if not problem and not last.signed_by(issuer):
            problem = f"certificate {last} was not signed by the key of {issuer}, its issuer by name"
        problem = problem or self.revocation(last, issuer)
        if problem:
            self.complain(path, problem)
        return not problem

    def revocation(self, last: Certificate, issuer: Certificate) -> str:
        """What the CRLs say against a certificate."""
        known = False
        if issuer.usage is None or "crl_sign" in issuer.usage:
            for crl in self.anchors.crls:
                if not same(crl.issuer, issuer.subject) or not crl.signed_by(issuer):
                    continue
                revoked = crl.revoked_at(last.serial)
                if revoked is not None:
                    return f"certificate {last} was revoked on {day(revoked)}"
                fresh = crl.this_update <= self.now and (crl.next_update is None or self.now <= crl.next_update)
                known = known or (fresh and not crl.partial)
        if self.anchors.strict and not known:
            return f"no valid CRL says whether certificate {last} is revoked"
        return ""


def _untrusted(last: Certificate) -> str:
    if last.self_issued:
        return f"certificate {last} is self-signed, and we do not trust it"
    return f'certificate {last} was issued by "{text(last.issuer)}", whom we do not trust'


def _alone(certificate: Certificate, now: float) -> str:
    """What is wrong with a certificate whoever issued it."""
    if now < certificate.not_before:
        return f"certificate {certificate} is not valid before {day(certificate.not_before)}; it is {day(now)}"
    if now > certificate.not_after:
        return f"certificate {certificate} expired on {day(certificate.not_after)}; it is {day(now)}"
    if certificate.unknown_critical:
        return f"certificate {certificate} has critical extensions unknown to us: {certificate.unknown_critical[0]}"
    return ""


def _end_entity(leaf: Certificate) -> str:
    """RFC 4945 5.1.3.2: a key that may sign; 5.1.3.12: for a purpose that covers IKE."""
    if leaf.usage is not None and not leaf.usage & {"digital_signature", "content_commitment"}:
        return f"certificate {leaf} is not for signing: its keyUsage lacks digitalSignature"
    if leaf.purposes is not None and not leaf.purposes & PURPOSES:
        return f"certificate {leaf} is not for IKE: its extendedKeyUsage is {', '.join(sorted(leaf.purposes))}"
    return ""


def _authority(issuer: Certificate, path: Sequence[Certificate]) -> str:
    """RFC 5280 4.2.1.9 and 4.2.1.3: whether an issuer may issue, with so many authorities below it."""
    if not issuer.is_ca:
        return f"certificate {issuer} is not that of a CA, but issued {path[-1]}"
    if issuer.usage is not None and "key_cert_sign" not in issuer.usage:
        return f"certificate {issuer} is not for signing certificates: its keyUsage lacks keyCertSign"
    below = sum(1 for certificate in path[1:] if not certificate.self_issued)
    if issuer.path_length is not None and below > issuer.path_length:
        return f"certificate {issuer} allows {issuer.path_length} further authorities; there are {below}"
    return ""
