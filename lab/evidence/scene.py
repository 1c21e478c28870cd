"""Everything that the evidence files are made from, computed once: frames, sightings, flights, readings, ladder."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from lab.evidence import comment, ladder
from lab.evidence.capture import Frame
from lab.evidence.datagram import Sighting, sightings
from lab.evidence.flights import Flight, flights
from lab.evidence.keyring import Keyring
from lab.evidence.keys import Keys
from lab.evidence.order import in_order
from lab.evidence.places import Places
from lab.evidence.reading import Reader


@dataclass(frozen=True)
class Scene:
    """A capture with the keys and the places that belong to it."""

    frames: Sequence[Frame]
    keys: Keys
    places: Places

    @cached_property
    def sightings(self) -> list[Sighting]:
        """Every IPsec datagram at every capture point."""
        return sightings(self.frames)

    @cached_property
    def flights(self) -> list[Flight]:
        """The datagrams in the order sent."""
        return in_order(flights(self.sightings, self.places), self.sightings)

    @cached_property
    def reader(self) -> Reader:
        """Reads octets with the keys."""
        return Reader(Keyring(self.keys))

    @cached_property
    def ladder(self) -> list[ladder.Entry]:
        """The ladder."""
        return ladder.assemble(self.flights, self.reader, {frame.node for frame in self.frames})

    @cached_property
    def comments(self) -> dict[int, str]:
        """The one-line decode of every frame that is (part of) an IPsec datagram, by its index in the capture."""
        lines = [comment.line(entry) for entry in self.ladder]
        return {
            frame: lines[n]
            for n, flight in enumerate(self.flights)
            for sighting in flight.sightings
            for frame in sighting.frames
        }
