"""AUTH of either side by what its connection says: a shared key, a signature, or nothing (RFC 7296 2.15, RFC 7619).

The two sides may prove themselves by different means.
"""

from lab.errors import ProtocolError
from lab.ike import explain
from lab.ike.credentials import NOBODY, Identity
from lab.ikev2 import null_auth, resumption, signature
from lab.ikev2.auth import shared_key_auth, signed_octets, verified
from lab.ikev2.sa import Sa
from lab.wire.ids import AuthMethod, NotifyType
from lab.wire.message import Message
from lab.wire.payloads_v2 import ID, Auth


def octets(sa: Sa, identity: ID, *, initiator: bool) -> bytes:
    """What the initiator or the responder of this SA signs."""
    prf = sa.agreed.prf_spec
    if initiator:
        return signed_octets(prf, sa.init_i, sa.nr, sa.keys.sk_pi, identity) + sa.int_auth.octets
    return signed_octets(prf, sa.init_r, sa.ni, sa.keys.sk_pr, identity) + sa.int_auth.octets


def own_identity(sa: Sa) -> Identity:
    """That of a session to resume, or what is configured; else nobody, our certificate's subject, or our address."""
    if sa.resumed:
        return sa.resumed.identity(initiator=sa.initiator)
    local = sa.connection.local
    if local.id is None and local.auth.signed:
        return Identity.subject_of(signature.own_certificate(sa))
    if local.auth.null:
        return NOBODY
    return local.id or Identity.of_address(sa.path.local_host)


def _secret(sa: Sa, peer: Identity) -> bytes:
    assert sa.local_id is not None, "set before anybody proves anything"
    found = sa.host.config.credentials.psk(sa.local_id, peer)
    if found is None:
        raise ProtocolError(explain.no_secret(sa.local_id, peer), NotifyType.AUTHENTICATION_FAILED)
    return found.secret


def prove(sa: Sa, identity: ID, peer: Identity) -> Auth:
    """Our AUTH, for an ID payload of ours; `peer` chooses the shared key."""
    signed = octets(sa, identity, initiator=sa.initiator)
    if sa.resumed:
        return resumption.auth(sa, signed, initiator=sa.initiator)
    if sa.connection.local.auth.shared:
        return shared_key_auth(sa.agreed.prf_spec, _secret(sa, peer), signed)
    if sa.connection.local.auth.null:
        return null_auth.auth(sa, signed, initiator=sa.initiator)
    return signature.sign(sa, signed)


def refusal(sa: Sa, identity: ID, message: Message) -> str:
    """Why we do not take the peer's AUTH, in words; empty where we do."""
    signed = octets(sa, identity, initiator=not sa.initiator)
    if sa.resumed:
        return resumption.refusal(sa, message, signed)
    auth, peer = message.get(Auth), sa.remote_id
    assert auth is not None and peer is not None, "checked by both roles"
    means = sa.connection.remote.auth
    if means.eap or means.shared != (auth.method == AuthMethod.SHARED_KEY) or means.null != null_auth.used(message):
        return explain.other_means(peer, auth, means)
    if means.null:
        expected = null_auth.auth(sa, signed, initiator=not sa.initiator)
        return "" if verified(auth, expected) else explain.wrong_null()
    if means.signed:
        return signature.refusal(sa, peer, signed, message)
    try:
        expected = shared_key_auth(sa.agreed.prf_spec, _secret(sa, peer), signed)
    except ProtocolError as error:
        return error.reason
    return "" if verified(auth, expected) else explain.wrong_proof(peer)
