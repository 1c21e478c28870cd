"""Flights: the sightings of one datagram, from its sender's tap to its receiver's.

NAT rewrites addresses and ports but not content, so content is what joins sightings. Retransmissions are equal in
content too (RFC 7296 2.1 wants them bit for bit), hence the rules:
- Every sighting at the tap of a node that sends it (and does not merely forward) begins a new flight.
- Any other sighting joins a flight of this content that was not yet seen at its capture point: the one whose time
  under way is nearest to what this stretch took before, or the latest one where nothing is known yet.
- A sighting that no flight can take is a copy made by the network: it is added to the latest flight as a duplicate.
- Keepalives all have the same content: their sightings must also share one end (no hop rewrites both).
- GRE that its receiver's tap saw and its sender's did not was never on the wire: Linux shows a packet that it took out
  of ESP once more at the interface by which the ESP came.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from lab.evidence.datagram import Sighting
from lab.evidence.places import Places
from lab.wire.pcapng import Direction

Role = Literal["departure", "arrival", "transit", "unknown"]


@dataclass(slots=True)
class Flight:
    """One datagram under way. `number` is the index of its first sighting in the capture."""

    number: int
    sightings: list[Sighting]
    sender: str
    receiver: str = ""
    arrival: Sighting | None = None
    duplicates: int = 0
    points: set[str] = field(default_factory=set)

    @property
    def first(self) -> Sighting:
        """The sighting nearest to the sender."""
        return self.sightings[0]

    @property
    def sent_ns(self) -> int:
        """When its first octet left."""
        return self.first.first_ns


def role(sighting: Sighting, places: Places) -> Role:
    """What a sighting is to the node whose tap it was made at."""
    node = sighting.node
    if places.forwards(node):
        return "transit"
    if sighting.direction == Direction.OUTBOUND or places.owner(sighting.src) == node:
        return "departure"
    if sighting.direction == Direction.INBOUND or places.owner(sighting.dst) == node:
        return "arrival"
    return "unknown"


class _Matcher:
    """Takes sightings one by one and keeps the flights."""

    def __init__(self, places: Places) -> None:
        self._places = places
        self._by_content: dict[tuple[str, bytes], list[Flight]] = {}
        self._under_way: dict[tuple[str, str], int] = {}
        self.flights: list[Flight] = []

    def take(self, number: int, sighting: Sighting) -> None:
        part = role(sighting, self._places)
        known = self._by_content.setdefault((sighting.kind, sighting.content), [])
        fitting = [] if part == "departure" else [f for f in known if _fits(f, sighting)]
        waiting = [f for f in fitting if sighting.point not in f.points and f.sent_ns <= sighting.last_ns]
        if waiting:
            self._join(self._nearest(waiting, sighting), sighting, part)
            if len(waiting) == len(known) == 1:
                self._under_way[waiting[0].first.point, sighting.point] = sighting.last_ns - waiting[0].sent_ns
        elif fitting and part != "unknown":
            fitting[-1].sightings.append(sighting)
            fitting[-1].duplicates += part == "arrival"
        else:
            known.append(self._begin(number, sighting, part))

    def _nearest(self, waiting: Sequence[Flight], sighting: Sighting) -> Flight:
        def distance(flight: Flight) -> tuple[int, int]:
            under_way = sighting.last_ns - flight.sent_ns
            return abs(under_way - self._under_way.get((flight.first.point, sighting.point), 0)), -flight.number

        return min(waiting, key=distance)

    def _join(self, flight: Flight, sighting: Sighting, part: Role) -> None:
        flight.sightings.append(sighting)
        flight.points.add(sighting.point)
        if flight.arrival is None and (part == "arrival" or (part == "unknown" and sighting.node != flight.sender)):
            flight.arrival, flight.receiver = sighting, sighting.node

    def _begin(self, number: int, sighting: Sighting, part: Role) -> Flight:
        """A flight seen first here; where the sender's own tap saw nothing its address tells who it was."""
        sender = sighting.node
        if part == "arrival":
            sender = self._places.owner(sighting.src) or sighting.src
        flight = Flight(number, [sighting], sender, points={sighting.point})
        if part == "arrival":
            flight.arrival, flight.receiver = sighting, sighting.node
        self.flights.append(flight)
        return flight


def _fits(flight: Flight, sighting: Sighting) -> bool:
    if sighting.kind != "keepalive":
        return True
    return any(s.source == sighting.source or s.destination == sighting.destination for s in flight.sightings)


def flights(sightings: Sequence[Sighting], places: Places) -> list[Flight]:
    """All flights in a capture, in the order of their first sightings (order.py has the order of sending)."""
    rank = {"departure": 0, "unknown": 1, "transit": 1, "arrival": 2}
    # A virtual clock may give all sightings of a flight one time: the sender's tap goes first, the receiver's last.
    order = sorted(range(len(sightings)), key=lambda n: (sightings[n].last_ns, rank[role(sightings[n], places)], n))
    matcher = _Matcher(places)
    for number in order:
        matcher.take(number, sightings[number])
    tapped = {sighting.node for sighting in sightings}
    found = [flight for flight in matcher.flights if not _shown_again(flight, places, tapped)]
    _name_receivers(found, places)
    return found


def _shown_again(flight: Flight, places: Places, tapped: set[str]) -> bool:
    """Whether this is GRE out of ESP, which began where it ended although its sender has a tap."""
    first = flight.first
    return first.kind == "gre" and flight.sender in tapped and role(first, places) == "arrival"


def _name_receivers(found: Iterable[Flight], places: Places) -> None:
    """Say where lost datagrams were going: where the same destination led before, or who owns it."""
    found = list(found)
    led = {(f.sender, f.first.destination): f.receiver for f in found if f.receiver}
    for flight in (f for f in found if not f.receiver):
        owner = places.owner(flight.first.dst)
        others = [node for node in places.peers() if node != flight.sender]
        if (flight.sender, flight.first.destination) in led:
            flight.receiver = led[flight.sender, flight.first.destination]
        elif owner and not places.forwards(owner):
            flight.receiver = owner
        else:
            flight.receiver = others[0] if len(others) == 1 else owner or flight.first.dst
