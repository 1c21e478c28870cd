"""What a scenario says about itself: its id and the marks on its function.

The id is the path of the test below `scenarios/` without the file: `scenarios/ikev2/test_tunnel.py::test_plain_tunnel`
is `ikev2/plain-tunnel`, and a parameter of its own is one more step: `esp/kernel-esp/aes-gcm`. Marks:

    @pytest.mark.rfc("7296#2.6")            clauses that the scenario proves
    @pytest.mark.needs("cookie")            abilities that both peers need
    @pytest.mark.clock("virtual"|"real")    a clock that it cannot do without
    @pytest.mark.limit(240)                 seconds that it may compute, where 60 are not enough
    @pytest.mark.long                       only run where its name is asked for, or with IKELAB_SLOW=1
    @pytest.mark.pairings("ours>ours", ..)  instead of ours>strongswan and strongswan>ours; a parameter with such a mark
                                            of its own runs in those of the function's that it names too
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lab.errors import ConfigError
from lab.matrix import DEFAULT, Pairing

CLOCKS = ("any", "virtual", "real")
# Seconds of computing; three times that by the clock. What nearly every scenario does takes a tenth of it.
LIMIT_S = 60.0


@dataclass(frozen=True, slots=True)
class Scenario:
    """One scenario in one pairing: what pytest calls an item."""

    id: str
    pairing: Pairing
    nodeid: str
    title: str
    clauses: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    clock: str = "any"
    limit_s: float = LIMIT_S
    long: bool = False

    @property
    def directory(self) -> Path:
        """Where its results go, below the run's directory."""
        return Path("scenarios", self.id, self.pairing.directory)

    def command(self, seed: int) -> str:
        """The command that runs exactly this again; quoted, as `>` means something to a shell."""
        return f"ikelab run '{self.id}:{self.pairing}' --seed {seed}"


def words(item: pytest.Item, mark: str) -> tuple[str, ...]:
    """All arguments of all marks of one name, the function's own first, without repeats."""
    return tuple(dict.fromkeys(str(word) for marker in item.iter_markers(mark) for word in marker.args))


def clock(item: pytest.Item) -> str:
    """The clock that the scenario cannot do without, or `any`."""
    marker = item.get_closest_marker("clock")
    kind = str(marker.args[0]) if marker and marker.args else "any"
    if kind not in CLOCKS:
        raise ConfigError(f"the clock mark knows {', '.join(CLOCKS)}, not {kind!r}", file=item.nodeid)
    return kind


def limit(item: pytest.Item) -> float:
    """The real time that the scenario may take, in seconds."""
    marker = item.get_closest_marker("limit")
    return float(marker.args[0]) if marker else LIMIT_S


def declared_pairings(markers: list[pytest.Mark]) -> tuple[Pairing, ...]:
    """The pairings of the nearest `pairings` mark, or the default ones."""
    return tuple(Pairing.parse(text) for text in markers[0].args) if markers else DEFAULT


def excluded(item: pytest.Item) -> bool:
    """Whether a parameter of the function leaves out the pairing of this item."""
    callspec: Any = getattr(item, "callspec", None)
    if callspec is None or not isinstance(pairing := callspec.params.get("pairing"), Pairing):
        return False
    own = [marker for marker in callspec.marks if marker.name == "pairings"]
    return any(pairing not in declared_pairings([marker]) for marker in own)


def scenario(item: pytest.Item, root: Path) -> Scenario | None:
    """The metadata of an item, or None for a test that is no scenario (it has no pairing)."""
    callspec: Any = getattr(item, "callspec", None)
    pairing = callspec.params.get("pairing") if callspec else None
    if not isinstance(pairing, Pairing):
        return None
    function: Any = getattr(item, "function", None)
    doc = (function.__doc__ or "").strip().splitlines()
    own = "-".join(part for part in _own_ids(callspec.id, str(pairing)) if part)
    name = getattr(item, "originalname", item.name).removeprefix("test_").replace("_", "-")
    folder = item.path.parent.relative_to(root) if item.path.is_relative_to(root) else Path()
    return Scenario(
        id=(folder / name / own).as_posix() if own else (folder / name).as_posix(),
        pairing=pairing,
        nodeid=item.nodeid,
        title=doc[0] if doc else name.replace("-", " "),
        clauses=words(item, "rfc"),
        needs=words(item, "needs"),
        clock=clock(item),
        limit_s=limit(item),
        long=item.get_closest_marker("long") is not None,
    )


def _own_ids(joined: str, pairing: str) -> list[str]:
    """pytest's joined parameter ids without the one of the pairing."""
    before, _, after = joined.partition(pairing)
    return [before.strip("-"), after.strip("-")]
