"""What an ISAKMP SA does when time passes and nothing comes: repeat, ask whether the peer lives, rekey, end.

Deadlines are data: `deadline` says when `tick` has something to do, and both look at the same table.
"""

from collections.abc import Iterator
from functools import partial

from lab.ike.actions import Send
from lab.ike.sa import UP
from lab.ike.states import IkeState
from lab.ikev1 import explain, informational, mode_config, quick_mode, succession
from lab.ikev1.engine import Engine
from lab.ikev1.sa import Sa
from lab.wire.ids_v1 import ExchangeType1

# One octet, sent only by the side behind a NAT and only when nothing else was (RFC 3948 2.3).
NAT_KEEPALIVE = b"\xff"


def deadline(engine: Engine) -> float | None:
    """The earliest time at which `tick` has something to do for this SA."""
    return min((due for _, due in _deadlines(engine)), default=None)


def tick(engine: Engine) -> None:
    """Do what is due."""
    sa = engine.sa
    now = sa.host.now
    due = {what for what, when in _deadlines(engine) if when <= now}
    if "half-open" in due:
        sa.fail(f"peer did not go on after {sa.stage}" + (", XAUTH is not over" if sa.waits_for_xauth else ""))
        return
    if "unconfigured" in due:
        mode_config.give_up(sa, "peer pushes no virtual address, and connection says pull = no")
    if "repeat" in due:
        engine.tick()
    if "ask" in due and sa.alive:
        _ask(sa)
    if "switch" in due and sa.alive:
        sa.switch([entry for entry in sa.switching if entry.due <= now])
    if "fade" in due and sa.alive:
        sa.fade()
    if "lifetime" in due and sa.alive:
        _lifetimes(sa)
    if "keepalive" in due and sa.alive:
        sa.last_sent = now
        sa.host.act(Send(NAT_KEEPALIVE, sa.path))


def _ask(sa: Sa) -> None:
    """One more R-U-THERE, or none any more."""
    settings = sa.host.config.settings
    if sa.dpd.due is not None and sa.dpd.hopeless(settings):
        sa.dead = True
        sa.close(explain.silence(ExchangeType1.INFORMATIONAL, f"{sa.dpd.asked} times"))
        return
    sa.start(informational.are_you_there)


def _deadlines(engine: Engine) -> Iterator[tuple[str, float]]:
    """What will be due and when, as long as nothing happens before."""
    sa, settings = engine.sa, engine.sa.host.config.settings
    if not sa.alive:
        return
    repeat = engine.deadline()
    if repeat is not None:
        yield "repeat", repeat
    if sa.state is IkeState.CONNECTING and not sa.initiator:
        yield "half-open", sa.created_at + settings.half_open_timeout
    elif sa.state is IkeState.CONNECTING and sa.over_at is not None:
        yield "half-open", sa.over_at + settings.half_open_timeout
    if sa.awaits_push and sa.established_at is not None and sa.state is IkeState.ESTABLISHED:
        yield "unconfigured", sa.established_at + settings.half_open_timeout
    if sa.heir is not None and (until := succession.lingers_until(sa)) > sa.host.now:
        yield "replaced", until
    yield from (("fade", when) for when, _ in sa.fading)
    yield from (("switch", entry.due) for entry in sa.switching)
    if sa.state in UP:
        yield from (("lifetime", when) for when in _ends(sa))
        if sa.dpd.due is not None:
            yield "ask", sa.dpd.due
        elif sa.dpd.announced and sa.connection.dpd_delay and engine.idle and sa.state is IkeState.ESTABLISHED:
            yield "ask", sa.last_heard + sa.connection.dpd_delay
        if sa.nat.local and settings.keep_alive:
            yield "keepalive", sa.last_sent + settings.keep_alive


def _ends(sa: Sa) -> Iterator[float]:
    """When the ISAKMP SA or a child is to be rekeyed, or is at its end; what was begun has no time any more."""
    times = [sa.rekey_at, sa.expire_at]
    for child in sa.children.values():
        times += [child.rekey_at, child.expire_at]
    yield from (when for when in times if when is not None)


def _lifetimes(sa: Sa) -> None:
    """Rekey and delete what is due; each time counts once."""
    now = sa.host.now
    for child in list(sa.children.values()):
        if child.expire_at is not None and child.expire_at <= now:
            child.expire_at = child.rekey_at = None
            child.successor = child.successor or sa.stand_in(child)
            sa.start(partial(informational.delete_child, child=child, reason="its lifetime is over"))
        elif child.rekey_at is not None and child.rekey_at <= now:
            child.rekey_at = None
            if not sa.redundant(child):
                sa.start_quick_mode(partial(quick_mode.initiator, config=child.config, old=child))
    if sa.expire_at is not None and sa.expire_at <= now:
        sa.expire_at = sa.rekey_at = None
        informational.end(sa, "its lifetime is over")
    elif sa.rekey_at is not None and sa.rekey_at <= now:
        sa.rekey_at = None
        sa.wants_heir = True
