"""Do two peers agree on the keys they negotiated?

Rule: only SAs that both peers know are compared (an initiator that never saw the answer has no keys), but for every
such SA all keys must be equal. A key that one side does not report (empty) is a difference.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lab.peers.charon_log import SECRETS

Keys = Mapping[str, Sequence[Mapping[str, Any]]]
CHILD_KEYS = ("encr_key", "salt", "integ_key")


@dataclass(frozen=True, slots=True)
class Comparison:
    """How many SAs both sides know, and in words what differs."""

    ike: int
    child: int
    differences: tuple[str, ...]
    one_sided: int = 0

    @property
    def equal(self) -> bool:
        """Whether every SA that both know has the same keys on both sides."""
        return not self.differences

    def __str__(self) -> str:
        if self.differences:
            return "; ".join(self.differences)
        alone = f", {self.one_sided} known to one side only" if self.one_sided else ""
        return f"{self.ike} IKE SAs and {self.child} ESP or AH SAs have the same keys on both sides{alone}"


def compare(one: Keys, other: Keys) -> Comparison:
    """Compare two peers' keys.json entries SA by SA."""
    ike = [_by(keys.get("ike", ()), "spi_i", "spi_r") for keys in (one, other)]
    child = [_by(keys.get("child", ()), "spi", "protocol") for keys in (one, other)]
    differences = _differences("IKE SA", ike, SECRETS) + _differences("SA", child, CHILD_KEYS)
    alone = sum(len(first.keys() ^ second.keys()) for first, second in (ike, child))
    return Comparison(len(ike[0].keys() & ike[1].keys()), len(child[0].keys() & child[1].keys()), differences, alone)


def _by(entries: Sequence[Mapping[str, Any]], *names: str) -> dict[tuple[str, ...], Mapping[str, Any]]:
    return {tuple(str(entry[name]) for name in names): entry for entry in entries}


def _differences(
    what: str, sides: Sequence[Mapping[tuple[str, ...], Mapping[str, Any]]], fields: Sequence[str]
) -> tuple[str, ...]:
    """One sentence per SA whose secrets differ."""
    first, second = sides
    out = []
    for spi in sorted(first.keys() & second.keys()):
        one, other = first[spi], second[spi]
        wrong = [name for name in fields if (one.get(name) or "") != (other.get(name) or "")]
        if wrong:
            who = f"{one.get('source', '?')} and {other.get('source', '?')}"
            out.append(f"{what} {spi[0]}: {', '.join(wrong)} differ between {who}")
    return tuple(out)
