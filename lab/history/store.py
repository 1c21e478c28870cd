"""The index of runs: a SQLite file beside the run directories, made from them and made again from them at any time.

Rules of this file: the truth is in the run directories. A run whose directory is gone is forgotten, a directory that a
later run wrote again is read again. Only the process that makes a run writes here, in one transaction.
"""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from lab.errors import ConfigError
from lab.evidence.results import Result, Run, gather, read_run
from lab.progress import Progress, silent

FILE = "history.db"
VERSION = 1
BUSY_S = 10.0
_TABLES = """
CREATE TABLE runs (
    directory TEXT PRIMARY KEY, run_id TEXT NOT NULL, started TEXT NOT NULL, duration_s REAL, seed INTEGER,
    kernel TEXT NOT NULL, command TEXT NOT NULL, versions TEXT NOT NULL
) STRICT;
CREATE TABLE results (
    directory TEXT NOT NULL REFERENCES runs ON DELETE CASCADE, id TEXT NOT NULL, pairing TEXT NOT NULL,
    verdict TEXT NOT NULL, attempts TEXT NOT NULL, reason TEXT NOT NULL, duration_s REAL, dir TEXT NOT NULL,
    PRIMARY KEY (directory, id, pairing)
) STRICT;
"""


@dataclass(frozen=True, slots=True)
class Past:
    """A run of the index with its counts; `duration_s` is None where it was interrupted."""

    directory: Path
    run_id: str
    started: str
    duration_s: float | None
    seed: int | None
    kernel: str
    command: str
    versions: dict[str, str]
    counts: dict[str, int]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one run said of one scenario in one pairing."""

    directory: Path
    id: str
    pairing: str
    verdict: str
    attempts: tuple[str, ...]
    reason: str
    duration_s: float | None
    dir: str


class History:
    """The index in a file; `with History.at(path) as history`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    @classmethod
    @contextmanager
    def at(cls, path: Path) -> Iterator["History"]:
        """Open the index, made if it is not there; ConfigError where the file is none of ours."""
        path.parent.mkdir(parents=True, exist_ok=True)
        db = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None)
        try:
            db.execute("PRAGMA foreign_keys = ON")
            db.execute("PRAGMA journal_mode = WAL")
            _prepare(db)
            yield cls(db)
        except sqlite3.DatabaseError as error:
            raise ConfigError(f"not an index of runs ({error}); remove it and rebuild", file=str(path)) from error
        finally:
            db.close()

    @contextmanager
    def _together(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def record(self, directory: Path) -> bool:
        """Take in a run directory, in place of what was known of it; False where it holds no readable run.json."""
        run = read_run(directory)
        if run is None:
            return False
        place = str(directory.resolve())
        with self._together():
            self._db.execute("DELETE FROM runs WHERE directory = ?", (place,))
            self._db.execute("INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?, ?, ?)", (place, *_run_row(run)))
            rows = [(place, *_result_row(result)) for result in gather(directory)]
            self._db.executemany("INSERT OR REPLACE INTO results VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)
        return True

    def rebuild(self, parents: Iterable[Path], progress: Progress = silent) -> int:
        """Forget everything and read what lies in (or is) these directories; how many runs were found."""
        with self._together():
            self._db.execute("DELETE FROM runs")
        found = sorted({path.resolve() for parent in parents for path in (parent, *_children(parent))})
        runs = 0
        for number, path in enumerate(found):
            progress("look for runs", number, len(found))
            runs += self.record(path)
        return runs

    def forget_gone(self) -> None:
        """Drop the runs whose directories are no more."""
        places = [str(row[0]) for row in self._db.execute("SELECT directory FROM runs")]
        gone = [(place,) for place in places if not (Path(place) / "run.json").is_file()]
        with self._together():
            self._db.executemany("DELETE FROM runs WHERE directory = ?", gone)

    def runs(self, last: int) -> list[Past]:
        """The last runs, the newest first."""
        rows = self._db.execute("SELECT * FROM runs ORDER BY started DESC, directory DESC LIMIT ?", (last,)).fetchall()
        return [self._past(row) for row in rows]

    def _past(self, row: tuple[object, ...]) -> Past:
        directory, run_id, started, duration_s, seed, kernel, command, versions = row
        counted = "SELECT verdict, count(*) FROM results WHERE directory = ? GROUP BY verdict"
        counts = {str(word): int(n) for word, n in self._db.execute(counted, (directory,))}
        return Past(
            directory=Path(str(directory)),
            run_id=str(run_id),
            started=str(started),
            duration_s=msgspec.convert(duration_s, float | None),
            seed=msgspec.convert(seed, int | None),
            kernel=str(kernel),
            command=str(command),
            versions=msgspec.json.decode(str(versions), type=dict[str, str]),
            counts=counts,
        )

    def verdicts(self, run: Past) -> list[Verdict]:
        """All results of a run."""
        rows = self._db.execute("SELECT * FROM results WHERE directory = ? ORDER BY id, pairing", (str(run.directory),))
        return [_verdict(row) for row in rows]


def _prepare(db: sqlite3.Connection) -> None:
    """Make the tables; an index of another version is made anew, because it can be."""
    (version,) = db.execute("PRAGMA user_version").fetchone()
    (tables,) = db.execute("SELECT count(*) FROM sqlite_master WHERE type = 'table'").fetchone()
    if version == VERSION:
        return
    if tables and not version:
        raise sqlite3.DatabaseError("it holds tables that the lab did not make")
    db.executescript("BEGIN IMMEDIATE; DROP TABLE IF EXISTS results; DROP TABLE IF EXISTS runs;" + _TABLES + "COMMIT;")
    db.execute(f"PRAGMA user_version = {VERSION}")


def _children(parent: Path) -> list[Path]:
    return [path for path in parent.iterdir() if path.is_dir() and not path.is_symlink()] if parent.is_dir() else []


def _run_row(run: Run) -> tuple[object, ...]:
    kernel = f"{run.kernel.kind} {run.kernel.release}".strip() if run.kernel else ""
    versions = msgspec.json.encode(run.versions).decode()
    return run.run_id, run.started, run.duration_s, run.seed, kernel, run.command, versions


def _result_row(result: Result) -> tuple[object, ...]:
    attempts = msgspec.json.encode(result.attempts).decode()
    place = (result.id, result.pairing, result.verdict, attempts, result.reason)
    return *place, result.duration_s, result.dir


def _verdict(row: tuple[object, ...]) -> Verdict:
    directory, name, pairing, verdict, attempts, reason, duration_s, place = row
    return Verdict(
        Path(str(directory)),
        str(name),
        str(pairing),
        str(verdict),
        tuple(msgspec.json.decode(str(attempts), type=list[str])),
        str(reason),
        msgspec.convert(duration_s, float | None),
        str(place),
    )
