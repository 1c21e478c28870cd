from typing import Any

import pytest

from lab.report import banner, model
from lab.report.facts import Doubts
from lab.report.model import Result, Run, Verdict


def result(name: str, verdict: str = "passed", pairing: str = "a>b", **more: Any) -> Result:
    return model.result({"id": name, "verdict": verdict, "pairing": pairing, **more}, None)


def run(*results: Result, interrupted: str = "", **facts: Any) -> Run:
    return Run(facts, results, interrupted, Doubts())


@pytest.mark.parametrize(
    ("verdicts", "said", "worst"),
    [
        ([], "No results", Verdict.UNRESOLVED),
        (["passed"], "The only result passed", Verdict.PASSED),
        (["passed", "passed"], "All 2 results passed", Verdict.PASSED),
        (["passed", "unsupported"], "1 passed, 1 unsupported", Verdict.PASSED),
        (["unsupported"], "0 passed, 1 unsupported", Verdict.UNSUPPORTED),
        (["passed", "flaky"], "1 flaky of 2 results", Verdict.FLAKY),
        (["unresolved", "failed", "passed"], "1 failed, 1 unresolved of 3 results", Verdict.FAILED),
    ],
)
def test_the_banner_says_the_worst(verdicts: list[str], said: str, worst: Verdict) -> None:
    found = run(*(result("g/x", verdict) for verdict in verdicts))
    assert (banner.headline(found), banner.worst(found)) == (said, worst)


def test_an_interrupted_run_has_not_passed() -> None:
    assert banner.worst(run(result("g/x"), interrupted="yes")) is Verdict.UNRESOLVED
    assert banner.worst(run(result("g/x", "failed"), interrupted="yes")) is Verdict.FAILED


def test_the_shares_fill_the_strip() -> None:
    shares = banner.shares(run(result("a", "failed"), result("b"), result("c"), result("d", "unsupported")))
    assert shares == [(Verdict.PASSED, 0, 50), (Verdict.UNSUPPORTED, 50, 25), (Verdict.FAILED, 75, 25)]


@pytest.mark.parametrize(
    ("facts", "command"),
    [
        ({"command": "ikelab run nat/", "seed": 7}, "ikelab run nat/ --seed 7"),
        ({"command": "ikelab run --seed 7", "seed": 7}, "ikelab run --seed 7"),
        ({"command": ["ikelab", "run"], "seed": None}, "ikelab run"),
        ({}, ""),
    ],
)
def test_the_command_reproduces_with_its_seed(facts: dict[str, Any], command: str) -> None:
    assert banner.reproduce(run(**facts)) == command


def test_facts_that_nobody_asked_for_are_in_the_environment() -> None:
    told = dict(banner.environment(run(kernel={"kind": "guest", "release": "6.18"}, host_cpu="2 cores", seed=5)))
    assert told == {"Kernel": "guest 6.18", "Seed": "5", "host cpu": "2 cores"}
