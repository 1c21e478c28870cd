"""What the daemon leaves behind: daemon.log, events.jsonl and keys.jsonl, every line flushed as it arises.

Times in these files are seconds since 1970, so that they compare with those of a capture. A file that cannot be
written ends the daemon with one sentence: evidence that is silently incomplete is worse than none.
"""

import json
import sys
from pathlib import Path
from typing import TextIO

from lab.errors import UnfitError
from lab.ike.actions import Event, KeyLog
from lab.trace import PROVOKED, Record

# Lines in one second that anybody can have us write; who sends nonsense must not be able to fill the disk with it.
MOST_PROVOKED = 100


def _text(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return json.dumps(text) if not text or any(not c.isprintable() or c in ' "\\' for c in text) else text


def line_of(record: Record, offset: float) -> str:
    """`1700000000.123456 drop unknown SPI  direction=in spi=c1000001`, always one line."""
    fields = " ".join(f"{name}={_text(value)}" for name, value in record.fields.items() if value not in ("", None))
    # A peer chooses some of these octets, and none of them may steer the terminal of whoever reads the log.
    text = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in " ".join(record.text.split()))
    return f"{record.now + offset:.6f} {record.kind} {text}" + (f"  {fields}" if fields else "")


class Journal:
    """The files of one daemon; `offset` is what turns its clock into seconds since 1970."""

    def __init__(self, run_dir: Path | None, keylog: Path | None, *, offset: float) -> None:
        self._offset = offset
        self._provoked, self._provoked_until = 0, 0.0
        self._log = self._open(run_dir / "daemon.log") if run_dir else sys.stderr
        self._events = self._open(run_dir / "events.jsonl") if run_dir else None
        self._keys = self._open(keylog / "keys.jsonl") if keylog else None

    def _open(self, path: Path) -> TextIO:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # Keys and identities are in these files: for their owner only.
            path.touch(mode=0o600)
            return path.open("a", encoding="ascii", errors="backslashreplace")
        except OSError as error:
            raise UnfitError(f"cannot write {path}: {error.strerror}", fix="name another --run-dir") from error

    @property
    def wants_keys(self) -> bool:
        """Whether keys were asked for."""
        return self._keys is not None

    def record(self, record: Record) -> None:
        """A record of the trace; of many that were provoked in one second only their number."""
        if record.now >= self._provoked_until:
            unwritten = self._provoked - MOST_PROVOKED
            self._provoked, self._provoked_until = 0, record.now + 1
            if unwritten > 0:
                text = f"{unwritten} more packets were dropped, refused or repeated in a second"
                self._line(self._log, line_of(Record(record.now, "note", text), self._offset))
        if record.kind in PROVOKED:
            self._provoked += 1
            if self._provoked > MOST_PROVOKED:
                return
        self._line(self._log, line_of(record, self._offset))

    def event(self, event: Event, now: float) -> None:
        """An event of the endpoint."""
        if self._events:
            entry = {"t": round(now + self._offset, 6), "event": event.name, **event.fields}
            self._line(self._events, json.dumps(entry, default=str))

    def keys(self, entry: KeyLog) -> None:
        """Keys of an SA."""
        if self._keys:
            self._line(self._keys, json.dumps(entry.entry))

    def _line(self, file: TextIO, text: str) -> None:
        try:
            file.write(text + "\n")
            file.flush()
        except OSError as error:
            raise UnfitError(f"cannot write {file.name}: {error.strerror}", fix="make room and start again") from error

    def close(self) -> None:
        """Close the files; what is written is flushed already."""
        for file in (self._log, self._events, self._keys):
            if file is not None and file is not sys.stderr:
                try:
                    file.close()
                except OSError:
                    continue  # a full disk was reported when the line was written
