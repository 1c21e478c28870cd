"""Two runs, scenario by scenario: verdicts that flipped, what was negotiated, what was said on the wire."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct, field

from lab.errors import ConfigError
from lab.evidence.results import Result, gather, read_run
from lab.history import replay
from lab.history.messages import TOLERANCE_S, Difference, Entry, Recorded, compare

SCHEMA = "ikelab.diff/1"


class Side(Struct, frozen=True, kw_only=True):
    """One of the two runs."""

    directory: str
    run_id: str = ""
    started: str = ""
    versions: dict[str, str] = field(default_factory=dict)


class Changed(Struct, frozen=True, kw_only=True):
    """A scenario in one pairing that is not as before; `dirs` are relative to the two run directories."""

    id: str
    pairing: str
    verdicts: tuple[str, str]
    reasons: tuple[str, str]
    dirs: tuple[str, str]
    differences: list[Difference]

    @property
    def flipped(self) -> bool:
        """Whether the verdict is another one."""
        return self.verdicts[0] != self.verdicts[1]


class RunDiff(Struct, frozen=True, kw_only=True):
    """What `ikelab report diff --json` prints. `alike` counts the results without a difference."""

    schema: str = SCHEMA
    before: Side
    after: Side
    alike: int
    gone: list[str]
    new: list[str]
    changed: list[Changed]


def diff(before: Path, after: Path, *, tolerance_s: float = TOLERANCE_S, exact: bool = False) -> RunDiff:
    """Compare two run directories; ConfigError if one is none. `exact` wants packet for packet the same (`replay`)."""
    old, new = _results(before), _results(after)
    both = [key for key in old if key in new]
    found = [_changed((before, old[key]), (after, new[key]), tolerance_s, exact=exact) for key in both]
    changed = [one for one in found if one.flipped or one.differences]
    return RunDiff(
        before=_side(before),
        after=_side(after),
        alike=len(both) - len(changed),
        gone=[" ".join(key) for key in old if key not in new],
        new=[" ".join(key) for key in new if key not in old],
        changed=sorted(changed, key=lambda one: (not one.flipped, one.id, one.pairing)),
    )


def _results(directory: Path) -> dict[tuple[str, str], Result]:
    if not (directory / "run.json").is_file() and not (directory / "scenarios").is_dir():
        raise ConfigError("this is no run directory (neither run.json nor scenarios/)", file=str(directory))
    return {(one.id, one.pairing): one for one in gather(directory)}


def _side(directory: Path) -> Side:
    run = read_run(directory)
    if run is None:
        return Side(directory=str(directory))
    return Side(directory=str(directory), run_id=run.run_id, started=run.started, versions=run.versions)


def _changed(before: tuple[Path, Result], after: tuple[Path, Result], tolerance_s: float, *, exact: bool) -> Changed:
    (_, old), (_, new) = before, after
    found = _negotiated(old.negotiated, new.negotiated)
    was, now = (recorded(run / one.dir) for run, one in (before, after))
    found += compare(was, now, tolerance_s=tolerance_s)
    found += replay.compare(was.ladder, now.ladder) if exact else []
    return Changed(
        id=old.id,
        pairing=old.pairing,
        verdicts=(old.verdict, new.verdict),
        reasons=(old.reason, new.reason),
        dirs=(old.dir, new.dir),
        differences=found,
    )


def _negotiated(old: dict[str, Any], new: dict[str, Any]) -> list[Difference]:
    """What result.json says was agreed on."""
    return [
        Difference("negotiated", key, *(_text(each.get(key)) for each in (old, new)))
        for key in dict.fromkeys((*old, *new))
        if old.get(key) != new.get(key)
    ]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else msgspec.json.encode(value).decode()


def recorded(directory: Path) -> Recorded:
    """The messages of a scenario directory; none where it has none or they cannot be read."""
    return Recorded(_rows(directory / "ladder.json"), _rows(directory / "detail.json"))


def _rows(path: Path) -> Sequence[Entry]:
    try:
        return msgspec.json.decode(path.read_bytes(), type=list[dict[str, Any]])
    except (OSError, msgspec.DecodeError):
        return []
