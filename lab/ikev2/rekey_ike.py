"""CREATE_CHILD_SA that rekeys the IKE SA (RFC 7296 1.3.2, 2.18, 2.25.2).

    HDR, SK {SA, Ni, KEi}  -->    <--  HDR, SK {SA, Nr, KEr}
    HDR, SK {D(IKE)}  -->         <--  HDR, SK {}               on the old IKE SA

The new IKE SA has SPIs, keys and message IDs of its own, and takes over the children. Its SPIs travel in the proposals.
Both may do this at once: each answers as usual, and the nonces decide (see collisions); the children stay where they
are until that is known. While a child is being made, rekeyed or deleted, rekeying the IKE SA has to wait, and the
other way round: TEMPORARY_FAILURE.

With additional key exchanges the new IKE SA comes up behind the last of them (RFC 9370 2.2.4, see followup_ke). A
collision is decided as soon as CREATE_CHILD_SA is answered: whoever loses has nothing to delete yet and just stops, and
whoever has gone on answers the peer's request with TEMPORARY_FAILURE.
"""

from collections.abc import Generator
from dataclasses import dataclass, field, replace
from functools import partial

from lab.crypto.choice import Mismatch, Selected, accept, select
from lab.ike import explain
from lab.ike.collisions import Attempt
from lab.ike.states import ChildState, IkeState
from lab.ikev2 import followup_ke, informational, keys, tickets
from lab.ikev2.child_sa import Refusal
from lab.ikev2.create_child_sa import busy, nonce_of, refuse
from lab.ikev2.exchange import Exchange, Payloads, Request
from lab.ikev2.key_exchange import Ask, offered_groups, respond
from lab.ikev2.sa import Sa
from lab.wire.header import NO_SPI
from lab.wire.ids import NotifyType
from lab.wire.message import Message
from lab.wire.payloads_v2 import SA, Nonce, Notify, Proposal

SPI_OCTETS = 8
_UNDER_WAY = (ChildState.CREATED, ChildState.REKEYING, ChildState.DELETING)
_REDUNDANT = "redundant: both rekeyed at the same time"


@dataclass(frozen=True, slots=True)
class Agreement:
    """What the new IKE SA is made of besides its SPIs and nonces; `further` is that of additional key exchanges."""

    chosen: Selected
    shared: bytes = field(repr=False)
    further: bytes = field(default=b"", repr=False)


def children_under_way(sa: Sa) -> bool:
    """Whether we are making, rekeying or deleting a child (2.25.2)."""
    return any(child.state in _UNDER_WAY for child in sa.children.values())


def initiator(sa: Sa, meant: Sa | None = None) -> Exchange:
    """RFC 7296 1.3.2    HDR, SK {SA, Ni, KEi}  -->    <--  HDR, SK {SA, Nr, KEr}.

    `meant` is the IKE SA to rekey where that was put off; one that has replaced it meanwhile is left alone.
    """
    if sa.state is not IkeState.ESTABLISHED or meant not in (None, sa):
        return
    if children_under_way(sa):
        _later(sa)
        return
    sa.life.become(IkeState.REKEYING)
    new = sa.successor(initiator=True)
    new.spi_i = sa.host.new_ike_spi()
    agreed = yield from _negotiate(sa, new)
    if isinstance(agreed, Refusal):
        _not_rekeyed(sa, agreed)
    else:
        _bring_up(sa, new, agreed)
        _rekeyed(sa, new)


def _later(sa: Sa) -> None:
    sa.start_later(partial(initiator, meant=sa))


def _negotiate(sa: Sa, new: Sa) -> Generator[Request, Message, Agreement | Refusal]:
    """CREATE_CHILD_SA and what follows it, up to the last shared secret."""
    offer = tuple(replace(p, spi=new.spi_i) for p in sa.connection.proposals)
    ask = Ask((SA(offer),), sa.new_nonce(), (), offered_groups(offer))
    answer = yield from ask.exchange(sa)
    agreed = answer if isinstance(answer, Refusal) else _conclude(new, ask, offer, answer)
    if isinstance(agreed, Refusal) or isinstance(answer, Refusal):
        return agreed
    sa.collisions.ours = Attempt(new.ni, new.nr, new)
    if not agreed.chosen.additional:
        return agreed
    if not _prevails(sa):
        return Refusal(_REDUNDANT)
    further = yield from followup_ke.initiator(sa, agreed.chosen, answer)
    return further if isinstance(further, Refusal) else replace(agreed, further=further)


def _conclude(new: Sa, ask: Ask, offer: tuple[Proposal, ...], answer: Message) -> Agreement | Refusal:
    """The initiator's look at the answer, which gives the new IKE SA its SPI of the peer and its nonces."""
    if error := answer.error:
        reason = f"{explain.refused('rekeying the IKE SA', error)} {explain.proposals(offer)}"
        return Refusal(reason, heard=error.notify_type)
    payload = answer.get(SA)
    assert payload is not None, "rules.check lets no other response through"
    chosen = accept(offer, payload.proposals)
    if isinstance(chosen, Mismatch):
        return Refusal(f"peer's choice is none of our proposals: {chosen.reason}")
    shared = ask.shared(chosen, answer)
    if isinstance(shared, Refusal):
        return shared
    if not _valid(chosen.proposal.spi):
        return Refusal(f"peer's SPI {chosen.proposal.spi.hex() or 'of no octets'} is not allowed")
    new.spi_r, new.ni, new.nr = chosen.proposal.spi, ask.nonce, nonce_of(answer)
    return Agreement(chosen, shared)


def _valid(spi: bytes) -> bool:
    return len(spi) == SPI_OCTETS and spi != NO_SPI


def _bring_up(sa: Sa, new: Sa, agreed: Agreement) -> None:
    """2.18: SKEYSEED by the old PRF and the old SK_d, the rest by the new ones."""
    suite = keys.Suite.of(agreed.chosen)
    seed_key = keys.skeyseed_rekey(sa.agreed.prf_spec, sa.keys.sk_d, agreed.shared, new.nonces, agreed.further)
    new.path = sa.path  # the peer may have moved since the first of several exchanges
    new.adopt(suite, keys.ike_keys(suite, seed_key, new.nonces, new.spi_i + new.spi_r))
    new.life.become(IkeState.ESTABLISHED)
    sa.host.born.append(new)


def _prevails(sa: Sa) -> bool:
    """Whether our exchange is the one that counts; then what the peer's has made, or was to make, is redundant."""
    theirs = sa.collisions.theirs
    if theirs is None or not theirs.made.alive:
        return True
    if sa.collisions.lost:
        return False
    if sa.awaited:
        sa.forgo(theirs.made, _REDUNDANT)
    else:
        theirs.made.forget_soon()
    sa.collisions.theirs = None
    return True


def _rekeyed(sa: Sa, new: Sa) -> None:
    """Our exchange made a successor: hand over to it and delete the old SA, unless the peer's own prevails."""
    if _prevails(sa):
        _succeed(sa, new)
        sa.start(informational.delete_ike)
        return
    _back(sa)
    new.start(informational.delete_ike)  # the redundant one


def _back(sa: Sa) -> bool:
    """Our exchange did not replace the old SA; whether the peer's has, or is about to."""
    sa.collisions.ours = None
    if sa.replacement is not None:
        _succeed(sa, sa.replacement)
        return True
    sa.life.become(IkeState.ESTABLISHED)
    if sa.awaited:
        _later(sa)  # should the peer never go on
    return sa.awaited is not None


def _not_rekeyed(sa: Sa, refusal: Refusal) -> None:
    """The old SA goes on, for now or until the peer has replaced it."""
    if _back(sa):
        return
    sa.collisions.theirs = None  # what the peer made is gone, or there was none: it may try again
    if not busy(refusal):
        sa.failed(refusal.reason, stage="CREATE_CHILD_SA", asked=True)
    _later(sa)


def _succeed(sa: Sa, heir: Sa) -> None:
    """Everything goes to the IKE SA that replaces this one; what of a session to resume has to be told anew, is."""
    sa.hand_over(heir)
    tickets.rekeyed(heir)


def responder(sa: Sa, request: Message) -> Payloads:
    """RFC 7296 1.3.2    -->  HDR, SK {SA, Ni, KEi}    HDR, SK {SA, Nr, KEr}  <--."""
    if sa.state not in (IkeState.ESTABLISHED, IkeState.REKEYING) or children_under_way(sa):
        return (Notify(NotifyType.TEMPORARY_FAILURE),)
    if sa.collisions.ours is not None or sa.collisions.theirs is not None:
        return (Notify(NotifyType.TEMPORARY_FAILURE),)
    alive = sum(other.alive for other in sa.host.ike_sas.values())
    if alive >= sa.host.config.settings.max_ike_sas:
        return refuse(sa, Refusal(f"{alive} IKE SAs, no more are taken", NotifyType.NO_ADDITIONAL_SAS))
    payload = request.get(SA)
    assert payload is not None, "rules.check lets no other request through"
    chosen = select(sa.connection.proposals, payload.proposals)
    if isinstance(chosen, Mismatch):
        return refuse(sa, Refusal(chosen.reason, NotifyType.NO_PROPOSAL_CHOSEN))
    if not _valid(chosen.proposal.spi):
        return refuse(sa, Refusal("peer offers no SPI for the new IKE SA", NotifyType.NO_PROPOSAL_CHOSEN))
    exchanged = respond(sa, chosen, request)
    if isinstance(exchanged, Refusal):
        return refuse(sa, exchanged)
    new = sa.successor(initiator=False)
    new.spi_i, new.spi_r = chosen.proposal.spi, sa.host.new_ike_spi()
    new.ni, new.nr = nonce_of(request), sa.new_nonce()
    sa.collisions.theirs = Attempt(new.ni, new.nr, new)
    links = followup_ke.serve(sa, chosen, _Rekeyed(sa, new, Agreement(chosen, exchanged.shared)))
    return (SA((replace(chosen.proposal, spi=new.spi_r),)), Nonce(new.nr), *exchanged.payloads, *links)


@dataclass(frozen=True, slots=True)
class _Rekeyed:
    """The successor of an IKE SA that the peer rekeys."""

    sa: Sa
    made: Sa
    agreed: Agreement

    @property
    def wanted(self) -> bool:
        return self.sa.state in (IkeState.ESTABLISHED, IkeState.REKEYING)

    def finish(self, further: bytes) -> None:
        _bring_up(self.sa, self.made, replace(self.agreed, further=further))
        if self.sa.state is IkeState.ESTABLISHED:  # else our own exchange is under way, and its answer decides
            _succeed(self.sa, self.made)

    def abandon(self, reason: str) -> None:
        self.sa.collisions.theirs = None
