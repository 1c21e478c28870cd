"""What the page "Claims" shows: the claims of `textbook` with the verdicts of this run, for each pairing.

Rules of this file: a claim has been shown only where every proof of it was run; what was left out is said.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from lab.report import index, proof, words
from lab.report.index import Tally
from lab.report.model import Result, Run, Verdict
from lab.report.proof import Proof
from lab.report.textbook import CLAIMS, STANDS, Claim


@dataclass(frozen=True, slots=True)
class Pairing:
    """The results of one pairing; `gravest` is the one to look at first. No result, no tally."""

    name: str
    tally: Tally
    worst: Verdict | None
    gravest: Result | None


@dataclass(frozen=True, slots=True)
class Shown:
    """One proof of a claim with its results by pairing; empty if it was not run."""

    proof: Proof
    pairings: tuple[Pairing, ...]


@dataclass(frozen=True, slots=True)
class Judged:
    """A claim before the results of a run. `cells` has one for each pairing of the run, in its order."""

    claim: Claim
    worst: Verdict | None
    sentence: str
    cells: tuple[Pairing, ...]
    shown: tuple[Shown, ...]


def judge(run: Run) -> tuple[list[str], list[Judged]]:
    """The pairings that prove anything, and all claims."""
    every = [one for claim in CLAIMS for one in _results(run, claim)]
    pairings = sorted({one.pairing for one in every})
    return pairings, [_judged(run, claim, pairings) for claim in CLAIMS]


def _results(run: Run, claim: Claim) -> list[Result]:
    return [one for one in run.results if any(proof.means(one.id) for proof in claim.proofs)]


def _judged(run: Run, claim: Claim, pairings: Sequence[str]) -> Judged:
    results = _results(run, claim)
    shown = tuple(_shown(one, one.found(run.results)) for one in claim.proofs)
    worst = proof.worst(results)
    cells = tuple(_pairing(name, results) for name in pairings)
    return Judged(claim, worst, _sentence(claim, worst, shown), cells, shown)


def _shown(one: Proof, results: Sequence[Result]) -> Shown:
    return Shown(one, tuple(_pairing(name, results) for name in sorted({result.pairing for result in results})))


def _pairing(name: str, results: Sequence[Result]) -> Pairing:
    own = [one for one in results if one.pairing == name]
    gravest = min(own, key=lambda one: (one.verdict is Verdict.UNSUPPORTED, one.verdict.gravity), default=None)
    return Pairing(name, index.tally(own), proof.worst(own), gravest)


def _sentence(claim: Claim, worst: Verdict | None, shown: Sequence[Shown]) -> str:
    """The verdict in words."""
    without = sum(not one.pairings for one in shown)
    if worst is None:
        return "Not run: nothing in this run proves or refutes it."
    if worst is Verdict.UNSUPPORTED:
        return "Not shown: no pairing of this run supports what would prove it."
    if worst is not Verdict.PASSED:
        tallies = [one.tally for each in shown for one in each.pairings]
        bad = sum(number for tally in tallies for verdict, number in tally.counts if verdict is worst)
        of = words.count(sum(tally.total for tally in tallies), "result")
        return f"Not shown: {bad} of the {of} that should prove it {'is' if bad == 1 else 'are'} {worst.value}."
    if without:
        were = "was" if without == 1 else "were"
        return f"Shown in part: {without} of {words.count(len(shown), 'proof')} {were} not run; the others passed."
    truth = "as it is written" if claim.judgement == STANDS else "as it is put right here"
    return f"Shown by this run {truth}" + (", but for what has no scenario yet." if claim.missing else ".")
