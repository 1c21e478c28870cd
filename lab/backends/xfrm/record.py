"""What we put into the kernel, written down before it goes there, so that the next start can take it out again.

Rules of this file:
- One JSON line per state or policy, marked `add` or `gone`. A kill -9 loses nothing, because the kernel keeps the
  file's pages; a crash of the whole machine takes the kernel's states with it anyway.
- Whoever reads it must still compare: an entry in the kernel that differs from the line is somebody else's.
"""

import json
import os
from pathlib import Path

Entry = tuple[object, ...]
NAME = "xfrm.jsonl"


class Record:
    """The lines of one run directory; without a directory nothing is written."""

    def __init__(self, run_dir: Path | None) -> None:
        self._path = run_dir / NAME if run_dir else None
        self._fd = -1

    def left_over(self) -> list[Entry]:
        """What the daemon before put there and did not take away, the newest first."""
        if self._path is None or not self._path.exists():
            return []
        found: dict[str, Entry] = {}
        for line in self._path.read_text().split("\n")[:-1]:
            try:
                word, *entry = json.loads(line)
            except (ValueError, TypeError):  # no line of ours
                continue
            if word == "add":
                found[json.dumps(entry)] = tuple(entry)
            else:
                found.pop(json.dumps(entry), None)
        return list(reversed(found.values()))

    def begin(self) -> None:
        """Start anew, once everything left over is gone."""
        if self._path is not None:
            self._fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC, 0o600)

    def add(self, entry: Entry) -> None:
        """This goes into the kernel next."""
        self._write("add", entry)

    def gone(self, entry: Entry) -> None:
        """This is out of the kernel."""
        self._write("gone", entry)

    def _write(self, word: str, entry: Entry) -> None:
        if self._fd >= 0:
            os.write(self._fd, json.dumps([word, *entry]).encode() + b"\n")

    def close(self) -> None:
        """All is gone: no file is left."""
        if self._fd >= 0 and self._path is not None:
            os.close(self._fd)
            self._fd = -1
            self._path.unlink(missing_ok=True)
