"""CREATE_CHILD_SA that rekeys the IKE SA (RFC 7296 1.3.2, 2.18, 2.25.2).

    HDR, SK {SA, Ni, KEi}  -->    <--  HDR, SK {SA, Nr, KEr}
    HDR, SK {D(IKE)}  -->         <--  HDR, SK {}               on the old IKE SA

The new IKE SA has SPIs, keys and message IDs of its own, and takes over the children. Its SPIs travel in the proposals.
Both may do this at once: each answers as usual, and the nonces decide (see collisions); the children stay where they
are until that is known. While a child is being made, rekeyed or deleted, rekeying the IKE SA has to wait, and the
other way round: TEMPORARY_FAILURE. Additional key exchanges (RFC 9370) are not done again: what those of the old IKE SA
made is in SK_d, from which the new keys come.
"""

from dataclasses import replace

from lab.crypto.choice import Mismatch, Selected, accept, select
from lab.crypto.proposal import without_additional
from lab.ike import explain
from lab.ike.collisions import Attempt
from lab.ike.states import ChildState, IkeState
from lab.ikev2 import informational, keys, tickets
from lab.ikev2.child_sa import Refusal
from lab.ikev2.create_child_sa import busy, nonce_of, refuse
from lab.ikev2.exchange import Exchange, Payloads
from lab.ikev2.key_exchange import Ask, offered_groups, respond
from lab.ikev2.sa import Sa
from lab.wire.header import NO_SPI
from lab.wire.ids import NotifyType
from lab.wire.message import Message
from lab.wire.payloads_v2 import SA, Nonce, Notify

SPI_OCTETS = 8
_UNDER_WAY = (ChildState.CREATED, ChildState.REKEYING, ChildState.DELETING)


def children_under_way(sa: Sa) -> bool:
    """Whether we are making, rekeying or deleting a child (2.25.2)."""
    return any(child.state in _UNDER_WAY for child in sa.children.values())


def initiator(sa: Sa) -> Exchange:
    """RFC 7296 1.3.2    HDR, SK {SA, Ni, KEi}  -->    <--  HDR, SK {SA, Nr, KEr}."""
    if sa.state is not IkeState.ESTABLISHED:
        return
    if children_under_way(sa):
        sa.start_later(initiator)
        return
    sa.life.become(IkeState.REKEYING)
    new = sa.successor(initiator=True)
    new.spi_i = sa.host.new_ike_spi()
    offer = tuple(replace(p, spi=new.spi_i) for p in without_additional(sa.connection.proposals))
    ask = Ask((SA(offer),), sa.new_nonce(), (), offered_groups(offer))
    answer = yield from ask.exchange(sa)
    refusal = answer if isinstance(answer, Refusal) else _key(sa, new, ask, answer)
    if refusal is None:
        _rekeyed(sa, new)
    elif sa.collisions.theirs is not None and sa.collisions.theirs.made.alive:
        _succeed(sa, sa.collisions.theirs.made)
    else:
        sa.life.become(IkeState.ESTABLISHED)
        sa.collisions.theirs = None  # what the peer made is gone, or there was none: it may try again
        if not busy(answer):
            sa.failed(refusal.reason, stage="CREATE_CHILD_SA", asked=True)
        sa.start_later(initiator)


def _key(sa: Sa, new: Sa, ask: Ask, answer: Message) -> Refusal | None:
    """Make the new IKE SA out of the answer, or say why not."""
    if error := answer.error:
        return Refusal(f"{explain.refused('rekeying the IKE SA', error)} {explain.proposals(sa.connection.proposals)}")
    payload = answer.get(SA)
    assert payload is not None, "rules.check lets no other response through"
    chosen = accept(
        tuple(replace(p, spi=new.spi_i) for p in without_additional(sa.connection.proposals)), payload.proposals
    )
    if isinstance(chosen, Mismatch):
        return Refusal(f"peer's choice is none of our proposals: {chosen.reason}")
    shared = ask.shared(chosen, answer)
    if isinstance(shared, Refusal):
        return shared
    if not _valid(chosen.proposal.spi):
        return Refusal(f"peer's SPI {chosen.proposal.spi.hex() or 'of no octets'} is not allowed")
    new.spi_r, new.ni, new.nr = chosen.proposal.spi, ask.nonce, nonce_of(answer)
    _bring_up(sa, new, chosen, shared)
    sa.collisions.ours = Attempt(new.ni, new.nr, new)
    return None


def _valid(spi: bytes) -> bool:
    return len(spi) == SPI_OCTETS and spi != NO_SPI


def _bring_up(sa: Sa, new: Sa, chosen: Selected, shared: bytes) -> None:
    """2.18: SKEYSEED by the old PRF and the old SK_d, the rest by the new ones."""
    suite = keys.Suite.of(chosen)
    seed_key = keys.skeyseed_rekey(sa.agreed.prf_spec, sa.keys.sk_d, shared, new.nonces)
    new.adopt(suite, keys.ike_keys(suite, seed_key, new.nonces, new.spi_i + new.spi_r))
    new.life.become(IkeState.ESTABLISHED)
    sa.host.born.append(new)


def _rekeyed(sa: Sa, new: Sa) -> None:
    """Our exchange made a successor: hand over to it and delete the old SA, unless the peer's own prevails."""
    theirs = sa.collisions.theirs
    if theirs is not None and theirs.made.alive and sa.collisions.lost:
        _succeed(sa, theirs.made)
        new.start(informational.delete_ike)  # the redundant one
        return
    _succeed(sa, new)
    sa.start(informational.delete_ike)
    if theirs is not None and theirs.made.alive:
        theirs.made.forget_soon()


def _succeed(sa: Sa, heir: Sa) -> None:
    """Everything goes to the IKE SA that replaces this one; what of a session to resume has to be told anew, is."""
    sa.hand_over(heir)
    tickets.rekeyed(heir)


def responder(sa: Sa, request: Message) -> Payloads:
    """RFC 7296 1.3.2    -->  HDR, SK {SA, Ni, KEi}    HDR, SK {SA, Nr, KEr}  <--."""
    if sa.state not in (IkeState.ESTABLISHED, IkeState.REKEYING) or children_under_way(sa):
        return (Notify(NotifyType.TEMPORARY_FAILURE),)
    if sa.collisions.theirs is not None:
        return (Notify(NotifyType.TEMPORARY_FAILURE),)
    alive = sum(other.alive for other in sa.host.ike_sas.values())
    if alive >= sa.host.config.settings.max_ike_sas:
        return refuse(sa, Refusal(f"{alive} IKE SAs, no more are taken", NotifyType.NO_ADDITIONAL_SAS))
    payload = request.get(SA)
    assert payload is not None, "rules.check lets no other request through"
    chosen = select(without_additional(sa.connection.proposals), payload.proposals)
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
    _bring_up(sa, new, chosen, exchanged.shared)
    sa.collisions.theirs = Attempt(new.ni, new.nr, new)
    if sa.state is IkeState.ESTABLISHED:  # else our own exchange is under way, and its answer decides
        _succeed(sa, new)
    return (SA((replace(chosen.proposal, spi=new.spi_r),)), Nonce(new.nr), *exchanged.payloads)
