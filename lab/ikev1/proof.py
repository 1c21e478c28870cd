"""How a side of IKEv1 proves who it is: a pre-shared key, or a signature of HASH_I or HASH_R (RFC 2409 5.1, 5.4).

The method is negotiated with the algorithms and holds for both sides. With a pre-shared key the key must be known
before the identities are: in Main Mode by what the connection expects, or by addresses. The RSA signature covers the
bare hash, without the name of the hash in front of it ("a private key encryption", 5.1); so does the one of ECDSA,
where the hash is that of the method and not the negotiated one (RFC 4754). In hybrid authentication one side signs and
the other sends a HASH, which proves nothing until XAUTH does (draft-ietf-ipsec-isakmp-hybrid-auth-05).
"""

from hmac import compare_digest

from lab.crypto import registry
from lab.crypto.certificates import Certificate
from lab.crypto.macs import PrfSpec
from lab.crypto.schemes import ECDSA, RSA
from lab.errors import ProtocolError
from lab.ike import chains
from lab.ike import explain as words
from lab.ike.config import Connection
from lab.ike.credentials import Identity
from lab.ikev1 import explain
from lab.ikev1.exchange import Payloads
from lab.ikev1.sa import Sa
from lab.wire.ids import CertEncoding, Prf
from lab.wire.ids_v1 import AuthMethod1, NotifyType1
from lab.wire.message_v1 import Message1
from lab.wire.payloads_v1 import Cert1, CertReq1, Hash1, Sig1

# What is negotiated where neither side, the initiator, or the responder also proves itself by XAUTH (its draft, 7.2).
_SHARED = (AuthMethod1.PRE_SHARED_KEY, AuthMethod1.XAUTH_INIT_PRE_SHARED, AuthMethod1.XAUTH_RESP_PRE_SHARED)
_SIGNED = (AuthMethod1.RSA_SIGNATURE, AuthMethod1.XAUTH_INIT_RSA, AuthMethod1.XAUTH_RESP_RSA)
_HYBRID = (None, AuthMethod1.HYBRID_INIT_RSA, AuthMethod1.HYBRID_RESP_RSA)
# RFC 4754 4: each curve has a method of its own, and that a hash.
_CURVES = {256: AuthMethod1.ECDSA_256, 384: AuthMethod1.ECDSA_384, 521: AuthMethod1.ECDSA_521}
_HASHES = {
    AuthMethod1.ECDSA_256: Prf.PRF_HMAC_SHA2_256,
    AuthMethod1.ECDSA_384: Prf.PRF_HMAC_SHA2_384,
    AuthMethod1.ECDSA_521: Prf.PRF_HMAC_SHA2_512,
}


def methods(connection: Connection, *, initiator: bool) -> tuple[AuthMethod1, ...]:
    """What a connection negotiates in this role; its configuration has the same kind of proof on both sides."""
    of_initiator, of_responder = connection.local, connection.remote
    if not initiator:
        of_initiator, of_responder = of_responder, of_initiator
    by_user = 1 if of_initiator.xauth else 2 if of_responder.xauth else 0
    if hybrid := _HYBRID[by_user if of_initiator.auth.user or of_responder.auth.user else 0]:
        return (hybrid,)
    if connection.local.auth.shared:
        return (_SHARED[by_user],)
    return tuple(dict.fromkeys(filter(None, (_method(c, by_user) for c in connection.local.certs))))


def _method(certificate: Certificate, by_user: int) -> AuthMethod1 | None:
    """The method that a certificate's key proves by; None where IKEv1 has no number for it."""
    key = certificate.public
    if key.family == RSA:
        return _SIGNED[by_user]
    return _CURVES[key.bits] if key.family == ECDSA and not by_user else None


def signed(method: AuthMethod1) -> bool:
    """Whether a signature is part of this method, and so nothing of the keys is known before it is verified."""
    return method in _SIGNED or method in _HYBRID or method in _HASHES


def prf(sa: Sa) -> PrfSpec:
    """What makes HASH_I and HASH_R: the negotiated prf, but with ECDSA the HMAC of the method's own hash."""
    return registry.prf(_HASHES.get(sa.agreed.method, sa.agreed.prf))


def own_identity(sa: Sa) -> Identity:
    """The configured identity, or else the subject of our certificate, or else our address."""
    local = sa.connection.local
    if local.id is None and local.auth.signed:
        return Identity.subject_of(_own(sa))
    return local.id or Identity.of_address(sa.path.local_host)


def secret(sa: Sa, peer: Identity | None) -> bytes:
    """The pre-shared key with a peer; ProtocolError where we hold none."""
    remote = peer or sa.connection.remote.id or Identity.of_address(sa.path.remote_host)
    local = own_identity(sa)
    found = sa.host.config.credentials.psk(local, remote)
    if found is None:
        raise ProtocolError(words.no_secret(local, remote), NotifyType1.AUTHENTICATION_FAILED)
    return found.secret


# -- certificates


def _own(sa: Sa) -> Certificate:
    """Our certificate whose key is of the agreed method."""
    return next(c for c in sa.connection.local.certs if _fits(c, sa.agreed.method))


def _fits(certificate: Certificate, method: AuthMethod1) -> bool:
    key = certificate.public
    return _CURVES[key.bits] == method if key.family == ECDSA else key.family == RSA and method not in _HASHES


def requests(sa: Sa) -> Payloads:
    """CR with the name of each CA that we take (RFC 2408 3.10)."""
    if not sa.connection.remote.auth.signed or not sa.connection.send_certreq:
        return ()
    known = chains.anchors(sa.host.config.credentials, sa.connection).certificates
    return tuple(CertReq1(CertEncoding.X509_SIGNATURE, name) for name in dict.fromkeys(c.subject for c in known))


def asked(sa: Sa, message: Message1) -> None:
    """Keep whether the peer wants our certificate."""
    sa.certificate_wanted |= any(cr.encoding == CertEncoding.X509_SIGNATURE for cr in message.all(CertReq1))


def _shown(sa: Sa) -> Payloads:
    policy = sa.connection.send_cert
    if policy == "never" or (policy == "ifasked" and not sa.certificate_wanted):
        return ()
    shown = chains.shown(sa.host.config.credentials, _own(sa))
    return tuple(Cert1(CertEncoding.X509_SIGNATURE, c.der) for c in shown)


# -- the proofs


def prove(sa: Sa, digest: bytes) -> Payloads:
    """[CERT,] SIG or HASH of ours."""
    if not sa.connection.local.auth.signed:
        return (Hash1(digest),)
    key = sa.host.config.credentials.key(_own(sa).public)
    assert key is not None, "the configuration has a key for each certificate"
    return *_shown(sa), Sig1(key.sign_bare(digest))


def refusal(sa: Sa, peer: Identity, digest: bytes, message: Message1) -> str:
    """Why we do not take the peer's proof, in words; empty where we do."""
    if sa.connection.remote.auth.signed:
        return _bad_signature(sa, peer, digest, message)
    given = message.get(Hash1)
    if given is None:
        return f"{peer} sends no HASH"
    return "" if compare_digest(given.data, digest) else explain.wrong_hash(peer)


def _bad_signature(sa: Sa, peer: Identity, digest: bytes, message: Message1) -> str:
    """In this order: the identity, the signature, the chain; so whoever lacks the key learns nothing of the chain."""
    given = message.get(Sig1)
    if given is None:
        return f"{peer} sends no SIG"
    try:
        sent = [cert.data for cert in message.all(Cert1) if cert.encoding == CertEncoding.X509_SIGNATURE]
        first, others = chains.received(sa.connection, peer, sent)
    except ProtocolError as error:
        return error.reason
    if not peer.named_in(first):
        return words.not_named(peer, first)
    if not sa.connection.remote.auth.takes(first.public):
        return f"{peer} signs with a key {first.public}; we take {sa.connection.remote.auth}"
    if not _fits(first, sa.agreed.method):
        return f"{peer} signs with a key {first.public}; agreed is {sa.agreed.method.name}"
    if not first.public.verify_bare(given.data, digest):
        return f"SIG of {peer} does not verify: it was not made with the key {first.public} of its certificate"
    known = chains.anchors(sa.host.config.credentials, sa.connection)
    return known.refusal(first, others, now=sa.host.wall_clock)
