"""What a report is about: a run and its results, read from a run directory.

Rules of this file: `run.json` and the `result.json` files are both believed; where they disagree the scenario's own
file wins, because it is written first. A directory with traces of a scenario but without `result.json` is an
interrupted scenario: it is shown as unresolved, never left out.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path, PurePosixPath

from lab.report import facts
from lab.report.facts import Doubts, Facts


class Verdict(Enum):
    """The verdicts, the gravest first: this is the order of display."""

    FAILED = "failed"
    UNRESOLVED = "unresolved"
    FLAKY = "flaky"
    UNSUPPORTED = "unsupported"
    PASSED = "passed"

    @property
    def gravity(self) -> int:
        """0 is the gravest."""
        return list(Verdict).index(self)


@dataclass(frozen=True, slots=True)
class Result:
    """One scenario with one pairing. `directory` is relative to the run directory; None if it leads elsewhere."""

    id: str
    title: str
    pairing: str
    verdict: Verdict
    reason: str
    duration_s: float | None
    topology: str
    initiator: str
    responder: str
    clauses: tuple[str, ...]
    directory: PurePosixPath | None

    @property
    def group(self) -> str:
        """The first part of the id: `nat` of `nat/both_sides`."""
        return self.id.partition("/")[0]

    @property
    def name(self) -> str:
        """The id without its group."""
        return self.id.partition("/")[2] or self.id


@dataclass(frozen=True, slots=True)
class Run:
    """A whole run. `facts` is run.json as found; `interrupted` is a sentence, or empty."""

    facts: Facts
    results: tuple[Result, ...]
    interrupted: str
    doubts: Doubts = field(default_factory=Doubts)

    def counted(self, verdict: Verdict) -> int:
        """How many results have this verdict."""
        return sum(result.verdict is verdict for result in self.results)


def inside(name: str) -> PurePosixPath | None:
    """A relative path that stays below the directory it is relative to, or None."""
    path = PurePosixPath(name)
    if not name or path.is_absolute() or ".." in path.parts or "\0" in name:
        return None
    return path


def result(found: Facts, directory: PurePosixPath | None) -> Result:
    """One result from run.json's list or from a result.json."""
    word, reason = facts.text(found, "verdict"), facts.text(found, "reason")
    try:
        verdict = Verdict(word)
    except ValueError:
        verdict = Verdict.UNRESOLVED
        reason = reason or (f"The verdict '{word[:80]}' is unknown." if word else "No verdict was written.")
    return Result(
        id=facts.text(found, "id") or (str(directory) if directory else "unnamed"),
        title=facts.text(found, "title"),
        # An interrupted scenario is known by its directory only: `ours-to-strongswan`.
        pairing=facts.text(found, "pairing").replace("-to-", ">", 1),
        verdict=verdict,
        reason=reason,
        duration_s=facts.number(found, "duration_s"),
        topology=facts.text(found, "topology"),
        initiator=facts.text(found, "initiator"),
        responder=facts.text(found, "responder"),
        clauses=tuple(facts.texts(found, "clauses")),
        directory=directory,
    )


def load_run(run_dir: Path) -> Run:
    """Everything the index shows. Never raises for bad content."""
    doubts = Doubts()
    found = facts.table(facts.load(run_dir / "run.json", doubts))
    results = list(_listed(run_dir, found))
    known = {one.directory for one in results}
    results += [_unlisted(run_dir, place, doubts) for place in _left_on_disk(run_dir) if place not in known]
    ordered = sorted(results, key=lambda one: (one.id, one.pairing, str(one.directory)))
    return Run(found, tuple(ordered), _interruption(found), doubts)


def _listed(run_dir: Path, found: Facts) -> Iterable[Result]:
    for item in facts.rows(found, "results"):
        directory = inside(facts.text(item, "dir"))
        own = facts.table(facts.load(run_dir / directory / "result.json", Doubts())) if directory else {}
        yield result({**item, **own}, directory)


def _left_on_disk(run_dir: Path) -> list[PurePosixPath]:
    """Scenario directories as they lie there: what holds a result, a capture or logs."""
    signs = ("result.json", "begun.json", "raw.pcapng", "wire.pcapng", "ladder.json", "topology.json")
    found = {path.parent for sign in signs for path in (run_dir / "scenarios").glob(f"**/{sign}")}
    nested = {path for path in found if any(parent in found for parent in path.parents)}
    return sorted(PurePosixPath(path.relative_to(run_dir).as_posix()) for path in found - nested)


def _unlisted(run_dir: Path, directory: PurePosixPath, doubts: Doubts) -> Result:
    own = facts.table(facts.load(run_dir / directory / "result.json", doubts))
    if own:
        return result(own, directory)
    begun = facts.table(facts.load(run_dir / directory / "begun.json", Doubts()))
    parts = directory.parts[1:]
    name, pairing = ("/".join(parts[:-1]), parts[-1]) if len(parts) > 1 else ("/".join(parts), "")
    reason = "The scenario was interrupted before it had a verdict."
    told = {"id": name, "pairing": pairing, **begun, "verdict": "unresolved", "reason": reason}
    return result(told, directory)


def _interruption(found: Facts) -> str:
    if not found:
        return "run.json is missing or unreadable: the run was interrupted. What was finished is shown."
    if facts.number(found, "duration_s") is None:
        return "The run was interrupted before its end. What was finished is shown."
    return ""
