"""Virtual addresses as both versions of IKE lend and take them; how request and reply travel is each one's own."""

from ipaddress import ip_address

from lab.errors import ProtocolError
from lab.ike import configuration
from lab.ike.configuration import Address, Configuration
from lab.ike.pool import Pool
from lab.ike.sa import IkeSa
from lab.wire.payloads_v2 import CP


def take(sa: IkeSa, reply: CP | None) -> None:
    """The addresses of a CFG_REPLY are ours from now on; ProtocolError where it gives none that we could use."""
    given = configuration.read(configuration.request(sa.connection.vips), reply)
    _check(sa, given.addresses)
    sa.given(given.addresses)
    told = {"addresses": given.addresses, "dns": given.dns, "subnets": given.subnets}
    sa.host.tell(
        "configured", **sa.named(), **{name: [str(value) for value in values] for name, values in told.items()}
    )


def _check(sa: IkeSa, addresses: tuple[Address, ...]) -> None:
    """An end of the IKE SA cannot be an address inside it: its packets would go round in a circle."""
    ends = {ip_address(sa.path.local_host), ip_address(sa.path.remote_host)}
    if wrong := ends & set(addresses):
        raise ProtocolError(f"peer's CFG_REPLY gives {wrong.pop()}, which is an end of this IKE SA")


def lend(sa: IkeSa, request: CP) -> CP | None:
    """CFG_REPLY with the addresses that are the peer's until this SA ends; None where none is left."""
    leases = _leases(sa, configuration.asked(request))
    if not leases:
        return None
    sa.virtual.remote = tuple(leases)
    pools = [pool for pool in sa.connection.pools if any(address in pool.addrs for address in leases)]
    dns = dict.fromkeys(address for pool in pools for address in pool.dns)
    subnets = dict.fromkeys(net for pool in pools for net in pool.subnet)
    return configuration.reply(request, Configuration(tuple(leases), tuple(dns), tuple(subnets)))


def _leases(sa: IkeSa, wanted: tuple[Address, ...]) -> dict[Address, None]:
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


def _pools(sa: IkeSa) -> list[Pool]:
    return [sa.host.pools[pool.name] for pool in sa.connection.pools]


def missing(sa: IkeSa) -> str:
    """Why a peer gets no child: it asked for no address."""
    names = ", ".join(pool.name for pool in sa.connection.pools)
    return f"peer asks for no virtual address; connection {sa.connection.name} takes only peers with one of {names}"


def none_left(sa: IkeSa, wanted: tuple[Address, ...]) -> str:
    """Why a peer gets no address."""
    families = " or ".join(f"IPv{version}" for version in sorted({address.version for address in wanted}))
    pools = ", ".join(
        f"{name} {pool.span.first}-{pool.span.last}: {len(pool.holders)} taken"
        for name, pool in zip((pool.name for pool in sa.connection.pools), _pools(sa), strict=True)
    )
    return f"no virtual {families} address is left for {sa.remote_id} (pools: {pools or 'none'})"
