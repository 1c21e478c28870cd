"""The map of what an ICV covers, from coverage.json: the packet in parts, and what changing each octet led to.

Rules of this file: the drawing is made of words and classes, so that it says the same without colours; nothing here
raises for bad content, and an octet without a flip says so.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from lab.report import facts
from lab.report.facts import Doubts, Facts

LARGEST = 2000
# Outcome -> what it means, in the order of the legend; the same words are classes of the style sheet.
MEANINGS = {
    "icv": "noticed: the ICV is wrong",
    "window": "noticed: the replay window does not want this sequence number",
    "spi": "noticed: no SA has this SPI",
    "header": "noticed: the header is not that of the SA",
    "policy": "not noticed by the ICV; the selectors of the SA do not take the packet",
    "taken": "not noticed: the packet was taken",
    "ip": "IP itself decides by this octet; ESP or AH never saw the packet",
    "untried": "not tried",
}
NOTICED = ("icv", "window", "spi", "header")


@dataclass(frozen=True, slots=True)
class Cell:
    """One octet: its hex digits, what its change led to, and both in words."""

    octet: str
    outcome: str
    words: str


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the packet with its octets."""

    name: str
    octets: int
    what: str
    covered: str
    hidden: bool
    noticed: str
    cells: list[Cell]


@dataclass(frozen=True, slots=True)
class Coverage:
    """The whole map; `legend` has (outcome, meaning, octets) of the outcomes that occur."""

    title: str
    receiver: str
    sentences: list[str]
    parts: list[Part]
    legend: list[tuple[str, str, str]]


def load(directory: Path, doubts: Doubts) -> Coverage | None:
    """The map of a scenario's directory, or None where there is none."""
    found = facts.table(facts.load(directory / "coverage.json", doubts))
    octets = facts.text(found, "octets")
    size = len(octets) // 2
    if not 0 < size <= LARGEST:
        return None
    flips = {at: flip for flip in facts.rows(found, "flips") if (at := facts.whole(flip, "at")) is not None}
    ips = facts.table(found, "ip_decides")
    cells = [_cell(octets[2 * at : 2 * at + 2], at, flips.get(at, {}), ips) for at in range(size)]
    covered = _numbers(found.get("covered"), size)
    return Coverage(
        f"{facts.text(found, 'protocol')} in {facts.text(found, 'mode')} mode",
        facts.text(found, "receiver"),
        _sentences(covered, cells, ips),
        [_part(part, cells, covered) for part in facts.rows(found, "parts")],
        _legend(cells),
    )


def _numbers(value: object, size: int) -> set[int]:
    return {n for n in value if isinstance(n, int) and 0 <= n < size} if isinstance(value, list) else set()


def _cell(octet: str, at: int, flip: Facts, ips: Facts) -> Cell:
    outcome = facts.text(flip, "outcome")
    outcome = outcome if outcome in MEANINGS else "untried"
    counter, field = facts.text(flip, "counter"), facts.text(ips, str(at))
    told = f" ({counter})" if counter and outcome != "taken" else f" ({field})" if field else ""
    return Cell(octet, outcome, f"octet {at}: {MEANINGS[outcome]}{told}")


def _part(part: Facts, cells: Sequence[Cell], covered: set[int]) -> Part:
    at, octets = facts.whole(part, "at") or 0, facts.whole(part, "octets") or 0
    place = range(at, min(at + octets, len(cells)))
    under = [n for n in place if n in covered]
    noticed = [n for n in place if cells[n].outcome in NOTICED]
    return Part(
        facts.text(part, "name"),
        octets,
        facts.text(part, "what"),
        _share(under, place),
        facts.flag(part, "hidden"),
        _share(noticed, place),
        [cells[n] for n in place],
    )


def _share(some: Sequence[int], whole: Sequence[int]) -> str:
    if len(some) == len(whole):
        return "all"
    return f"octets {ranges(some)}" if some else "none"


def ranges(numbers: Iterable[int]) -> str:
    """`0, 2-5, 9` for sorted numbers."""
    runs = []
    for _, group in groupby(enumerate(sorted(numbers)), lambda pair: pair[1] - pair[0]):
        run = [number for _, number in group]
        runs.append(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}")
    return ", ".join(runs)


def _sentences(covered: set[int], cells: Sequence[Cell], ips: Facts) -> list[str]:
    """What the RFC says, what was noticed, and whether the two are the same."""
    decided = {at for at in range(len(cells)) if str(at) in ips}
    noticed = {at for at, cell in enumerate(cells) if cell.outcome in NOTICED} - decided
    same = noticed == covered - decided
    said = [
        f"By the RFC the ICV covers the octets {ranges(covered) or 'none'}.",
        f"The receiver noticed a change of the octets {ranges(noticed) or 'none'}.",
        f"IP itself decides by the octets {ranges(decided)} before ESP or AH sees the packet." if decided else "",
        "Of all others the two are the same." if same else "The two are not the same.",
    ]
    return [sentence for sentence in said if sentence]


def _legend(cells: Sequence[Cell]) -> list[tuple[str, str, str]]:
    places = {word: [at for at, cell in enumerate(cells) if cell.outcome == word] for word in MEANINGS}
    return [(word, meaning, ranges(places[word])) for word, meaning in MEANINGS.items() if places[word]]
