"""What ospfd and zebra answer to `show ... json`, as values.

Rules: keys that are absent where there is nothing to tell mean nothing is there; an answer of another shape is a
BrokenError, because then this file is wrong and not the peer.
"""

import json
from dataclasses import dataclass
from typing import Any

from lab.errors import BrokenError

NEIGHBORS, NEIGHBORS_DETAIL = "show ip ospf neighbor json", "show ip ospf neighbor detail json"
ROUTES, TRAFFIC = "show ip route ospf json", "show ip ospf interface traffic json"
FULL = "Full"


@dataclass(frozen=True, slots=True)
class Neighbor:
    """An OSPF neighbour: `state` is the word of RFC 2328 10.1, `changes` counts its state changes so far."""

    router_id: str
    state: str
    address: str
    interface: str
    up_s: float = 0.0
    changes: int = 0


@dataclass(frozen=True, slots=True)
class Route:
    """A route that OSPF found; `installed` says whether the kernel has it. Without `via` the network is our own."""

    prefix: str
    via: str
    interface: str
    metric: int
    installed: bool


def neighbors(text: str, detail: str) -> list[Neighbor]:
    """The answers to NEIGHBORS and NEIGHBORS_DETAIL; a neighbour has one row on each interface it is seen on."""
    found, details = _rows(text), _rows(detail)
    changes = {(router, row["ifaceAddress"]): int(row["stateChangeCounter"]) for router, row in details}
    return [
        Neighbor(
            router_id=router,
            state=row["nbrState"].partition("/")[0],
            address=row["ifaceAddress"],
            interface=row["ifaceName"].partition(":")[0],
            up_s=row.get("upTimeInMsec", 0) / 1000,  # absent while no hello has started the inactivity timer
            changes=changes.get((router, row["ifaceAddress"]), 0),
        )
        for router, row in found
    ]


def _rows(text: str) -> list[tuple[str, dict[str, Any]]]:
    table = _object(text).get("neighbors", {})
    if not isinstance(table, dict):
        raise BrokenError(f"ospfd lists its neighbours in a way that is not known here: {text[:80]!r}")
    return [(router, row) for router, rows in table.items() for row in rows]


def routes(text: str) -> list[Route]:
    """The answer to ROUTES; a route with several next hops has several rows."""
    return [
        Route(
            prefix=row["prefix"],
            via=hop.get("ip", ""),
            interface=hop.get("interfaceName", ""),
            metric=row["metric"],
            installed=bool(row.get("installed")),
        )
        for rows in _object(text).values()
        for row in rows
        for hop in row["nexthops"]
    ]


def hellos_in(text: str) -> dict[str, int]:
    """The answer to TRAFFIC: how many hellos ospfd has taken, by interface."""
    return {name: int(counters["helloIn"]) for name, counters in _object(text).items()}


def _object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError as error:
        raise BrokenError(f"FRR did not answer with JSON: {text[:80]!r}") from error
    if not isinstance(found, dict):
        raise BrokenError(f"FRR did not answer with an object: {text[:80]!r}")
    return found
