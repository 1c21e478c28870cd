"""Do both peers hold the same keys? A step of every scenario, from two programs that share no code.

Rules: an SA that only one side logged is counted and says nothing (an initiator that never saw the answer has no
keys), but a CHILD SA that both sides list as installed must have been logged by both. A peer that cannot tell its keys
(`silent`) is compared with nothing, and the sentence says so.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lab.evidence.keys import Agreement, Keys, compare

_WORDS = (("ike", "IKE"), ("child", "IPsec"))
Sas = Mapping[str, Sequence[Mapping[str, Any]]]


@dataclass(frozen=True, slots=True)
class Finding:
    """What the comparison gave: sentences on what is wrong, and one on the whole."""

    problems: tuple[str, ...]
    sentence: str


def agree(keys: Keys, sas: Sas, silent: Collection[str] = ()) -> Finding:
    """Compare the keys of all sides, SA by SA; `silent` nodes have peers that cannot tell theirs."""
    found = compare(keys)
    logged = {one.spi: set(one.sources) for one in found if one.kind == "child"}
    missing = [
        f"{where} did not log the keys of CHILD SA {spi}"
        for where, spi in _unlogged(logged, sas)
        if where not in silent
    ]
    wrong = [f"SA {one.spi}: {one.wrong}" for one in found if one.wrong]
    unheard = "".join(f"; {node} cannot tell its keys" for node in sorted(silent))
    return Finding((*wrong, *missing), _sentence(found) + unheard)


def _unlogged(logged: Mapping[str, set[str]], sas: Sas) -> list[tuple[str, str]]:
    """The (node, SPI) of CHILD SAs that all nodes list as installed but not all have logged."""
    listed = [{spi for sa in views for spi in _spis(sa)} for views in sas.values()]
    shared = sorted(set.intersection(*listed)) if len(listed) > 1 else []
    return [(node, spi) for spi in shared for node in sas if not any(_of(node, s) for s in logged.get(spi, ()))]


def _spis(sa: Mapping[str, Any]) -> list[str]:
    children = [child for child in sa.get("children", ()) if child.get("state") == "INSTALLED"]
    return [child[way] for child in children for way in ("spi_in", "spi_out")]


def _of(node: str, source: str) -> bool:
    return source.partition(":")[2] == node


def _sentence(found: Sequence[Agreement]) -> str:
    both = [one for one in found if len(set(one.sources)) > 1 and one.equal]
    alone = sum(len(set(one.sources)) == 1 for one in found)
    # Each generation of an IKE SA's keys is compared, and the SA counted once.
    counts = {kind: len({one.spi for one in both if one.kind == kind}) for kind in ("ike", "child")}
    ike, child = (f"{counts[kind]} {name} SA{'' if counts[kind] == 1 else 's'}" for kind, name in _WORDS)
    text = f"equal keys on both sides: {ike}, {child}"
    apart = sum(len(set(one.sources)) > 1 and one.apart for one in found)
    return "".join(
        (
            text,
            f"; different keys of different pre-shared keys: {apart}" if apart else "",
            f"; {alone} known to one side only" if alone else "",
        )
    )
