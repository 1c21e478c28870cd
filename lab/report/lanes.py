"""The lanes of a ladder: the nodes on the path from left to right, and which stretch each capture point looks at.

Rules of this file: gateways and NAT boxes have lanes, routers and inner hosts have none. A stretch is what lies between
two neighbouring lanes; its number is that of the lane on its left.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from lab.report import facts
from lab.report.facts import Facts
from lab.report.ladder import Hop, Message


@dataclass(frozen=True, slots=True)
class Lanes:
    """Names from left to right; `taps` says for a capture point (`node:iface`) which stretch it sees.

    `kinds` are those of the topology (`gateway`, `nat`, `router`, `host`), as far as they are known.
    """

    names: tuple[str, ...]
    taps: dict[str, int]
    kinds: dict[str, str] = field(default_factory=dict)

    def ends(self, message: Message) -> tuple[int, int]:
        """The lanes of sender and receiver; whoever is unknown stands at the edge that is free."""
        return self.place(message.sender, message.receiver)

    def place(self, sender: str, receiver: str) -> tuple[int, int]:
        """The lanes of two nodes."""
        last = len(self.names) - 1
        start = self.names.index(sender) if sender in self.names else 0
        end = self.names.index(receiver) if receiver in self.names else last
        return start, end if end != start else (0 if start else last)

    def stretch(self, hop: Hop) -> int | None:
        """The stretch that a sighting was made on, if that is known."""
        if hop.point in self.taps:
            return self.taps[hop.point]
        if hop.node == self.names[0]:
            return 0
        return len(self.names) - 2 if hop.node == self.names[-1] else None


def find(messages: Sequence[Message], topology: Facts) -> Lanes:
    """Gateways and NATs on the path through the topology; without one, whoever sent and received."""
    seen = list(dict.fromkeys(name for one in messages for name in (one.sender, one.receiver)))
    path = _path(topology)
    names = [name for name in path if name in seen or _kind(topology, name) == "nat"]
    if len(names) < 2 or not all(name in names for name in seen):
        names, path = seen, []
    return Lanes(tuple(names), _taps(topology, path, names), {name: _kind(topology, name) for name in names})


def _taps(topology: Facts, path: Sequence[str], names: Sequence[str]) -> dict[str, int]:
    """The capture points of all links on the path."""
    found: dict[str, int] = {}
    stretch = -1
    links = list(facts.table(topology, "links").values())
    for near, far in pairwise(path):
        stretch += near in names
        for link in links:
            ends = facts.table(link, "ends")
            if set(ends) == {near, far}:
                found |= {f"{name}:{facts.text(end, 'interface')}": stretch for name, end in ends.items()}
    return found


def _kind(topology: Facts, name: str) -> str:
    return facts.text(facts.table(topology, "nodes").get(name), "kind")


def _path(topology: Facts) -> list[str]:
    """All nodes on the shortest path between the first and the last gateway."""
    gateways = [name for name in facts.table(topology, "nodes") if _kind(topology, name) == "gateway"]
    if len(gateways) < 2:
        return []
    links = [list(facts.table(link, "ends")) for link in facts.table(topology, "links").values()]
    ways, visited = [[gateways[0]]], {gateways[0]}
    for way in ways:
        if way[-1] == gateways[-1]:
            return way
        for name in (name for link in links if way[-1] in link for name in link):
            if name not in visited:
                visited.add(name)
                ways.append([*way, name])
    return []
