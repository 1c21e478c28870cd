"""The order in which datagrams were sent, also where a virtual clock gives many of them the same time.

In virtual time a whole handshake can happen at one instant, and the capture file mixes the capture points. But each
capture point saw its frames in the right order. So flights of one instant are sorted such that no capture point is
contradicted; where that leaves a choice, or two datagrams crossed in the network, the file decides.
"""

from collections.abc import Iterable, Mapping, Sequence
from heapq import heapify, heappop, heappush
from itertools import pairwise

from lab.evidence.datagram import Sighting
from lab.evidence.flights import Flight


def in_order(found: Iterable[Flight], sightings: Sequence[Sighting]) -> list[Flight]:
    """Flights by the time they were sent; `sightings` as they stand in the capture."""
    numbers = {id(sighting): number for number, sighting in enumerate(sightings)}
    groups: dict[int, list[Flight]] = {}
    for flight in found:
        groups.setdefault(flight.sent_ns, []).append(flight)
    ordered: list[Flight] = []
    for instant in sorted(groups):
        group = sorted(groups[instant], key=lambda flight: min(numbers[id(s)] for s in flight.sightings))
        ordered += group if len(group) == 1 else _untangle(group, _before(group, instant, numbers))
    return ordered


def _before(group: Sequence[Flight], instant: int, numbers: Mapping[int, int]) -> list[set[int]]:
    """For each flight of an instant those that some capture point saw just before it."""
    seen: dict[str, list[tuple[int, int]]] = {}
    for index, flight in enumerate(group):
        for sighting in flight.sightings:
            if sighting.first_ns == instant:
                seen.setdefault(sighting.point, []).append((numbers[id(sighting)], index))
    before: list[set[int]] = [set() for _ in group]
    for events in seen.values():
        for (_, earlier), (_, later) in pairwise(sorted(events)):
            if earlier != later:
                before[later].add(earlier)
    return before


def _untangle(group: Sequence[Flight], before: Sequence[set[int]]) -> list[Flight]:
    """A topological sort that prefers the order of the group and survives contradictions."""
    after: list[list[int]] = [[] for _ in group]
    for later, earlier in enumerate(before):
        for index in earlier:
            after[index].append(later)
    missing = [len(earlier) for earlier in before]
    left = dict.fromkeys(range(len(group)))
    ready = [index for index in left if not missing[index]]
    heapify(ready)
    ordered = []
    while left:
        index = heappop(ready) if ready else next(iter(left))
        if index not in left:
            continue
        del left[index]
        ordered.append(group[index])
        for later in after[index]:
            missing[later] -= 1
            if missing[later] == 0:
                heappush(ready, later)
    return ordered
