"""The pytest plugin `ikelab-suite`: scenarios in somebody else's suite run where the lab's own run, in a guest.

    pytest -> collects everything, as ever -> at the first scenario: all of them in one run -> a report for each

Rules: tests that are no scenarios are left alone, and nothing of the lab is imported for them. The verdict of a run
becomes pytest's outcome: passed and flaky pass (flaky with a failed attempt fails), failed fails, unsupported is
skipped, unresolved is an error - the lab broke, which says nothing about the product. What JUnit's file should know is
in the properties of each test. `--ikelab-kernel=here` leaves the scenarios to `lab.plugin`, in this process.
"""

import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pytest

from lab.errors import ConfigError, LabError

if TYPE_CHECKING:
    from lab.evidence.results import Result
    from lab.plugin.meta import Scenario

Outcome = Literal["passed", "failed", "skipped"]
HERE, KERNELS = "here", ("guest", "host", "here")
OUT = "ikelab-report"
UNFIT = 3


def pytest_addoption(parser: pytest.Parser) -> None:
    """Where scenarios run."""
    group = parser.getgroup("ikelab")
    about = "where scenarios run; the guest needs no root"
    group.addoption("--ikelab-kernel", choices=KERNELS, default=KERNELS[0], help=about)
    group.addoption("--ikelab-jobs", type=int, help="guests at once; one per CPU without it")


def pytest_configure(config: pytest.Config) -> None:
    """Be there for the run, unless scenarios run in this process."""
    if config.getoption("--ikelab-kernel") != HERE and not config.getoption("collectonly"):
        config.pluginmanager.register(Suite(config), "ikelab-suite-run")


class Suite:
    """The scenarios of a session, and what came of them."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._scenarios: dict[str, Scenario] = {}
        self._results: dict[tuple[str, str], Result] | None = None
        self._out: Path | None = None

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Know the scenarios among the tests that were selected."""
        items = [item for item in session.items if "pairing" in getattr(item, "fixturenames", ())]
        if not items:
            return
        from lab.plugin import meta  # noqa: PLC0415  (not before there is a scenario)

        found = {item.nodeid: meta.scenario(item, session.config.rootpath) for item in items}
        self._scenarios = {nodeid: scenario for nodeid, scenario in found.items() if scenario}
        if self._scenarios and hasattr(session.config, "workerinput"):
            raise pytest.UsageError(
                "ikelab divides scenarios among guests itself: pytest without -n, with --ikelab-jobs"
            )

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> bool | None:
        """Report what the run found of this scenario, instead of running the test here."""
        scenario = self._scenarios.get(item.nodeid)
        if scenario is None:
            return None
        if self._results is None:
            # pytest captures nothing between tests, so the run shows its progress; on a line of its own.
            sys.stderr.write("\n")
            self._results = self._run()
        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        for report in self._reports(item, self._results[scenario.id, str(scenario.pairing)]):
            item.ihook.pytest_runtest_logreport(report=report)
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        return True

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say where the report is."""
        if self._out is not None:
            terminalreporter.write_sep("-", f"ikelab report: {self._out / 'index.html'}")

    # -- the run

    def _run(self) -> "dict[tuple[str, str], Result]":
        """All scenarios in one run. The session ends where the lab cannot work on this machine."""
        from lab.run.main import carry_out  # noqa: PLC0415
        from lab.run.options import Options  # noqa: PLC0415

        ask = self._config.getoption
        jobs = {"jobs": ask("--ikelab-jobs")} if ask("--ikelab-jobs") else {}
        options = Options(
            out=ask("--ikelab-out") or self._config.rootpath / OUT,
            kernel=ask("--ikelab-kernel"),
            seed=ask("--ikelab-seed"),
            suite=self._config.rootpath,
            command=("pytest", *self._config.invocation_params.args),
            **jobs,
        )
        try:
            options.check()
            results, self._out = carry_out(list(self._scenarios.values()), options)
        except ConfigError as error:
            pytest.exit(f"ikelab: {error}", returncode=pytest.ExitCode.USAGE_ERROR)
        except LabError as error:
            pytest.exit(f"ikelab: {error}", returncode=UNFIT)
        return {(result.id, result.pairing): result for result in results}

    def _reports(self, item: pytest.Item, result: "Result") -> Sequence[pytest.TestReport]:
        """Set-up, call and end of a test, as pytest's reporters want them."""
        from lab.run.junit import properties  # noqa: PLC0415

        said = properties(result, self._config.getoption("--ikelab-seed"))
        keywords: Mapping[str, Literal[1]] = {item.name: 1, **{mark.name: 1 for mark in item.iter_markers()}}
        report = partial(
            pytest.TestReport, item.nodeid, item.location, keywords,
            user_properties=[(f"ikelab-{name}", value) for name, value in said],
        )  # fmt: skip
        outcome, longrepr = _outcome(item, result)
        if outcome == "failed" and result.verdict == "unresolved":
            # A set-up that failed is what pytest calls an error.
            return [report(outcome, longrepr, "setup"), report("passed", None, "teardown")]
        call = report(outcome, longrepr, "call", duration=result.duration_s or 0.0)
        return [report("passed", None, "setup"), call, report("passed", None, "teardown")]


def _outcome(item: pytest.Item, result: "Result") -> tuple[Outcome, str | tuple[str, int, str] | None]:
    """pytest's outcome of a result, and what it says at length."""
    from lab.run.attempts import failed  # noqa: PLC0415

    if result.verdict == "unsupported":
        file, line, _ = item.location
        return "skipped", (file, (line or 0) + 1, f"Skipped: {result.reason}")
    if failed(result):
        return "failed", _at_length(result)
    if result.verdict == "unresolved":
        return "failed", f"the lab broke, not the peer\n{_at_length(result)}"
    return "passed", None


def _at_length(result: "Result") -> str:
    """What a failed test says: the reason, how far it came, where the evidence is, how to run it again."""
    steps = [f"  {step.verdict:<11} {step.name}{f': {step.detail}' if step.detail else ''}" for step in result.steps]
    return "\n".join([f"{result.id} {result.pairing}: {result.reason}", *steps, result.dir, result.reproduce])
