"""Where the nodes of a drawing stand: in columns by their distance from one end of the longest way.

The topologies of this lab are chains, stars and small trees; for them this gives straight lines and no crossing.
"""

from collections import defaultdict
from dataclasses import dataclass

from lab.emulation.topology import Topology


@dataclass(frozen=True, slots=True)
class Place:
    """A node's column from the left and its row in that column; rows may be halves, to stand between two others."""

    column: int
    row: float


def places(topology: Topology) -> dict[str, Place]:
    """A place for each node."""
    distance = _distances(topology, _start(topology))
    columns: dict[int, list[str]] = defaultdict(list)
    for node in topology.nodes:
        columns[distance[node]].append(node)
    tallest = max(map(len, columns.values()))
    return {
        node: Place(column, (tallest - len(nodes)) / 2 + row)
        for column, nodes in columns.items()
        for row, node in enumerate(nodes)
    }


def _start(topology: Topology) -> str:
    """An end of the longest way; of its two ends the one that the file names first."""
    reach = {node: max(_distances(topology, node).values()) for node in topology.nodes}
    return next(node for node in topology.nodes if reach[node] == max(reach.values()))


def _distances(topology: Topology, start: str) -> dict[str, int]:
    distance = {start: 0}
    waiting = [start]
    for node in waiting:  # grows while it is walked
        for end in topology.at(node):
            if end.peer not in distance:
                distance[end.peer] = distance[node] + 1
                waiting.append(end.peer)
    return distance
