"""result.json, run.json and events.jsonl: the facts of a run, written as they arise.

    RUN/run.json                              schema ikelab.run/1, without `duration_s` until the run has ended
    RUN/events.jsonl                          append-only: one line per thing that happened
    RUN/scenarios/<id>/<pairing>/result.json  schema ikelab.result/1

Rules of this file:
- Every file is written whole or not at all; a kill leaves the results that were finished.
- `gather` reads what lies in a run directory. A scenario directory without a readable result.json is a scenario that
  was interrupted: it becomes an `unresolved` result and is never left out.
"""

import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec
from msgspec import Struct, field

from lab.evidence.files import append_line, write_json

RUN_SCHEMA, RESULT_SCHEMA = "ikelab.run/1", "ikelab.result/1"
VerdictWord = Literal["passed", "failed", "unsupported", "unresolved", "flaky"]
VERDICTS: tuple[VerdictWord, ...] = ("passed", "failed", "unsupported", "unresolved", "flaky")


class Step(Struct, kw_only=True, omit_defaults=False):
    """One thing that a scenario did or checked; `at_s` counts from its start."""

    name: str
    verdict: VerdictWord
    at_s: float
    detail: str = ""


class Evidence(Struct, kw_only=True):
    """One file that proves something; `file` is relative to the scenario directory."""

    kind: str
    file: str
    note: str = ""


class Summary(Struct, kw_only=True):
    """A result as run.json lists it; `dir` is relative to the run directory."""

    id: str
    pairing: str
    verdict: VerdictWord
    reason: str = ""
    duration_s: float | None = None
    topology: str = ""
    initiator: str = ""
    responder: str = ""
    clauses: list[str] = field(default_factory=list)
    dir: str = ""


class Result(Summary, kw_only=True):
    """result.json: the summary, and what it rests on."""

    schema: str = RESULT_SCHEMA
    title: str = ""
    steps: list[Step] = field(default_factory=list)
    evidence: list[Evidence] = field(default_factory=list)
    messages: dict[str, int] = field(default_factory=dict)
    negotiated: dict[str, Any] = field(default_factory=dict)
    reproduce: str = ""
    attempts: list[VerdictWord] = field(default_factory=list)

    def summary(self) -> Summary:
        """What run.json repeats of it."""
        return Summary(**{name: getattr(self, name) for name in Summary.__struct_fields__})


class Kernel(Struct, kw_only=True):
    """The kernel that the scenarios ran on."""

    kind: Literal["guest", "host"]
    release: str = ""


class Run(Struct, kw_only=True):
    """run.json. `duration_s` is null while the run goes on, and stays so if it was interrupted."""

    run_id: str
    started: str
    command: str
    schema: str = RUN_SCHEMA
    duration_s: float | None = None
    seed: int | None = None
    kernel: Kernel | None = None
    versions: dict[str, str] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    results: list[Summary] = field(default_factory=list)


def count(results: Iterable[Summary]) -> dict[str, int]:
    """How many results have each verdict; every verdict is named, also with 0."""
    counts: dict[str, int] = dict.fromkeys(VERDICTS, 0)
    for result in results:
        counts[result.verdict] += 1
    return counts


def write_result(result: Result, directory: Path) -> None:
    """Write result.json into a scenario directory."""
    write_json(directory / "result.json", result)


def read_result(directory: Path, run_dir: Path) -> Result:
    """The result in a scenario directory; an unresolved one where result.json is absent or cannot be read."""
    try:
        result = msgspec.json.decode((directory / "result.json").read_bytes(), type=Result)
    except FileNotFoundError:
        return _interrupted(directory, run_dir, "the scenario was interrupted before it had a verdict")
    except (msgspec.DecodeError, OSError) as error:
        return _interrupted(directory, run_dir, f"result.json cannot be read: {error}")
    result.dir = directory.relative_to(run_dir).as_posix()
    return result


def _interrupted(directory: Path, run_dir: Path, reason: str) -> Result:
    """A result for a scenario that wrote none, with what begun.json or else its place says of it."""
    parts = directory.relative_to(run_dir).parts
    named = parts[1:] if parts[:1] == ("scenarios",) and len(parts) > 2 else parts
    try:
        begun = msgspec.json.decode((directory / "begun.json").read_bytes(), type=dict[str, str])
    except (OSError, msgspec.DecodeError):
        begun = {}
    return Result(
        id=begun.get("id") or "/".join(named[:-1]) or named[-1],
        pairing=begun.get("pairing", named[-1]),
        initiator=begun.get("initiator", ""),
        responder=begun.get("responder", ""),
        verdict="unresolved",
        reason=reason,
        dir=directory.relative_to(run_dir).as_posix(),
    )


# What only a scenario's own directory holds: one of these shows that a scenario was begun there.
SIGNS = ("result.json", "begun.json", "raw.pcapng", "wire.pcapng", "ladder.json", "topology.json")


def scenario_directories(run_dir: Path) -> list[Path]:
    """All directories of a run in which a scenario was begun, in order."""
    found = {path.parent for sign in SIGNS for path in (run_dir / "scenarios").glob(f"**/{sign}")}
    return sorted(path for path in found if not any(parent in found for parent in path.parents))


def gather(run_dir: Path) -> list[Result]:
    """Every result of a run directory, interrupted scenarios among them."""
    return [read_result(directory, run_dir) for directory in scenario_directories(run_dir)]


def read_run(run_dir: Path) -> Run | None:
    """run.json, or None where it is absent or cannot be read."""
    try:
        return msgspec.json.decode((run_dir / "run.json").read_bytes(), type=Run)
    except (FileNotFoundError, msgspec.DecodeError):
        return None


class ResultWriter:
    """Keeps run.json up to date while a run goes on. One process writes a run; scenarios write only their own files."""

    def __init__(self, run_dir: Path, run: Run) -> None:
        self.run_dir, self.run = run_dir, run
        self._began = time.monotonic()
        run_dir.mkdir(parents=True, exist_ok=True)
        self.event("run-started", run_id=run.run_id, command=run.command)
        self._write()

    def event(self, name: str, **fields: Any) -> None:
        """Append a line to events.jsonl."""
        append_line(self.run_dir / "events.jsonl", {"t": round(time.time(), 3), "event": name, **fields})

    def add(self, result: Result) -> None:
        """Take one result into run.json; a later one of the same directory replaces it."""
        place = (result.id, result.pairing)
        others = [other for other in self.run.results if (other.id, other.pairing) != place]
        self.run.results = [*others, result.summary()]
        self.event("result", id=result.id, pairing=result.pairing, verdict=result.verdict, reason=result.reason)
        self._write()

    def refresh(self) -> Sequence[Result]:
        """Take in every result that lies in the run directory (scenarios of a guest write there themselves)."""
        found = gather(self.run_dir)
        here = {(result.id, result.pairing) for result in found}
        others = [other for other in self.run.results if (other.id, other.pairing) not in here]
        self.run.results = others + [result.summary() for result in found]
        self._write()
        return found

    def finish(self, *, interrupted: bool = False) -> Run:
        """Close the run: all results, counts and the duration (none if it was interrupted)."""
        self.refresh()
        self.run.results.sort(key=lambda result: (result.id, result.pairing))
        if not interrupted:
            self.run.duration_s = round(time.monotonic() - self._began, 3)
        self.event("run-interrupted" if interrupted else "run-finished", counts=count(self.run.results))
        self._write()
        return self.run

    def _write(self) -> None:
        self.run.counts = count(self.run.results)
        write_json(self.run_dir / "run.json", self.run)
