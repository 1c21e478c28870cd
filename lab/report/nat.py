"""The NAT boxes on a scenario's page, from nat.json: how they behave, what became of their mappings, what they hold.

Times are seconds since the first message of the ladder, as there.
"""

from dataclasses import dataclass, field
from pathlib import Path

from lab.report import facts, words
from lab.report.facts import Doubts, Facts

MOST_MAPPINGS, MOST_EVENTS = 200, 400


@dataclass(frozen=True, slots=True)
class Nat:
    """Rows for tables: what a probe found beside what was promised, the timeline, the mappings at the end."""

    boxes: list[tuple[str, str]] = field(default_factory=list)
    probe: list[Facts] = field(default_factory=list)
    timeline: list[Facts] = field(default_factory=list)
    mappings: list[Facts] = field(default_factory=list)

    def tables(self) -> list[tuple[str, list[Facts]]]:
        """The tables that have rows, with their captions."""
        named = (
            ("What was promised, and what the probe found", self.probe),
            ("What became of the mappings", self.timeline),
            ("Mappings at the end", self.mappings),
        )
        return [(caption, rows) for caption, rows in named if rows]

    def __bool__(self) -> bool:
        return bool(self.boxes or self.tables())


def load(directory: Path, doubts: Doubts) -> Nat:
    """What nat.json of a scenario's directory says; nothing where there is none."""
    found = facts.load(directory / "nat.json", doubts)
    events = facts.rows(found, "timeline")[:MOST_EVENTS]
    start = _start(directory, doubts) if events else None
    boxes = facts.table(found, "boxes")
    return Nat(
        boxes=[(name, _behaviour(facts.table(boxes, name))) for name in boxes],
        probe=facts.rows(found, "probe"),
        timeline=[_event(event, start) for event in events],
        mappings=(facts.rows(found) or facts.rows(found, "mappings"))[:MOST_MAPPINGS],
    )


def _start(directory: Path, doubts: Doubts) -> float | None:
    ladder = facts.rows(facts.load(directory / "ladder.json", doubts))
    return min((t for entry in ladder if (t := facts.number(entry, "t_sent")) is not None), default=None)


def _event(event: Facts, start: float | None) -> Facts:
    """The time first, and the names only where they are there."""
    at = facts.number(event, "t")
    shown = "" if at is None else words.moment(round(at - (start if start is not None else at), 3) + 0.0, 3)
    order = ("event", "node", "inside", "outside", "before", "seen_by", "detail")
    return {"seconds": shown, **{key: event[key] for key in order if key in event}}


def _behaviour(box: Facts) -> str:
    """One line: `ports random, mapping endpoint-independent; by nftables`."""
    said = [f"{words.label(key)} {words.plain(value)}" for key, value in box.items() if key != "by"]
    return f"{', '.join(said) or 'as by default'}; by {facts.text(box, 'by')}"
