"""Verdicts over several runs: the trend of all, and the scenarios that cannot make up their minds.

A scenario is flaky where runs of one code with one seed and the same peers differ about it, or where the attempts of
one run do. A change of the code, of a peer or of the seed may change a verdict: that is news, not flakiness.
"""

from collections import defaultdict
from collections.abc import Sequence

from msgspec import Struct

from lab.history.store import History, Past, Verdict

# A verdict says something of the scenario only if it is one of these.
TELLING = ("passed", "failed", "flaky", "unresolved")


class Moment(Struct, frozen=True, kw_only=True):
    """One run in the trend, as history.json of a later run and `ikelab history --json` have it."""

    run_id: str
    started: str
    directory: str
    duration_s: float | None
    counts: dict[str, int]


class Flaky(Struct, frozen=True, kw_only=True):
    """A scenario in one pairing that passed `passed` of `total` times under equal conditions."""

    id: str
    pairing: str
    passed: int
    total: int
    verdicts: list[str]


def trend(runs: Sequence[Past]) -> list[Moment]:
    """The runs, the oldest first."""
    return [
        Moment(
            run_id=run.run_id,
            started=run.started,
            directory=str(run.directory),
            duration_s=run.duration_s,
            counts=run.counts,
        )
        for run in reversed(runs)
    ]


def flaky(history: History, runs: Sequence[Past]) -> list[Flaky]:
    """What differs among these runs although nothing else does, the most often failing first."""
    said: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for run in reversed(runs):
        for one in history.verdicts(run):
            said[one.id, one.pairing, *_conditions(run, one)] += _words(one)
    found = [
        Flaky(id=key[0], pairing=key[1], passed=words.count("passed"), total=len(words), verdicts=words)
        for key, words in said.items()
        if len(set(words)) > 1
    ]
    return sorted(found, key=lambda one: (one.passed / one.total, one.id, one.pairing))


def _conditions(run: Past, one: Verdict) -> tuple[str, str, str, str]:
    """What must be equal for two verdicts to be about the same thing."""
    peers = (run.versions.get(name, "") for name in one.pairing.split(">"))
    return str(run.seed), run.versions.get("source", ""), " ".join(peers), run.kernel


def _words(one: Verdict) -> list[str]:
    """The verdicts of the attempts."""
    return [word for word in (one.attempts or (one.verdict,)) if word in TELLING]
