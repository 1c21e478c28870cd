"""What the page of differences shows: two runs' results that are not alike, and their ladders side by side.

Rules of this file: no markup. Messages stand beside one another by their places (lab.history.messages), in the order of
the second run; what the first run alone has stands where it was sent there. A page has the ladders of so many results
only, those with another verdict first, and says so.
"""

import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any
from urllib.parse import quote

from lab.history.differences import Changed, RunDiff, recorded
from lab.history.messages import Difference, Place, placed
from lab.report.model import Verdict

MOST_LADDERS = 100
MOST_DIFFERENCES = 200
# Kinds of differences that are about one message, with the word for its row.
_ABOUT = {"field": "other fields", "payloads": "other payloads", "time": "other time"}


@dataclass(frozen=True, slots=True)
class Side:
    """A message in one of the runs: seconds after its first one, who sent it, and its words in pieces.

    A piece is (text, whether the other run lacks it).
    """

    seconds: float
    sender: str
    receiver: str
    lost: bool
    again: bool
    head: str
    payloads: tuple[tuple[str, bool], ...]


@dataclass(frozen=True, slots=True)
class Row:
    """A message in both runs or in one; `words` say what is different, nothing if it is as before."""

    before: Side | None
    after: Side | None
    words: str


@dataclass(frozen=True, slots=True)
class Pair:
    """One result in both runs: verdicts, links to both pages, differences, ladder (empty where it is left out)."""

    changed: Changed
    verdicts: tuple[Verdict, Verdict]
    links: tuple[str, str]
    differences: Sequence[Difference]
    more: int
    rows: Sequence[Row]


def pairs(found: RunDiff, place: Path) -> list[Pair]:
    """The results that are not alike; links are relative to `place`, the page's directory."""
    runs = Path(found.before.directory), Path(found.after.directory)
    return [_pair(one, runs, place, number < MOST_LADDERS) for number, one in enumerate(found.changed)]


def _pair(one: Changed, runs: tuple[Path, Path], place: Path, with_ladder: bool) -> Pair:
    pages = [run / folder / "index.html" for run, folder in zip(runs, one.dirs, strict=True)]
    old, new = (recorded(page.parent).ladder for page in pages)
    return Pair(
        one,
        (_verdict(one.verdicts[0]), _verdict(one.verdicts[1])),
        (_link(pages[0], place), _link(pages[1], place)),
        one.differences[:MOST_DIFFERENCES],
        max(0, len(one.differences) - MOST_DIFFERENCES),
        rows(old, new, one.differences) if with_ladder else [],
    )


def _verdict(word: str) -> Verdict:
    return Verdict(word) if word in {one.value for one in Verdict} else Verdict.UNRESOLVED


def _link(page: Path, place: Path) -> str:
    return quote(os.path.relpath(page.resolve(), place.resolve())) if page.is_file() else ""


def rows(
    before: Sequence[Mapping[str, Any]], after: Sequence[Mapping[str, Any]], differences: Sequence[Difference] = ()
) -> list[Row]:
    """The IKE messages of two ladders, those of one place in one row."""
    old, new = placed(before), placed(after)
    said = _said(differences, {*old, *new})
    began = [next((entry["t_sent"] for entry in one.values()), 0.0) for one in (old, new)]
    found = []
    for spot in _order(list(old), list(new)):
        was, now = old.get(spot), new.get(spot)
        words = "only in B" if was is None else "only in A" if now is None else ", ".join(sorted(said[str(spot)]))
        found.append(Row(_side(was, now, began[0]), _side(now, was, began[1]), words))
    return found


def _order(old: list[Place], new: list[Place]) -> list[Place]:
    """All places: those of the second run in its order, those of the first alone where they stood in it."""
    only = set(old) - set(new)
    found: list[Place] = []
    for _, first, last, start, end in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        found += [spot for spot in old[first:last] if spot in only]
        found += new[start:end]
    return found


def _said(differences: Sequence[Difference], places: set[Place]) -> dict[str, set[str]]:
    """What is different in each message, by the words of its place."""
    names = {str(place) for place in places}
    said: dict[str, set[str]] = defaultdict(set)
    for one in differences:
        # A field's place is followed by its path.
        name = one.where if one.where in names else one.where.partition(": ")[0]
        if name in names:
            said[name].add(_ABOUT.get(one.kind, one.kind))
    return said


def _head(entry: Mapping[str, Any]) -> str:
    """`IKE_AUTH request 1`; of IKEv1 `Main Mode`, or `Quick Mode of 0badc0de`, whose number is drawn by chance."""
    if entry["response"] is None:
        return f"{entry['exchange']} of {entry['message_id']:08x}" if entry["message_id"] else str(entry["exchange"])
    return f"{entry['exchange']} {'response' if entry['response'] else 'request'} {entry['message_id']}"


def _side(entry: Mapping[str, Any] | None, other: Mapping[str, Any] | None, began: float) -> Side | None:
    if entry is None:
        return None
    rest = list(other["payloads"]) if other is not None else list(entry["payloads"])
    pieces = []
    for name in entry["payloads"]:
        pieces.append((str(name), name not in rest))
        if name in rest:
            rest.remove(name)
    return Side(
        seconds=entry["t_sent"] - began,
        sender=str(entry["from"]),
        receiver=str(entry["to"] or ""),
        lost=bool(entry.get("lost")),
        again=entry.get("retransmit_of") is not None,
        head=_head(entry),
        payloads=tuple(pieces),
    )
