"""Which exchange answers which request once an IKE SA is up."""

from collections.abc import Mapping

from lab.ikev2 import create_child_sa, followup_ke, informational, mobike, redirect, rekey_child, rekey_ike, tickets
from lab.ikev2.engine import Responder
from lab.ikev2.exchange import Payloads
from lab.ikev2.sa import Sa
from lab.wire.ids import ExchangeType, NotifyType, ProtocolId
from lab.wire.message import Message
from lab.wire.payloads_v2 import SA


def create_child(sa: Sa, request: Message) -> Payloads:
    """Of the three uses of 1.3, the protocol of the proposals tells an IKE SA, and REKEY_SA an existing child."""
    payload = request.get(SA)
    rekey = request.notify(NotifyType.REKEY_SA)
    if payload is not None and any(p.protocol == ProtocolId.IKE for p in payload.proposals):
        return rekey_ike.responder(sa, request)
    if rekey is not None:
        return rekey_child.responder(sa, request, rekey)
    return create_child_sa.responder(sa, request)


def notices(sa: Sa, request: Message) -> Payloads:
    """INFORMATIONAL: what ends SAs, then what moves them; redirections and tickets are heard beside all that."""
    redirect.in_session(sa, request)
    tickets.take(sa, request)
    tickets.ended_by_peer(sa, request)
    tickets.wanted(sa, request)
    answer = (*informational.responder(sa, request), *mobike.responder(sa, request))
    return (*answer, *tickets.grant(sa)) if sa.alive else answer


RESPONDERS: Mapping[ExchangeType, Responder] = {
    ExchangeType.INFORMATIONAL: notices,
    ExchangeType.CREATE_CHILD_SA: create_child,
    ExchangeType.IKE_FOLLOWUP_KE: followup_ke.responder,
}
