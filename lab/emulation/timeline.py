"""The life of a NAT box's mappings: from its connections, one entry for everything that happened to a mapping.

A mapping (RFC 4787 section 2) is an inside and an outside name of one client; connections that have both in common and
follow each other without a gap are one. Its entries:

    created     the first packet made it                       changed    ... and the client was known by another name
    expired     its last connection timed out                  forgotten  the box dropped it: rebound, or rebooted

Beside these stand what was done to the box: `rebound`, `rebooted`, `timeout`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from lab.emulation.mappings import Connection

_NS = 10**9
# What was done to a box comes before what followed from it.
_ORDER = ("rebound", "rebooted", "timeout", "expired", "forgotten", "created", "changed")


@dataclass(slots=True)
class Mapping:
    """A mapping's life. `ended_ns` is 0 while it lives; `before` is the outside name it took the place of."""

    node: str
    protocol: str
    inside: str
    outside: str
    began_ns: int
    ended_ns: int
    forgotten: bool
    seen_by: list[str] = field(default_factory=list)
    before: str = ""

    def entries(self) -> list[dict[str, Any]]:
        """Its beginning, and its end if it has ended."""
        named = {"node": self.node, "protocol": self.protocol, "inside": self.inside, "outside": self.outside}
        begin = {"t": self.began_ns / _NS, "event": "changed" if self.before else "created", **named}
        found = [{**begin, **({"before": self.before} if self.before else {}), "seen_by": sorted(self.seen_by)}]
        if self.ended_ns:
            event = "forgotten" if self.forgotten else "expired"
            found.append({"t": self.ended_ns / _NS, "event": event, **named})
        return found


def mappings(connections: Iterable[Connection]) -> list[Mapping]:
    """The mappings that these connections made, in the order of their beginnings."""
    found: list[Mapping] = []
    for one in sorted(connections, key=lambda one: one.began_ns):
        same = [m for m in found if _names(m) == _names(one) and (not m.ended_ns or m.ended_ns >= one.began_ns)]
        if same:
            _extend(same[-1], one)
        else:
            before = _former(found, one)
            found.append(Mapping(*_names(one), one.began_ns, one.ended_ns, one.forgotten, [one.remote], before))
    return found


def _names(one: Connection | Mapping) -> tuple[str, str, str, str]:
    return one.node, one.protocol, one.inside, one.outside


def _extend(mapping: Mapping, one: Connection) -> None:
    if one.remote not in mapping.seen_by:
        mapping.seen_by.append(one.remote)
    if mapping.ended_ns and (not one.ended_ns or one.ended_ns > mapping.ended_ns):
        mapping.ended_ns, mapping.forgotten = one.ended_ns, one.forgotten


def _former(found: Sequence[Mapping], one: Connection) -> str:
    """The outside name by which this remote knew the client last, where it was another one."""
    known = [m for m in found if _names(m)[:3] == _names(one)[:3] and one.remote in m.seen_by]
    return known[-1].outside if known and known[-1].outside != one.outside else ""


def timeline(connections: Iterable[Connection], done: Iterable[dict[str, Any]] = ()) -> list[dict[str, Any]]:
    """The entries of all mappings, and what was done to the boxes (entries with `t`, `event` and `node`), by time."""
    entries = [*done, *(entry for mapping in mappings(connections) for entry in mapping.entries())]
    return sorted(entries, key=lambda entry: (entry["t"], _ORDER.index(entry["event"])))
