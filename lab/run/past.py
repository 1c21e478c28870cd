"""After a run: it joins the index of runs, and takes along what came before it for its report (history.json).

The index is made from the run directories, so a run is never spoiled by an index that cannot be written.
"""

import os
from collections.abc import Callable
from pathlib import Path

import msgspec
from msgspec.structs import replace

from lab.errors import ConfigError
from lab.evidence.files import write_json
from lab.evidence.results import read_run
from lab.history.store import FILE, History
from lab.history.trend import flaky, trend
from lab.run.options import DEFAULT_PARENT

SCHEMA = "ikelab.history/1"
LAST = 20
WRONG = frozenset({"failed", "unresolved", "flaky"})
# Names the file of the index; without it the index lies beside the runs.
VARIABLE = "IKELAB_HISTORY"


def index_file() -> Path:
    """Where the index of runs lies."""
    named = os.environ.get(VARIABLE)
    return Path(named) if named else DEFAULT_PARENT / FILE


def failures(directory: Path | None) -> set[tuple[str, str]]:
    """Scenario and pairing of what failed, was unresolved or flaky in a run: in that directory, or in the last one."""
    if directory is None:
        with History.at(index_file()) as history:
            history.forget_gone()
            known = history.runs(1)
        if not known:
            raise ConfigError("no run is known; `ikelab run` without --failed makes one, --failed-in DIR names one")
        directory = known[0].directory
    run = read_run(directory)
    if run is None:
        raise ConfigError("no run directory (run.json is what it lacks)", file=str(directory))
    return {(one.id, one.pairing) for one in run.results if one.verdict in WRONG}


def remember(out: Path, say: Callable[[str], None]) -> None:
    """Record the run in `out`, and write its history.json."""
    try:
        with History.at(index_file()) as history:
            history.forget_gone()
            history.record(out)
            runs = history.runs(LAST)
            unsteady = flaky(history, runs)
    except (ConfigError, OSError) as error:
        say(f"this run is not in the index of runs: {error}")
        return
    moments = [replace(one, directory=os.path.relpath(one.directory, out)) for one in trend(runs)]
    found = {"schema": SCHEMA, "runs": moments, "flaky": unsteady}
    write_json(out / "history.json", msgspec.to_builtins(found))
