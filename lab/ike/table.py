"""All IKE SAs of one version, by the SPI that we chose, and when each has something to do.

An SA that has gone lingers for a while, so that it can answer a repeated last request. Deadlines lie in a heap; an
entry whose SA has another deadline since is passed over when it comes to the top, so that moving one costs little.
"""

import heapq
from collections.abc import Callable, Iterator
from typing import Generic, Protocol, TypeVar

from lab.ike.host import Host
from lab.ike.sa import IkeSa

# As long as a peer repeats a request by the defaults, so that it never hears silence about an SA that it just ended.
LINGER = 165.0
MOST_LINGERING = 1000


class Engine(Protocol):
    """What carries the exchanges of one SA."""

    @property
    def sa(self) -> IkeSa:
        """The SA itself."""


E = TypeVar("E", bound=Engine)


class Table(Generic[E]):
    """Engines, the datagrams that began them, and their deadlines, which `deadline` tells (None: nothing to do)."""

    def __init__(self, host: Host, deadline: Callable[[E], float | None]) -> None:
        self._host, self._deadline = host, deadline
        self.engines: dict[bytes, E] = {}
        self._begun: dict[bytes, bytes] = {}
        self._begun_by: dict[bytes, bytes] = {}
        # In the order of their end, which a dict keeps.
        self._gone: dict[bytes, None] = {}
        self._heap: list[tuple[float, bytes]] = []
        self._due: dict[bytes, float] = {}

    def get(self, spi: bytes) -> E | None:
        """The SA that has this SPI from us."""
        return self.engines.get(spi)

    def begun(self, datagram: bytes) -> E | None:
        """The SA that this very datagram began before (RFC 7296 2.1)."""
        spi = self._begun.get(datagram)
        return self.engines[spi] if spi is not None else None

    @property
    def full(self) -> bool:
        """Whether no stranger may be given state."""
        return len(self.engines) - len(self._gone) >= self._host.config.settings.max_ike_sas

    def add(self, engine: E, begun_by: bytes = b"") -> None:
        """Take in a new SA."""
        spi = engine.sa.spi
        self.engines[spi] = engine
        self._host.ike_sas[spi] = engine.sa
        if begun_by:
            self._begun[begun_by], self._begun_by[spi] = spi, begun_by

    def _remove(self, spi: bytes) -> None:
        del self.engines[spi], self._host.ike_sas[spi]
        self._gone.pop(spi, None)
        self._due.pop(spi, None)

    def _forget_beginning(self, spi: bytes) -> None:
        """An SA that has gone cannot go on: whoever repeats its first message begins anew."""
        begun_by = self._begun_by.pop(spi, None)
        if begun_by is not None:
            del self._begun[begun_by]

    def schedule(self, engine: E) -> None:
        """Put down when this SA has something to do; one that has gone is put on the list of the lingering."""
        sa = engine.sa
        due = self._deadline(engine) if sa.alive else sa.ended_at + LINGER
        if not sa.alive:
            self._gone.setdefault(sa.spi)
            self._forget_beginning(sa.spi)
        if due != self._due.get(sa.spi):
            self._due.pop(sa.spi, None)
            if due is not None:
                self._due[sa.spi] = due
                heapq.heappush(self._heap, (due, sa.spi))
        if len(self._gone) > MOST_LINGERING:
            self._remove(next(iter(self._gone)))
        if len(self._heap) > 64 + 4 * len(self._due):
            self._heap = [(when, spi) for spi, when in self._due.items()]
            heapq.heapify(self._heap)

    def next_deadline(self) -> float | None:
        """The earliest deadline of all."""
        while self._heap:
            when, spi = self._heap[0]
            if self._due.get(spi) == when:
                return when
            heapq.heappop(self._heap)
        return None

    def due(self, now: float) -> Iterator[E]:
        """Take out the SAs that have something to do, to be scheduled again; forget those that lingered enough."""
        while (when := self.next_deadline()) is not None and when <= now:
            spi = heapq.heappop(self._heap)[1]
            del self._due[spi]
            engine = self.engines[spi]
            if engine.sa.alive:
                yield engine
            else:
                self._remove(spi)

    def sizes(self) -> dict[str, int]:
        """How many entries each table holds."""
        return {
            "engines": len(self.engines),
            "lingering": len(self._gone),
            "begun": len(self._begun),
            "deadlines": len(self._heap),
        }
