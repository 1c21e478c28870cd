"""What a disturbance cost a routed tunnel, from routing.json: a line in time of the echoes, and a table beside it.

Rules of this file: the picture is `aria-hidden` and the table says the same; nothing here raises for bad content.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from math import ceil
from pathlib import Path

from markupsafe import Markup

from lab.report import facts
from lab.report.facts import Doubts, Facts
from lab.report.svg import element

MOST_ECHOES, MOST_EVENTS = 5000, 20
WIDTH, HEIGHT, TOP, BAR, AXIS = 800.0, 62, 16.0, 24.0, 40.0
MOST_TICKS = 12

Series = list[tuple[float, bool]]


@dataclass(frozen=True, slots=True)
class Stretch:
    """Echoes one after the other that were all answered, or all lost, in seconds."""

    start: float
    end: float
    answered: bool


@dataclass(frozen=True, slots=True)
class Outage:
    """One disturbance: its name, sentences, the picture, the lost stretches in words, and a row of figures per side."""

    event: str
    sentences: list[str]
    drawn: Markup | None
    lost: list[str]
    sides: list[tuple[str, list[str]]]


COLUMNS = ("Hellos sent", "Hellos lost", "Lost in a row", "Taken by the other ospfd", "State changes", "Neighbour up")


def load(directory: Path, doubts: Doubts) -> list[Outage]:
    """The disturbances of a scenario's directory."""
    found = facts.table(facts.load(directory / "routing.json", doubts))
    return [_outage(event) for event in facts.rows(found, "events")[:MOST_EVENTS]]


def _outage(event: Facts) -> Outage:
    echoes = facts.table(event, "echoes")
    every = facts.number(echoes, "every_s") or 0.0
    runs = stretches(_series(echoes), every)
    return Outage(
        facts.text(event, "event", "disturbance"),
        _sentences(event, echoes),
        drawing(runs) if runs else None,
        [f"{run.start:.2f} s to {run.end:.2f} s" for run in runs if not run.answered],
        [(name, _figures(event, name)) for name in facts.table(event, "hellos")],
    )


def _series(echoes: Facts) -> Series:
    """The pairs that make sense, in the order of time."""
    found = facts.entries(echoes, "series")[:MOST_ECHOES]
    pairs = [pair for pair in found if isinstance(pair, list) and len(pair) == 2]
    timed = [(facts.number({"t": t}, "t"), answered is True) for t, answered in pairs]
    return sorted((t, answered) for t, answered in timed if t is not None and 0 <= t < 1e6)


def stretches(series: Series, every: float) -> list[Stretch]:
    """The series in runs; each lasts until the next begins, the last for one more interval."""
    runs = [list(run) for _, run in groupby(series, key=lambda pair: pair[1])]
    starts = [run[0][0] for run in runs]
    ends = [*starts[1:], *([series[-1][0] + every] if series else [])]
    return [Stretch(start, end, run[0][1]) for start, end, run in zip(starts, ends, runs, strict=True)]


def _sentences(event: Facts, echoes: Facts) -> list[str]:
    sent, lost = facts.whole(echoes, "sent") or 0, facts.whole(echoes, "lost") or 0
    outage, took = facts.number(echoes, "outage_s") or 0.0, facts.number(event, "took_s") or 0.0
    descriptions = facts.whole(event, "descriptions") or 0
    return [
        f"Watched for {took:.1f} s.",
        f"{lost} of {sent} echo requests stayed without reply." if lost else f"All {sent} echo requests were answered.",
        f"For {outage:.2f} s in a row none was answered." if outage else "",
        f"{descriptions} database descriptions were sent: an adjacency was formed anew." if descriptions else "",
    ]


def _figures(event: Facts, name: str) -> list[str]:
    hellos = facts.table(facts.table(event, "hellos"), name)
    adjacency = facts.table(facts.table(event, "adjacencies"), name)
    before, after = (facts.whole(adjacency, f"changes_{when}") for when in ("before", "after"))
    up = facts.number(adjacency, "up_s")
    changes = "" if before is None or after is None else str(after - before)
    counted = [facts.text(hellos, key) for key in ("sent", "lost", "in_a_row")]
    return [*counted, facts.text(hellos, "taken", "counted anew"), changes, "" if up is None else f"{up:.1f} s"]


def drawing(runs: Sequence[Stretch]) -> Markup:
    """A bar of the time, lost stretches full height and the others low, over an axis in seconds."""
    end = max(run.end for run in runs) or 1.0
    bars = [
        element(
            "rect",
            x=WIDTH * run.start / end,
            y=TOP + (BAR * 0.7 if run.answered else 0.0),
            width=max(WIDTH * (run.end - run.start) / end, 0.0 if run.answered else 1.0),
            height=BAR * (0.3 if run.answered else 1.0),
            class_="answered" if run.answered else "lost",
        )
        for run in runs
    ]
    box = f"-4 0 {WIDTH + 8:g} {HEIGHT}"
    words = element("text", "no answer", x=0, y=11, class_="caption")
    return element("svg", words, *bars, *_axis(end), class_="outage", viewBox=box, aria_hidden="true")


def _axis(end: float) -> Iterable[Markup]:
    step = next(step for step in (1, 2, 5, 10, 30, 60, 600, 3600, ceil(end)) if end / step <= MOST_TICKS)
    for second in range(0, int(end) + 1, step):
        x = WIDTH * second / end
        yield element("line", x1=x, y1=AXIS, x2=x, y2=AXIS + 5, class_="tick")
        yield element("text", f"{second} s", x=x, y=HEIGHT - 4, class_="caption", text_anchor="middle")
