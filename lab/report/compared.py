"""What the page "IKEv1 and IKEv2 compared" shows: the table of `comparison`, filled from the runs that prove it.

Rules of this file: only a result that passed (or is flaky) says what was seen; any other says its reason. Results that
say the same stand together.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.report import comparison, facts, ladder
from lab.report.comparison import Look, Side
from lab.report.facts import Doubts
from lab.report.model import Result, Run, Verdict
from lab.report.proof import Proof

MOST_LINKS = 6
MOST_WORDS = 300


@dataclass(frozen=True, slots=True)
class Finding:
    """What some results of one proof say in the same words."""

    verdict: Verdict
    words: str
    results: tuple[Result, ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """One proof in a cell; without findings it was not run."""

    proof: Proof
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell, with the entries in the order of the table."""

    side: Side
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Line:
    """One row of the page."""

    name: str
    ikev1: Cell
    ikev2: Cell


def table(run_dir: Path, run: Run) -> list[Line]:
    """The whole table. Never raises for bad content."""
    return [Line(row.name, _cell(run_dir, run, row.ikev1), _cell(run_dir, run, row.ikev2)) for row in comparison.ROWS]


def _cell(run_dir: Path, run: Run, side: Side) -> Cell:
    return Cell(side, tuple(_entry(run_dir, look, look.proof.found(run.results)) for look in side.looks))


def _entry(run_dir: Path, look: Look, results: Sequence[Result]) -> Entry:
    said: dict[tuple[Verdict, str], list[Result]] = {}
    for one in results:
        said.setdefault((one.verdict, _words(run_dir, look, one)), []).append(one)
    ordered = sorted(said.items(), key=lambda item: item[0][0].gravity)
    return Entry(look.proof, tuple(Finding(verdict, words, tuple(found)) for (verdict, words), found in ordered))


def _words(run_dir: Path, look: Look, one: Result) -> str:
    if one.verdict not in (Verdict.PASSED, Verdict.FLAKY):
        return one.reason[:MOST_WORDS] or "No reason was given."
    if one.directory is None:
        return "Its files are not there to be read."
    place = run_dir / one.directory
    messages = ladder.read(facts.load(place / "ladder.json", Doubts()))
    negotiated = facts.table(facts.table(facts.load(place / "result.json", Doubts())), "negotiated")
    words = look.read(messages, negotiated)
    return words[:1].upper() + words[1:] if words else "Its messages do not show it."
