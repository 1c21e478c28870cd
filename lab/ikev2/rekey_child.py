"""CREATE_CHILD_SA that rekeys a child (RFC 7296 1.3.3, 2.8, 2.25.1).

    HDR, SK {N(REKEY_SA), SA, Ni, [KEi], TSi, TSr}  -->    <--  HDR, SK {SA, Nr, [KEr], TSi, TSr}
    HDR, SK {D(old)}  -->                                  <--  HDR, SK {D(old)}

Make before break: the responder can receive on the new child before its answer leaves and sends on it when the peer
does, or when the old one is deleted; the initiator uses it as soon as the answer is here, and then deletes the old one.

Both may do this at once: each answers as usual, and the nonces decide whose child is redundant (see collisions). A
request that concerns a child which we are deleting, or which is replaced already, is answered with TEMPORARY_FAILURE;
so is one that comes while our own additional key exchanges for it are under way (RFC 9370 2.2.4, see followup_ke).
"""

from dataclasses import dataclass, replace
from functools import partial

from lab.ike.collisions import Attempt
from lab.ike.live_child import LiveChild
from lab.ike.states import ChildState
from lab.ikev2 import child_sa, create_child_sa, followup_ke, informational
from lab.ikev2.child_sa import Refusal, Sides
from lab.ikev2.create_child_sa import Agreement, accept, ask_for, busy, conclude, further, refuse
from lab.ikev2.exchange import Exchange, Payloads
from lab.ikev2.sa import Sa
from lab.wire.ids import NotifyType
from lab.wire.message import Message
from lab.wire.payloads_v2 import Notify

_REDUNDANT = "redundant: both rekeyed at the same time"


def initiator(sa: Sa, old: LiveChild) -> Exchange:
    """RFC 7296 1.3.3    HDR, SK {N(REKEY_SA), SA, Ni, [KEi], TSi, TSr}  -->    <--  HDR, SK {SA, Nr, [KEr], ...}."""
    if old.state is not ChildState.INSTALLED:  # deleted or rekeyed by the peer while we waited for the window
        return
    if _awaited(old):
        sa.start_later(partial(initiator, old=old))
        return
    old.life.become(ChildState.REKEYING)
    new = sa.new_child(old.config, old.reqid)
    new.quiet, new.mode = True, old.keyed.mode
    sides: Sides = old.keyed.ts_local, old.keyed.ts_remote
    head = Notify(NotifyType.REKEY_SA, protocol=old.keyed.protocol, spi=old.spi_in)
    ask = ask_for(sa, new, head, sides=sides)
    answer = yield from ask.exchange(sa)
    agreed = conclude(sa, new, ask, answer, sides)
    if isinstance(agreed, Agreement):
        old.collisions.ours = Attempt(agreed.ni, agreed.nr, new)
        if agreed.terms.chosen.additional and not _prevails(sa, old):
            sa.drop_child(new, _REDUNDANT)  # made nothing yet, and its additional key exchanges never begin
            _back(sa, old)
            return
        agreed = yield from further(sa, agreed, answer)
    if isinstance(agreed, Refusal):
        _not_rekeyed(sa, old, new, agreed)
    else:
        _rekeyed(sa, old, new, agreed)


def _awaited(old: LiveChild) -> bool:
    """Whether the peer rekeys this child and has yet to go on with its additional key exchanges."""
    return old.collisions.theirs is not None and old.collisions.theirs.made.awaited


def _prevails(sa: Sa, old: LiveChild) -> bool:
    """Whether our exchange made, or is about to make, the successor; then the peer does not go on with its own."""
    theirs = old.collisions.theirs
    if old.collisions.lost:
        return False
    if theirs is not None:
        sa.forgo(theirs.made, _REDUNDANT)
        old.collisions.theirs = None
    return True


def _back(sa: Sa, old: LiveChild) -> bool:
    """Our exchange did not replace the old child; whether it has no need of it, or the peer is about to."""
    theirs, old.collisions.ours = old.collisions.theirs, None
    if old.state is not ChildState.REKEYING:
        return True
    if theirs is not None and not theirs.made.awaited:
        old.life.become(ChildState.REKEYED)
        return True
    old.life.become(ChildState.INSTALLED)
    if theirs is not None:
        sa.start_later(partial(initiator, old=old))  # should the peer never go on
    return theirs is not None


def _rekeyed(sa: Sa, old: LiveChild, new: LiveChild, agreed: Agreement) -> None:
    """Our exchange made a successor: use it and delete the old one, unless the peer's own successor prevails."""
    prevails = _prevails(sa, old) if _awaited(old) else not old.collisions.lost
    child_sa.install(sa, new, agreed.terms, agreed.secret(initiator=True, outbound=prevails))
    if not prevails:
        _back(sa, old)
        informational.overtaken(sa, new)
        sa.start(partial(informational.delete_child, child=new, reason=_REDUNDANT))
        return
    if old.state is ChildState.REKEYING:
        old.life.become(ChildState.REKEYED)
    if old.successor is None:
        sa.replace(old, new)
    informational.overtaken(sa, new)
    sa.start(partial(informational.delete_child, child=old, reason="rekeyed"))


def _not_rekeyed(sa: Sa, old: LiveChild, new: LiveChild, refusal: Refusal) -> None:
    """The old child goes on, or is replaced by the peer's exchange, or is made anew where the peer has lost it."""
    if refusal.notify is not None:
        informational.withdraw(sa, new, refusal)
    else:
        sa.drop_child(new, refusal.reason)
    if _back(sa, old):
        return
    if refusal.heard == NotifyType.CHILD_SA_NOT_FOUND:
        # 2.25.1: the peer has no such child, so nothing can be rekeyed or deleted there.
        sa.drop_child(old, "the peer does not have it")
        sa.start(partial(create_child_sa.initiator, config=old.config))
    else:
        if not busy(refusal) and refusal.notify is None:
            sa.failed(refusal.reason, old.config.name, stage="CREATE_CHILD_SA", asked=True)
        sa.start_later(partial(initiator, old=old))


def responder(sa: Sa, request: Message, rekey: Notify) -> Payloads:
    """RFC 7296 1.3.3    -->  HDR, SK {N(REKEY_SA), SA, Ni, [KEi], TSi, TSr}    HDR, SK {SA, Nr, [KEr], ...}  <--."""
    if not sa.usable:
        return (Notify(NotifyType.TEMPORARY_FAILURE),)
    mine = [c for c in sa.children.values() if c.sa and (c.sa.protocol, c.sa.spi_out) == (rekey.protocol, rekey.spi)]
    if not mine and any(c.sa is None for c in sa.children.values()):
        # It may be the child that our exchange is making, whose answer this request has overtaken.
        return (Notify(NotifyType.TEMPORARY_FAILURE),)
    if not mine:
        return (Notify(NotifyType.CHILD_SA_NOT_FOUND, protocol=rekey.protocol, spi=rekey.spi),)
    (old, *_) = mine
    if not old.up or old.collisions.ours is not None or old.collisions.theirs is not None:
        return (Notify(NotifyType.TEMPORARY_FAILURE),)
    found = accept(sa, request, old.config)
    if isinstance(found, Refusal):
        return refuse(sa, found, old.config.name)
    _, agreed, between = found
    new = sa.new_child(old.config, old.reqid)
    new.quiet = True
    old.collisions.theirs = Attempt(agreed.ni, agreed.nr, new)
    links = followup_ke.serve(sa, agreed.terms.chosen, _Rekeyed(sa, old, new, agreed))
    first, last = child_sa.answer(new, agreed.terms)
    return (*first, *between, *last, *links)


@dataclass(frozen=True, slots=True)
class _Rekeyed:
    """The successor of a child that the peer rekeys."""

    sa: Sa
    old: LiveChild
    made: LiveChild
    agreed: Agreement

    @property
    def wanted(self) -> bool:
        return self.old.up

    def finish(self, further: bytes) -> None:
        agreed = replace(self.agreed, further=further)
        child_sa.install(self.sa, self.made, agreed.terms, agreed.secret(initiator=False, outbound=False))
        if self.old.state is ChildState.INSTALLED:  # else our own exchange is under way, and its answer decides
            self.old.life.become(ChildState.REKEYED)

    def abandon(self, reason: str) -> None:
        self.sa.drop_child(self.made, reason)
        self.old.collisions.theirs = None
