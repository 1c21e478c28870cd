"""The packets in time: a lane for each direction, a tick for each packet, marks for what happened to it.

Rules of this file: the picture is `aria-hidden`; the sentence beside it says how many there are, and the table of
messages says the same in full. Packets that would fall on each other are one tick, so that a day of traffic stays
small.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import log10

from markupsafe import Markup

from lab.report import words
from lab.report.ladder import Message
from lab.report.svg import element

WIDTH, LEFT, LANE, TOP, TICK = 900.0, 4.0, 46.0, 20.0, 16.0
MOST_LANES = 8
STEPS_WANTED = 8
UNITS = ((1.0, "s"), (1e3, "ms"), (1e6, "\u00b5s"))
FAMILIES = {"ESP": "esp", "AH": "esp", "GRE": "esp", "NAT-keepalive": "keepalive"}
NAMES = {"ike": "IKE", "esp": "ESP, AH or GRE", "keepalive": "NAT keepalive"}


@dataclass(frozen=True, slots=True)
class Mark:
    """What may have happened to a packet: a word, how it is drawn around a point, and which packets have it."""

    kind: str
    words: str
    path: str
    fits: Callable[[Message], bool]


MARKS = (
    Mark("lost", "lost", "m-3.5-3.5 7 7m0-7-7 7", lambda one: one.lost),
    Mark("again", "sent again", "m-3 3 3-6 3 6z", lambda one: one.retransmit_of is not None),
    Mark("twice", "duplicated by the network", "m-3-3h6v6h-6z", lambda one: bool(one.duplicates)),
    Mark("pieces", "in fragments", "m-4 0h2m1.5 0h2m1.5 0h1", lambda one: one.in_pieces),
)


@dataclass(frozen=True, slots=True)
class Timeline:
    """The drawing, what it shows in a sentence, and its legend as (kind, words, path)."""

    drawn: Markup
    sentence: str
    ticks: list[tuple[str, str]]
    marks: list[tuple[str, str, str]]


def draw(messages: Sequence[Message]) -> Timeline | None:
    """The timeline of a ladder; None where fewer than two packets have a time."""
    timed = [one for one in messages if at(one) is not None]
    ways = list(dict.fromkeys((one.sender, one.receiver) for one in timed))[:MOST_LANES]
    end = max((t for one in timed for t in (one.sent, one.received) if t is not None), default=0.0)
    if len(timed) < 2 or end <= 0:
        return None
    lanes = [_lane(place, way, [one for one in timed if _way(one) == way], end) for place, way in enumerate(ways)]
    height = TOP + LANE * len(ways) + 22
    box = f"0 0 {WIDTH:g} {height:g}"
    axis = _axis(end, TOP + LANE * len(ways) - 8)
    drawn = element("svg", *lanes, *axis, class_="timeline", viewBox=box, aria_hidden="true")
    families = [kind for kind in NAMES if any(family(one) == kind for one in timed)]
    marks = [(mark.kind, mark.words, mark.path) for mark in MARKS if any(map(mark.fits, timed))]
    return Timeline(drawn, _sentence(timed, end), [(kind, NAMES[kind]) for kind in families], marks)


def at(one: Message) -> float | None:
    """When it was sent, or first seen."""
    return one.sent if one.sent is not None else one.received


def family(one: Message) -> str:
    """`ike`, `esp` or `keepalive`."""
    return FAMILIES.get(one.protocol, "ike")


def _way(one: Message) -> tuple[str, str]:
    return one.sender, one.receiver


def _lane(place: int, way: tuple[str, str], messages: Sequence[Message], end: float) -> Markup:
    """The ticks of one direction, and the marks above them."""
    base = TOP + LANE * place + TICK
    name = element("text", f"{way[0]} \u2192 {way[1]}", x=LEFT, y=base - TICK - 5, class_="caption")
    line = element("line", x1=LEFT, y1=base, x2=WIDTH - LEFT, y2=base, class_="base")
    found = [name, line]
    for kind in NAMES:
        ticks = _places((one for one in messages if family(one) == kind), end)
        path = "".join(f"M{x:g} {base - TICK:g}v{TICK:g}" for x in ticks)
        found += [element("path", d=path, class_=f"tick {kind}")] if path else []
    for mark in MARKS:
        path = "".join(f"M{x:g} {base + 6:g}{mark.path}" for x in _places(filter(mark.fits, messages), end))
        found += [element("path", d=path, class_=f"sign {mark.kind}")] if path else []
    return Markup("").join(found)


def _places(messages: Iterable[Message], end: float) -> list[float]:
    """Where they are from left to right, each place once; half a unit apart is the same to the eye."""
    return sorted({_x(t, end) for one in messages if (t := at(one)) is not None})


def _x(t: float, end: float) -> float:
    return round(2 * (LEFT + (WIDTH - 2 * LEFT) * min(max(t / end, 0.0), 1.0))) / 2


def _axis(end: float, y: float) -> Iterable[Markup]:
    """Round times below the lanes."""
    step = step_of(end)
    unit, name = next(((per, name) for per, name in UNITS if end * per >= 1), UNITS[-1])
    for number in range(int(end / step + 1e-9) + 1):
        x = _x(number * step, end)
        anchor = "start" if number == 0 else "end" if x > WIDTH - 40 else "middle"
        yield element("line", x1=x, y1=y, x2=x, y2=y + 5, class_="base")
        said = f"{number * step * unit:.6g} {name}"
        yield element("text", said, x=x, y=y + 19, class_="caption", text_anchor=anchor)


def step_of(end: float) -> float:
    """1, 2 or 5 times a power of ten, so that about eight of them fit."""
    power = 10.0 ** int(log10(end / STEPS_WANTED) // 1)
    return next(power * step for step in (1, 2, 5, 10) if end / (power * step) <= STEPS_WANTED)


def _sentence(messages: Sequence[Message], end: float) -> str:
    kinds = Counter(NAMES[family(one)] for one in messages)
    said = ", ".join(f"{number} {name}" for name, number in kinds.items())
    happened = [f"{number} {mark.words}" for mark in MARKS if (number := sum(map(mark.fits, messages)))]
    took = words.seconds(end) if end >= 1e-4 else f"{end * 1e6:.0f} \u00b5s"
    return f"{said} in {took}" + (f"; {', '.join(happened)}." if happened else ".")
