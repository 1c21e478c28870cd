"""IKE_SESSION_RESUME: a ticket in place of IKE_SA_INIT, without a key exchange (RFC 5723 4.3.2, 5.1).

    initiator                                         responder
    HDR, [N(COOKIE),] Ni, N(TICKET_OPAQUE), [N+]  -->
                                                  <--  HDR, Nr, [N+]   or N(COOKIE), N(TICKET_NACK), N(REDIRECT)

    SKEYSEED = prf(SK_d (of the session), "Resumption" | Ni | Nr)

IKE_AUTH follows. The responder looks into the ticket before it keeps anything, and behind the COOKIE gate; one that it
does not take costs the initiator a round: it begins with IKE_SA_INIT then.
"""

from lab.errors import ProtocolError
from lab.ike.path import Path
from lab.ike.states import IkeState
from lab.ikev2 import childless, fragments, ike_auth, ike_sa_init, keys, nat_detection, redirect, resumption
from lab.ikev2.exchange import Conversation, Exchange, Payloads, Request
from lab.ikev2.ike_sa_init import MOST_ROUNDS, no_cookie
from lab.ikev2.sa import Sa
from lab.wire.header import NO_SPI
from lab.wire.ids import ExchangeType, NotifyType
from lab.wire.message import Message
from lab.wire.payloads_v2 import Nonce, Notify

_STAGE = ExchangeType.IKE_SESSION_RESUME.name


def initiator(sa: Sa) -> Exchange:
    """RFC 5723 4.3.2    HDR, Ni, N(TICKET_OPAQUE)  -->    <--  HDR, Nr; for an SA with a ticket."""
    sa.life.become(IkeState.CONNECTING)
    sa.stage, sa.ni = _STAGE, sa.new_nonce()
    cookie: tuple[Notify, ...] = ()
    for _ in range(MOST_ROUNDS):
        answer = yield Request(ExchangeType.IKE_SESSION_RESUME, (*cookie, *_offer(sa)))
        sa.init_i = sa.sent
        while reason := no_cookie(answer, cookie) or redirect.no_answer(sa, answer):
            sa.host.trace.drop(reason)
            answer = yield None
        if again := answer.notify(NotifyType.COOKIE):  # RFC 7296 2.6: the same request, the cookie in front
            cookie = (again,)
        elif redirect.before_keys(sa, answer):
            return
        else:
            break
    else:
        raise ProtocolError(f"peer had us send {_STAGE} {MOST_ROUNDS} times and never answered it")
    if refused := answer.notify(NotifyType.TICKET_NACK) or answer.error:
        text = f"peer does not resume the session ({refused.notify_type.name}): beginning anew"
        sa.host.trace.emit("note", text, connection=sa.connection.name)
        sa.resumed, sa.ticket = None, b""
        yield from ike_sa_init.initiator(sa)
        return
    _complete(sa, answer)
    yield from ike_auth.initiator(sa)


def _offer(sa: Sa) -> Payloads:
    ticket = Notify(NotifyType.TICKET_OPAQUE, sa.ticket)
    further = (*nat_detection.notifies(sa, sa.path), *fragments.announcement(sa), *redirect.wish(sa))
    return (Nonce(sa.ni), ticket, *further)


def _complete(sa: Sa, answer: Message) -> None:
    """Take the responder's answer: keys, NAT situation, and the port to go on with."""
    nonce = answer.get(Nonce)
    assert nonce, "rules.check lets no other response through"
    if answer.header.spi_r == NO_SPI:
        raise ProtocolError(f"peer accepts {_STAGE} without an SPI of its own")
    sa.spi_r, sa.nr, sa.init_r = answer.header.spi_r, nonce.data, answer.raw
    childless.heard(sa, answer)
    fragments.heard(sa, answer)
    _derive(sa)
    nat_detection.conclude(sa, answer)


def _derive(sa: Sa) -> None:
    """5.1: SKEYSEED, and by RFC 7296 2.14 the seven secrets."""
    assert sa.resumed is not None, "only with a session to resume"
    suite = resumption.suite_of(sa.connection, sa.resumed)
    seed_key = keys.skeyseed_resume(suite.prf_spec, sa.resumed.sk_d, sa.nonces)
    sa.adopt(suite, keys.ike_keys(suite, seed_key, sa.nonces, sa.spi_i + sa.spi_r))


def responder(sa: Sa, request: Message, path: Path) -> Conversation:
    """RFC 5723 4.3.2    -->  HDR, Ni, N(TICKET_OPAQUE)    HDR, Nr  <--; the ticket was opened before."""
    sa.stage = _STAGE
    nonce = request.get(Nonce)
    assert nonce, "rules.check lets no other request through"
    redirect.heard(sa, request)
    redirect.instead_of_keys(sa, request, nonce.data)
    sa.life.become(IkeState.CONNECTING)
    sa.ni, sa.nr, sa.init_i = nonce.data, sa.new_nonce(), request.raw
    sa.nat = nat_detection.situation(sa, request, path)
    _derive(sa)
    sa.expects = ExchangeType.IKE_AUTH
    fragments.heard(sa, request)
    first = yield (
        Nonce(sa.nr),
        *nat_detection.notifies(sa, path),
        *childless.supported(sa),
        *fragments.announcement(sa),
    )
    sa.init_r = sa.sent
    return (yield from ike_auth.responder(sa, first))
