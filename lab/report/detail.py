"""A message opened up: the tree of its payloads and fields, and its octets, from detail.json.

Rules of this file: any field may be missing, and everything has bounds, because a page must stay below its size
whatever a peer sent. A node's place counts in the octets that `of` names: `raw` as captured, `plain` as decrypted.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from lab.report import facts, gist

DEEPEST = 12
MOST_NODES = 400
MOST_OCTETS = 4096
LONGEST, LINE = 400, 24
HEX = re.compile(rf"^[0-9a-f]{{{LINE + 17},}}$")
WIDTH = 16


@dataclass(frozen=True, slots=True)
class Node:
    """A payload or field. `rfc` is the section that defines it as `rfc7296:3.1`; places are None if unknown."""

    name: str
    value: str
    of: str
    offset: int | None
    length: int | None
    rfc: str
    children: tuple["Node", ...]

    @property
    def wraps(self) -> bool:
        """Whether decrypted parts are inside it, as in SK: then it starts out open."""
        return any(child.of != self.of for child in self.children)


@dataclass(frozen=True, slots=True)
class View:
    """Octets to look at: `raw` or `plain`. `cut` of them are left out at the end."""

    of: str
    octets: bytes
    cut: int


@dataclass(frozen=True, slots=True)
class Detail:
    """The tree and the octets. `same_as` is the message whose octets these are, if it is a retransmission."""

    tree: tuple[Node, ...]
    views: tuple[View, ...]
    same_as: int | None = None


def read(found: object) -> dict[int, Detail]:
    """The details by message number; what the file leaves out is left out."""
    items = facts.rows(found)
    return {number: _detail(item) for place, item in enumerate(items) for number in (_number(item, place),)}


def _number(item: object, place: int) -> int:
    number = facts.whole(item, "n")
    return place if number is None else number


def _detail(item: object) -> Detail:
    budget = iter(range(MOST_NODES))
    tree = tuple(_nodes(facts.entries(item, "tree"), "raw", budget, 0))
    views = tuple(_view(of, octets) for of in ("plain", "raw") if (octets := _octets(item, of)))
    return Detail(tree, views, facts.whole(item, "same_as"))


def _view(of: str, octets: bytes) -> View:
    return View(of, octets[:MOST_OCTETS], max(0, len(octets) - MOST_OCTETS))


def _octets(item: object, key: str) -> bytes:
    try:
        return bytes.fromhex(facts.text(item, key))
    except ValueError:
        return b""


def _nodes(items: list[object], of: str, budget: Iterator[int], depth: int) -> Iterator[Node]:
    for item in items:
        if depth > DEEPEST or next(budget, None) is None:
            return
        if isinstance(item, dict):
            own = facts.text(item, "of", of)
            offset, length = _place(item)
            rfc = facts.text(item, "rfc").strip().replace(" ", ":", 1)
            inside = tuple(_nodes(facts.entries(item, "children"), own, budget, depth + 1))
            value = facts.text(item, "value") or gist.of(facts.text(item, "name"), inside)
            yield Node(
                name=facts.text(item, "name", "field"),
                value=_shortened(value),
                of=own,
                offset=offset,
                length=length,
                rfc=f"rfc{rfc}" if rfc else "",
                children=inside,
            )


def _shortened(value: str) -> str:
    """Octets stand in the hex view anyway, so a field shows only as many as one line holds."""
    if HEX.match(value):
        return f"{value[:LINE]}..., {len(value) // 2} octets"
    return value if len(value) <= LONGEST else f"{value[:LONGEST]}..."


def _place(item: dict[str, object]) -> tuple[int | None, int | None]:
    place = facts.entries(item, "at")
    if len(place) != 2 or not all(isinstance(part, int) and 0 <= part < 1 << 20 for part in place):
        return None, None
    return facts.whole({"at": place[0]}, "at"), facts.whole({"at": place[1]}, "at")


def dump(octets: bytes) -> str:
    """A hex view: offset, sixteen octets, ASCII; the script of the page counts on these columns."""
    lines = []
    for at in range(0, len(octets), WIDTH):
        row = octets[at : at + WIDTH]
        shown = "".join(chr(octet) if 32 <= octet < 127 else "." for octet in row)
        lines.append(f"{at:04x}  {row.hex(' '):<{3 * WIDTH - 1}}  {shown}")
    return "\n".join(lines)
