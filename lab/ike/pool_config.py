"""The section `pools { NAME { addrs dns subnet } }` of swanctl.conf: what a responder may give away."""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from lab.ike import options
from lab.ike.pool import Span
from lab.ike.swanctl import Section


@dataclass(frozen=True, slots=True)
class PoolConfig:
    """`pools.NAME { }`: the addresses, and the name servers and networks that go with each of them."""

    name: str
    addrs: Span
    dns: tuple[IPv4Address | IPv6Address, ...] = ()
    subnet: tuple[IPv4Network | IPv6Network, ...] = ()


_POOL: dict[str, options.Reader] = {"addrs": Span.parse, "dns": options.hosts, "subnet": options.networks}


def pools(section: Section) -> dict[str, PoolConfig]:
    """All pools by name; ConfigError names file, line and key."""
    options.read(section, {}, (".*",))
    return {name: _pool(inner) for name, inner in section.sections.items()}


def _pool(section: Section) -> PoolConfig:
    values = options.read(section, _POOL)
    if "addrs" not in values:
        raise section.error("addrs = 10.3.0.0/24 or addrs = 10.3.0.1-10.3.0.9 is needed")
    return PoolConfig(section.name, **values)  # type: ignore[arg-type]


def known(section: Section, known: dict[str, PoolConfig]) -> tuple[PoolConfig, ...]:
    """The pools that a connection names; one that is not there is a ConfigError."""
    named = section.values.get("pools")
    names = named.items if named else []
    for name in names:
        if name not in known:
            raise section.error(f"no pool is called {name!r}; there are: {', '.join(known) or 'none'}", "pools")
    return tuple(known[name] for name in names)
