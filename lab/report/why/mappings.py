"""NAT mappings that ended while somebody still sent to them: from nat.json and the packets lost after that."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from lab.report import facts
from lab.report.facts import Doubts, Facts
from lab.report.why.finding import Finding

# What ended a mapping, as a verb of its box.
ENDED = {"expired": "let the mapping of {} to {} expire", "forgotten": "forgot the mapping of {} to {}"}


def findings(directory: Path, ladder: Sequence[Facts]) -> list[Finding]:
    """Each mapping whose end cost packets; it concludes something where the scenario did not pass."""
    doubts = Doubts()
    verdict = facts.text(facts.load(directory / "result.json", doubts), "verdict")
    timeline = facts.rows(facts.load(directory / "nat.json", doubts), "timeline")
    return list(_ended(timeline, ladder, ends=verdict not in ("passed", "")))


def _ended(timeline: Sequence[Facts], ladder: Sequence[Facts], *, ends: bool) -> Iterator[Finding]:
    for entry in timeline:
        event, outside = facts.text(entry, "event"), facts.text(entry, "outside")
        if event not in ENDED or not outside:
            continue
        at = facts.number(entry, "t") or 0.0
        lost = [
            one
            for one in _sent_to(outside, ladder)
            if at <= (facts.number(one, "t_sent") or 0.0) < _again(timeline, entry)
        ]
        lost = [one for one in lost if facts.flag(one, "lost")]
        if not lost:
            continue
        first = lost[0]
        after = (facts.number(first, "t_sent") or 0.0) - at
        idle = _idle(outside, facts.text(entry, "inside"), ladder, at)
        words = ENDED[event].format(facts.text(entry, "inside"), outside)
        words += f" after {idle:.0f} s without a packet" if event == "expired" and idle is not None else ""
        many = "1 packet" if len(lost) == 1 else f"{len(lost)} packets"
        words += f"; {many} of {facts.text(first, 'from')} to it came too late, the first {after:.1f} s after that"
        proof = f"nat.json, and message {facts.text(first, 'n')} of the ladder"
        yield Finding(at, facts.text(entry, "node"), words, proof, refusal=ends)


def _sent_to(outside: str, ladder: Sequence[Facts]) -> list[Facts]:
    return [one for one in ladder if facts.text(one, "dst") == outside]


def _again(timeline: Sequence[Facts], ended: Facts) -> float:
    """When the same outside name stands for somebody again; never is infinity."""
    at, outside = facts.number(ended, "t") or 0.0, facts.text(ended, "outside")
    later = (
        facts.number(one, "t") or 0.0
        for one in timeline
        if facts.text(one, "event") in ("created", "changed") and facts.text(one, "outside") == outside
    )
    return min((t for t in later if t > at), default=float("inf"))


def _idle(outside: str, inside: str, ladder: Sequence[Facts], at: float) -> float | None:
    """How long nothing had gone through the mapping when it ended."""
    used = [
        facts.number(one, "t_sent") or 0.0
        for one in ladder
        if {facts.text(one, "dst"), facts.text(one, "src")} & {outside, inside} and not facts.flag(one, "lost")
    ]
    before = [t for t in used if t <= at]
    return at - max(before) if before else None
