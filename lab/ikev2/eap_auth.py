"""IKE_AUTH with EAP: the initiator leaves out AUTH, and both prove themselves at the end by the key (RFC 7296 2.16).

    initiator                                              responder
    HDR, SK {IDi, [N(EAP_ONLY),] [IDr,] SAi2, TSi, TSr}  -->
                                                         <--  HDR, SK {IDr, [AUTH,] EAP}
    HDR, SK {EAP}                                        -->
                                                         <--  HDR, SK {EAP}             as often as the method needs
    HDR, SK {EAP}                                        -->
                                                         <--  HDR, SK {EAP(Success)}
    HDR, SK {AUTH, [N(PPK_IDENTITY), [N(NO_PPK_AUTH)]]}  -->
                                                         <--  HDR, SK {AUTH, [N(PPK_IDENTITY),] SAr2, TSi, TSr}

The last two AUTH are shared-key proofs over the usual octets; their secret is the MSK or, for methods that make none,
SK_pi and SK_pr. The first AUTH of the responder is missing where both sides are content with EAP alone (RFC 5998), for
which only methods will do that are proof against a false authenticator. A PPK goes into the keys with the last two
(RFC 8784 3): the first AUTH of the responder, which nobody has named a PPK to yet, stands on the keys without.
"""

from collections.abc import Generator

from lab.errors import ProtocolError
from lab.ike import explain
from lab.ike.credentials import Identity
from lab.ikev2 import eap_terms, informational, ppk, proof
from lab.ikev2.auth import shared_key_auth, verified
from lab.ikev2.eap.session import Authenticator, Peer
from lab.ikev2.exchange import Payloads, Request
from lab.ikev2.sa import Sa
from lab.wire.eap import Packet
from lab.wire.ids import ExchangeType, IdType, NotifyType
from lab.wire.message import Message
from lab.wire.payloads_v2 import EAP, ID, Auth, Notify

_FAILED = NotifyType.AUTHENTICATION_FAILED


def _packet(message: Message) -> Packet:
    payload = message.get(EAP)
    if payload is None:
        reason = explain.refused("EAP", message.error) if message.error else "no EAP payload where EAP is due"
        raise ProtocolError(reason, NotifyType.INVALID_SYNTAX)
    return Packet.decode(payload.data)


def _note(sa: Sa, words: str) -> None:
    sa.host.trace.emit("note", words, connection=sa.connection.name)


def _auth_i(sa: Sa, idi: ID, msk: bytes) -> Auth:
    """The last AUTH of the initiator, by the keys of now."""
    octets = proof.octets(sa, idi, initiator=True)
    return shared_key_auth(sa.agreed.prf_spec, msk or sa.keys.sk_pi, octets)


def _auth_r(sa: Sa, idr: ID, msk: bytes) -> Auth:
    """The last AUTH of the responder, by the keys of now."""
    octets = proof.octets(sa, idr, initiator=False)
    return shared_key_auth(sa.agreed.prf_spec, msk or sa.keys.sk_pr, octets)


def initiator(sa: Sa, idi: ID, idr: ID, answer: Message) -> Generator[Request | None, Message, Message]:
    """From the responder's first answer, whose AUTH is checked where it has one, to its last, checked too.

    A responder that fails in EAP or in its last proof is told so (2.21.2), and the SA is on its way out.
    """
    config = sa.connection.local
    own = config.eap_id or str(sa.local_id)
    run = eap_terms.run(sa, own.encode(), Identity(idr.id_type, idr.data))
    peer = Peer(eap_terms.methods(sa, config, alone=answer.get(Auth) is None), run)
    while (response := peer.receive(_packet(answer))) is not None:
        answer = yield Request(ExchangeType.IKE_AUTH, (EAP(response.encode()),))
    last, reason = answer, run.reason
    if not reason:
        _note(sa, f"EAP: {peer.method.word if peer.method else ''} succeeded for {run.name}")
        last = yield Request(ExchangeType.IKE_AUTH, ppk.proven(sa, lambda: _auth_i(sa, idi, run.msk)))
        auth = last.get(Auth)
        if auth is None:
            claim = explain.claimed(sa.local_id, config.auth, sa.connection.remote.id)
            told = f"{explain.refused('our last AUTH', last.error)} {claim}" if last.error else "no AUTH after EAP"
            raise ProtocolError(told)
        reason = ppk.settled(sa, last)
        if not reason and not verified(auth, _auth_r(sa, idr, run.msk)):
            reason = "AUTH of the responder does not verify with the key of EAP"
    if reason:
        sa.refuse(reason)
        yield from informational.refuse(sa, _FAILED)
    return last


def responder(sa: Sa, idi: ID, idr: ID, first: Payloads) -> Generator[Payloads, Message, Payloads]:
    """Runs EAP after the request without AUTH; `first` goes in front of the first EAP payload.

    Returns our last AUTH. A failed peer ends the SA, and what is returned tells it so.
    """
    config = sa.connection.remote
    alone = not any(isinstance(payload, Auth) for payload in first)
    user = config.eap_id if config.eap_id not in ("", "%any") else str(sa.remote_id)
    run = eap_terms.run(sa, user.encode(), Identity(idr.id_type, idr.data))
    session = Authenticator(eap_terms.methods(sa, config, alone=alone), run, ask_identity=config.eap_id == "%any")
    request = yield (*first, EAP(session.begin().encode()))
    while True:
        told = session.receive(_packet(request))
        if session.failed:
            sa.fail(run.reason)
            return (EAP(told.encode()), Notify(_FAILED))
        request = yield (EAP(told.encode()),)
        if session.succeeded:
            break
    _note(sa, f"EAP: {session.method.word if session.method else ''} succeeded for {run.name}")
    checked, mixed = ppk.serve(sa, request)
    auth = checked.get(Auth)
    if auth is None or not verified(auth, _auth_i(sa, idi, run.msk)):
        raise ProtocolError(f"AUTH of {sa.remote_id} does not verify with the key of EAP", _FAILED)
    sa.user = Identity(IdType.ID_KEY_ID, run.user)
    return (_auth_r(sa, idr, run.msk), *mixed)
