"""IKE_SA_INIT: proposals, key exchange, nonces, NAT detection (RFC 7296 1.2, 2.6, 2.7, 2.23).

    initiator                             responder
    HDR, [N(COOKIE),] SAi1, KEi, Ni  -->
                                     <--  HDR, SAr1, KEr, Nr, [CERTREQ]   or N(COOKIE), N(INVALID_KE_PAYLOAD),
                                                                          N(REDIRECT), an error

A COOKIE or INVALID_KE_PAYLOAD has the same request sent anew, in either order; nothing here is authenticated yet, so we
follow only where it cannot harm: to a group that we offered ourselves, and not for ever. NAT detection is computed anew
each time, since SPIs stay but ports may change.
"""

from lab.crypto import registry
from lab.crypto.choice import Mismatch, Selected, accept, select
from lab.crypto.groups import KeyPair
from lab.errors import ProtocolError
from lab.ike import explain
from lab.ike.config import Connection
from lab.ike.path import Path
from lab.ike.states import IkeState
from lab.ikev2 import childless, fragments, ike_auth, ike_intermediate, keys, nat_detection, ppk, redirect, signature
from lab.ikev2.child_sa import Refusal
from lab.ikev2.exchange import Conversation, Exchange, Request
from lab.ikev2.key_exchange import offered_groups, wanted_group
from lab.ikev2.sa import Sa
from lab.wire.header import NO_SPI
from lab.wire.ids import ExchangeType, KeMethod, NotifyType
from lab.wire.message import Message
from lab.wire.payloads_v2 import KE, SA, Nonce, Notify

# Honest peers need two further rounds: one COOKIE, one INVALID_KE_PAYLOAD; a stale cookie costs one more each time.
MOST_ROUNDS = 8
MOST_COOKIE = 64


def initiator(sa: Sa) -> Exchange:
    """RFC 7296 1.2    HDR, SAi1, KEi, Ni  -->    <--  HDR, SAr1, KEr, Nr."""
    if sa.state is IkeState.CREATED:  # else a session could not be resumed
        sa.life.become(IkeState.CONNECTING)
    sa.stage = "IKE_SA_INIT"
    sa.ni = sa.new_nonce()
    groups = offered_groups(sa.connection.proposals)
    cookie: tuple[Notify, ...] = ()
    pair = registry.group(groups[0]).generate(sa.host.random)
    group = groups[0]
    for _ in range(MOST_ROUNDS):
        offer = (
            SA(sa.connection.proposals),
            KE(group, pair.public),
            Nonce(sa.ni),
            *nat_detection.notifies(sa, sa.path),
            *signature.hashes(sa),
            *ppk.wish(sa),
            *ike_intermediate.offer(sa.connection.proposals),
            *fragments.announcement(sa),
            *redirect.wish(sa),
        )
        answer = yield Request(ExchangeType.IKE_SA_INIT, (*cookie, *offer))
        sa.init_i = sa.sent
        while reason := _no_answer(answer, cookie, group) or redirect.no_answer(sa, answer):
            sa.host.trace.drop(reason)
            answer = yield None
        if again := answer.notify(NotifyType.COOKIE):  # 2.6: the same request, the cookie in front
            cookie = (again,)
        elif redirect.before_keys(sa, answer):
            return
        elif retry := answer.notify(NotifyType.INVALID_KE_PAYLOAD):  # 1.2: the group that the responder wants
            wanted = wanted_group(retry, groups)  # anybody may have sent it, so only one that we offered will do
            if isinstance(wanted, Refusal):
                raise ProtocolError(wanted.reason)
            sa.host.trace.emit("note", explain.another_method(wanted.name, group.name), connection=sa.connection.name)
            group = wanted
            pair = registry.group(group).generate(sa.host.random)
        else:
            break
    else:
        raise ProtocolError(f"peer had us send IKE_SA_INIT {MOST_ROUNDS} times and never answered it")
    _complete(sa, answer, group, pair)
    yield from ike_intermediate.initiator(sa)
    yield from ike_auth.initiator(sa)


def _no_answer(answer: Message, cookie: tuple[Notify, ...], group: KeMethod) -> str:
    """Why this is nobody's answer to the request sent last, in words; empty where it may be one."""
    again, retry = answer.notify(NotifyType.COOKIE), answer.notify(NotifyType.INVALID_KE_PAYLOAD)
    if again is None and retry is not None and retry.data == group.to_bytes(2, "big"):
        return "INVALID_KE_PAYLOAD that asks for what the request has: the answer to an older one"
    return no_cookie(answer, cookie)


def no_cookie(answer: Message, cookie: tuple[Notify, ...]) -> str:
    """The same for the COOKIE in an answer, if there is one; `cookie` is what the request had."""
    again = answer.notify(NotifyType.COOKIE)
    if again is not None and not 1 <= len(again.data) <= MOST_COOKIE:
        # 2.6: "MUST be between 1 and 64 octets"; whoever forges a longer one has us throw it at the peer.
        return f"COOKIE of {len(again.data)} octets, 1 to {MOST_COOKIE} allowed"
    if again is not None and cookie and again.data == cookie[0].data:
        return "COOKIE that the request has already: the answer to an older one"
    return ""


def _complete(sa: Sa, answer: Message, group: KeMethod, pair: KeyPair) -> None:
    """Take the responder's answer: suite, keys, NAT situation, and the port to go on with."""
    if refusal := answer.error:
        offer = explain.proposals(sa.connection.proposals)
        raise ProtocolError(f"{explain.refused('IKE_SA_INIT', refusal)} {offer}")
    sa_payload, ke, nonce = answer.get(SA), answer.get(KE), answer.get(Nonce)
    assert sa_payload and ke and nonce, "rules.check lets no other response through"
    chosen = accept(sa.connection.proposals, sa_payload.proposals)
    if isinstance(chosen, Mismatch):
        raise ProtocolError(f"peer's choice is not one of our proposals: {chosen.reason}")
    if chosen.ke != group or ke.group != group:
        raise ProtocolError(f"peer chose {chosen.ke} and sent {ke.group.name}; we sent {group.name}")
    if answer.header.spi_r == NO_SPI:
        raise ProtocolError("peer accepts IKE_SA_INIT without an SPI of its own")
    ike_intermediate.agreed(chosen, answer)
    sa.spi_r, sa.nr, sa.init_r = answer.header.spi_r, nonce.data, answer.raw
    signature.heard(sa, answer)
    ppk.heard(sa, answer)
    childless.heard(sa, answer)
    fragments.heard(sa, answer)
    derive(sa, chosen, pair.shared(ke.data))
    nat_detection.conclude(sa, answer)


def derive(sa: Sa, chosen: Selected, shared: bytes) -> None:
    """2.14: SKEYSEED and the seven secrets."""
    suite = keys.Suite.of(chosen)
    seed_key = keys.skeyseed(suite.prf_spec, sa.ni, sa.nr, shared)
    sa.adopt(suite, keys.ike_keys(suite, seed_key, sa.nonces, sa.spi_i + sa.spi_r))


def responder(sa: Sa, request: Message, path: Path) -> Conversation:
    """RFC 7296 1.2    -->  HDR, SAi1, KEi, Ni    HDR, SAr1, KEr, Nr  <--; a refusal leaves no state."""
    sa.stage = "IKE_SA_INIT"
    sa_payload, ke, nonce = request.get(SA), request.get(KE), request.get(Nonce)
    assert sa_payload and ke and nonce, "rules.check lets no other request through"
    chosen = select(sa.connection.proposals, sa_payload.proposals)
    if isinstance(chosen, Mismatch):
        raise ProtocolError(chosen.reason, NotifyType.NO_PROPOSAL_CHOSEN)
    redirect.heard(sa, request)
    redirect.instead_of_keys(sa, request, nonce.data)
    if chosen.ke is None or ke.group != chosen.ke:
        wanted = chosen.ke or KeMethod.NONE
        reason = f"peer sent a key for {ke.group.name}; we want {wanted.name}"
        raise ProtocolError(reason, NotifyType.INVALID_KE_PAYLOAD, wanted.to_bytes(2, "big"))
    supported = ike_intermediate.answer(chosen, request)
    public, shared = registry.group(chosen.ke).respond(sa.host.random, ke.data)
    sa.life.become(IkeState.CONNECTING)
    sa.ni, sa.nr, sa.init_i = nonce.data, sa.new_nonce(), request.raw
    sa.nat = nat_detection.situation(sa, request, path)
    derive(sa, chosen, shared)
    sa.expects = ike_intermediate.expected(sa)
    signature.heard(sa, request)
    fragments.heard(sa, request)
    agreed = (SA((chosen.proposal,)), KE(chosen.ke, public), Nonce(sa.nr))
    further = (*ppk.consent(sa, request), *childless.supported(sa), *supported, *fragments.announcement(sa))
    first = yield (*agreed, *nat_detection.notifies(sa, path), *signature.answer(sa), *further)
    sa.init_r = sa.sent
    first = yield from ike_intermediate.responder(sa, first)
    return (yield from ike_auth.responder(sa, first))


def connection_for(connections: list[Connection], request: Message, path: Path) -> Connection:
    """The first connection for these addresses that can agree to a proposal; who asks is not known yet."""
    offer = request.get(SA)
    assert offer, "rules.check lets no other request through"
    if not connections:
        reason = f"no connection for {path.remote_host} at {path.local_host}"
        raise ProtocolError(reason, NotifyType.NO_PROPOSAL_CHOSEN)
    agreeing = (c for c in connections if isinstance(select(c.proposals, offer.proposals), Selected))
    return next(agreeing, connections[0])
