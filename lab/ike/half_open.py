"""SAs of strangers that are not authenticated yet: how many there are, and how many more may be.

They cost memory and key exchanges and nothing to forge, so they are counted, in all and by source address. Events and
unprotected notices that strangers provoke are limited by the second.
"""

from collections import Counter

from lab.ike.host import Host
from lab.ike.path import Path

NOTICES_PER_SECOND = 10


class Limit:
    """So many in a second."""

    def __init__(self, most: int = NOTICES_PER_SECOND) -> None:
        self._most, self._second, self._count = most, 0.0, 0

    def room(self, now: float) -> bool:
        """Count one; whether it is among those that are allowed."""
        if now - self._second >= 1:
            self._second, self._count = now, 0
        self._count += 1
        return self._count <= self._most


class HalfOpen:
    """The half-open SAs of one version."""

    def __init__(self, host: Host) -> None:
        self._settings = host.config.settings
        self._known: dict[bytes, str] = {}
        self._sources: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._known)

    def opened(self, spi: bytes, source: str) -> None:
        """A stranger got an SA, to be counted until it is authenticated or gone."""
        self._known[spi] = source
        self._sources[source] += 1

    def settled(self, spi: bytes) -> None:
        """This SA is half-open no longer, if it was."""
        source = self._known.pop(spi, None)
        if source is None:
            return
        self._sources[source] -= 1
        if not self._sources[source]:
            del self._sources[source]

    def full(self, path: Path) -> str:
        """Why no SA is given to whoever sends from there, in words; empty where one may be."""
        if len(self) >= self._settings.half_open_limit:
            return f"{len(self)} half-open SAs, no more are taken"
        from_there = self._sources.get(path.remote_host, 0)
        if self._settings.block_threshold and from_there >= self._settings.block_threshold:
            return f"{from_there} half-open SAs from {path.remote_host}, no more are taken"
        return ""
