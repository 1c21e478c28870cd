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

from collections.abc import Generator, Mapping
from dataclasses import replace
from functools import partial
from ipaddress import ip_address

from lab.errors import ProtocolError
from lab.ike import explain
from lab.ike.path import PORT_NAT_T, Path
from lab.ike.sa import UP
from lab.ikev2 import informational, mode, nat_detection
from lab.ikev2.exchange import Exchange, Payloads, Request
from lab.ikev2.mobility import MOST_ADDRESSES, Mobility, listed, read, whereabouts
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
    prohibition = _no_nats(sa) if sa.initiator else ()
    return (Notify(NotifyType.MOBIKE_SUPPORTED), *listed(own(sa)), *prohibition)


def heard(sa: Sa, message: Message) -> None:
    """Whether MOBIKE is used, from the peer's half of `offer`; ProtocolError where a NAT is in the way that it forbids.

    3.3: the addresses of the IKE SA are those of IKE_AUTH.
    """
    if not sa.connection.mobike or message.notify(NotifyType.MOBIKE_SUPPORTED) is None:
        return
    if reason := "" if sa.initiator else _nat_between(sa, message):
        raise ProtocolError(reason, NotifyType.UNEXPECTED_NAT_DETECTED)
    sa.mobility = Mobility(sa.initiator, sa.path, told=own(sa))
    _take_list(sa, sa.mobility, read(message, sa.host.trace) or ())


def own(sa: Sa) -> tuple[str, ...]:
    """Our addresses beside the one in use, as far as the connection may use them."""
    others = [host for host in sa.host.addresses if host != sa.path.local_host and sa.connection.lives_at(host)]
    return tuple(others[:MOST_ADDRESSES])


def _take_list(sa: Sa, mobility: Mobility, addresses: tuple[str, ...]) -> None:
    """3.6: the set is what the IP header says and what is listed."""
    mobility.peer = tuple(dict.fromkeys((sa.arrived.remote_host, *addresses)))


# -- our addresses have changed


def roam(sa: Sa, sources: Mapping[str, str]) -> None:
    """Go on where the system can reach the peer now.

    `sources` are addresses of ours from which it would send, by addresses of the peer's; those of `host.addresses` are
    all that we have.
    """
    mobility = sa.mobility
    if mobility is None or sa.state not in UP or sa.replaced:
        return
    mobility.refused.clear()
    path = _way(sa, mobility, sources)
    if path is None:
        sa.host.trace.emit("note", f"{sa.life.subject}: no way to {sa.path.remote_host} now, waiting for one")
    elif path != sa.path:
        turn(sa, path)
    elif mobility.told != own(sa):
        _plan(sa, mobility)


def _way(sa: Sa, mobility: Mobility, sources: Mapping[str, str]) -> Path | None:
    """The present path where it will do, else the first that leads to an address of the peer's."""
    chosen = sources.get(sa.path.remote_host)
    barred = chosen is not None and not sa.connection.lives_at(chosen)
    # 3.5: a responder stays at its address for as long as it has it.
    if sa.path.local_host in sa.host.addresses and (barred or not mobility.initiator):
        return sa.path
    for host in (sa.path.remote_host, *mobility.others(sa.path.remote_host)):
        source = sources.get(host)
        if source and sa.connection.lives_at(source):
            return replace(_toward(sa, host), local_host=source)
    return None


def _toward(sa: Sa, host: str) -> Path:
    """The path to another address of the peer's, from whichever of ours leads there: on the ports for NAT traversal."""
    if host == sa.path.remote_host:
        return sa.path
    path = replace(sa.path, local_host="", remote_host=host)
    return replace(path.floated(), remote_port=PORT_NAT_T) if sa.nat.spoken else path


def turn(sa: Sa, path: Path) -> None:
    """Requests go along this path from now on, those under way included, and the peer is told (3.5)."""
    mobility = sa.mobility
    assert mobility is not None, "only with MOBIKE"
    sa.host.trace.emit("note", f"{sa.life.subject}: to go on along {path}", before=str(sa.path))
    mobility.change += 1
    sa.path, sa.turned = path, True
    sa.host.touch(sa.spi)
    _plan(sa, mobility)


def _plan(sa: Sa, mobility: Mobility) -> None:
    """One exchange about the newest change is enough, however many there were."""
    if not mobility.waiting:
        mobility.waiting = True
        sa.start(tell)


def resume(sa: Sa) -> None:
    """What an IKE SA left unanswered when it was replaced is asked again under the one that stands for it now."""
    mobility, heir = sa.mobility, _now(sa)
    if mobility is None or not heir.alive or mobility.waiting or mobility.change == mobility.settled:
        return
    mobility.waiting = True
    heir.start(tell if mobility.initiator or heir.path.local_host != mobility.esp.local_host else check)


def tell(sa: Sa) -> Exchange:
    """3.5, 3.6    HDR, SK {[N(UPDATE_SA_ADDRESSES),] [N(ADDITIONAL_*)+,] N(COOKIE2)}  -->    <--  HDR, SK {N(COOKIE2)}.

    The initiator asks for its SAs to move, where they have not yet; both list their addresses where they have changed.
    """
    mobility, path, addresses = sa.mobility, sa.path, own(sa)
    if mobility is None or not sa.alive:
        return
    mobility.waiting = False
    news = listed(addresses) if addresses != mobility.told else ()
    moves = mobility.change != mobility.settled
    update = (Notify(NotifyType.UPDATE_SA_ADDRESSES),) if mobility.initiator and moves else ()
    if moves and not update:
        news = listed(addresses)  # a responder has no other way to say where it is
    detection = nat_detection.notifies(sa, path) if moves and sa.nat.spoken else ()
    mobility.told = addresses
    answer = yield from _ask(sa, (*update, *news, *detection, *_no_nats(sa)))
    if answer is None:
        return
    if refusal := answer.notify(NotifyType.UNEXPECTED_NAT_DETECTED) or answer.notify(NotifyType.UNACCEPTABLE_ADDRESSES):
        _refused(_now(sa), mobility, refusal)
    elif moves:
        _situated(sa, mobility, answer)
        _carry_over(_now(sa), mobility, path)


def _ask(sa: Sa, payloads: Payloads) -> Generator[Request, Message, Message | None]:
    """Ask with a fresh COOKIE2; None where the answer is no answer to what holds now (3.7)."""
    mobility, cookie = sa.mobility, Notify(NotifyType.COOKIE2, sa.host.random(COOKIE2_OCTETS))
    assert mobility is not None, "only with MOBIKE"
    change = mobility.change
    answer = yield Request(ExchangeType.INFORMATIONAL, (*payloads, cookie))
    back = answer.notify(NotifyType.COOKIE2)
    if back is None or back.data != cookie.data:
        # 3.7: "If the values do not match, the IKE_SA MUST be closed."
        _now(sa).close(f"peer returned {'no COOKIE2' if back is None else 'another COOKIE2 than it was sent'}")
        return None
    return answer if change == mobility.change and _now(sa).alive else None


def _now(sa: Sa) -> Sa:
    """The IKE SA that stands for this one: it may have been rekeyed while an answer was under way."""
    while sa.heir is not None:
        sa = sa.heir
    return sa


def _situated(sa: Sa, mobility: Mobility, message: Message) -> None:
    """3.5: whether there are NATs on the new path decides on UDP encapsulation, both ways."""
    found = nat_detection.situation(sa, message, sa.arrived)
    if found.spoken:
        _now(sa).nat = found
        mobility.seen = (sa.spi, _seen(message))


def _carry_over(sa: Sa, mobility: Mobility, path: Path) -> None:
    """Let the children follow."""
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
        _plan(sa, mobility)
        return
    mobility.retries = 0
    mobility.refused.add(sa.path.remote_host)
    reason = explain.refused(f"path {sa.path}", refusal)
    sa.host.trace.emit("failed", reason, connection=sa.connection.name)
    left = [host for host in mobility.peer if host not in mobility.refused]
    if left and mobility.initiator:
        turn(sa, replace(_toward(sa, left[0]), local_host=sa.path.local_host))
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
    if reason := _nat_between(sa, request):
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
        turn(sa, replace(sa.arrived, local_host=sa.path.local_host))  # the responder has left for where this came from
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
    sa.turned = sa.arrived != sa.path
    sa.path = sa.arrived
    mobility.change += 1
    before = sa.nat.detected
    _situated(sa, mobility, request)
    if sa.path == mobility.esp and sa.nat.detected == before:
        mobility.settled = mobility.change
    elif not sa.host.config.settings.return_routability:
        _carry_over(sa, mobility, sa.path)
    elif not mobility.waiting:
        mobility.waiting = True
        sa.start(check)


def check(sa: Sa) -> Exchange:
    """3.7    HDR, SK {N(COOKIE2)}  -->    <--  HDR, SK {N(COOKIE2)}; whoever answers gets what is sent there."""
    mobility, path = sa.mobility, sa.path
    if mobility is None or not sa.alive:
        return
    mobility.waiting = False
    if (yield from _ask(sa, ())) is not None:
        _carry_over(_now(sa), mobility, path)


# -- whether the path still works


def liveness(sa: Sa) -> Exchange:
    """RFC 7296 2.4; from behind a NAT also whether the peer sees us where it did before (RFC 4555 3.8).

    IKE_SA_INIT is nothing to compare with: it came from another port, and rekeying changes the SPIs in the hash. Then
    we move to where we are, which "is harmless", and the answer will do for later.
    """
    mobility = sa.mobility
    if mobility is None or not (mobility.initiator and sa.nat.spoken and sa.nat.local):
        yield from informational.liveness(sa)
    elif mobility.seen is None or mobility.seen[0] != sa.spi:
        mobility.change += 1
        yield from tell(sa)
    elif sa.alive:
        answer = yield Request(ExchangeType.INFORMATIONAL, nat_detection.notifies(sa, sa.path))
        if mobility.seen != (sa.spi, _seen(answer)) and _now(sa).alive:
            turn(_now(sa), sa.path)


def _seen(message: Message) -> bytes:
    """Where the peer sees us."""
    found = message.notify(NotifyType.NAT_DETECTION_DESTINATION_IP)
    return found.data if found else b""


def follows(sa: Sa) -> bool:
    """Whether the peer's address is where it last spoke from (RFC 7296 2.23); with MOBIKE only UPDATE_SA_ADDRESSES is
    heeded, and other messages may try paths (RFC 4555 3.8).
    """
    return sa.mobility is None and sa.nat.remote and not sa.nat.local


def others(sa: Sa) -> list[Path]:
    """Along which further paths the initiator repeats a request that was not answered (3.10)."""
    mobility = sa.mobility
    if mobility is None or not mobility.initiator:
        return []
    return [_toward(sa, host) for host in mobility.others(sa.path.remote_host)]


def answered(sa: Sa) -> None:
    """An answer came: where it did from another of the peer's addresses, that is where we go on."""
    mobility, path = sa.mobility, sa.arrived
    if mobility is not None and path.remote_host in mobility.others(sa.path.remote_host) and mobility.initiator:
        turn(sa, path)


# -- no NAT wanted


def _no_nats(sa: Sa) -> Payloads:
    """3.9: where one side knows no NAT traversal, whoever moves says which addresses must arrive."""
    if sa.nat.spoken:
        return ()
    path = sa.path
    data = whereabouts((path.local_host, path.local_port), (path.remote_host, path.remote_port))
    return (Notify(NotifyType.NO_NATS_ALLOWED, data),)


def _nat_between(sa: Sa, request: Message) -> str:
    """Where the addresses of a request are not those that it was sent with, both in words; else an empty text."""
    told, path = request.notify(NotifyType.NO_NATS_ALLOWED), sa.arrived
    if told is None or told.data == whereabouts(
        (path.remote_host, path.remote_port), (path.local_host, path.local_port)
    ):
        return ""
    return f"peer allows no NAT, and its message came along {path}, not {_shown(told.data)}"


def _shown(data: bytes) -> str:
    size = {12: 4, 36: 16}.get(len(data))
    if size is None:
        return f"{len(data)} octets that are no addresses"
    ends = [ip_address(data[:size]), ip_address(data[size : 2 * size])]
    ports = [int.from_bytes(data[at : at + 2], "big") for at in (2 * size, 2 * size + 2)]
    return f"{ends[1]}[{ports[1]}]-{ends[0]}[{ports[0]}]"
