"""What the index page shows, computed from a run: the matrix, the scenarios, the clauses, the slowest.

Rules of this file: no markup. The table may have thousands of rows, so each row carries only what filters need.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from urllib.parse import quote

from lab.report import words
from lab.report.model import Result, Verdict

SLOWEST = 10
LINKS_PER_CLAUSE = 6
_NUMBER = re.compile(r"\d+")


@dataclass(frozen=True, slots=True)
class Tally:
    """Verdicts of some results, the gravest first."""

    counts: tuple[tuple[Verdict, int], ...]

    @property
    def worst(self) -> Verdict:
        """The gravest verdict among them."""
        return self.counts[0][0] if self.counts else Verdict.UNSUPPORTED

    @property
    def total(self) -> int:
        """How many results."""
        return sum(number for _, number in self.counts)


@dataclass(frozen=True, slots=True)
class Scenario:
    """All results of one scenario."""

    results: tuple[Result, ...]

    @property
    def first(self) -> Result:
        """The gravest result, which the scenario's name leads to."""
        return min(self.results, key=lambda one: one.verdict.gravity)

    @property
    def title(self) -> str:
        """What the scenario shows, in its own words."""
        return next((one.title for one in self.results if one.title), "")

    @property
    def clauses(self) -> str:
        """All clauses, for the search."""
        return " ".join(dict.fromkeys(clause for one in self.results for clause in one.clauses))

    @property
    def total(self) -> int:
        """How many results."""
        return len(self.results)


@dataclass(frozen=True, slots=True)
class Trouble:
    """Results of one scenario that went wrong in the same way."""

    results: tuple[Result, ...]

    @property
    def first(self) -> Result:
        """The one whose reason is told."""
        return self.results[0]


@dataclass(frozen=True, slots=True)
class Clause:
    """One clause of an RFC, its verdicts per peer, and the scenarios that check it, each by its gravest result."""

    key: str
    tally: Tally
    peers: tuple[tuple[str, Tally], ...]
    results: tuple[Result, ...]
    more: int


def tally(results: Iterable[Result]) -> Tally:
    """Count verdicts."""
    counts = Counter(one.verdict for one in results)
    return Tally(tuple((verdict, counts[verdict]) for verdict in Verdict if counts[verdict]))


def address(result: Result) -> str:
    """The link to a result's page from the index, or an empty string if there is none."""
    return quote(str(result.directory / "index.html")) if result.directory else ""


def matrix(results: Sequence[Result]) -> tuple[list[str], list[tuple[str, list[Tally]]]]:
    """Pairings, and for each group its tallies in that order."""
    pairings = sorted({one.pairing for one in results})
    cells: dict[tuple[str, str], list[Result]] = defaultdict(list)
    for one in results:
        cells[one.group, one.pairing].append(one)
    groups = sorted({one.group for one in results})
    return pairings, [(group, [tally(cells[group, pairing]) for pairing in pairings]) for group in groups]


def by_group(results: Sequence[Result]) -> list[tuple[str, list[Scenario]]]:
    """Scenarios under their groups, in order."""
    groups: dict[str, dict[str, list[Result]]] = defaultdict(lambda: defaultdict(list))
    for one in results:
        groups[one.group][one.id].append(one)
    return [(group, [Scenario(tuple(found)) for found in groups[group].values()]) for group in sorted(groups)]


def troubles(results: Sequence[Result]) -> list[Trouble]:
    """What went wrong, the gravest first; what went wrong alike in one scenario is one trouble."""
    bad = [one for one in results if one.verdict in (Verdict.FAILED, Verdict.UNRESOLVED, Verdict.FLAKY)]
    found: dict[tuple[str, Verdict, str], list[Result]] = defaultdict(list)
    for one in sorted(bad, key=lambda one: one.verdict.gravity):
        found[one.id, one.verdict, _alike(one)].append(one)
    return [Trouble(tuple(alike)) for alike in found.values()]


def _alike(one: Result) -> str:
    """The reason without what differs by pairing: the peers' names and numbers."""
    sides = sorted(one.pairing.split(">"), key=len, reverse=True)
    return _NUMBER.sub("0", re.sub("|".join(map(re.escape, sides)), "peer", one.reason))


def clauses(results: Sequence[Result]) -> list[Clause]:
    """Clauses in the order of the RFCs; those that went wrong name their results first."""
    found: dict[str, list[Result]] = defaultdict(list)
    for one in results:
        for key in dict.fromkeys(one.clauses):
            found[key].append(one)
    listed = []
    for key in sorted(found, key=words.clause_order):
        ordered = sorted(found[key], key=lambda one: one.verdict.gravity)
        scenarios = list({one.id: one for one in reversed(ordered)}.values())[::-1]
        shown = tuple(scenarios[:LINKS_PER_CLAUSE])
        listed.append(Clause(key, tally(ordered), _per_peer(ordered), shown, len(scenarios) - len(shown)))
    return listed


def _per_peer(results: Sequence[Result]) -> tuple[tuple[str, Tally], ...]:
    found: dict[str, list[Result]] = defaultdict(list)
    for one in results:
        found[peer(one)].append(one)
    return tuple((name, tally(found[name])) for name in sorted(found))


def peer(result: Result) -> str:
    """Whom our stack met, `strongswan` of `ours-xfrm>strongswan`; itself, or both sides where it took no part."""
    sides = result.pairing.split(">")
    others = [side for side in sides if side != "ours" and not side.startswith("ours-")]
    return ">".join(others) or sides[0]


def slowest(results: Sequence[Result]) -> list[tuple[Result, float]]:
    """The slowest results, each with its share of the slowest one's time."""
    timed = sorted((one for one in results if one.duration_s), key=lambda one: -(one.duration_s or 0))[:SLOWEST]
    return [(one, (one.duration_s or 0) / (timed[0].duration_s or 1)) for one in timed]


def up_to_index(directory: PurePosixPath) -> str:
    """The way from a scenario's page back to the run directory: `../../../`."""
    return "../" * len(directory.parts)
