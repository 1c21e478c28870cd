"""IKE_AUTH: both sides say who they are and prove it, and the first child comes with it (RFC 7296 1.2, 2.15, 2.21.2).

    initiator                                                            responder
    HDR, SK {IDi, [N(INITIAL_CONTACT),] [CERT+,] [CERTREQ,] [IDr,] AUTH, [CP,] SAi2, TSi, TSr}  -->
                                          <--  HDR, SK {IDr, [CERT+,] AUTH, [CP,] SAr2, TSi, TSr}, or a notify in
                                               place of the child, or N(AUTHENTICATION_FAILED) alone

A child that is refused leaves the IKE SA alive. A proof that is refused ends it: the responder by its answer, the
initiator by an INFORMATIONAL request, since the responder believes the SA to be up.
"""

from lab.errors import ProtocolError
from lab.ike import explain
from lab.ike.config import Connection
from lab.ike.credentials import NOBODY, Identity
from lab.ike.sa import UP
from lab.ike.states import IkeState
from lab.ikev2 import (
    child_sa,
    childless,
    eap_auth,
    informational,
    mobike,
    null_auth,
    ppk,
    proof,
    redirect,
    resumption,
    signature,
    tickets,
    virtual_address,
)
from lab.ikev2.child_sa import Refusal, Secret
from lab.ikev2.exchange import Conversation, Exchange, Payloads, Request
from lab.ikev2.sa import Sa
from lab.wire.ids import AuthMethod, ExchangeType, NotifyType, PayloadType
from lab.wire.message import Message
from lab.wire.payloads_v2 import ID, SA, Auth, Notify


def _payload(kind: PayloadType, identity: Identity) -> ID:
    return ID(kind, identity.id_type, identity.data)


def initiator(sa: Sa) -> Exchange:
    """RFC 7296 1.2    HDR, SK {IDi, [IDr,] AUTH, SAi2, TSi, TSr}  -->    <--  HDR, SK {IDr, AUTH, SAr2, TSi, TSr}."""
    sa.stage = "IKE_AUTH"
    sa.local_id = proof.own_identity(sa)
    idi = _payload(PayloadType.IDi, sa.local_id)
    wanted = sa.resumed.idr if sa.resumed else sa.connection.remote.id
    # The peer's identity may be open until it answers; its address stands in for choosing the secret.
    expected = wanted or Identity.of_address(sa.path.remote_host)
    sa.virtual.asks = bool(sa.connection.vips)
    config = childless.first_child(sa)
    if config and (hopeless := child_sa.hopeless(sa, config)):
        raise ProtocolError(hopeless.reason)
    child = sa.new_child(config) if config else None
    first, last = child_sa.offer(sa, child) if child else ((), ())
    contact = (Notify(NotifyType.INITIAL_CONTACT),) if _first_contact(sa) and sa.local_id != NOBODY else ()
    idr = (_payload(PayloadType.IDr, wanted),) if wanted else ()
    papers = () if sa.resumed else (*signature.certificates(sa), *signature.requests(sa, (sa.connection,)))
    auth = _proof(sa, idi, expected)
    payloads = (idi, *contact, *papers, *idr, *auth, *virtual_address.ask(sa), *first, *last, *_our_window(sa))
    payloads += (*mobike.offer(sa), *tickets.request(sa))
    told = mobike.own(sa)
    answer = yield Request(ExchangeType.IKE_AUTH, payloads)
    refusal = _check(sa, answer)
    if refusal:
        sa.refuse(refusal)
        yield from informational.refuse(sa, NotifyType.AUTHENTICATION_FAILED)
        return
    if (yield from redirect.from_auth(sa, answer)):
        return
    if sa.connection.local.eap and not sa.resumed:
        answer = yield from eap_auth.initiator(sa, idi, _idr(sa, answer), answer)
        if sa.state is not IkeState.CONNECTING:
            return
        if (yield from redirect.from_auth(sa, answer)):
            return
    _window(sa, answer)
    mobike.heard(sa, answer, told)
    sa.established()
    unaddressed = virtual_address.take(sa, answer)
    tickets.take(sa, answer)
    childless.follow(sa)
    if child:
        terms = unaddressed or child_sa.check_answer(sa, child, answer)
        if isinstance(terms, Refusal):
            informational.withdraw(sa, child, terms, "IKE_AUTH")
            return
        child_sa.install(sa, child, terms, Secret(sa.nonces, initiator=True))
        sa.child_up(child)
    redirect.arrived(sa)


def _first_contact(sa: Sa) -> bool:
    """2.4: whether this is the only IKE SA with this peer still; one that the peer began may have come up meanwhile."""
    others = (other for other in sa.host.ike_sas.values() if other is not sa and other.connection is sa.connection)
    return sa.first_contact and not any(other.state in UP for other in others)


def _proof(sa: Sa, idi: ID, expected: Identity) -> Payloads:
    """Our AUTH; with EAP none yet, but whether the responder may do without its own (RFC 5998).

    With a PPK what RFC 8784 has beside it.
    """
    config = sa.connection
    if sa.resumed:
        return (proof.prove(sa, idi, expected),)
    if config.local.eap:
        return (Notify(NotifyType.EAP_ONLY_AUTHENTICATION),) if config.remote.eap else ()
    if config.remote.eap:
        raise ProtocolError(
            "an initiator proves itself by EAP, never a responder alone: local { auth = eap-... } is needed"
        )
    return ppk.proven(sa, lambda: proof.prove(sa, idi, expected))


def _refusal(sa: Sa, error: Notify) -> str:
    """The peer's refusal in words, and who we said we are where that is what it refuses."""
    told = explain.refused("IKE_AUTH", error)
    if error.notify_type != NotifyType.AUTHENTICATION_FAILED:
        return told
    wanted = sa.resumed.idr if sa.resumed else sa.connection.remote.id
    return f"{told} {explain.claimed(sa.local_id, sa.connection.local.auth, wanted)}"


def _idr(sa: Sa, answer: Message) -> ID:
    idr = answer.of(PayloadType.IDr)
    if not isinstance(idr, ID):
        raise ProtocolError(_refusal(sa, answer.error) if answer.error else "peer's answer lacks IDr")
    return idr


def _check(sa: Sa, answer: Message) -> str:
    """The responder's identity and proof; the reason in words where we do not take them, else an empty text."""
    idr, auth = _idr(sa, answer), answer.get(Auth)
    sa.remote_id = null_auth.peer_of(sa, idr, answer)
    if sa.resumed:
        return resumption.known(sa, sa.remote_id) or proof.refusal(sa, idr, answer)
    if not sa.remote_id.matches(sa.connection.remote.id):
        return f"peer calls itself {sa.remote_id}; we expect {sa.connection.remote.id}"
    if auth is None:
        return "" if sa.connection.remote.eap else "peer's answer lacks AUTH"
    return ppk.settled(sa, answer) or proof.refusal(sa, idr, answer)


def responder(sa: Sa, request: Message) -> Conversation:
    """RFC 7296 1.2    -->  HDR, SK {IDi, [IDr,] AUTH, SAi2, TSi, TSr}    HDR, SK {IDr, AUTH, SAr2, TSi, TSr}  <--."""
    sa.stage = "IKE_AUTH"
    idi, asked, auth = request.of(PayloadType.IDi), request.of(PayloadType.IDr), request.get(Auth)
    if not isinstance(idi, ID):
        raise ProtocolError("IKE_AUTH request without IDi", NotifyType.INVALID_SYNTAX)
    sa.remote_id = null_auth.peer_of(sa, idi, request)
    wanted = Identity(asked.id_type, asked.data) if isinstance(asked, ID) else None
    signature.note_request(sa, request)
    tickets.wanted(sa, request)
    if not sa.resumed:
        sa.connection = _connection(sa, wanted, auth)
    elif stranger := resumption.known(sa, sa.remote_id, wanted):
        raise ProtocolError(stranger, NotifyType.AUTHENTICATION_FAILED)
    childless.check(sa, request)
    sa.local_id = proof.own_identity(sa)
    idr = _payload(PayloadType.IDr, sa.local_id)
    checked, mixed = ppk.serve(sa, request) if auth and not sa.resumed else (request, ())
    if auth is None and not sa.resumed:
        answer = yield from eap_auth.responder(sa, idi, idr, (idr, *_own_proof(sa, idr, request)))
        if not sa.alive:
            return answer
    elif refusal := proof.refusal(sa, idi, checked):
        raise ProtocolError(refusal, NotifyType.AUTHENTICATION_FAILED)
    else:
        papers = () if sa.resumed else signature.certificates(sa)
        answer = (idr, *papers, proof.prove(sa, idr, sa.remote_id), *mixed)
    _window(sa, request)
    mobike.heard(sa, request, mobike.own(sa))
    resumption.settled(sa)
    if elsewhere := redirect.instead_of_child(sa):
        sa.established()
        return (*answer, *elsewhere)
    sa.admit(initial_contact=request.notify(NotifyType.INITIAL_CONTACT) is not None)
    sa.established()
    sa.virtual.lends = bool(sa.connection.pools)
    return (*answer, *_child(sa, request), *_our_window(sa), *mobike.offer(sa), *tickets.grant(sa))


def _own_proof(sa: Sa, idr: ID, request: Message) -> Payloads:
    """The responder's AUTH in front of EAP; none where both sides are content with EAP alone."""
    if not sa.connection.local.eap:
        assert sa.remote_id is not None, "IDi was read before"
        return (*signature.certificates(sa), proof.prove(sa, idr, sa.remote_id))
    if request.notify(NotifyType.EAP_ONLY_AUTHENTICATION) is None:
        raise ProtocolError("peer wants more proof of us than EAP alone", NotifyType.AUTHENTICATION_FAILED)
    return ()


def _connection(sa: Sa, wanted: Identity | None, auth: Auth | None) -> Connection:
    """The connection whose addresses and identities fit, the most exact first; IKE_SA_INIT only knew addresses."""
    remote = sa.remote_id
    assert remote is not None, "IDi was read before"
    path = sa.path
    known = [c for c in sa.host.config.connections if c.serves(path.local_host, path.remote_host)]
    method = auth.method if auth else None
    # Who proves nothing is nobody, whom `%any` covers too, but gets only what is there for such peers.
    null = method == AuthMethod.NULL
    fitting = [c for c in known if (null or remote.matches(c.remote.id)) and _answers_to(c, wanted)]
    if not fitting:
        there = (explain.served(c.local.id, c.remote.id, c.name) for c in known)
        reason = explain.no_connection(remote, wanted, there)
        raise ProtocolError(reason, NotifyType.AUTHENTICATION_FAILED)
    ways = " or ".join(dict.fromkeys(str(c.remote.auth) for c in fitting))
    fitting = [c for c in fitting if c.remote.eap == (auth is None) and c.remote.auth.null == null]
    if not fitting:
        raise ProtocolError(f"peer {_way(method)}; we take {ways}", NotifyType.AUTHENTICATION_FAILED)
    shared = method == AuthMethod.SHARED_KEY
    # False sorts first: the means of proof, an identity that is written out, what IKE_SA_INIT was answered with.
    return min(
        fitting,
        key=lambda c: (
            c.remote.auth.shared != shared,
            c.remote.id is None,
            c.remote.id != remote,
            c is not sa.connection,
        ),
    )


def _way(method: AuthMethod | None) -> str:
    if method is None:
        return "wants EAP"
    return "proves nothing (NULL authentication)" if method == AuthMethod.NULL else f"proves itself by {method.name}"


def _answers_to(connection: Connection, wanted: Identity | None) -> bool:
    return wanted is None or connection.local.id is None or connection.local.id.matches(wanted)


def _our_window(sa: Sa) -> Payloads:
    """2.3: said only where it is more than one."""
    size = sa.host.config.settings.window_size
    return (Notify(NotifyType.SET_WINDOW_SIZE, size.to_bytes(4, "big")),) if size > 1 else ()


def _window(sa: Sa, message: Message) -> None:
    """2.3: how many requests the peer takes at once."""
    told = message.notify(NotifyType.SET_WINDOW_SIZE)
    if told and len(told.data) == 4:
        sa.peer_window = max(1, int.from_bytes(told.data, "big"))


def _child(sa: Sa, request: Message) -> Payloads:
    """The responder's half of the first child; a refusal is a notify in its place (2.21.2), none asked for is none.

    Where a virtual address was asked for, it comes first: the child may be for that address.
    """
    lent = virtual_address.lend(sa, request)
    if isinstance(lent, Refusal):
        return _refused(sa, lent)
    if request.get(SA) is None:
        return lent
    found = childless.refusal(sa) or child_sa.choose(sa, request)
    if isinstance(found, Refusal):
        return (*lent, *_refused(sa, found))
    config, terms = found
    child = sa.new_child(config)
    child_sa.install(sa, child, terms, Secret(sa.nonces, initiator=False))
    sa.child_up(child)
    first, last = child_sa.answer(child, terms)
    return (*lent, *first, *last)


def _refused(sa: Sa, refusal: Refusal) -> Payloads:
    sa.failed(refusal.reason, stage="IKE_AUTH")
    return (refusal.payload,)
