"""A drawing of a lifecycle, made from its table of moves: the states in a row, an arc for every move."""

from collections.abc import Set
from enum import Enum

from markupsafe import Markup

from lab.report.svg import element

WIDTH, HEIGHT, GAP, MARGIN = 104, 34, 40, 20
STYLE = """
text { font: 13px sans-serif; text-anchor: middle; fill: #222 } rect { fill: #fff; stroke: #444; stroke-width: 1.5 }
path { fill: none; stroke: #444; stroke-width: 1.2; marker-end: url(#head) }
.back { stroke: #a33; marker-end: url(#headback) }
"""


def drawing(title: str, kind: type[Enum], moves: Set[tuple[Enum, Enum]]) -> str:
    """The SVG of a lifecycle."""
    states = list(kind)
    place = {state: MARGIN + number * (WIDTH + GAP) for number, state in enumerate(states)}
    far = max((abs(states.index(b) - states.index(a)) for a, b in moves), default=1)
    top = MARGIN + 24 * far
    width, height = (
        MARGIN * 2 + len(states) * (WIDTH + GAP) - GAP,
        top + HEIGHT + MARGIN + 24 * _furthest_back(states, moves),
    )
    ordered = sorted(moves, key=lambda move: [states.index(state) for state in move])
    words = "; ".join(f"{a.name} to {b.name}" for a, b in ordered)
    return str(
        element(
            "svg",
            element("title", f"The states of an {title}"),
            element("desc", words),
            element("style", STYLE),
            element("defs", _head("head", "#444"), _head("headback", "#a33")),
            element("rect", x=0, y=0, width=width, height=height, style="fill:#fff;stroke:none"),
            *(_arc(states, place, top, move) for move in ordered),
            *(_state(state.name, x, top) for state, x in place.items()),
            xmlns="http://www.w3.org/2000/svg", viewBox=f"0 0 {width} {height}", role="img", width=width, height=height,
        )
    )  # fmt: skip


def _furthest_back(states: list[Enum], moves: Set[tuple[Enum, Enum]]) -> int:
    return max((states.index(a) - states.index(b) for a, b in moves if states.index(b) < states.index(a)), default=0)


def _head(name: str, colour: str) -> Markup:
    shape = element("path", d="M0,0 L8,4 L0,8 z", style=f"fill:{colour};stroke:none;marker-end:none")
    return element("marker", shape, id=name, markerWidth=8, markerHeight=8, refX=7, refY=4, orient="auto")


def _state(name: str, x: int, y: int) -> Markup:
    box = element("rect", x=x, y=y, width=WIDTH, height=HEIGHT, rx=6)
    return element("g", box, element("text", name, x=x + WIDTH // 2, y=y + HEIGHT // 2 + 5))


def _arc(states: list[Enum], place: dict[Enum, int], top: int, move: tuple[Enum, Enum]) -> Markup:
    """A move to the next state is a straight arrow; a longer one an arc above, one back an arc below."""
    before, after = move
    steps = states.index(after) - states.index(before)
    tag = {"data_move": f"{before.name}>{after.name}"}
    if steps == 1:
        y = top + HEIGHT // 2
        return element("path", d=f"M{place[before] + WIDTH},{y} H{place[after] - 1}", **tag)
    y, rise, side = (top, -24, "") if steps > 0 else (top + HEIGHT, 24, "back")
    start, end = place[before] + WIDTH // 2 + 6 * steps, place[after] + WIDTH // 2 - 6 * steps
    peak = y + rise * (abs(steps) - (0 if steps < 0 else 0.4))
    return element("path", d=f"M{start},{y} C{start},{peak:.0f} {end},{peak:.0f} {end},{y}", class_=side or None, **tag)
