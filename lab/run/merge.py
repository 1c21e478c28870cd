"""Several run directories become one: the parts that machines ran with `--shard`, for one report.

Rules: the parts stay as they are, and the whole appears at once or not at all; a scenario that two parts hold is a
mistake, and no choice is made between them. A part that was interrupted makes the whole an interrupted run.
"""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from msgspec.structs import replace

from lab.errors import ConfigError
from lab.evidence.files import write_json
from lab.evidence.results import Result, Run, count, gather, read_run
from lab.progress import Progress, silent
from lab.report import pages


def merge(out: Path, parts: Sequence[Path], progress: Progress = silent) -> Path:
    """Make the run directory `out` of these, with its report; the path of its index. ConfigError for what cannot be."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ConfigError("there is something already; name a directory that is empty or not there", file=str(out))
    runs = [_read(part) for part in parts]
    results = _results(parts)
    beside = out.with_name(f".{out.name}.{os.getpid()}")
    try:
        for number, part in enumerate(parts):
            progress("join the runs", number, len(parts))
            shutil.copytree(part / "scenarios", beside / "scenarios", dirs_exist_ok=True)
        write_json(beside / "run.json", _whole(runs, results))
        pages.build(beside, progress)
        if out.exists():
            out.rmdir()
        beside.rename(out)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return out / "index.html"


def _read(part: Path) -> Run:
    run = read_run(part)
    if run is None or not (part / "scenarios").is_dir():
        raise ConfigError("this is no run directory (run.json and scenarios/ are what it lacks)", file=str(part))
    return run


def _results(parts: Sequence[Path]) -> list[Result]:
    found: dict[tuple[str, str], tuple[Path, Result]] = {}
    for part in parts:
        for one in gather(part):
            other, _ = found.setdefault((one.id, one.pairing), (part, one))
            if other != part:
                raise ConfigError(
                    f"{one.id} {one.pairing} is in {other} too; merge runs that share nothing", file=str(part)
                )
    return [one for _, one in sorted(found.values(), key=lambda item: (item[1].id, item[1].pairing))]


def _command(run: Run) -> str:
    """What repeats one part; each has a seed of its own."""
    return run.command if run.seed is None or "--seed" in run.command else f"{run.command} --seed {run.seed}"


def _whole(runs: Sequence[Run], results: Sequence[Result]) -> Run:
    """The parts were run beside each other: the whole took as long as the longest of them."""
    took = [run.duration_s for run in runs]
    seeds = {run.seed for run in runs}
    return replace(
        min(runs, key=lambda run: run.started),
        command=" && ".join(dict.fromkeys(map(_command, runs))),
        duration_s=None if None in took else max(each for each in took if each is not None),
        seed=seeds.pop() if len(seeds) == 1 else None,
        versions={name: version for run in runs for name, version in run.versions.items()},
        counts=count(results),
        results=[one.summary() for one in results],
    )
