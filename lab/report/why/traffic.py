"""Traffic that does not arrive although the SAs stand: what each side says of its SAs, beside what the wire says.

    sas.json       the SAs that both sides listed at the end, with their counters
    result.json    which traffic the steps tried, and whether the scenario passed
    ladder.json    which ESP and AH packets were lost on the way

Rules of this file: only CHILD SAs that stood at the end are looked at; of those that were replaced nobody has counters.
A finding concludes something only where the scenario did not pass: one that takes a path away is not explained by it.
"""

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from pathlib import Path

from lab.report import facts
from lab.report.facts import Doubts, Facts
from lab.report.why.finding import Finding

_TRIED = re.compile(r"from (\S+) to (\S+?)(?:[,;]|$)")
SIDES = ("left", "right")


@dataclass(frozen=True, slots=True)
class Child:
    """A CHILD SA as one side listed it."""

    node: str
    row: Facts

    @property
    def name(self) -> str:
        """What its configuration calls it."""
        return facts.text(self.row, "name")

    def selects(self, source: str, target: str) -> bool:
        """Whether its selectors take packets between these two addresses, leaving this side."""
        return _within(source, facts.texts(self.row, "local_ts")) and _within(
            target, facts.texts(self.row, "remote_ts")
        )

    @property
    def selectors(self) -> str:
        """`10.1.0.0/24 === 10.2.0.0/24`."""
        return " === ".join(", ".join(facts.texts(self.row, f"{side}_ts")) for side in ("local", "remote"))


def findings(directory: Path, ladder: Sequence[Facts]) -> list[Finding]:
    """What is wrong with the traffic of a scenario's SAs."""
    doubts = Doubts()
    sas, result = facts.load(directory / "sas.json", doubts), facts.table(facts.load(directory / "result.json", doubts))
    children = {side: _children(side, facts.rows(sas, side)) for side in SIDES}
    if not any(children.values()):
        return []
    when = max((facts.number(entry, "t_sent") or 0.0 for entry in ladder), default=0.0)
    ends = facts.text(result, "verdict") not in ("passed", "")
    missed = list(_one_way(children, ladder, when))
    # Who gets nothing has nothing to answer: that its own SA is idle is no finding of its own.
    waiting = {side for side in SIDES if any(one.node != side for one in missed)}
    found = [*_unselected(children, result, when, waiting), *missed]
    return [Finding(one.t, one.node, one.words, one.proof, refusal=ends) for one in found]


def _children(side: str, rows: Sequence[Facts]) -> list[Child]:
    found = [Child(side, child) for sa in rows for child in facts.rows(sa, "children")]
    return [one for one in found if facts.text(one.row, "state") == "INSTALLED"]


def _within(address: str, selectors: Sequence[str]) -> bool:
    """Whether an address is in one of `10.1.0.0/24`, `10.1.0.7/32[tcp/80]`."""
    for selector in selectors:
        try:
            if ip_address(address) in ip_network(selector.partition("[")[0], strict=False):
                return True
        except ValueError:
            continue
    return False


def _unselected(
    children: dict[str, list[Child]], result: Facts, when: float, waiting: Collection[str]
) -> Iterator[Finding]:
    """Traffic that a step tried and that no SA takes."""
    for step in facts.rows(result, "steps"):
        tried = _TRIED.search(facts.text(step, "detail"))
        if tried is None or facts.text(step, "verdict") == "passed":
            continue
        ends = {"left": (tried[1], tried[2]), "right": (tried[2], tried[1])}
        for side, (source, target) in ends.items():
            words = _why_not(children[side], source, target, waiting=side in waiting)
            if children[side] and words:
                yield Finding(when, side, words, f"sas.json, and step {facts.text(step, 'name')} of result.json")


def _why_not(children: Sequence[Child], source: str, target: str, *, waiting: bool) -> str:
    """Why packets from here to there do not go into one of these SAs; nothing where they do, or would if any came."""
    fitting = [one for one in children if one.selects(source, target)]
    if not fitting:
        listed = "; ".join(f"{one.name} {one.selectors}" for one in children)
        return f"has no CHILD SA for packets from {source} to {target}: {listed}"
    if waiting or any(facts.whole(one.row, "packets_out") for one in fitting):
        return ""
    names = ", ".join(one.name for one in fitting)
    return (
        f"put no packet from {source} to {target} into its SA ({names}): none came to it, or its routes lead elsewhere"
    )


def _one_way(children: dict[str, list[Child]], ladder: Sequence[Facts], when: float) -> Iterator[Finding]:
    """SAs into which one side sends, and of which the other takes nothing."""
    for side, other in (SIDES, SIDES[::-1]):
        taken = {facts.text(one.row, "spi_in"): one for one in children[other]}
        for one in children[side]:
            spi, sent = facts.text(one.row, "spi_out"), facts.whole(one.row, "packets_out") or 0
            peer = taken.get(spi)
            if not sent or (peer is not None and facts.whole(peer.row, "packets_in")):
                continue
            lost, seen = _fate(ladder, spi)
            fate = _told(lost, seen, other, known=peer is not None)
            protocol = facts.text(one.row, "protocol") or "ESP"
            words = f"sent {_packets(sent)} of {protocol} with SPI {spi} (child {one.name}), and {fate}"
            yield Finding(when, side, words, "the counters of sas.json, and the ladder")


def _fate(ladder: Sequence[Facts], spi: str) -> tuple[int, int]:
    """How many packets with this SPI were lost, of how many that were captured."""
    seen = [entry for entry in ladder if facts.text(entry, "spi") == spi]
    return sum(facts.flag(entry, "lost") for entry in seen), len(seen)


def _told(lost: int, seen: int, other: str, *, known: bool) -> str:
    if seen and lost == seen:
        return f"none of them arrived at {other}: the network lost them"
    if not known:
        return f"{other} has no such SA"
    if not seen:
        return f"{other} took none; none of them was seen on a wire either"
    return f"{other} took none of the {seen - lost} that arrived: its log and counters.json say why it drops them"


def _packets(count: int) -> str:
    return f"{count} packet{'' if count == 1 else 's'}"
