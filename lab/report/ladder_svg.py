"""Arrows of the ladder as inline SVG. Lanes stand at percentages, so that a drawing fits any width without scaling.

Rules of this file: only geometry and words that stand in the picture. All drawings are `aria-hidden`: the same facts
stand as text beside them. Dashed with a cross is lost, dashed with an open circle is a
message whose arrival nobody could see, a double line is a retransmission, a diamond is a rewrite.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

from markupsafe import Markup

from lab.report import words
from lab.report.ladder import Message, Run
from lab.report.lanes import Lanes
from lab.report.svg import element

HEIGHT, TOP, BOTTOM = 26, 5.0, 20.0
ADDRESSES = 15
# Longer ones (IPv6) would run into each other between four lanes.
LONGEST_ADDRESSES = 46
FAMILIES = {"ESP": "esp", "AH": "esp", "GRE": "esp", "NAT-keepalive": "keepalive"}


@dataclass(frozen=True, slots=True)
class Stretch:
    """What one message looked like between two neighbouring lanes."""

    lane: int
    following: int
    src: str
    dst: str


def lines(lanes: Lanes) -> Markup:
    """The vertical lines of one row."""
    places = [_percent(lane, lanes) for lane in range(len(lanes.names))]
    drawn = [element("line", x1=x, y1=0, x2=x, y2="100%", class_="lane") for x in places]
    return element("svg", *drawn, class_="lines", aria_hidden="true")


def header(lanes: Lanes, captions: Mapping[str, str]) -> Markup:
    """The names of the lanes with one line of caption each."""
    drawn, last = [], len(lanes.names) - 1
    for lane, name in enumerate(lanes.names):
        x, anchor = _percent(lane, lanes), {0: "start", last: "end"}.get(lane, "middle")
        drawn.append(element("text", name, x=x, y=14, class_="name", text_anchor=anchor))
        drawn.append(element("text", captions.get(name, ""), x=x, y=29, class_="caption", text_anchor=anchor))
    return element("svg", *drawn, class_="names", width="100%", height=36, aria_hidden="true")


def arrow(message: Message, lanes: Lanes, *, addresses: bool, digits: int = 4) -> Markup:
    """One message from its sender to its receiver, or to where it was lost."""
    start, end = lanes.ends(message)
    stop = _lost_at(message, lanes) if message.lost or message.unseen else float(end)
    again = message.retransmit_of is not None
    kind = " ".join(
        [
            "way",
            FAMILIES.get(message.protocol, "ike"),
            *["lost"] * message.lost,
            *["unseen"] * message.unseen,
            *["again"] * again,
        ]
    )
    ends: dict[str, str | float] = {
        "x1": _percent(start, lanes), "y1": _height(start, start, end),
        "x2": _percent(stop, lanes), "y2": _height(stop, start, end),
    }  # fmt: skip
    drawn = [element("line", **ends, class_="stroke")]
    drawn += [element("line", **ends, class_="core")] if again else []
    x, y = _percent(stop, lanes), _height(stop, start, end)
    if message.lost:
        drawn.append(_sign("M-5-5 5 5M5-5-5 5", "cross", x, y))
    elif message.unseen:
        drawn.append(_sign("M-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0", "rewrite", x, y))
    else:
        drawn.append(_head(x, y, rightwards=end > start))
    for lane in rewrites(message, lanes):
        drawn.append(_sign("M0-5 5 0 0 5-5 0z", "rewrite", _percent(lane, lanes), _height(lane, start, end)))
    drawn += _times(message, start, end, digits)
    drawn += _address_texts(message, lanes) if addresses else []
    height = HEIGHT + (ADDRESSES if addresses else 0)
    return element("svg", *drawn, class_=kind, width="100%", height=height, aria_hidden="true")


def run(group: Run, lanes: Lanes, *, digits: int = 4) -> Markup:
    """Many packets: one thick arrow for each direction."""
    drawn = []
    for row, (sender, receiver, _) in enumerate(group.ways):
        start, end = lanes.place(sender, receiver)
        here, there, y = _percent(start, lanes), _percent(end, lanes), TOP + 3 + 11 * row
        drawn.append(element("line", x1=here, y1=y, x2=there, y2=y, class_="stroke"))
        drawn.append(_head(there, y, rightwards=end > start))
    ends = ((group.messages[0].sent, "0%", -10, "end"), (group.messages[-1].received, "100%", 10, "start"))
    for t, x, dx, anchor in ends:
        if t is not None:
            drawn.append(
                element("text", words.moment(t, digits), x=x, dx=dx, y=TOP + 7, class_="time", text_anchor=anchor)
            )
    kind = f"way bulk {FAMILIES.get(group.protocol, 'esp')}"
    return element("svg", *drawn, class_=kind, width="100%", height=TOP + 11 * len(group.ways) + 4, aria_hidden="true")


def stretches(message: Message, lanes: Lanes) -> list[Stretch]:
    """The message between its lanes, in the order of its way; only where it was seen."""
    start, end = lanes.ends(message)
    step = 1 if end > start else -1
    found: dict[int, Stretch] = {}
    for hop in message.hops:
        number = lanes.stretch(hop)
        if number is not None and min(start, end) <= number < max(start, end):
            near, far = (number, number + 1) if step > 0 else (number + 1, number)
            found.setdefault(near, Stretch(near, far, hop.src, hop.dst))
    return [found[lane] for lane in range(start, end, step) if lane in found]


def rewrites(message: Message, lanes: Lanes) -> list[int]:
    """The lanes at which an address or a port changed."""
    ways = stretches(message, lanes)
    return [after.lane for before, after in pairwise(ways) if (before.src, before.dst) != (after.src, after.dst)]


def _times(message: Message, start: int, end: int, digits: int) -> list[Markup]:
    """When it was sent and received, outside the outermost lanes, as high as the ends of the arrow."""
    left, right = (message.sent, message.received) if end > start else (message.received, message.sent)
    heights = (TOP, BOTTOM) if end > start else (BOTTOM, TOP)
    found = ((left, "0%", -10, "end", heights[0]), (right, "100%", 10, "start", heights[1]))
    return [
        element("text", words.moment(t, digits), x=x, dx=dx, y=y + 4, class_="time", text_anchor=anchor)
        for t, x, dx, anchor, y in found
        if t is not None
    ]


def _address_texts(message: Message, lanes: Lanes) -> list[Markup]:
    drawn = []
    for way in stretches(message, lanes):
        if len(way.src + way.dst) > LONGEST_ADDRESSES and len(lanes.names) > 2:
            continue
        rightwards = way.following > way.lane
        said = f"{way.src} \u2192 {way.dst}" if rightwards else f"{way.dst} \u2190 {way.src}"
        x = _percent((way.lane + way.following) / 2, lanes)
        drawn.append(element("text", said, x=x, y=HEIGHT + 9, class_="addr", text_anchor="middle"))
    return drawn


def _lost_at(message: Message, lanes: Lanes) -> float:
    """Between the last place it was seen at and the next one; half-way where nothing is known."""
    start, end = lanes.ends(message)
    ways, step = stretches(message, lanes), 1 if end > start else -1
    if not ways:
        return (start + end) / 2
    last = ways[-1]
    passed = any(hop.node == lanes.names[last.following] for hop in message.hops)
    if not passed:
        return last.lane + step * 0.5
    return last.following + step * 0.5 if last.following != end else end - step * 0.25


def _percent(lane: float, lanes: Lanes) -> str:
    count = len(lanes.names)
    place = 100 * lane / (count - 1) if count > 1 else 50.0
    return f"{place:.2f}".rstrip("0").rstrip(".") + "%"


def _height(lane: float, start: int, end: int) -> float:
    """How far down the slanted line is at a lane."""
    return TOP + (BOTTOM - TOP) * (lane - start) / (end - start)


def _head(x: str, y: float, *, rightwards: bool) -> Markup:
    return _sign("M0 0-10-5V5z" if rightwards else "M0 0 10-5V5z", "head", x, y)


def _sign(path: str, kind: str, x: str, y: float) -> Markup:
    """A small drawing around a point; an SVG of its own, because its place is a percentage."""
    return element("svg", element("path", d=path, class_=kind), x=x, y=y, overflow="visible", width=1, height=1)
