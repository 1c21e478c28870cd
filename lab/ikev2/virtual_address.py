"""Virtual addresses under an IKE SA: who asks, who lends, and what follows from it (RFC 7296 2.19, 3.15.4).

    HDR, SK {IDi, AUTH, CP(CFG_REQUEST), SAi2, TSi, TSr}  -->
                             <--  HDR, SK {IDr, AUTH, CP(CFG_REPLY), SAr2, TSi, TSr}
                             or   HDR, SK {IDr, AUTH, N(INTERNAL_ADDRESS_FAILURE)}      no address is free
                             or   HDR, SK {IDr, AUTH, N(FAILED_CP_REQUIRED)}            none was asked for

Neither failure costs the IKE SA. An initiator that got no address asks again with the next child that it makes; a
responder also answers where it is asked in an INFORMATIONAL. Nothing is lent before the peer is authenticated.
"""

from ipaddress import ip_address

from lab.errors import ProtocolError
from lab.ike.pool import Pool
from lab.ikev2 import configuration
from lab.ikev2.child_sa import Refusal
from lab.ikev2.configuration import Address, Configuration
from lab.ikev2.exchange import Payloads
from lab.ikev2.sa import Sa
from lab.wire.ids import NotifyType
from lab.wire.message import Message
from lab.wire.payloads_v2 import CP, SA


def ask(sa: Sa) -> Payloads:
    """CP(CFG_REQUEST), where we want virtual addresses and have none yet."""
    return (configuration.request(sa.connection.vips),) if sa.wants_address else ()


def take(sa: Sa, answer: Message) -> Refusal | None:
    """The addresses of the answer are ours from now on; a refusal where it gives none and does not say why."""
    if not sa.wants_address:
        return None
    reply = answer.get(CP)
    if reply is None and answer.error:
        return None
    try:
        given = configuration.read(configuration.request(sa.connection.vips), reply)
        _check(sa, given.addresses)
    except ProtocolError as error:
        return Refusal(error.reason, NotifyType.INTERNAL_ADDRESS_FAILURE)
    sa.given(given.addresses)
    told = {"addresses": given.addresses, "dns": given.dns, "subnets": given.subnets}
    sa.host.tell(
        "configured", **sa.named(), **{name: [str(value) for value in values] for name, values in told.items()}
    )
    return None


def _check(sa: Sa, addresses: tuple[Address, ...]) -> None:
    """An end of the IKE SA cannot be an address inside it: its packets would go round in a circle."""
    ends = {ip_address(sa.path.local_host), ip_address(sa.path.remote_host)}
    if wrong := ends & set(addresses):
        raise ProtocolError(f"peer's CFG_REPLY gives {wrong.pop()}, which is an end of this IKE SA")


def lend(sa: Sa, request: Message) -> Payloads | Refusal:
    """The responder's answer to CP, nothing where none is due; the lease is the SA's until it ends."""
    cp = request.get(CP)
    wanted = configuration.asked(cp) if cp else ()
    if cp is None or not wanted:
        missing = sa.virtual.lends and not sa.virtual.remote and request.get(SA) is not None
        return _missing(sa) if missing else ()
    leases = _leases(sa, wanted)
    if not leases:
        return Refusal(_none_left(sa, wanted), NotifyType.INTERNAL_ADDRESS_FAILURE)
    sa.virtual.remote = tuple(leases)
    pools = [pool for pool in sa.connection.pools if any(address in pool.addrs for address in leases)]
    dns = dict.fromkeys(address for pool in pools for address in pool.dns)
    subnets = dict.fromkeys(net for pool in pools for net in pool.subnet)
    return (configuration.reply(cp, Configuration(tuple(leases), tuple(dns), tuple(subnets))),)


def _leases(sa: Sa, wanted: tuple[Address, ...]) -> dict[Address, None]:
    """For each address that is wanted the first pool of its family that has one; a pool has one for each IKE SA."""
    identity = sa.user or sa.remote_id
    assert identity is not None, "nothing is lent before the peer is authenticated"
    found: dict[Address, None] = {}
    for asked in wanted:
        particular = None if asked.is_unspecified else asked
        pools = (pool for pool in _pools(sa) if pool.span.first.version == asked.version)
        leases = (pool.lease(identity, sa.number, particular) for pool in pools)
        lease = next((lease for lease in leases if lease is not None), None)
        if lease is not None:
            found[lease] = None
    return found


def _pools(sa: Sa) -> list[Pool]:
    return [sa.host.pools[pool.name] for pool in sa.connection.pools]


def _missing(sa: Sa) -> Refusal:
    names = ", ".join(pool.name for pool in sa.connection.pools)
    reason = f"peer asks for no virtual address; connection {sa.connection.name} takes only peers with one of {names}"
    return Refusal(reason, NotifyType.FAILED_CP_REQUIRED)


def _none_left(sa: Sa, wanted: tuple[Address, ...]) -> str:
    families = " or ".join(f"IPv{version}" for version in sorted({address.version for address in wanted}))
    pools = ", ".join(
        f"{name} {pool.span.first}-{pool.span.last}: {len(pool.holders)} taken"
        for name, pool in zip((pool.name for pool in sa.connection.pools), _pools(sa), strict=True)
    )
    return f"no virtual {families} address is left for {sa.remote_id} (pools: {pools or 'none'})"
