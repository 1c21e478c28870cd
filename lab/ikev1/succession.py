"""An ISAKMP SA comes up, and takes over from the one that it replaces: IKEv1 has no other way of rekeying it."""

from lab.ike.sa import UP
from lab.ikev1 import mode_config
from lab.ikev1.sa import Sa

# Seconds within which two phases 1 of opposite roles count as begun at the same time.
AT_ONCE = 60.0
# Seconds for which an SA outlives its heir's coming up where XAUTH ended with a message of ours that nobody
# acknowledges: the peer takes the children over only with it, and a Delete that comes before takes them away.
LINGER = 10.0


def come_up(sa: Sa) -> None:
    """All that is to be proved is: apply `unique`, come up, and take over from the SA that this one replaces."""
    sa.admit(initial_contact=sa.initial_contact)
    old = _current(sa.heir_of) if sa.heir_of else None if sa.initiator else _replaced_by(sa)
    sa.established()
    if sa.initiator:
        sa.virtual.asks = sa.configuring = bool(sa.connection.vips)
    else:
        sa.virtual.lends = bool(sa.connection.pools)
    if old is not None and old.alive:
        _take_over(sa, old)
    if sa.heir is not None:
        return
    if sa.virtual.asks and sa.connection.pull:
        sa.put_first(mode_config.request)
    elif sa.virtual.lends and not sa.connection.pull:
        sa.put_first(mode_config.push)


def lingers_until(sa: Sa) -> float:
    """Until when an SA that was replaced is not to be deleted by us."""
    heir = sa.heir
    assert heir is not None, "it was replaced"
    return (heir.established_at or 0.0) + (LINGER if heir.connection.local.xauth else 0.0)


def _take_over(sa: Sa, old: Sa) -> None:
    if _made_at_once(old, sa) and old.spi_i > sa.spi_i:
        sa.hand_over(old)
    else:
        sa.heir_of = old
        old.hand_over(sa)


def _current(old: Sa) -> Sa:
    """The SA that has the children by now."""
    return next(reversed([old, *old.heirs()]))


def _made_at_once(one: Sa, other: Sa) -> bool:
    """Whether both sides authenticated anew at the same time: one of the two SAs is too many.

    IKEv1 has no rule for it. Ours needs no message: the SA with the higher initiator's cookie stays, on both sides.
    """
    since = other.host.now - (one.established_at or 0.0)
    return one.heir_of is not None and one.initiator != other.initiator and since < AT_ONCE


def _replaced_by(sa: Sa) -> Sa | None:
    """The SA that a peer which authenticates anew has with us: of the same two, from the same place, with children."""
    for other in sa.host.ike_sas.values():
        same = isinstance(other, Sa) and other is not sa and other.state in UP and other.twin_of(sa)
        if same and other.connection is sa.connection and other.path.remote_host == sa.path.remote_host:
            assert isinstance(other, Sa)
            if other.children and other.path.remote_port == sa.path.remote_port:
                return other
    return None
