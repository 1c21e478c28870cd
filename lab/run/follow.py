"""Follow a batch while it runs: which scenario is on, which have ended, and how long each took on the host's clock.

Rules: the events file is read, never written here; only whole lines count. Times are the host's, because a guest with
virtual time cannot tell how long anything took.
"""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.run.batches import Batch

Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Finished:
    """A scenario that has a result.json."""

    key: Key
    directory: str
    duration_s: float | None


class Lines:
    """The lines of JSON that are appended to a file; only whole ones count."""

    def __init__(self, path: Path) -> None:
        self._path, self._offset = path, 0

    def new(self) -> list[dict[str, Any]]:
        """Those that have come since the last call."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._offset)
                data = file.read()
        except FileNotFoundError:
            return []
        whole = data[: data.rfind(b"\n") + 1]
        self._offset += len(whole)
        return [json.loads(line) for line in whole.splitlines()]


class Follower:
    """Reads the events of one batch."""

    def __init__(self, batch: Batch, events: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self.batch, self._events, self._clock = batch, Lines(events), clock
        self._since = clock()
        self.current: Key | None = None
        self.current_directory = ""
        self.finished: set[Key] = set()
        self.versions: dict[str, str] = {}
        self.paused: dict[str, Any] = {}

    @property
    def busy_s(self) -> float:
        """How long the current scenario (or the boot) has been on."""
        return self._clock() - self._since

    def read(self) -> list[Finished]:
        """The scenarios that have finished since the last call."""
        found = []
        for event in self._events.new():
            key = (str(event.get("id")), str(event.get("pairing")))
            if event.get("event") == "started":
                self.current, self.current_directory, self._since = key, str(event.get("dir")), self._clock()
            elif event.get("event") == "paused":
                self.paused = event
            elif event.get("event") == "resumed":
                self.paused = {}
            elif event.get("event") == "finished":
                found.append(Finished(key, self.current_directory, round(self.busy_s, 3)))
                self.finished.add(key)
                self.versions |= event.get("versions", {})
                self.current, self._since = None, self._clock()
        return found
