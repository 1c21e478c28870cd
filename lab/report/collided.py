"""What the page "Rekey collisions" shows: for each pair of actions and each order of their messages who answered what.

Rules of this file: the facts are the collisions.json of the results (lab.plugin.collisions); what cannot be read there
is a missing value. A side's word is its peer's name; what it did against RFC 7296 2.25 stands beside what it answered.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.report import facts
from lab.report.facts import Doubts, Facts
from lab.report.model import Result, Run

FILE, PROOF = "collisions.json", "faults/collision/"
SIDES = ("left", "right")
_STEPS = {"LQ": "left asks", "RQ": "right asks", "LR": "right answers", "RR": "left answers"}


@dataclass(frozen=True, slots=True)
class Played:
    """One order with its outcome. `answers` are right's to left and left's to right; `lost` of `sent` echo requests."""

    order: str
    answers: tuple[str, str]
    left_over: str
    lost: int
    sent: int
    observations: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of one pairing; without plays it was not played to the end."""

    result: Result
    plays: tuple[Played, ...]


@dataclass(frozen=True, slots=True)
class Pair:
    """Two actions at once, with the outcome for each pairing of the run."""

    left: str
    right: str
    survivors: str
    outcomes: tuple[Outcome, ...]

    @property
    def orders(self) -> int:
        """How many orders were played, all pairings together."""
        return sum(len(one.plays) for one in self.outcomes)

    @property
    def against(self) -> int:
        """In how many of them somebody did something against 2.25."""
        return sum(bool(play.observations) for one in self.outcomes for play in one.plays)


def table(run_dir: Path, run: Run) -> list[Pair]:
    """All pairs of actions that this run has results of, in the order of their ids. Never raises for bad content."""
    found: dict[str, list[tuple[Result, Facts]]] = {}
    for one in run.results:
        if one.id.startswith(PROOF):
            place = None if one.directory is None else run_dir / one.directory / FILE
            found.setdefault(one.id, []).append((one, facts.table(facts.load(place, Doubts())) if place else {}))
    return [_pair(name, results) for name, results in sorted(found.items())]


def _pair(name: str, results: Sequence[tuple[Result, Facts]]) -> Pair:
    said = next((found for _, found in results if found), {})
    first, _, second = name.removeprefix(PROOF).partition("-")
    survivors = facts.table(said, "survivors")
    ends = _sas([facts.whole(survivors, "ike") or 0, facts.whole(survivors, "child") or 0]) if survivors else "unknown"
    outcomes = tuple(Outcome(one, tuple(map(_played, facts.rows(found, "plays")))) for one, found in results)
    return Pair(facts.text(said, "left", first), facts.text(said, "right", second), ends, outcomes)


def _played(found: Facts) -> Played:
    answers, views, against = (facts.table(found, key) for key in ("answers", "views", "deviations"))
    ends = [facts.entries(views, side) for side in SIDES]
    left_over = _sas(ends[0]) if found.get("agree") is True else f"left {_sas(ends[0])}, right {_sas(ends[1])}"
    return Played(
        ", ".join(_STEPS.get(step, step) for step in facts.texts(found, "order")),
        (_answer(answers.get("left")), _answer(answers.get("right"))),
        left_over,
        facts.whole(found, "lost") or 0,
        facts.whole(found, "sent") or 0,
        tuple(f"{side}: {sentence}" for side in (*SIDES, "both") for sentence in facts.texts(against, side)),
    )


def _answer(found: object) -> str:
    if not isinstance(found, list):
        return "none"
    return " ".join(map(str, found)) or "empty"


def _sas(found: Sequence[object]) -> str:
    numbers = [str(one) for one in found] if len(found) == 2 else ["?", "?"]
    return f"{numbers[0]} IKE, {numbers[1]} CHILD"
