from typing import Any

import pytest

from lab.report import index, model
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
    assert (index.headline(found), index.worst(found)) == (said, worst)


def test_an_interrupted_run_has_not_passed() -> None:
    assert index.worst(run(result("g/x"), interrupted="yes")) is Verdict.UNRESOLVED
    assert index.worst(run(result("g/x", "failed"), interrupted="yes")) is Verdict.FAILED


def test_the_matrix_has_groups_and_pairings_and_holes() -> None:
    pairings, rows = index.matrix([result("n/x"), result("n/y", "failed"), result("e/x", pairing="b>a")])
    assert pairings == ["a>b", "b>a"]
    assert [(group, [cell.counts for cell in cells]) for group, cells in rows] == [
        ("e", [(), ((Verdict.PASSED, 1),)]),
        ("n", [((Verdict.FAILED, 1), (Verdict.PASSED, 1)), ()]),
    ]


def test_a_clause_names_what_went_wrong_first_and_counts_the_rest() -> None:
    results = [result(f"g/{n}", clauses=["rfc7296:2.1"]) for n in range(9)]
    (clause,) = index.clauses([*results, result("g/bad", "failed", clauses=["rfc7296:2.1", "rfc7296:2.1"])])
    assert clause.results[0].id == "g/bad" and clause.more == 10 - index.LINKS_PER_CLAUSE
    assert clause.tally.worst is Verdict.FAILED and clause.tally.total == 10


def test_the_shares_fill_the_strip() -> None:
    shares = index.shares(run(result("a", "failed"), result("b"), result("c"), result("d", "unsupported")))
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
    assert index.reproduce(run(**facts)) == command


def test_the_slowest_come_first_and_know_their_share() -> None:
    found = index.slowest([result(str(n), duration_s=n) for n in range(20)] + [result("none")])
    assert len(found) == index.SLOWEST
    assert [(one.id, share) for one, share in found[:1]] == [("19", 1.0)] and found[1][1] == 18 / 19


def test_facts_that_nobody_asked_for_are_in_the_environment() -> None:
    told = dict(index.environment(run(kernel={"kind": "guest", "release": "6.18"}, host_cpu="2 cores", seed=5)))
    assert told == {"Kernel": "guest 6.18", "Seed": "5", "host cpu": "2 cores"}


def test_links_are_encoded() -> None:
    one = model.result({"id": "x"}, model.inside("scenarios/a b/x>y#z"))
    assert index.address(one) == "scenarios/a%20b/x%3Ey%23z/index.html"
