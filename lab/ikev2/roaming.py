"""Which path an IKE SA with MOBIKE takes: after what the system says of our addresses, and after what is answered.

    our addresses or routes change    roam       the system's choice, or another address of the peer's
    a request is not answered         others     it is repeated to all addresses of the peer's (RFC 4555 3.10)
    an answer came from elsewhere     answered   that is where we go on
    nothing came for a while          liveness   also whether the mapping of our NAT is still the one of before (3.8)

The peer's own moves are in mobike.py; without MOBIKE an authenticated message alone is enough (`follows`).
"""

from collections.abc import Mapping
from dataclasses import replace

from lab.ike.path import Path
from lab.ike.sa import UP
from lab.ikev2 import informational, nat_detection
from lab.ikev2.exchange import Exchange, Request
from lab.ikev2.mobike import own, plan, seen, stands_for, tell, turn
from lab.ikev2.mobility import Mobility, toward
from lab.ikev2.sa import Sa
from lab.wire.ids import ExchangeType


def roam(sa: Sa, sources: Mapping[str, str]) -> None:
    """Go on where the system can reach the peer now.

    `sources` are addresses of ours from which it would send, by addresses of the peer's; those of `host.addresses` are
    all that we have.
    """
    mobility = sa.mobility
    if mobility is None or sa.state not in UP or sa.replaced or sa.redundant:
        return
    mobility.refused.clear()
    path = _way(sa, mobility, sources)
    if path is None:
        sa.host.trace.emit("note", f"{sa.life.subject}: no way to {sa.path.remote_host} now, waiting for one")
    elif path != sa.path:
        turn(sa, path)
    elif mobility.told != own(sa):
        plan(sa, mobility)


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
            return replace(toward(sa.path, host, floated=sa.nat.spoken), local_host=source)
    return None


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
        if mobility.seen != (sa.spi, seen(answer)) and stands_for(sa).alive:
            turn(stands_for(sa), sa.path)


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
    return [toward(sa.path, host, floated=sa.nat.spoken) for host in mobility.others(sa.path.remote_host)]


def answered(sa: Sa) -> None:
    """An answer came: where it did from another of the peer's addresses, that is where we go on."""
    mobility, path = sa.mobility, sa.arrived
    if mobility is None or sa.replaced or not mobility.initiator:
        return
    if path.remote_host in mobility.others(sa.path.remote_host):
        turn(sa, path)
