"""What the page "Time" shows: schedules of retransmission, the matrix of keepalives and NATs, lifetimes, expiries.

Rules of this file: the facts are the timing.json of the results (lab.plugin.timing); what cannot be read there is left
out. Pictures are in `charts`, `aria-hidden`; the tables beside them say the same.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

from markupsafe import Markup

from lab.report import charts, facts, words
from lab.report.charts import Bounded, Schedule
from lab.report.facts import Doubts, Facts
from lab.report.model import Result, Run

FILE, PROOF = "timing.json", "timing/"
MOST = 5000


@dataclass(frozen=True, slots=True)
class Found:
    """One measurement, with the result that it is from and the peer that was measured."""

    result: Result
    peer: str
    facts: Facts


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a table: the result that proves it, a heading, and cells as (text, whether it is a bad end)."""

    result: Result
    name: str
    cells: tuple[tuple[str, bool], ...]


@dataclass(frozen=True, slots=True)
class Matrix:
    """Keepalives of one peer against mapping timeouts: the timeouts as headings, a row for each interval."""

    peer: str
    timeouts: tuple[str, ...]
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Page:
    """Everything on the page; `unfinished` are results that left no measurement."""

    schedules: tuple[Row, ...]
    schedules_drawn: Markup | None
    matrices: tuple[Matrix, ...]
    lifetimes: tuple[Row, ...]
    lifetimes_drawn: Markup | None
    expiries: tuple[Row, ...]
    unfinished: tuple[Result, ...]

    def __bool__(self) -> bool:
        """Whether there is anything to show."""
        return bool(self.schedules or self.matrices or self.lifetimes or self.expiries or self.unfinished)


def page(run_dir: Path, run: Run) -> Page:
    """What this run has measured in time. Never raises for bad content."""
    results = [one for one in run.results if one.id.startswith(PROOF)]
    found = [one for result in results for one in _measured(run_dir, result)]
    kinds = {kind: [one for one in found if facts.text(one.facts, "what") == kind] for kind in _KINDS}
    schedules = [(one, times) for one in kinds["retransmission"] if (times := _numbers(one.facts, "sent_s"))]
    lived = [(one, times) for one in kinds["lifetimes"] if (times := _numbers(one.facts, "lived_s"))]
    shown = {id(one.result) for one in found}
    return Page(
        tuple(_schedule(*each) for each in schedules),
        charts.schedules([_drawn_schedule(*each) for each in schedules]),
        tuple(_matrices(kinds["mappings"])),
        tuple(_lifetime(*each) for each in lived),
        charts.bounded([_drawn_lifetime(*each) for each in lived]),
        tuple(_expiry(one) for one in kinds["expiry"]),
        tuple(one for one in results if id(one) not in shown),
    )


_KINDS = ("retransmission", "mappings", "lifetimes", "expiry")


def _measured(run_dir: Path, result: Result) -> Iterable[Found]:
    if result.directory is None:
        return
    said = facts.table(facts.load(run_dir / result.directory / FILE, Doubts()))
    for one in facts.rows(said, "measured")[:MOST]:
        yield Found(result, facts.text(said, "peer", "unknown"), one)


def _numbers(found: Facts, key: str) -> list[float]:
    """The finite numbers of a list that are neither negative nor longer than a year."""
    listed = [facts.number({"n": one}, "n") for one in facts.entries(found, key)[:MOST]]
    return [one for one in listed if one is not None and 0 <= one < 4e7]


def _name(one: Found, key: str) -> str:
    return f"{one.peer}: {facts.text(one.facts, key, 'unknown')}"


def _schedule(one: Found, times: Sequence[float]) -> Row:
    gave_up, after = facts.number(one.facts, "gave_up_s"), facts.number(one.facts, "after_s")
    cells = [", ".join(f"{time:.3f}" for time in times)]
    cells.append("" if gave_up is None else f"{gave_up:.1f} s")
    cells.append("" if after is None else f"after {after:.3f} s of silence")
    return Row(one.result, _name(one, "exchange"), tuple((cell, False) for cell in cells))


def _drawn_schedule(one: Found, times: Sequence[float]) -> Schedule:
    gave_up = facts.number(one.facts, "gave_up_s")
    return Schedule(_name(one, "exchange"), tuple(times), gave_up if gave_up is not None and gave_up < 4e7 else None)


def _matrices(found: Sequence[Found]) -> Iterable[Matrix]:
    for peer in dict.fromkeys(one.peer for one in found):
        own = sorted((one for one in found if one.peer == peer), key=lambda one: _order(one.facts))
        timeouts = sorted({t for one in own for cell in _cells(one) if (t := facts.number(cell, "timeout_s"))})
        yield Matrix(peer, tuple(f"{t:g} s" for t in timeouts), tuple(_row(one, timeouts) for one in own))


def _order(found: Facts) -> float:
    return facts.number(found, "keepalive_s") or float("inf")


def _cells(one: Found) -> list[Facts]:
    return facts.rows(one.facts, "cells")


def _row(one: Found, timeouts: Sequence[float]) -> Row:
    interval = facts.number(one.facts, "keepalive_s")
    by_timeout = {facts.number(cell, "timeout_s"): cell for cell in _cells(one)}
    cells = tuple(_cell(by_timeout.get(timeout)) for timeout in timeouts)
    return Row(one.result, f"every {interval:g} s" if interval else "never", cells)


def _cell(found: Facts | None) -> tuple[str, bool]:
    if found is None:
        return "", False
    if not facts.flag(found, "lost"):
        return "reached", False
    follows = facts.whole(found, "follows_at") or 0
    back = f"found again by packet {follows} from inside" if follows else "not found again"
    return f"lost; {back}", True


def _lifetime(one: Found, lived: Sequence[float]) -> Row:
    low, high = facts.number(one.facts, "earliest_s"), facts.number(one.facts, "latest_s")
    allowed = "" if low is None or high is None else f"{words.seconds(low)} to {words.seconds(high)}"
    figures = (str(len(lived)), allowed, *(words.seconds(value) for value in (min(lived), mean(lived), max(lived))))
    return Row(one.result, _name(one, "of"), tuple((cell, False) for cell in figures))


def _drawn_lifetime(one: Found, lived: Sequence[float]) -> Bounded:
    low, high = facts.number(one.facts, "earliest_s"), facts.number(one.facts, "latest_s")
    return Bounded(
        _name(one, "of"), min(lived) if low is None else low, max(lived) if high is None else high, tuple(lived)
    )


def _expiry(one: Found) -> Row:
    lasted = facts.number(one.facts, "lasted_s")
    cells = (("" if lasted is None else f"{lasted:.3f} s", False), (facts.text(one.facts, "note"), False))
    return Row(one.result, _name(one, "of"), cells)
