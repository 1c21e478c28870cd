"""INFORMATIONAL: delete, liveness, notifies that concern the SA, and a late wish for an address (RFC 7296 1.4, 2.4).

    HDR, SK {[N,] [D,] [CP]}  -->
                              <--  HDR, SK {[N,] [D,] [CP]}

Deleting an IKE SA is answered with an empty message and takes its children along. Deleting a child is answered with the
SPI of the other direction, unless both sides delete it at once: then neither answer names it (1.4.1).
"""

from functools import partial

from lab.ike import explain
from lab.ike.live_child import LiveChild
from lab.ike.states import ChildState, IkeState
from lab.ikev2 import tickets, virtual_address
from lab.ikev2.child_sa import Refusal
from lab.ikev2.exchange import Exchange, Payloads, Request
from lab.ikev2.sa import Sa
from lab.wire.ids import ExchangeType, NotifyType, ProtocolId
from lab.wire.message import Message
from lab.wire.payloads_v2 import Delete, Notify

# What a peer tells in a request of its own when it gives the whole IKE SA up (2.21.2, 2.21.3).
_FATAL = (NotifyType.AUTHENTICATION_FAILED, NotifyType.INVALID_SYNTAX, NotifyType.UNSUPPORTED_CRITICAL_PAYLOAD)


def _request(*payloads: Notify | Delete) -> Request:
    return Request(ExchangeType.INFORMATIONAL, payloads)


def liveness(sa: Sa) -> Exchange:
    """RFC 7296 2.4    HDR, SK {}  -->    <--  HDR, SK {}; that an answer comes is all."""
    if sa.alive:
        yield _request()


def delete_ike(sa: Sa, reason: str = "deleted by us") -> Exchange:
    """RFC 7296 1.4.1    HDR, SK {D(IKE)}  -->    <--  HDR, SK {}."""
    if not sa.alive or sa.state is IkeState.DELETING:
        return
    sa.life.become(IkeState.DELETING)
    tickets.void(sa)
    yield _request(Delete(ProtocolId.IKE))
    if sa.alive:  # the peer's own Delete may have crossed ours
        sa.close(reason)


def refuse(sa: Sa, notify: NotifyType) -> Exchange:
    """RFC 7296 2.21.2    HDR, SK {N(AUTHENTICATION_FAILED)}  -->    <--  HDR, SK {}; for an SA in state DELETING."""
    yield _request(Notify(notify))
    if sa.alive:
        sa.close("refused by us")


def delete_child(sa: Sa, child: LiveChild, reason: str = "deleted by us") -> Exchange:
    """RFC 7296 1.4.1    HDR, SK {D(ESP, SPI)}  -->    <--  HDR, SK {D(ESP, SPI)}; the SPI we receive with.

    A child that we refused to install is deleted in every protocol that it was offered in.
    """
    if child.state in (ChildState.DELETING, ChildState.GONE):
        return
    child.life.become(ChildState.DELETING)
    protocols = {child.sa.protocol} if child.sa else {one.protocol for one in child.config.proposals}
    yield _request(*(Delete(protocol, (child.spi_in,)) for protocol in sorted(protocols)))
    _give_way(sa, child)
    sa.drop_child(child, reason)


def withdraw(sa: Sa, child: LiveChild, refusal: Refusal, stage: str = "CREATE_CHILD_SA") -> None:
    """A child that we asked for did not come about; where the peer believes it did, have it deleted."""
    sa.failed(refusal.reason, child.config.name, stage=stage, asked=True)
    if refusal.notify is None:
        sa.drop_child(child, refusal.reason)
    else:
        sa.start(partial(delete_child, child=child, reason=refusal.reason))


def fatal(request: Message) -> Notify | None:
    """The notify by which a peer gives the whole IKE SA up, if there is one."""
    return next((notify for notify in request.all(Notify) if notify.notify_type in _FATAL), None)


def responder(sa: Sa, request: Message) -> Payloads:
    """RFC 7296 1.4    -->  HDR, SK {[N,] [D,] [CP]}    HDR, SK {[N,] [D,] [CP]}  <--."""
    if notify := fatal(request):
        reason = explain.refused("this IKE SA", notify)
        if notify.notify_type == NotifyType.AUTHENTICATION_FAILED:
            reason += f" {explain.claimed(sa.local_id, sa.connection.local.auth, None)}"
        # 2.21.2: an initiator that refuses us tells so before the SA is up, while it has authenticated nobody.
        if sa.state is IkeState.CONNECTING:
            sa.fail(reason)
        else:
            sa.close(reason)
        return ()
    deletes = list(request.all(Delete))
    if any(delete.protocol == ProtocolId.IKE for delete in deletes):
        sa.close("deleted by the peer")
        return ()
    answers = [Delete(delete.protocol, tuple(_deleted(sa, delete))) for delete in deletes]
    return (*(answer for answer in answers if answer.spis), *_address(sa, request))


def _address(sa: Sa, request: Message) -> Payloads:
    """3.15.4: an initiator that got no address may ask once more."""
    lent = virtual_address.lend(sa, request) if sa.usable else ()
    if not isinstance(lent, Refusal):
        return lent
    sa.failed(lent.reason, stage="INFORMATIONAL", asked=False)
    return (lent.payload,)


def _deleted(sa: Sa, delete: Delete) -> list[bytes]:
    """Drop the children that a Delete names by the SPIs we send with; our SPIs of those, for the answer."""
    answer = []
    if any(child.sa is None for child in sa.children.values()):
        # What it names may be a child that our exchange is making, whose answer this Delete has overtaken.
        sa.overtaking.extend((delete.protocol, spi) for spi in delete.spis)
    for child in [c for c in sa.children.values() if c.sa and c.sa.protocol == delete.protocol]:
        if child.keyed.spi_out in delete.spis:
            if child.state is not ChildState.DELETING:
                answer.append(child.spi_in)
            _give_way(sa, child)
            sa.drop_child(child, "deleted by the peer")
    return answer


def overtaken(sa: Sa, child: LiveChild) -> None:
    """A child that the peer deleted before its answer came to us ends as soon as we know it."""
    if child.sa and (child.sa.protocol, child.sa.spi_out) in sa.overtaking and child.alive:
        sa.drop_child(child, "deleted by the peer")
    if all(other.sa for other in sa.children.values()):
        sa.overtaking.clear()


def _give_way(sa: Sa, child: LiveChild) -> None:
    """A child that the peer rekeyed goes: its successor takes over (2.8)."""
    theirs = child.collisions.theirs
    if theirs is None or child.successor is not None or not child.alive:
        return
    if theirs.made.up:
        sa.replace(child, theirs.made)
    else:
        child.successor = theirs.made.successor  # replaced in its turn before this Delete came
