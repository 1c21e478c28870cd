"""The ladder as it stands on the page: rows with their drawings and, while there is room, their details.

Rules of this file: details of messages are given out until `DETAILS` octets of page are spent, the rest stays in
detail.json. Addresses stand under an arrow only where they differ from those of the message before it in its direction.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from lab.report import detail, facts, ladder, ladder_svg, lanes
from lab.report.detail import Detail, Node
from lab.report.facts import Doubts
from lab.report.ladder import Message, Row, Run
from lab.report.lanes import Lanes
from lab.report.model import Result, Verdict

DETAILS = 500_000
COST_OF_NODE = 140
MOST_ROWS = 300


@dataclass(frozen=True, slots=True)
class Rung:
    """One row with its drawing. `kind` is `message`, `run` or `silence`; `rightwards` is the way of a message."""

    kind: str
    row: Row
    drawing: Markup
    rightwards: bool = True
    detail: Detail | None = None


@dataclass(frozen=True, slots=True)
class Ladder:
    """The ladder of a scenario. `cut` messages at the end are only in ladder.json.

    `details` are those of all messages, and `beginning` is the time of the first one in seconds since 1970.
    """

    lanes: int
    header: Markup
    lines: Markup
    rungs: list[Rung]
    messages: list[Message]
    digits: int
    cut: int
    details: dict[int, Detail]
    beginning: float


def load(directory: Path, result: Result, doubts: Doubts) -> Ladder | None:
    """The ladder of a scenario's directory, or None if there is none."""
    source = directory / "ladder.json"
    recorded = facts.load(source, doubts)
    messages = ladder.read(recorded)
    if not messages and not source.exists() and result.verdict is not Verdict.UNSUPPORTED:
        doubts.add("There is no ladder.json, so no messages are shown.")
    if not messages:
        return None
    topology = facts.table(facts.load(directory / "topology.json", doubts))
    found = lanes.find(messages, topology)
    details = detail.read(facts.load(directory / "detail.json", doubts))
    rows = ladder.rows(messages)
    cut = sum(len(row.messages) if isinstance(row, Run) else isinstance(row, Message) for row in rows[MOST_ROWS:])
    header = ladder_svg.header(found, _captions(found, result))
    digits = ladder.digits(messages)
    rungs = _rungs(rows[:MOST_ROWS], found, details, digits)
    return Ladder(
        len(found.names),
        header,
        ladder_svg.lines(found),
        rungs,
        messages,
        digits,
        cut,
        details,
        ladder.beginning(recorded),
    )


def _rungs(rows: Sequence[Row], found: Lanes, details: dict[int, Detail], digits: int) -> list[Rung]:
    rungs, left = [], DETAILS
    told: dict[tuple[str, str], object] = {}
    for row in rows:
        if isinstance(row, Message):
            opened = details.get(row.number)
            left -= _cost(opened)
            addresses = _addresses(row)
            new = not row.lost and told.get((row.sender, row.receiver)) != addresses
            if new:
                told[row.sender, row.receiver] = addresses
            start, end = found.ends(row)
            drawn = ladder_svg.arrow(row, found, addresses=new, digits=digits)
            rungs.append(Rung("message", row, drawn, end > start, opened if left > 0 else None))
        elif isinstance(row, Run):
            rungs.append(Rung("run", row, ladder_svg.run(row, found, digits=digits)))
        else:
            rungs.append(Rung("silence", row, Markup("")))
    return rungs


def _addresses(message: Message) -> tuple[tuple[str, str], ...]:
    return tuple((hop.src, hop.dst) for hop in message.hops)


def _cost(opened: Detail | None) -> int:
    """About how many octets of page a detail takes."""
    if opened is None:
        return 0
    return 5 * sum(len(view.octets) for view in opened.views) + COST_OF_NODE * sum(_size(node) for node in opened.tree)


def _size(node: Node) -> int:
    return 1 + len(node.value) // COST_OF_NODE + sum(_size(child) for child in node.children)


def _captions(found: Lanes, result: Result) -> dict[str, str]:
    """What stands under the names of the lanes: a pairing's initiator sits left, its responder right."""
    captions = {name: {"nat": "NAT", "gateway": ""}.get(kind, kind) for name, kind in found.kinds.items()}
    captions[found.names[0]] = ", ".join(filter(None, (result.initiator, "initiator")))
    captions[found.names[-1]] = ", ".join(filter(None, (result.responder, "responder")))
    return captions
