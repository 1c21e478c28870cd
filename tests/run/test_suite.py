"""Scenarios in somebody else's suite: pytest's side with a pretended run, and the example project for real."""

import os
import shutil
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path
from xml.etree import ElementTree

import pytest

from lab.errors import ConfigError, UnfitError
from lab.evidence.results import Result, Step
from lab.run import main

pytest_plugins = ["pytester"]
EXAMPLE = Path(__file__).parents[2] / "docs/example-project"
INSTALLED = {point.name for point in entry_points(group="pytest11")}
PLUGINS = [
    word
    for name, module in (("ikelab", "lab.plugin"), ("ikelab-suite", "lab.run.suite"))
    if name not in INSTALLED
    for word in ("-p", module)
]
SUITE = """
import pytest

def test_plain():
    pass

@pytest.mark.parametrize(("left", "right"), [(1, 1), (2, 2)])
def test_with_words_of_its_own(left, right):
    assert left == right

@pytest.mark.rfc("7296#1.2")
@pytest.mark.pairings("ours>strongswan")
def test_passed(lab, left, right):
    raise SystemExit("must not run here")

@pytest.mark.pairings("ours>strongswan")
def test_failed(lab, left, right):
    pass

@pytest.mark.pairings("ours>strongswan")
def test_unsupported(lab, left, right):
    pass

@pytest.mark.pairings("ours>strongswan")
def test_unresolved(lab, left, right):
    pass

@pytest.mark.pairings("ours>strongswan")
def test_flaky(lab, left, right):
    pass
"""
SCENARIOS = ["passed", "failed", "unsupported", "unresolved", "flaky"]


@pytest.fixture
def suite(pytester, monkeypatch):
    """A suite whose scenarios get the verdict that they are named after; what the run was asked for."""
    asked = []

    def pretended(scenarios, options):
        asked.append((scenarios, options))
        results = [
            Result(
                id=one.id, pairing=str(one.pairing), verdict=one.id, reason=f"is {one.id}", clauses=list(one.clauses),
                steps=[Step(name="handshake", verdict="passed", at_s=0.0)], dir=str(one.directory),
                reproduce=options.reproduce(one), duration_s=2.5, attempts=[one.id],
            )
            for one in scenarios
        ]  # fmt: skip
        return results, options.out

    monkeypatch.setattr(main, "carry_out", pretended)
    pytester.makeini("[pytest]\naddopts = --strict-markers --import-mode=importlib")
    pytester.makepyfile(test_it=SUITE)

    def start(*arguments):
        return pytester.runpytest_inprocess(*PLUGINS, "-p", "no:xdist", *arguments), asked

    return start


def test_each_verdict_has_an_outcome(suite):
    result, asked = suite()
    result.assert_outcomes(passed=3 + 2, failed=1, skipped=1, errors=1)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    ((scenarios, options),) = asked
    assert [one.id for one in scenarios] == SCENARIOS, "not one run of all"
    assert options.kernel == "guest" and options.suite == options.out.parent
    result.stdout.fnmatch_lines(
        ["*the lab broke, not the peer*", "*failed ours>strongswan: is failed*", "*passed      handshake*",
         "ikelab run 'failed:ours>strongswan' --seed 1 --suite *", "*ikelab report: *ikelab-report/index.html*"]
    )  # fmt: skip


def test_only_what_was_selected_runs(suite):
    result, asked = suite("-k", "passed or plain", "--ikelab-seed=7", "--ikelab-jobs=3", "--ikelab-kernel=host")
    result.assert_outcomes(passed=2, deselected=6)
    ((scenarios, options),) = asked
    assert [one.id for one in scenarios] == ["passed"]
    assert (options.seed, options.jobs, options.kernel) == (7, 3, "host")


def test_without_scenarios_nothing_is_run(suite):
    result, asked = suite("-k", "plain or words")
    result.assert_outcomes(passed=3, deselected=5)
    assert not asked


def test_listing_runs_nothing(suite):
    result, asked = suite("--collect-only")
    assert result.ret == 0 and not asked


def test_junit_has_the_properties(suite, pytester):
    suite("--junitxml=junit.xml")
    cases = {case.get("name"): case for case in ElementTree.parse(pytester.path / "junit.xml").iter("testcase")}
    found = {one.get("name"): one.get("value") for one in cases["test_passed[ours>strongswan]"].iter("property")}
    assert found["ikelab-clauses"] == "7296#1.2" and found["ikelab-verdict"] == "passed"
    assert found["ikelab-evidence"] == "scenarios/passed/ours-to-strongswan" and found["ikelab-seed"] == "1"
    kinds = {name: [child.tag for child in case if child.tag != "properties"] for name, case in cases.items()}
    assert kinds["test_failed[ours>strongswan]"] == ["failure"]
    assert kinds["test_unresolved[ours>strongswan]"] == ["error"]
    assert kinds["test_unsupported[ours>strongswan]"] == ["skipped"]
    assert kinds["test_plain"] == []


@pytest.mark.parametrize(
    ("error", "code"),
    [(UnfitError("there is no guest image", fix="ikelab image build"), 3), (ConfigError("-j is at least 1"), 4)],
)
def test_what_stops_a_run_stops_the_session(suite, monkeypatch, error, code):
    def stopped(scenarios, options):
        raise error

    monkeypatch.setattr(main, "carry_out", stopped)
    result, _ = suite("-k", "passed")
    assert result.ret == code
    result.stdout.fnmatch_lines([f"*ikelab: {error}*"])


def test_nothing_of_the_lab_is_imported_for_others(pytester):
    """Whoever has ikelab installed runs tests that know nothing of it."""
    pytester.makepyfile("def test_mine():\n    pass\n")
    pytester.makeconftest(
        """
        import sys
        def pytest_sessionfinish():
            print("OURS", *sorted(name for name in sys.modules if name.partition(".")[0] == "lab"), "END")
        """
    )
    result = pytester.runpytest_subprocess("-s", *PLUGINS)
    result.stdout.fnmatch_lines(["*OURS lab lab.errors lab.plugin lab.plugin.marks lab.run lab.run.suite END"])


@pytest.mark.guest
@pytest.mark.slow
def test_the_example_project_passes(tmp_path):
    """docs/example-project as its README says, in a copy of its own."""
    project = shutil.copytree(EXAMPLE, tmp_path / "project", ignore=shutil.ignore_patterns("ikelab-report", ".*"))
    environment = {**os.environ, "PYTHONPATH": str(EXAMPLE.parents[1])}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *PLUGINS, "--junitxml=junit.xml"],
        cwd=project, env=environment, capture_output=True, text=True, check=False, timeout=240,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    cases = {case.get("name"): case for case in ElementTree.parse(project / "junit.xml").iter("testcase")}
    found = {
        one.get("name"): one.get("value")
        for one in cases["test_a_branch_office_behind_its_router[ours>strongswan]"].iter("property")
    }
    assert found["ikelab-verdict"] == "passed" and found["ikelab-topology"] == "branch"
    assert (project / "ikelab-report" / found["ikelab-evidence"] / "wire.pcapng").is_file()
    assert "test_no_weak_word_is_shipped" in cases
