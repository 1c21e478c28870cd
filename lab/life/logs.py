"""The logs of daemons as one stream of lines, each with the name of its node in front; optionally as they grow."""

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

POLL_S = 0.1
_AT_ONCE = 1 << 20

Files = Callable[[], Mapping[str, Sequence[Path]]]


class Follower:
    """Reads what has come into files since it was last asked; a file may appear, and begin anew, at any time."""

    def __init__(self, files: Files) -> None:
        self._files = files
        self._places: dict[Path, int] = {}
        self._rest: dict[Path, bytes] = {}

    def lines(self, *, all_of_it: bool = False) -> list[str]:
        """The lines that are complete now, node by node; with `all_of_it` also one that is not."""
        return [f"{node}: {line}" for node, paths in self._files().items() for path in paths
                for line in self._read(path, all_of_it)]  # fmt: skip

    def _read(self, path: Path, all_of_it: bool) -> list[str]:
        try:
            with path.open("rb") as file:
                place = self._places.get(path, 0)
                if file.seek(0, 2) < place:
                    place, self._rest[path] = 0, b""
                file.seek(place)
                data = file.read(_AT_ONCE)
        except OSError:
            return []
        self._places[path] = place + len(data)
        *lines, rest = (self._rest.get(path, b"") + data).split(b"\n")
        self._rest[path] = b"" if all_of_it else rest
        if all_of_it and rest:
            lines.append(rest)
        return [line.decode(errors="replace") for line in lines]


def write(files: Files, *, follow: bool) -> int:
    """Write the logs to standard output, and go on as they grow if they are followed."""
    follower = Follower(files)
    while True:
        lines = follower.lines(all_of_it=not follow)
        sys.stdout.write("".join(f"{line}\n" for line in lines))
        sys.stdout.flush()
        if not lines and not follow:
            return 0
        if not lines:
            time.sleep(POLL_S)
