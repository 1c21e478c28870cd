"""Charts of the page "Time": a lane for each schedule, and a lane for each kind of SA with the ages at its rekeying.

Rules of this file: nothing but drawing; shapes differ where colours do, and every figure is in a table beside it too.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from lab.report.svg import element
from lab.report.timeline import step_of

WIDTH, LEFT, RIGHT, LANE, TOP = 900.0, 216.0, 24.0, 30.0, 10.0
_CROSS = "m-4-4 8 8m0-8-8 8"


@dataclass(frozen=True, slots=True)
class Schedule:
    """When one datagram was sent, in seconds from the first time, and when its sender gave up."""

    name: str
    sent: tuple[float, ...]
    gave_up: float | None


@dataclass(frozen=True, slots=True)
class Bounded:
    """Values between two bounds, in seconds."""

    name: str
    low: float
    high: float
    values: tuple[float, ...]


def schedules(found: Sequence[Schedule]) -> Markup | None:
    """A dot for each time, a cross where the sender gave up, all over one axis in seconds."""
    end = max((time for one in found for time in (*one.sent, one.gave_up or 0.0)), default=0.0)
    if end <= 0:
        return None
    lanes = []
    for place, one in enumerate(found):
        y = TOP + LANE * place + LANE / 2
        lanes += _lane(one.name, y)
        lanes += [element("circle", cx=_x(time / end), cy=y, r=4.5, class_="dot") for time in one.sent]
        if one.gave_up is not None:
            lanes.append(element("path", d=f"M{_x(one.gave_up / end):g} {y:g}{_CROSS}", class_="sign lost"))
    return _chart(len(found), [*lanes, *_axis(end, TOP + LANE * len(found))])


def bounded(found: Sequence[Bounded]) -> Markup | None:
    """Each value as a tick at its place between the bounds, which are the ends of every lane: 0 % and 100 %."""
    drawn = [one for one in found if one.high > one.low]
    if not drawn:
        return None
    lanes = []
    for place, one in enumerate(drawn):
        y = TOP + LANE * place + LANE / 2
        lanes += _lane(one.name, y)
        shares = sorted({round((value - one.low) / (one.high - one.low), 3) for value in one.values})
        path = "".join(f"M{_x(min(max(share, 0.0), 1.0)):g} {y - 9:g}v18" for share in shares)
        lanes.append(element("path", d=path, class_="tick ike"))
    y = TOP + LANE * len(drawn)
    ends = [("earliest", 0.0, "start"), ("latest", 1.0, "end")]
    axis = [element("text", name, x=_x(at), y=y + 16, class_="caption", text_anchor=side) for name, at, side in ends]
    return _chart(len(drawn), [*lanes, *axis])


def _chart(lanes: int, parts: Sequence[Markup]) -> Markup:
    box = f"0 0 {WIDTH:g} {TOP + LANE * lanes + 24:g}"
    return element("svg", *parts, class_="timeline", viewBox=box, aria_hidden="true")


def _lane(name: str, y: float) -> list[Markup]:
    text = element("text", name, x=4, y=y + 4, class_="caption")
    return [text, element("line", x1=LEFT, y1=y, x2=WIDTH - RIGHT, y2=y, class_="base")]


def _x(share: float) -> float:
    return round(LEFT + (WIDTH - LEFT - RIGHT) * share, 1)


def _axis(end: float, y: float) -> Iterable[Markup]:
    step = step_of(end)
    for number in range(int(end / step + 1e-9) + 1):
        x = _x(number * step / end)
        yield element("line", x1=x, y1=y, x2=x, y2=y + 5, class_="base")
        yield element("text", f"{number * step:.6g} s", x=x, y=y + 19, class_="caption", text_anchor="middle")
