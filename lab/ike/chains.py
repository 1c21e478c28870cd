"""Certificates of both sides, as both versions of IKE use them: whom we trust, what we show, what we were shown."""

from collections.abc import Sequence

from lab.crypto.certificates import Certificate
from lab.crypto.trust import Anchors
from lab.errors import ProtocolError
from lab.ike.config import Connection
from lab.ike.credentials import Credentials, Identity

MOST_CERTIFICATES = 10  # in one message


def anchors(known: Credentials, connection: Connection) -> Anchors:
    """Whom a connection trusts."""
    remote = connection.remote
    certificates = remote.certs + (remote.cacerts or known.authorities)
    return Anchors(certificates, known.crls, strict=remote.revocation == "strict")


def shown(known: Credentials, own: Certificate) -> tuple[Certificate, ...]:
    """Our certificate and the CAs above it but for the root, which the peer must have."""
    return own, *(c for c in known.chain(own) if not c.self_issued)


def received(
    connection: Connection, peer: Identity, sent: Sequence[bytes]
) -> tuple[Certificate, Sequence[Certificate]]:
    """The certificate of the peer's key and the others that it sent; one that we hold will do where none came."""
    if len(sent) > MOST_CERTIFICATES:
        raise ProtocolError(f"{peer} sends {len(sent)} certificates; we look at {MOST_CERTIFICATES}")
    if not sent:
        held = next((c for c in connection.remote.certs if peer.named_in(c)), None)
        if held is None:
            raise ProtocolError(f"{peer} sends no certificate, and we hold none of it")
        return held, ()
    first, *others = (Certificate.decode(data) for data in dict.fromkeys(sent))
    return first, others
