"""Proof by signature: AUTH methods 1, 9 to 11 and 14, CERT and CERTREQ (RFC 7296 2.15, 3.6 to 3.8, 4754, 7427, 8420).

    IKE_SA_INIT  both sides list the hashes they take in N(SIGNATURE_HASH_ALGORITHMS); the responder may ask, CERTREQ
    IKE_AUTH     [CERT+,] [CERTREQ,] AUTH; the first CERT holds the key of AUTH, the others help with its chain

- We sign only with a hash that the peer lists; a peer that lists none gets the older methods, which fix the hash.
- Checked are, in this order: the identity, the type of key, the signature, the certificate's chain. So whoever lacks
  the key learns nothing of the chain, and costs one verification.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from lab.crypto.certificates import Certificate
from lab.crypto.schemes import ECDSA, RSA, Scheme, scheme
from lab.crypto.signatures import PrivateKey, PublicKey, der_ecdsa, raw_ecdsa
from lab.crypto.trust import Anchors
from lab.errors import ProtocolError
from lab.ike import chains, explain
from lab.ike.config import Connection
from lab.ike.credentials import Identity
from lab.ikev2.exchange import Payloads
from lab.ikev2.sa import Sa
from lab.wire.ids import AuthMethod, CertEncoding, HashAlgorithm, NotifyType
from lab.wire.message import Message
from lab.wire.payloads_v2 import Auth, Cert, CertReq, Notify

_HASH = 20  # octets of a SHA-1
_ECDSA = {
    AuthMethod.ECDSA_256: (256, HashAlgorithm.SHA2_256),
    AuthMethod.ECDSA_384: (384, HashAlgorithm.SHA2_384),
    AuthMethod.ECDSA_521: (521, HashAlgorithm.SHA2_512),
}
# Method 1 says SHA-1; some sign with SHA-2 all the same (RFC 7296 3.8), and nothing in AUTH tells.
_METHOD_1 = (HashAlgorithm.SHA1, HashAlgorithm.SHA2_256, HashAlgorithm.SHA2_384, HashAlgorithm.SHA2_512)


# -- IKE_SA_INIT


def _wanted(sa: Sa) -> list[Connection]:
    """The connections that this peer may come by and prove itself with a signature; the initiator knows its one."""
    path = sa.path
    known = [c for c in sa.host.config.connections if c.serves(path.local_host, path.remote_host)]
    return [c for c in ((sa.connection,) if sa.initiator else known) if c.remote.auth.signed]


def hashes(sa: Sa) -> Payloads:
    """N(SIGNATURE_HASH_ALGORITHMS) where signatures matter: what we take, or that we could sign."""
    if not sa.host.config.settings.signature_authentication:
        return ()
    listed = {digest for c in _wanted(sa) for digest in c.remote.auth.listed}
    if not listed and not sa.connection.local.auth.signed:
        return ()
    # A peer that proves itself otherwise must still learn that we know RFC 7427.
    found = sorted(listed) or sorted(sa.connection.local.auth.listed)
    data = b"".join(digest.to_bytes(2, "big") for digest in found)
    return (Notify(NotifyType.SIGNATURE_HASH_ALGORITHMS, data),)


def heard(sa: Sa, message: Message) -> None:
    """Keep what the peer's IKE_SA_INIT says: hashes, and whose certificates it takes."""
    told = message.notify(NotifyType.SIGNATURE_HASH_ALGORITHMS)
    if told and sa.host.config.settings.signature_authentication:
        pairs = (told.data[at : at + 2] for at in range(0, len(told.data) - 1, 2))
        sa.peer_hashes = frozenset(HashAlgorithm(int.from_bytes(pair, "big")) for pair in pairs)
    note_request(sa, message)


def note_request(sa: Sa, message: Message) -> None:
    """Keep the SHA-1 hashes of a CERTREQ; other encodings than X.509 signatures mean nothing to us."""
    for request in message.all(CertReq):
        if request.encoding == CertEncoding.X509_SIGNATURE:
            found = {request.data[at : at + _HASH] for at in range(0, len(request.data) - _HASH + 1, _HASH)}
            sa.asked = (sa.asked or frozenset()) | found


def answer(sa: Sa) -> Payloads:
    """What the responder adds to its IKE_SA_INIT."""
    listed = hashes(sa) if sa.peer_hashes is not None else ()
    return (*listed, *requests(sa, _wanted(sa)))


def requests(sa: Sa, connections: Sequence[Connection]) -> Payloads:
    """CERTREQ with the CAs that these connections take (3.7)."""
    asking = [c for c in connections if c.remote.auth.signed and c.send_certreq]
    keys = dict.fromkeys(anchor.public.fingerprint for c in asking for anchor in anchors(sa, c).certificates)
    return (CertReq(CertEncoding.X509_SIGNATURE, b"".join(keys)),) if keys else ()


def anchors(sa: Sa, connection: Connection) -> Anchors:
    """Whom a connection trusts."""
    return chains.anchors(sa.host.config.credentials, connection)


# -- our own proof


def own_certificate(sa: Sa) -> Certificate:
    """The first of our certificates whose chain the peer asks for, or else the first."""
    local, known = sa.connection.local, sa.host.config.credentials

    def wanted(certificate: Certificate) -> bool:
        above = {authority.public.fingerprint for authority in known.chain(certificate)}
        return sa.asked is not None and bool(above & sa.asked)

    return next((c for c in local.certs if wanted(c)), local.certs[0])


def certificates(sa: Sa) -> Payloads:
    """Our CERT payloads: the certificate and the CAs above it but for the root, which the peer must have."""
    policy = sa.connection.send_cert
    if not sa.connection.local.auth.signed or policy == "never" or (policy == "ifasked" and sa.asked is None):
        return ()
    shown = chains.shown(sa.host.config.credentials, own_certificate(sa))
    return tuple(Cert(CertEncoding.X509_SIGNATURE, c.der) for c in shown)


def sign(sa: Sa, octets: bytes) -> Auth:
    """AUTH with the key of our certificate."""
    key = sa.host.config.credentials.key(own_certificate(sa).public)
    assert key is not None, "the configuration has a key for each certificate"
    means, heard = sa.connection.local.auth, sa.peer_hashes
    if heard is None:
        return _older(key, octets)
    schemes = means.schemes(key.public, heard)
    if not schemes:
        raise ProtocolError(explain.no_scheme(key.public, means, heard), NotifyType.AUTHENTICATION_FAILED)
    name = schemes[0].identifier
    data = bytes([len(name)]) + name + key.sign(schemes[0], octets)
    return Auth(AuthMethod.DIGITAL_SIGNATURE, data)


def _older(key: PrivateKey, octets: bytes) -> Auth:
    """AUTH for a peer that does not know RFC 7427: each kind of key has one method, each method one hash."""
    if key.public.family == RSA:
        return Auth(AuthMethod.RSA_SIGNATURE, key.sign(scheme(RSA, HashAlgorithm.SHA1), octets))
    for method, (bits, digest) in _ECDSA.items():
        if key.public.family == ECDSA and key.public.bits == bits:
            return Auth(method, raw_ecdsa(key.sign(scheme(ECDSA, digest), octets), bits))
    reason = f"peer does not know RFC 7427, without which a key {key.public} cannot sign"
    raise ProtocolError(reason, NotifyType.AUTHENTICATION_FAILED)


# -- the peer's proof


@dataclass(frozen=True, slots=True)
class _Signed:
    """A signature as AUTH carries it: the schemes that it may be by, and its octets."""

    schemes: tuple[Scheme, ...]
    signature: bytes


def refusal(sa: Sa, peer: Identity, octets: bytes, message: Message) -> str:
    """Why we do not take the peer's signature, in words; empty where we do."""
    auth = message.get(Auth)
    assert auth is not None, "checked by both roles"
    try:
        sent = [cert.data for cert in message.all(Cert) if cert.encoding == CertEncoding.X509_SIGNATURE]
        first, others = chains.received(sa.connection, peer, sent)
        signed = _read(auth, first.public)
    except ProtocolError as error:
        return error.reason
    if not peer.named_in(first):
        return explain.not_named(peer, first)
    remote = sa.connection.remote
    allowed = [one for one in signed.schemes if auth.method != AuthMethod.DIGITAL_SIGNATURE or remote.auth.allows(one)]
    if not allowed or not remote.auth.takes(first.public):
        return explain.not_allowed(peer, first.public, signed.schemes, remote.auth)
    used = next((one for one in allowed if first.public.verify(one, signed.signature, octets)), None)
    if used is None:
        return explain.wrong_signature(peer, first.public, allowed)
    untrusted = anchors(sa, sa.connection).refusal(first, others, now=sa.host.wall_clock)
    if not untrusted:
        sa.host.trace.emit("note", f"{peer} is proven by {used} with certificate {first}", method=auth.method.name)
    return untrusted


def _read(auth: Auth, key: PublicKey) -> _Signed:
    """The schemes that a key of this type may have signed by under a method; ProtocolError where there is none."""
    wrong = ProtocolError(f"peer's AUTH is of method {auth.method.name}, its certificate holds a key {key}")
    match auth.method:
        case AuthMethod.RSA_SIGNATURE:
            if key.family == RSA:
                return _Signed(tuple(scheme(RSA, digest) for digest in _METHOD_1), auth.data)
        case AuthMethod.ECDSA_256 | AuthMethod.ECDSA_384 | AuthMethod.ECDSA_521:
            bits, digest = _ECDSA[auth.method]
            made = der_ecdsa(auth.data, bits)
            if key.family == ECDSA and key.bits == bits:
                return _Signed((scheme(ECDSA, digest),), made or b"")
        case AuthMethod.DIGITAL_SIGNATURE:
            size = auth.data[0] if auth.data else 0
            if len(auth.data) <= size:
                raise ProtocolError("peer's AUTH is cut short")
            one = Scheme.of_identifier(auth.data[1 : 1 + size])
            if key.fits(one):
                return _Signed((one,), auth.data[1 + size :])
            wrong = ProtocolError(f"peer's AUTH is by {one}, its certificate holds a key {key}")
        case _:
            wrong = ProtocolError(f"peer proves itself by {auth.method.name}; we take a signature")
    raise wrong
