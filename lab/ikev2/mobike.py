"""MOBIKE: an IKE SA and its ESP SAs go along when the addresses of the two hosts change (RFC 4555).

    IKE_AUTH     HDR, SK {..., N(MOBIKE_SUPPORTED), N(ADDITIONAL_*_ADDRESS)+}  -->    <--  the same

    initiator                                                              responder
    HDR, SK {N(UPDATE_SA_ADDRESSES), N(NAT_DETECTION_*_IP), [N(ADDITIONAL_*)+,] N(COOKIE2)}  -->
                        <--  HDR, SK {N(NAT_DETECTION_*_IP), N(COOKIE2)}   or N(UNACCEPTABLE_ADDRESSES), N(COOKIE2)
                        <--  HDR, SK {N(COOKIE2)}                          is it there? only then ESP follows
    HDR, SK {N(COOKIE2)}  -->

Only the initiator of the first IKE SA moves. The responder says by a list that its own addresses have changed, and the
initiator draws its conclusions. While an answer is awaited the addresses may change again: then the answer counts for
nothing, since another exchange is to follow. Transport mode has no tunnel to move: such children are deleted (1.2).
"""

from collections.abc import Generator
from dataclasses import replace
from functools import partial

from lab.errors import ProtocolError
from lab.ike import explain
from lab.ike.path import Path
from lab.ikev2 import informational, mode, nat_detection, no_nats
from lab.ikev2.exchange import Exchange, Payloads, Request
from lab.ikev2.mobility import MOST_ADDRESSES, Mobility, listed, read, toward
from lab.ikev2.sa import Sa
from lab.wire.ids import ExchangeType, NotifyType
from lab.wire.message import Message
from lab.wire.payloads_v2 import Notify

COOKIE2_OCTETS = 16
LEAST_COOKIE2, MOST_COOKIE2 = 8, 64
# 3.9: "SHOULD retry the operation several times": who can change one packet shall not close a path for good.
RETRIES = 3


# -- IKE_AUTH


def offer(sa: Sa) -> Payloads:
    """What goes with the first IKE_AUTH request, or with the last response to an initiator that spoke of MOBIKE."""
    if sa.mobility is None and not (sa.initiator and sa.connection.mobike):
        return ()
    prohibition = no_nats.prohibition(sa) if sa.initiator else ()
    return (Notify(NotifyType.MOBIKE_SUPPORTED), *listed(own(sa)), *prohibition)


def heard(sa: Sa, message: Message, told: tuple[str, ...]) -> None:
    """Whether MOBIKE is used, from the peer's half of `offer`; ProtocolError where a NAT is in the way that it forbids.

    3.3: the addresses of the IKE SA are those of IKE_AUTH. `told` are those of ours that our half lists; where they
    have changed meanwhile, which EAP leaves much time for, the peer hears so at once.
    """
    if not sa.connection.mobike or message.notify(NotifyType.MOBIKE_SUPPORTED) is None:
        return
    if reason := "" if sa.initiator else no_nats.nat_between(sa, message):
        raise ProtocolError(reason, NotifyType.UNEXPECTED_NAT_DETECTED)
    sa.mobility = Mobility(sa.initiator, sa.path, told=told)
    _take_list(sa, sa.mobility, read(message, sa.host.trace) or ())
    if told != own(sa):
        plan(sa, sa.mobility)


def own(sa: Sa) -> tuple[str, ...]:
    """Our addresses beside the one in use, as far as the connection may use them."""
    others = [host for host in sa.host.addresses if host != sa.path.local_host and sa.connection.lives_at(host)]
    return tuple(others[:MOST_ADDRESSES])


def _take_list(sa: Sa, mobility: Mobility, addresses: tuple[str, ...]) -> None:
    """3.6: the set is what the IP header says and what is listed."""
    mobility.peer = tuple(dict.fromkeys((sa.arrived.remote_host, *addresses)))


# -- we go on elsewhere


def turn(sa: Sa, path: Path) -> None:
    """Requests go along this path from now on, those under way included, and the peer is told (3.5)."""
    mobility = sa.mobility
    assert mobility is not None, "only with MOBIKE"
    sa.host.trace.emit("note", f"{sa.life.subject}: to go on along {path}", before=str(sa.path))
    mobility.change += 1
    sa.path, sa.turned = path, True
    sa.host.touch(sa.spi)
    plan(sa, mobility)


def plan(sa: Sa, mobility: Mobility) -> None:
    """One exchange about the newest change is enough, however many there were."""
    if not mobility.waiting:
        mobility.waiting = True
        sa.start(tell)


def resume(sa: Sa) -> None:
    """What an IKE SA left unanswered when it was replaced is asked again under the one that stands for it now."""
    mobility, heir = sa.mobility, stands_for(sa)
    if mobility is not None and heir.alive and mobility.change != mobility.settled:
        plan(heir, mobility)


def tell(sa: Sa) -> Exchange:
    """3.5 to 3.7    HDR, SK {[N(UPDATE_SA_ADDRESSES),] [N(ADDITIONAL_*)+,] N(COOKIE2)} -->  <-- HDR, SK {N(COOKIE2)}.

    The initiator asks for its SAs to move, where they have not yet; both list their addresses where these have changed;
    and a responder to which its peer has moved only asks whether it is there. With the answer the children follow.
    """
    mobility, path, addresses = sa.mobility, sa.path, own(sa)
    if mobility is None or not sa.alive:
        return
    mobility.waiting = False
    moves, left = mobility.change != mobility.settled, path.local_host != mobility.esp.local_host
    update = (Notify(NotifyType.UPDATE_SA_ADDRESSES),) if mobility.initiator and moves else ()
    # A responder has no other way to say where it is than to list what it has beside that.
    news = listed(addresses) if addresses != mobility.told or (left and not update) else ()
    detection = nat_detection.notifies(sa, path) if sa.nat.spoken and (update or left) else ()
    mobility.told = addresses
    answer = yield from _ask(sa, (*update, *news, *detection, *(no_nats.prohibition(sa) if update or news else ())))
    if answer is None:
        return
    if refusal := answer.notify(NotifyType.UNEXPECTED_NAT_DETECTED) or answer.notify(NotifyType.UNACCEPTABLE_ADDRESSES):
        _refused(stands_for(sa), mobility, refusal)
    elif moves:
        _situated(sa, mobility, answer)
        _carry_over(stands_for(sa), mobility, path)


def _ask(sa: Sa, payloads: Payloads) -> Generator[Request, Message, Message | None]:
    """Ask with a fresh COOKIE2; None where the answer is no answer to what holds now (3.7)."""
    mobility, cookie = sa.mobility, Notify(NotifyType.COOKIE2, sa.host.random(COOKIE2_OCTETS))
    assert mobility is not None, "only with MOBIKE"
    change = mobility.change
    answer = yield Request(ExchangeType.INFORMATIONAL, (*payloads, cookie))
    back = answer.notify(NotifyType.COOKIE2)
    if back is None or back.data != cookie.data:
        # 3.7: "If the values do not match, the IKE_SA MUST be closed."
        stands_for(sa).close(f"peer returned {'no COOKIE2' if back is None else 'another COOKIE2 than it was sent'}")
        return None
    return answer if change == mobility.change and stands_for(sa).alive else None


def stands_for(sa: Sa) -> Sa:
    """The IKE SA that stands for this one: it may have been rekeyed while an answer was under way."""
    while sa.heir is not None:
        sa = sa.heir
    return sa


def _situated(sa: Sa, mobility: Mobility, message: Message) -> None:
    """3.5: whether there are NATs on the new path decides on UDP encapsulation, both ways."""
    found = nat_detection.situation(sa, message, sa.arrived)
    if found.spoken:
        stands_for(sa).nat = found
        mobility.seen = (sa.spi, seen(message))


def _carry_over(sa: Sa, mobility: Mobility, path: Path) -> None:
    """Let the children follow; those in transport mode go instead."""
    before, mobility.esp, mobility.settled = mobility.esp, path, mobility.change
    mobility.refused.clear()
    mobility.retries = 0
    sa.move(path)
    if (before.local_host, before.remote_host) == (path.local_host, path.remote_host):
        return
    for child in list(sa.children.values()):
        if child.sa is not None and child.sa.mode == mode.TRANSPORT:
            reason = "transport mode cannot go along to other addresses (RFC 4555 1.2)"
            sa.start(partial(informational.delete_child, child=child, reason=reason))


def _refused(sa: Sa, mobility: Mobility, refusal: Notify) -> None:
    """3.5, 3.9: ask again, try another address of the peer's, or stay where we were."""
    mobility.retries += 1
    if refusal.notify_type == NotifyType.UNEXPECTED_NAT_DETECTED and mobility.retries <= RETRIES:
        plan(sa, mobility)
        return
    mobility.retries = 0
    mobility.refused.add(sa.path.remote_host)
    reason = explain.refused(f"path {sa.path}", refusal)
    sa.host.trace.emit("failed", reason, connection=sa.connection.name)
    left = [host for host in mobility.peer if host not in mobility.refused]
    if left and mobility.initiator:
        turn(sa, replace(toward(sa.path, left[0], floated=sa.nat.spoken), local_host=sa.path.local_host))
        return
    sa.path, mobility.settled = mobility.esp, mobility.change
    sa.host.tell("not-moved", **sa.named(), reason=reason)


# -- the peer's addresses have changed


def responder(sa: Sa, request: Message) -> Payloads:
    """3.5 to 3.8    -->  HDR, SK {N(UPDATE_SA_ADDRESSES), ...}    HDR, SK {N(NAT_DETECTION_*_IP), N(COOKIE2)}  <--.

    Without MOBIKE none of these notifies means anything.
    """
    mobility = sa.mobility
    if mobility is None or not sa.alive:
        return ()
    echo = _echo(sa, request)
    update, addresses = request.notify(NotifyType.UPDATE_SA_ADDRESSES), read(request, sa.host.trace)
    if update is None and addresses is None:
        return (*_detection(sa, request), *echo)
    if reason := no_nats.nat_between(sa, request):
        sa.host.trace.emit("note", reason)
        return (Notify(NotifyType.UNEXPECTED_NAT_DETECTED), *echo)
    if sa.overtaken:  # 3.5: answered, and nothing else
        sa.host.trace.emit("note", "addresses that were overtaken by newer ones")
        return (*_detection(sa, request), *echo)
    if update and (reason := _unacceptable(sa, mobility)):
        sa.host.trace.drop(reason)
        return (Notify(NotifyType.UNACCEPTABLE_ADDRESSES), *echo)
    if addresses is not None:
        _take_list(sa, mobility, addresses)
    if update:
        _updated(sa, mobility, request)
    elif mobility.initiator and sa.path.remote_host not in mobility.peer:
        # The responder has left for where this came from.
        turn(stands_for(sa), replace(sa.arrived, local_host=sa.path.local_host))
    return (*_detection(sa, request), *echo)


def _echo(sa: Sa, request: Message) -> Payloads:
    """3.7: COOKIE2 as it came; 4.2.5: "MUST be between 8 and 64 octets in length"."""
    cookie = request.notify(NotifyType.COOKIE2)
    if cookie is None:
        return ()
    if not LEAST_COOKIE2 <= len(cookie.data) <= MOST_COOKIE2:
        sa.host.trace.drop(f"COOKIE2 of {len(cookie.data)} octets, {LEAST_COOKIE2} to {MOST_COOKIE2} allowed")
        return ()
    return (cookie,)


def _detection(sa: Sa, request: Message) -> Payloads:
    """3.8: "if the request includes them, the responder MUST also include them in the response"."""
    asked = request.notify(NotifyType.NAT_DETECTION_SOURCE_IP), request.notify(NotifyType.NAT_DETECTION_DESTINATION_IP)
    return nat_detection.notifies(sa, sa.arrived) if all(asked) else ()


def _unacceptable(sa: Sa, mobility: Mobility) -> str:
    """Why a peer may not move to where it asks from, in words; empty where it may."""
    here, there = sa.arrived.local_host, sa.arrived.remote_host
    if mobility.initiator:
        return f"UPDATE_SA_ADDRESSES from {there}: only the initiator moves, and that is us"
    if not sa.connection.serves(here, there):
        return f"peer moves to {there}, to reach us at {here}; connection {sa.connection.name} is not for these"
    return ""


def _updated(sa: Sa, mobility: Mobility, request: Message) -> None:
    """The IKE SA follows at once, the children once the peer has shown that it is there (3.7)."""
    heir, before = stands_for(sa), sa.nat.detected
    heir.turned = sa.arrived != heir.path
    sa.path = heir.path = sa.arrived
    mobility.change += 1
    _situated(sa, mobility, request)
    if heir.path == mobility.esp and heir.nat.detected == before:
        mobility.settled = mobility.change
    elif not sa.host.config.settings.return_routability:
        _carry_over(heir, mobility, heir.path)
    else:
        plan(heir, mobility)


def seen(message: Message) -> bytes:
    """Where the peer sees us."""
    found = message.notify(NotifyType.NAT_DETECTION_DESTINATION_IP)
    return found.data if found else b""
