"""The account of a scenario: what was refused or unanswered, why, and a conclusion in a sentence or two."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from lab.report import facts
from lab.report.facts import Doubts
from lab.report.why import daemons, mappings, traffic, wire
from lab.report.why.finding import Finding

# A daemon gives its reason at about the time at which its refusal leaves it.
NEAR_S = 1.0
OFFERED = re.compile(r"\((we (?:offer|ask|call) .+)\)$")


@dataclass(frozen=True, slots=True)
class Account:
    """`conclusion` is empty where nothing was refused and nothing stayed unanswered."""

    conclusion: tuple[str, ...]
    findings: tuple[Finding, ...]


def account(directory: Path) -> Account:
    """The account of the scenario in this directory."""
    ladder = facts.rows(facts.load(directory / "ladder.json", Doubts()))
    told = [*wire.findings(ladder), *mappings.findings(directory, ladder), *daemons.findings(directory)]
    found = sorted([*told, *traffic.findings(directory, ladder)], key=lambda one: one.t)
    found = [two for one, two in pairwise([None, *found]) if two is not None and two != one]
    return Account(tuple(_conclusions(found)), tuple(found))


def _conclusions(found: Sequence[Finding]) -> list[str]:
    """Every refusal, with the reasons that who refused gave at that time; without any, what the daemons complain of."""
    refusals = [one for one in found if one.refusal]
    if not refusals:
        return list(dict.fromkeys(f"{one.node}: {one.words}" for one in found if one.reason or one.offered))
    return list(dict.fromkeys(f"{one.node} {one.words}{_because(one, found)}" for one in refusals))


def _because(refusal: Finding, found: Sequence[Finding]) -> str:
    near = [one for one in found if one.node and abs(one.t - refusal.t) <= NEAR_S]
    who = refusal.silent or refusal.node
    own = (one for one in near if one.reason and one.node == who)
    why = list(dict.fromkeys(one.words for one in own)) if refusal.silent or not refusal.unanswered else []
    # Who was refused says what it had offered or claimed, in the brackets behind.
    told = (OFFERED.search(one.words) for one in near if one.offered and one.node != who)
    offered = list(dict.fromkeys(found[1] for found in told if found))
    says = f"The log of {who}" if refusal.silent else "Its reason"
    reason = f". {says}: {'; '.join(why)}" if why else ""
    if refusal.unanswered:
        return reason + _gave_up(refusal, found)
    return reason + (f". The other side says: {'; '.join(offered)}" if offered else "")


def _gave_up(refusal: Finding, found: Sequence[Finding]) -> str:
    """Who asks gives up long after it asked, when it has waited for an answer to its last repetition as well."""
    own = (one for one in found if one.reason and one.node == refusal.node and one.t > refusal.t)
    end = next((one for one in own if one.words.startswith(daemons.GAVE_UP)), None)
    return f". {end.t - refusal.t:.0f} s after the first it {end.words}" if end else ""
