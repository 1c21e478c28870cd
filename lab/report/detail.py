"""A message opened up: the tree of its payloads and fields, and its octets, from detail.json.

Rules of this file: the shape is read leniently (any field may be missing) and within bounds, because a page must stay
below its size whatever a peer sent.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from lab.report import facts

DEEPEST = 12
MOST_NODES = 400
MOST_OCTETS = 4096
WIDTH = 16


@dataclass(frozen=True, slots=True)
class Node:
    """A payload or field. `offset` and `length` count octets in the hex view that stands beside it; None if unknown."""

    name: str
    value: str
    offset: int | None
    length: int | None
    children: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Detail:
    """The tree and the octets; `clear` says that the octets are those after decryption. `cut` octets are left out."""

    tree: tuple[Node, ...]
    octets: bytes
    clear: bool
    cut: int


def read(found: object) -> dict[int, Detail]:
    """The details by message number."""
    inside = facts.entries(found) or facts.entries(found, "messages")
    if inside:
        numbered = {n if (n := facts.whole(item, "n")) is not None else i: item for i, item in enumerate(inside)}
    else:
        table = facts.table(found, "messages") or facts.table(found)
        numbered = {int(key): item for key, item in table.items() if key.isdigit()}
    return {number: _detail(item) for number, item in numbered.items()}


def _detail(item: object) -> Detail:
    clear = _octets(item, "clear")
    octets = clear or _octets(item, "octets") or _octets(item, "raw") or b""
    budget = iter(range(MOST_NODES))
    tree = facts.entries(item, "tree") or facts.entries(item, "payloads")
    kept = octets[:MOST_OCTETS]
    return Detail(tuple(_nodes(tree, budget, 0)), kept, bool(clear), len(octets) - len(kept))


def _octets(item: object, key: str) -> bytes | None:
    try:
        return bytes.fromhex(facts.text(item, key))
    except ValueError:
        return None


def _nodes(items: list[object], budget: Iterator[int], depth: int) -> Iterator[Node]:
    for item in items:
        if depth > DEEPEST or next(budget, None) is None:
            return
        if isinstance(item, dict):
            inner = next((found for key in ("children", "fields", "tree") if (found := facts.entries(item, key))), [])
            yield Node(
                facts.text(item, "name", "field"),
                facts.text(item, "value")[:600],
                facts.whole(item, "offset"),
                facts.whole(item, "length"),
                tuple(_nodes(inner, budget, depth + 1)),
            )


def dump(octets: bytes) -> str:
    """A hex view: offset, sixteen octets, ASCII; the script of the page counts on these columns."""
    lines = []
    for at in range(0, len(octets), WIDTH):
        row = octets[at : at + WIDTH]
        shown = "".join(chr(octet) if 32 <= octet < 127 else "." for octet in row)
        lines.append(f"{at:04x}  {row.hex(' '):<{3 * WIDTH - 1}}  {shown}")
    return "\n".join(lines)
