"""What an IKEv2 SA does when time passes and nothing comes: repeat, ask whether the peer lives, keep a NAT open, end.

Deadlines are data: `deadline` says when `tick` has something to do, and both look at the same table.
"""

from collections.abc import Iterator
from functools import partial

from lab.ike.actions import Send
from lab.ike.sa import UP
from lab.ike.states import IkeState
from lab.ikev2 import followup_ke, informational, rekey_child, rekey_ike, roaming
from lab.ikev2.engine import Engine
from lab.ikev2.sa import Sa

# One octet, sent only by the side behind a NAT and only when nothing else was (RFC 3948 2.3, RFC 7296 2.23).
NAT_KEEPALIVE = b"\xff"


def deadline(engine: Engine) -> float | None:
    """The earliest time at which `tick` has something to do for this SA."""
    return min((due for _, due in _deadlines(engine)), default=None)


def tick(engine: Engine) -> None:
    """Do what is due."""
    sa = engine.sa
    due = {what for what, when in _deadlines(engine) if when <= sa.host.now}
    if "half-open" in due:
        sa.fail(f"peer did not go on after {sa.stage}")
        return
    if "retransmit" in due:
        engine.tick()
    if "liveness" in due and engine.idle and sa.alive:
        sa.start(roaming.liveness)
    if "later" in due and sa.alive:
        ready = [plan for when, plan in sa.later if when <= sa.host.now]
        sa.later = [entry for entry in sa.later if entry[0] > sa.host.now]
        for plan in ready:
            sa.start(plan)
    if "followup" in due:
        followup_ke.expire(sa)
    if "fade" in due and sa.alive:
        sa.fade()
    if "lifetime" in due and sa.alive:
        _lifetimes(sa)
    if "keepalive" in due and sa.alive:
        sa.last_sent = sa.host.now
        sa.host.act(Send(NAT_KEEPALIVE, sa.path))


def _deadlines(engine: Engine) -> Iterator[tuple[str, float]]:
    """What will be due and when, as long as nothing happens before."""
    sa, settings = engine.sa, engine.sa.host.config.settings
    if not sa.alive:
        return
    repeat = engine.deadline()
    if repeat is not None:
        yield "retransmit", repeat
    if sa.state is IkeState.CONNECTING and not sa.initiator:
        yield "half-open", sa.created_at + settings.half_open_timeout
    yield from (("later", when) for when, _ in sa.later)
    yield from (("followup", series.due) for series in sa.followups.values())
    yield from (("fade", when) for when, _ in sa.fading)
    if sa.state in UP:
        yield from (("lifetime", when) for when in _ends(sa))
        if sa.connection.dpd_delay and engine.idle and sa.state is IkeState.ESTABLISHED:
            yield "liveness", sa.last_heard + sa.connection.dpd_delay
        if sa.nat.local and settings.keep_alive:
            yield "keepalive", sa.last_sent + settings.keep_alive


def _ends(sa: Sa) -> Iterator[float]:
    """When the IKE SA or a child is to be rekeyed, or is at its end; what was begun has no time any more."""
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
            sa.start(partial(informational.delete_child, child=child, reason="its lifetime is over"))
        elif child.rekey_at is not None and child.rekey_at <= now:
            child.rekey_at = None
            sa.start(partial(rekey_child.initiator, old=child))
    if sa.redundant and sa.expire_at is not None and sa.expire_at <= now:
        sa.close("redundant")
    elif sa.expire_at is not None and sa.expire_at <= now:
        sa.expire_at = sa.rekey_at = None
        sa.start(partial(informational.delete_ike, reason="its lifetime is over"))
    elif sa.rekey_at is not None and sa.rekey_at <= now:
        sa.rekey_at = None
        sa.start(rekey_ike.initiator)
