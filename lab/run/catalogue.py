"""The scenarios there are, as pytest collects them, and which of them a SELECT word means."""

import contextlib
import io
import os
import re
from collections.abc import Iterable, Sequence
from functools import partial
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from lab.errors import ConfigError, UnfitError
from lab.plugin import meta
from lab.plugin.meta import Scenario

PLUGIN = "lab.plugin"
# With this variable long scenarios run like all others.
SLOW = "IKELAB_SLOW"
_CLAUSE = re.compile(r"rfc(\d+)(?::(.+))?", re.IGNORECASE)


def source_directory() -> Path:
    """The directory above `lab/`: what a guest mounts as its project source."""
    return Path(__file__).resolve().parents[2]


def scenarios_directory() -> Path:
    """Where the scenarios lie: beside `lab/` in a checkout, inside it in a wheel."""
    for place in (source_directory() / "scenarios", source_directory() / "lab" / "data" / "scenarios"):
        if (place / "pytest.ini").is_file():
            return place
    raise UnfitError("the scenarios are missing", fix="install ikelab again")


def plugin_arguments() -> list[str]:
    """How to load our plugin: not at all where the installed entry point does it."""
    installed = {point.name for point in entry_points(group="pytest11")}
    return [] if "ikelab" in installed else ["-p", PLUGIN]


class _Collector:
    """A pytest plugin that keeps what was collected and what could not be."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.scenarios: list[Scenario] = []
        self.problems: list[str] = []

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Keep the scenarios."""
        found = (meta.scenario(item, self.root) for item in session.items)
        self.scenarios = [scenario for scenario in found if scenario]

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Keep why a file could not be collected."""
        if report.failed:
            self.problems.append(f"{report.nodeid}: {str(report.longrepr).strip().splitlines()[-1]}")


def collect(
    directory: Path | None = None, *, peers: Sequence[str] = (), role: str = "both", everything: bool = False
) -> list[Scenario]:
    """Every scenario in every pairing that these options leave; ConfigError where a file cannot be read."""
    directory = (directory or scenarios_directory()).resolve()
    collector = _Collector(directory)
    chosen = [] if everything else [f"--ikelab-role={role}", *(f"--ikelab-peer={name}" for name in peers)]
    how = [f"--rootdir={directory}", "--collect-only", "-q", "-p", "no:cacheprovider"]
    arguments = [str(directory), *how, *plugin_arguments(), *chosen]
    silence = io.StringIO()
    with contextlib.redirect_stdout(silence), contextlib.redirect_stderr(silence):
        code = pytest.main(arguments, plugins=[collector])
    if collector.problems:
        raise ConfigError(f"a scenario file cannot be read: {collector.problems[0]}")
    if code not in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
        raise ConfigError(f"the scenarios cannot be collected: {silence.getvalue().strip().splitlines()[-1]}")
    return collector.scenarios


def select(scenarios: Iterable[Scenario], wishes: Sequence[str]) -> list[Scenario]:
    """The scenarios that any wish means; all of them without a wish. Long ones must be named, unless SLOW is set."""
    every = SLOW in os.environ
    return [one for one in scenarios if any(map(partial(_wished, one, every), wishes or [""]))]


def _wished(scenario: Scenario, every: bool, wish: str) -> bool:
    """Whether a wish means the scenario, and names it where it is long: not its group, nor a clause."""
    named = every or not scenario.long or wish.partition(":")[0].rstrip("/").count("/") > 0
    return named and means(wish, scenario)


def means(wish: str, scenario: Scenario) -> bool:
    """Whether a SELECT word means this scenario: `ikev2/`, `ikev2/rekey`, `ID:PAIRING` or `rfc7296:2.8`."""
    if clause := _CLAUSE.fullmatch(wish):
        return any(_covers(clause[1], clause[2] or "", stated) for stated in scenario.clauses)
    prefix, _, pairing = wish.partition(":")
    if pairing:
        return scenario.id == prefix and str(scenario.pairing) == pairing
    return scenario.id.startswith(prefix)


def _covers(rfc: str, section: str, stated: str) -> bool:
    """Whether `7296#2.6.1` lies in section 2.6 of RFC 7296."""
    number, _, place = stated.partition("#")
    return number == rfc and (not section or place == section or place.startswith(section + "."))
