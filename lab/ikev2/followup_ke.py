"""IKE_FOLLOWUP_KE: the additional key exchanges behind a CREATE_CHILD_SA (RFC 9370 2.2.4).

    initiator                                                 responder
    HDR, SK {SA(.. ADDKE ..), Ni, KEi, ...}  -->
                         <--  HDR, SK {SA(.. ADDKE ..), Nr, KEr, ..., N(ADDITIONAL_KEY_EXCHANGE)(link1)}
    HDR, SK {KEi(1), N(ADDITIONAL_KEY_EXCHANGE)(link1)}  -->
                         <--  HDR, SK {KEr(1), N(ADDITIONAL_KEY_EXCHANGE)(link2)}
    HDR, SK {KEi(2), N(ADDITIONAL_KEY_EXCHANGE)(link2)}  -->
                         <--  HDR, SK {KEr(2)}          the last of them has no link: now both bring up what was agreed

The link is the responder's own business: ours are random and each is good for one request, so that it names the step,
too. The responder waits for a while and for a few such series only; whoever comes later hears STATE_NOT_FOUND and may
begin anew. An initiator that hears it again and again gives the IKE SA up.
"""

from collections.abc import Generator
from dataclasses import replace
from functools import partial

from lab.crypto import registry
from lab.crypto.choice import Selected
from lab.ike import explain
from lab.ikev2 import informational
from lab.ikev2.child_sa import Refusal
from lab.ikev2.exchange import Payloads, Request, Sequel, Series
from lab.ikev2.key_exchange import key_of
from lab.ikev2.sa import Sa
from lab.wire.ids import ExchangeType, KeMethod, NotifyType
from lab.wire.message import Message
from lab.wire.payloads_v2 import KE, Notify

_EXCHANGE, _LINK = ExchangeType.IKE_FOLLOWUP_KE, NotifyType.ADDITIONAL_KEY_EXCHANGE
LINK_OCTETS = 8
# Seconds for which a responder waits ("5-20 seconds of waiting time should be appropriate in most cases"): by the
# defaults a peer has sent a lost request three times by then.
WAIT = 20.0
# In a row; then "it MUST treat this situation as a fatal error and delete the IKE SA".
MOST_LOST = 3


def initiator(sa: Sa, chosen: Selected, answer: Message) -> Generator[Request, Message, bytes | Refusal]:
    """RFC 9370 2.2.4    HDR, SK {KEi(n), N(link)}  -->    <--  HDR, SK {KEr(n), [N(link)]}; SK(1) | ... SK(n)."""
    further = b""
    for _, group in chosen.additional:
        link = answer.notify(_LINK)
        if link is None:
            reason = f"peer's answer lacks ADDITIONAL_KEY_EXCHANGE, with {group.name} yet to be exchanged"
            return Refusal(reason, NotifyType.NO_PROPOSAL_CHOSEN)
        pair = registry.group(group).generate(sa.host.random)
        answer = yield Request(_EXCHANGE, (KE(group, pair.public), Notify(_LINK, link.data)))
        if error := answer.error:
            return _refused(sa, error)
        further += pair.shared(key_of(answer, group))
    if further:
        sa.state_lost = 0
    return further


def _refused(sa: Sa, error: Notify) -> Refusal:
    reason = explain.refused(_EXCHANGE.name, error)
    if error.notify_type == NotifyType.STATE_NOT_FOUND:
        sa.state_lost += 1
        if sa.state_lost >= MOST_LOST:
            sa.start(partial(informational.delete_ike, reason=f"{reason}, {MOST_LOST} times in a row"))
    return Refusal(reason, heard=error.notify_type)


def serve(sa: Sa, chosen: Selected, sequel: Sequel) -> Payloads:
    """What the responder's answer to CREATE_CHILD_SA says: it brings up what was agreed, or first waits for more."""
    return _go_on(sa, Series(sequel, tuple(group for _, group in chosen.additional), 0.0))


def _go_on(sa: Sa, series: Series) -> Payloads:
    if not series.groups:
        series.sequel.finish(series.further)
        return ()
    link = sa.host.random(LINK_OCTETS)
    sa.followups[link] = replace(series, due=sa.host.now + WAIT)
    return (Notify(_LINK, link),)


def responder(sa: Sa, request: Message) -> Payloads:
    """RFC 9370 2.2.4    -->  HDR, SK {KEi(n), N(link)}    HDR, SK {KEr(n), [N(link)]}  <--."""
    link = request.notify(_LINK)
    series = sa.followups.pop(link.data, None) if link else None
    if series is None:
        words = "with a link that nothing waits under" if link else "without ADDITIONAL_KEY_EXCHANGE"
        sa.host.trace.emit("note", f"{_EXCHANGE.name} {words}", connection=sa.connection.name)
        return (Notify(NotifyType.STATE_NOT_FOUND),)
    if not series.sequel.wanted:
        series.sequel.abandon("what it was to replace is on its way out")
        return (Notify(NotifyType.TEMPORARY_FAILURE),)
    group, *later = series.groups
    public, shared = registry.group(group).respond(sa.host.random, key_of(request, group))
    then = replace(series, groups=tuple(later), further=series.further + shared)
    return (KE(group, public), *_go_on(sa, then))


def expire(sa: Sa) -> None:
    """Forget the series whose initiator did not go on in time."""
    for series in [series for series in sa.followups.values() if series.due <= sa.host.now]:
        reason = f"peer did not go on with {_names(series.groups)} in {WAIT:g} s"
        sa.failed(reason, stage=_EXCHANGE.name, asked=False)
        sa.forgo(series.sequel.made, reason)


def _names(groups: tuple[KeMethod, ...]) -> str:
    return ", ".join(group.name for group in groups)
