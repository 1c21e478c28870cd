"""Which collected scenarios run, in which order: the plan that `ikelab run` hands to the pytest in a guest."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from lab.plugin import meta


@dataclass(frozen=True, slots=True)
class Plan:
    """Scenarios as (id, pairing) in their order, all of the same attempt; an empty plan means everything there is.

    `files` hold them, relative to the root of their suite.
    """

    jobs: tuple[tuple[str, str], ...] = ()
    attempt: int = 1
    files: tuple[str, ...] = ()

    @classmethod
    def read(cls, path: Path) -> "Plan":
        """Read a plan file."""
        found = json.loads(path.read_text())
        return cls(tuple((job[0], job[1]) for job in found["jobs"]), found["attempt"], tuple(found.get("files", ())))

    def write(self, path: Path) -> None:
        """Write a plan file."""
        path.write_text(json.dumps({"attempt": self.attempt, "jobs": self.jobs, "files": self.files}))

    def directory(self, scenario: meta.Scenario) -> Path:
        """Where this attempt's evidence goes, below the run's directory: later attempts below the first."""
        return scenario.directory if self.attempt == 1 else scenario.directory / f"attempt-{self.attempt}"


def keep(items: Sequence[pytest.Item], plan: Plan, root: Path) -> tuple[list[pytest.Item], list[pytest.Item]]:
    """Items to run, in the plan's order, and those to leave out; tests that are no scenarios stay."""
    if not plan.jobs:
        return list(items), []
    order = {job: number for number, job in enumerate(plan.jobs)}
    kept: list[tuple[int, pytest.Item]] = []
    dropped = []
    for item in items:
        scenario = meta.scenario(item, root)
        place = order.get((scenario.id, str(scenario.pairing))) if scenario else -1
        if place is None:
            dropped.append(item)
        else:
            kept.append((place, item))
    return [item for _, item in sorted(kept, key=lambda pair: pair[0])], dropped
