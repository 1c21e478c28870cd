"""What an IKEv2 SA does when time passes and nothing comes: repeat, ask whether the peer lives, keep a NAT open, end.

Deadlines are data: `deadline` says when `tick` has something to do, and both look at the same table.
"""

from collections.abc import Iterator

from lab.ike.actions import Send
from lab.ike.sa import UP
from lab.ike.states import IkeState
from lab.ikev2 import informational
from lab.ikev2.engine import Engine

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
        sa.start(informational.liveness(sa))
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
    if sa.state in UP:
        if sa.connection.dpd_delay and engine.idle:
            yield "liveness", sa.last_heard + sa.connection.dpd_delay
        if sa.nat.local and settings.keep_alive:
            yield "keepalive", sa.last_sent + settings.keep_alive
