"""A gateway sends its client to another gateway (RFC 5685), in both roles and at each of the three times.

    HDR, SAi1, KEi, Ni, N(REDIRECT_SUPPORTED)  -->
                                               <--  HDR(A,0), N(REDIRECT, gateway, Ni)             no keys, no state
    HDR, SK {IDi, AUTH, SAi2, TSi, TSr}        -->
                                               <--  HDR, SK {IDr, AUTH, N(REDIRECT, gateway)}      no child
    HDR, SK {}                                 -->
                                               <--  HDR, SK {N(REDIRECT, gateway)}                 at any later time

The client begins anew with that gateway, says REDIRECTED_FROM in place of REDIRECT_SUPPORTED, and verifies whom it
finds there by the same connection: a redirection gives nobody a right. From IKE_AUTH on it deletes the IKE SA that it
leaves, in mid-session not before the new one carries its child. Five times in 300 seconds are a loop (7).

Settings: `redirect_to` and `redirect_in` of a connection of the gateway, `follow_redirects` of the client.
"""

from collections.abc import Generator, Iterator
from dataclasses import replace
from functools import partial
from ipaddress import ip_address

from lab.errors import ProtocolError
from lab.ike.config import Child
from lab.ike.host import Detour
from lab.ike.path import Path
from lab.ike.sa import UP
from lab.ike.states import IkeState
from lab.ikev2 import informational
from lab.ikev2.exchange import Exchange, Payloads, Request
from lab.ikev2.sa import Sa
from lab.wire.gateway import Gateway
from lab.wire.ids import ExchangeType, NotifyType, ProtocolId
from lab.wire.message import Message
from lab.wire.payloads_v2 import Auth, Delete, Notify

MOST, PERIOD = 5, 300.0

# -- the client


def _follows(sa: Sa) -> bool:
    return sa.host.config.settings.follow_redirects


def wish(sa: Sa) -> Payloads:
    """What IKE_SA_INIT says: that we follow, and from where if somebody sent us (3)."""
    if not _follows(sa):
        return ()
    if sa.redirected_from:
        return (Notify(NotifyType.REDIRECTED_FROM, Gateway.parse(sa.redirected_from).encode()),)
    return (Notify(NotifyType.REDIRECT_SUPPORTED),)


def no_answer(sa: Sa, answer: Message) -> str:
    """Why a REDIRECT in clear is not for us, in words; empty where it may be, or where there is none."""
    told = answer.notify(NotifyType.REDIRECT)
    if told is None:
        return ""
    if not _follows(sa):
        return "REDIRECT, although we did not say that we follow one"
    try:
        gateway = Gateway.decode(told.data)
    except ProtocolError as error:
        return f"REDIRECT: {error.reason}"
    return "" if gateway.nonce == sa.ni else "REDIRECT without the nonce of our request"


def before_keys(sa: Sa, answer: Message) -> bool:
    """Whether the answer of IKE_SA_INIT sends us elsewhere: then this SA has ended (3); ProtocolError in a loop."""
    told = answer.notify(NotifyType.REDIRECT)
    if told is None:
        return False
    gateway = Gateway.decode(told.data)
    if refusal := _set_out(sa, gateway, _goal(sa)):
        raise ProtocolError(refusal)
    sa.close(f"redirected to {gateway}")
    return True


def from_auth(sa: Sa, answer: Message) -> Generator[Request, Message, bool]:
    """Whether an answer of IKE_AUTH, whose AUTH is verified, sends us elsewhere; the SA is deleted then (6)."""
    told = answer.notify(NotifyType.REDIRECT) if answer.get(Auth) else None
    if told is None:
        return False
    gateway = Gateway.decode(told.data)
    if refusal := _set_out(sa, gateway, _goal(sa)):
        sa.refuse(refusal)
    else:
        sa.life.become(IkeState.DELETING)
    yield Request(ExchangeType.INFORMATIONAL, (Delete(ProtocolId.IKE),))
    if sa.alive:
        sa.close(f"redirected to {gateway}")
    return True


def in_session(sa: Sa, request: Message) -> None:
    """The gateway of an SA that is up sends us elsewhere (5); the answer is empty, whatever we make of it."""
    told = request.notify(NotifyType.REDIRECT)
    if told is None or sa.redirected:
        return
    if not sa.client or not _follows(sa):
        why = "we did not say that we follow one" if sa.client else "it is we who are the gateway"
        sa.host.trace.drop(f"REDIRECT, although {why}")
        return
    try:
        gateway = Gateway.decode(told.data)
    except ProtocolError as error:
        sa.host.trace.drop(f"REDIRECT: {error.reason}")
        return
    children = {child.config.name: child.config for child in sa.children.values() if child.up}
    if refusal := _set_out(sa, gateway, tuple(children.values())):
        sa.failed(refusal, stage="INFORMATIONAL", asked=False)
    elif not children:
        sa.start(partial(informational.delete_ike, reason=f"redirected to {gateway}"))


def arrived(sa: Sa) -> None:
    """The IKE SA elsewhere is up: the one that it stands for goes (5)."""
    old = sa.instead_of
    while old is not None and old.heir is not None:  # rekeyed meanwhile
        old = old.heir
    if old is not None and old.state in UP:
        old.start(partial(informational.delete_ike, reason=f"redirected to {sa.path.remote_host}"))
    sa.instead_of = None


def _goal(sa: Sa) -> tuple[Child, ...]:
    return (sa.connection.children[sa.goal],) if sa.goal else ()


def _set_out(sa: Sa, gateway: Gateway, children: tuple[Child, ...]) -> str:
    """Have an IKE SA begun with another gateway; why not, in words, where it cannot be."""
    now = sa.host.now
    if not _follows(sa):
        return f"peer redirects us to {gateway}, and `follow_redirects = no`"
    recent = tuple(at for at in sa.redirects if now - at < PERIOD)
    if len(recent) >= MOST:
        return f"peer redirects us to {gateway}, and that is once more than {MOST} times in {PERIOD:g} s: a loop"
    path = next(_paths(sa, gateway), None)
    if path is None:
        return f"peer redirects us to {gateway}, for which we have no address"
    sa.redirects, sa.redirected = (*recent, now), True
    sa.host.tell("redirected", **sa.named(), gateway=str(gateway), path=str(path))
    if children:
        sa.host.detours.append(Detour(sa, path, children))
    return ""


def _paths(sa: Sa, gateway: Gateway) -> Iterator[Path]:
    """The ways to a gateway: from where we are, or else from an address of the right family."""
    config = sa.connection
    written = (host for host in config.local_addrs if "/" not in host)
    ours = (sa.path.local_host, *written, *sa.host.local)
    for there in sa.host.resolve(gateway.name) if gateway.name else (str(gateway),):
        for here in ours:
            if ip_address(here).version == ip_address(there).version:
                yield Path(here, config.local_port, there, config.remote_port)


# -- the gateway


def heard(sa: Sa, request: Message) -> None:
    """Keep whether the client follows; whoever tells from where it was sent says so too (3)."""
    sa.peer_follows = request.notify(NotifyType.REDIRECT_SUPPORTED) is not None or _origin(request) is not None


def _origin(request: Message) -> Gateway | None:
    """Who sent the client to us; None where nobody did, or it cannot be read."""
    told = request.notify(NotifyType.REDIRECTED_FROM)
    try:
        return Gateway.decode(told.data) if told else None
    except ProtocolError:
        return None


def _due(sa: Sa, when: str) -> Gateway | None:
    """Where the client is to go at this time, if it follows and is not there already."""
    gateway = sa.connection.redirect_to if sa.peer_follows and sa.connection.redirect_in == when else None
    return None if gateway is not None and str(gateway) == sa.path.local_host else gateway


def instead_of_keys(sa: Sa, request: Message, ni: bytes) -> None:
    """Raise ProtocolError (REDIRECT), to be answered in clear and with no state, where the client is to go at once.

    One that comes from the very gateway that we would name stays: else the two would play ball with it.
    """
    gateway = _due(sa, "ike_sa_init")
    if gateway is not None and _origin(request) != gateway:
        data = replace(gateway, nonce=ni).encode()
        raise ProtocolError(f"redirected to {gateway}", NotifyType.REDIRECT, data)


def instead_of_child(sa: Sa) -> Payloads:
    """What the last answer of IKE_AUTH says in place of a child, empty where the client may stay (6)."""
    gateway = _due(sa, "ike_auth")
    if gateway is None:
        return ()
    _expect_end(sa, gateway)
    return (Notify(NotifyType.REDIRECT, gateway.encode()),)


def unfit(sa: Sa) -> str:
    """Why the peer of an SA that is up cannot be redirected, in words; empty where it can."""
    if sa.client:
        return f"we are the client of IKE SA {sa.number}: only a gateway redirects"
    return "" if sa.peer_follows else f"the peer of IKE SA {sa.number} does not follow redirections"


def send(sa: Sa, gateway: Gateway) -> Exchange:
    """RFC 5685 5    HDR, SK {N(REDIRECT, gateway)}  -->    <--  HDR, SK {}; by command."""
    if sa.state is IkeState.ESTABLISHED:
        yield Request(ExchangeType.INFORMATIONAL, (Notify(NotifyType.REDIRECT, gateway.encode()),))
        if sa.alive:
            _expect_end(sa, gateway)


def _expect_end(sa: Sa, gateway: Gateway) -> None:
    """The client has to delete this SA; where it does not, we do."""
    reason = f"redirected to {gateway}, and the peer has not gone there"
    wait = sa.host.config.settings.half_open_timeout
    sa.start_later(partial(informational.delete_ike, reason=reason), least=wait, spread=0.0)
