"""Which EAP methods a connection allows, and what a run of them is given: passwords, certificates, whom to trust.

TLS inside EAP uses the certificate of `local { certs }` and trusts what `remote { cacerts }` or `authorities` name, as
signatures in IKE_AUTH do, whatever `auth` says of the IKE side.
"""

from collections.abc import Sequence

from lab.crypto.certificates import Certificate
from lab.crypto.tls import Endorsed
from lab.errors import ProtocolError
from lab.ike import chains, explain
from lab.ike.config import AuthConfig
from lab.ike.credentials import Identity
from lab.ikev2 import signature
from lab.ikev2.eap.method import Method, Run
from lab.ikev2.eap.methods import allowed
from lab.ikev2.eap.tls_link import TlsTerms
from lab.ikev2.sa import Sa
from lab.wire.ids import NotifyType


def methods(sa: Sa, config: AuthConfig, *, alone: bool) -> Sequence[Method]:
    """What the configuration allows; without a proof beside it only methods that can do without."""
    word = config.auth.text
    able = [m for m in allowed(word) if sa.connection.local.certs or not m.needs_certificate(initiator=sa.initiator)]
    found = [method for method in able if method.alone or not alone]
    if not found:
        reason = f"{word} does not prove the responder; it cannot stand alone" if able else f"no certificate for {word}"
        raise ProtocolError(reason, NotifyType.AUTHENTICATION_FAILED)
    return found


def run(sa: Sa, user: bytes, server: Identity) -> Run:
    """One run of a method under this SA."""
    known, settings = sa.host.config.credentials, sa.host.config.settings
    versions = (settings.tls_version_min, settings.tls_version_max)
    terms = TlsTerms(_own(sa), lambda chain, name: _judge(sa, chain, name), versions)
    return Run(user, str(server).encode(), known.eap_secret, sa.host.random, tls=terms)


def _own(sa: Sa) -> Endorsed | None:
    """The first of our certificates, its key, and the CAs above it but for the root."""
    if not sa.connection.local.certs:
        return None
    own, known = sa.connection.local.certs[0], sa.host.config.credentials
    key = known.key(own.public)
    assert key is not None, "the configuration has a key for each certificate"
    return Endorsed(own.parsed, key.key, tuple(c.parsed for c in known.chain(own) if not c.self_issued))


def _judge(sa: Sa, chain: Sequence[bytes], name: bytes) -> str:
    """What is wrong with the certificates that the peer showed in TLS, in words."""
    if not 0 < len(chain) <= chains.MOST_CERTIFICATES:
        return f"peer shows {len(chain)} certificates in TLS; we look at 1 to {chains.MOST_CERTIFICATES}"
    try:
        first, *others = (Certificate.decode(der) for der in chain)
        identity = Identity.parse(name.decode())
    except (ProtocolError, ValueError) as error:
        return str(error)
    if identity is None:
        return f"nobody can be called {name!r}"
    if not identity.named_in(first):
        return explain.not_named(identity, first)
    return signature.anchors(sa, sa.connection).refusal(first, others, now=sa.host.wall_clock)
