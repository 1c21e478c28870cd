"""How long a scenario will take, as far as an earlier run of the whole catalogue tells: for the order, and no more.

    python -m lab.run.durations reports/out/test        write the table anew from that run

Rules: the table names only what takes much longer than the others, by the name of its function (the first two steps of
an id), with the median of its parameters and pairings. What it does not name takes USUAL_S. A wrong estimate costs time
and nothing else.
"""

import json
import statistics
import sys
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from lab.errors import ConfigError
from lab.evidence.results import Summary, read_run
from lab.plugin.meta import Scenario

TABLE = Path(__file__).with_suffix(".json")
USUAL_S, LONG_S = 1.0, 2.0


def estimate(scenario: Scenario) -> float:
    """Seconds of the host's time."""
    return of_id(scenario.id)


def of_id(scenario_id: str) -> float:
    """The same, of a scenario by its id."""
    return _table().get(_name(scenario_id), USUAL_S)


def table(results: Iterable[Summary]) -> dict[str, float]:
    """Name -> seconds, for the long ones; the longest first."""
    times: dict[str, list[float]] = {}
    for result in results:
        if result.duration_s is not None:
            times.setdefault(_name(result.id), []).append(result.duration_s)
    usual = statistics.median(statistics.median(found) for found in times.values()) if times else 1.0
    middle = {name: round(USUAL_S * statistics.median(found) / usual, 1) for name, found in times.items()}
    return {name: took for name, took in sorted(middle.items(), key=lambda row: (-row[1], row[0])) if took >= LONG_S}


def _name(scenario_id: str) -> str:
    return "/".join(scenario_id.split("/")[:2])


@cache
def _table() -> dict[str, float]:
    known: dict[str, float] = json.loads(TABLE.read_text()) if TABLE.is_file() else {}
    return known


def main(arguments: list[str]) -> None:
    """Write the table from a run's directory."""
    run = read_run(Path(arguments[0]))
    if run is None:
        raise ConfigError(f"{arguments[0]} holds no run.json")
    TABLE.write_text(json.dumps(table(run.results), indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
