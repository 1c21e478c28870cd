"""Both logs aligned to the packets: which line of whose log is about which message.

Rules of this file: a line is about a message when it names its exchange and message ID in the log of who sent or
received it, at about its time; each line belongs to one message and each message to one line per log. Our daemon says
`message sent IKE_AUTH request 1`, charon `generating IKE_AUTH request 1` and `parsed ...`; others are not aligned.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote

from markupsafe import Markup, escape

from lab.report.ladder import Message

NEAR_S = 0.25
_OURS = re.compile(
    r"(?P<t>\d+\.\d+) message (?P<way>sent|received) (?P<name>\w+) "
    r"(?:(?:request|response) )?(?P<id>[0-9a-f]+)\b"
)
_CHARON = re.compile(
    r"(?P<t>\d{4}-\d\d-\d\dT\S+) \d+\[ENC\] (?:<[^>]*> )?(?P<way>generating|parsed) (?P<name>\w+) "
    r"(?:request|response) (?P<id>\d+)"
)
_SENT = frozenset({"sent", "generating"})
# The names of the exchanges of IKEv1 in the logs.
_V1 = {
    "ID_PROT": "Main Mode", "IDENTITY_PROTECTION": "Main Mode", "MAIN_MODE": "Main Mode",
    "AGGRESSIVE": "Aggressive Mode", "AGGRESSIVE_MODE": "Aggressive Mode", "QUICK_MODE": "Quick Mode",
    "INFORMATIONAL_V1": "Informational", "TRANSACTION": "Transaction",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Line:
    """A line about a message: the log's name, the line's place in what is shown of it (from 0), and its words."""

    log: str
    place: int
    words: str

    @property
    def anchor(self) -> str:
        """The id of the line on the page."""
        return f"log-{quote(self.log.removesuffix('.log'))}-{self.place + 1}"


@dataclass(slots=True)
class _Said:
    line: Line
    t: float
    sent: bool
    name: str
    number: int
    taken: bool = False


def align(messages: Sequence[Message], start: float, logs: Sequence[tuple[str, str]]) -> dict[int, list[Line]]:
    """The lines about each message by its number. `logs` are (name, content), `start` the time of the first message."""
    nodes = {name for one in messages for name in (one.sender, one.receiver)}
    said = {
        node: [each for name, text in logs if _node(name, nodes) == node for each in _said(name, text)]
        for node in nodes
    }
    found: dict[int, list[Line]] = {}
    for one in messages:
        if one.exchange:
            ends = ((one.sender, one.sent, True), (one.receiver, one.received, False))
            lines = [
                line for node, t, sent in ends if t is not None and (line := _take(said[node], one, start + t, sent))
            ]
            if lines:
                found[one.number] = lines
    return found


def linked(log: str, content: str, lines: Mapping[int, Sequence[Line]]) -> Markup:
    """The content of a log with the lines about messages leading to these; they are ids, to be led to."""
    known = {each.place: (number, each) for number, found in lines.items() for each in found if each.log == log}
    shown = []
    for place, text in enumerate(content.split("\n")):
        number, line = known.get(place, (0, None))
        link = Markup('<a id="{}" href="#message-{}">{}</a>')
        shown.append(link.format(line.anchor, number, text) if line else escape(text))
    return Markup("\n").join(shown)


def _node(log: str, nodes: set[str]) -> str:
    """The node whose log this is: `left` of `left-daemon.log`."""
    return max((node for node in nodes if log.startswith(f"{node}-")), key=len, default="")


def _said(name: str, text: str) -> Iterator[_Said]:
    for place, content in enumerate(text.split("\n")):
        match = _OURS.match(content) or _CHARON.match(content)
        if match is None:
            continue
        charon = "T" in match["t"]
        exchange = _V1.get(match["name"], match["name"])
        base = 16 if exchange in _V1.values() and not charon else 10
        try:
            number = int(match["id"], base)
        except ValueError:
            continue
        line = Line(name, place, content.partition(" ")[2])
        yield _Said(line, _time(match["t"]), match["way"] in _SENT, exchange, number)


def _time(text: str) -> float:
    """Seconds since 1970; charon writes the time of its clock without a zone, which is UTC in the lab."""
    try:
        return float(text) if "T" not in text else datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()
    except ValueError:
        return 0.0


def _take(said: Sequence[_Said], one: Message, t: float, sent: bool) -> Line | None:
    """The first line that fits and is not taken."""
    for each in said:
        fits = (each.sent, each.name, each.number) == (sent, one.exchange, one.message_id or 0)
        if fits and not each.taken and abs(each.t - t) <= NEAR_S:
            each.taken = True
            return each.line
    return None
