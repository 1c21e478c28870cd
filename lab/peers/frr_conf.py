"""What ospfd is told: the text of ospfd.conf.

Rules: only what a scenario can vary is a field; the rest is what a lab wants of any OSPF router (RFC 2328). `FAST` is
for real time: without `prompt` ospfd holds back what follows a change, for up to 10 s.
"""

from dataclasses import dataclass

CONF = "ospfd.conf"


@dataclass(frozen=True, slots=True)
class Timers:
    """Seconds of RFC 2328 9.1 and C.3; `prompt` lets changes be told and routes be computed at once."""

    hello: int = 10
    dead: int = 40
    retransmit: int = 5
    prompt: bool = False


DEFAULT = Timers()
FAST = Timers(hello=1, dead=4, retransmit=3, prompt=True)


@dataclass(frozen=True, slots=True)
class Link:
    """An interface that OSPF runs on; a passive one is told of and has no neighbours."""

    interface: str
    cost: int = 10
    passive: bool = False


@dataclass(frozen=True, slots=True)
class Router:
    """One OSPF router, all of it in area 0."""

    router_id: str
    links: tuple[Link, ...]
    timers: Timers = DEFAULT


# What follows a change without delay: SPF after 10 ms, LSAs as often as they change (RFC 2328 B: MinLSInterval).
_PROMPT = (" timers throttle spf 10 50 500", " timers throttle lsa all 0", " timers lsa min-arrival 0")


def ospfd_conf(router: Router, hostname: str) -> str:
    """The configuration of one router."""
    lines = [f"hostname {hostname}", "router ospf", f" ospf router-id {router.router_id}"]
    lines += [*(_PROMPT if router.timers.prompt else ()), " log-adjacency-changes detail"]
    for link in router.links:
        lines += [f"interface {link.interface}", " ip ospf area 0", f" ip ospf cost {link.cost}"]
        lines += [" ip ospf passive"] if link.passive else _neighbourly(router.timers)
    return "\n".join(lines) + "\n"


def _neighbourly(timers: Timers) -> list[str]:
    """A link with a neighbour at its other end, and only one: no designated router is elected."""
    return [
        " ip ospf network point-to-point",
        f" ip ospf hello-interval {timers.hello}",
        f" ip ospf dead-interval {timers.dead}",
        f" ip ospf retransmit-interval {timers.retransmit}",
    ]
