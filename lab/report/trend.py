"""The runs before this one, from its history.json: a strip of columns for the index, and what was flaky in them.

Rules of this file: a column is as high as its run has results, the grave verdicts below; a table stands for it where
pictures are not seen.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from markupsafe import Markup

from lab.report import facts, words
from lab.report.facts import Doubts, Facts
from lab.report.model import Verdict
from lab.report.svg import element

COLUMN, GAP, HEIGHT = 14, 4, 56
LEAST = 2.0


@dataclass(frozen=True, slots=True)
class Past:
    """One run; `address` is the way to its index, or empty where that is not beside this one."""

    name: str
    address: str
    took: str
    counts: tuple[tuple[Verdict, int], ...]

    @property
    def total(self) -> int:
        """How many results."""
        return sum(number for _, number in self.counts)

    @property
    def told(self) -> str:
        """The counts in words."""
        return ", ".join(f"{number} {verdict.value}" for verdict, number in self.counts) or "no results"


@dataclass(frozen=True, slots=True)
class Unsteady:
    """A scenario whose verdicts differ under equal conditions."""

    id: str
    pairing: str
    told: str


@dataclass(frozen=True, slots=True)
class Trend:
    """What the index shows of earlier runs; nothing with fewer than two."""

    runs: tuple[Past, ...] = ()
    flaky: tuple[Unsteady, ...] = ()

    @property
    def strip(self) -> Markup:
        """The columns, the oldest on the left."""
        return _strip(self.runs)


def load(run_dir: Path) -> Trend:
    """The trend in a run directory. Never raises for bad content."""
    found = facts.table(facts.load(run_dir / "history.json", Doubts()))
    runs = tuple(_past(row) for row in facts.rows(found, "runs"))
    return Trend(runs if len(runs) > 1 else (), tuple(_unsteady(row) for row in facts.rows(found, "flaky")))


def _past(row: Facts) -> Past:
    counts = facts.table(row, "counts")
    known = tuple((each, facts.whole(counts, each.value) or 0) for each in Verdict)
    took = words.seconds(facts.number(row, "duration_s")) or "interrupted"
    return Past(facts.text(row, "run_id"), _beside(facts.text(row, "directory")), took, tuple(c for c in known if c[1]))


def _beside(directory: str) -> str:
    """`../NAME/index.html` of a run that lies beside this one; this run, and any other place, has no address."""
    up, _, name = directory.partition("/")
    return f"../{quote(name)}/index.html" if up == ".." and name and "/" not in name and name != ".." else ""


def _unsteady(row: Facts) -> Unsteady:
    passed, total = facts.whole(row, "passed") or 0, facts.whole(row, "total") or 0
    return Unsteady(facts.text(row, "id"), facts.text(row, "pairing"), f"passed {passed} of {total} times")


def _strip(runs: Sequence[Past]) -> Markup:
    most = max((run.total for run in runs), default=0)
    columns = [_column(run, place * (COLUMN + GAP), most) for place, run in enumerate(runs)]
    width = len(runs) * (COLUMN + GAP) - GAP
    return element(
        "svg", *columns, class_="trend", viewBox=f"0 0 {width} {HEIGHT}", width=width, height=HEIGHT, aria_hidden="true"
    )


def _column(run: Past, x: int, most: int) -> Markup:
    parts, floor = [], float(HEIGHT)
    for verdict, number in run.counts:
        high = max(LEAST, HEIGHT * number / most)
        floor -= high
        parts.append(element("rect", x=x, y=floor, width=COLUMN, height=high, class_=f"v-{verdict.value}"))
    return element("g", element("title", f"{run.name}: {run.told}"), *parts)
