from typing import Any

from lab.report import index, model
from lab.report.model import Result, Verdict


def result(name: str, verdict: str = "passed", pairing: str = "a>b", **more: Any) -> Result:
    return model.result({"id": name, "verdict": verdict, "pairing": pairing, **more}, None)


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


def test_what_went_wrong_alike_is_one_trouble() -> None:
    said = "could not set up the tunnel: peer refuses, 4 of 8"
    results = [
        result("g/a", "failed", "ours>swan", reason=f"ours (left) {said}"),
        result("g/a", "failed", "ours-xfrm>swan", reason=f"ours-xfrm (left) {said.replace('8', '16')}"),
        result("g/a", "failed", "swan>ours", reason="another"),
        result("g/b", "failed", "ours>swan", reason=f"ours (left) {said}"),
        result("g/a", "unresolved", "swan>swan", reason=f"swan (left) {said}"),
        result("g/a", "passed", "ours>ours", reason=f"ours (left) {said}"),
    ]
    found = [[one.pairing for one in trouble.results] for trouble in index.troubles(results)]
    assert found == [["ours>swan", "ours-xfrm>swan"], ["swan>ours"], ["ours>swan"], ["swan>swan"]]
    assert index.troubles(results)[0].first.reason.startswith("ours (left)")


def test_the_slowest_come_first_and_know_their_share() -> None:
    found = index.slowest([result(str(n), duration_s=n) for n in range(20)] + [result("none")])
    assert len(found) == index.SLOWEST
    assert [(one.id, share) for one, share in found[:1]] == [("19", 1.0)] and found[1][1] == 18 / 19


def test_links_are_encoded() -> None:
    one = model.result({"id": "x"}, model.inside("scenarios/a b/x>y#z"))
    assert index.address(one) == "scenarios/a%20b/x%3Ey%23z/index.html"


def test_a_clause_has_a_verdict_for_each_peer() -> None:
    results = [
        result("g/a", clauses=["7296#2.1"], pairing="ours>strongswan"),
        result("g/a", "failed", clauses=["7296#2.1"], pairing="strongswan>ours-xfrm"),
        result("g/a", clauses=["7296#2.1"], pairing="ours>strongswan-6.1"),
        result("g/a", clauses=["7296#2.1"], pairing="ours>ours"),
    ]
    (clause,) = index.clauses(results)
    assert [(peer, found.worst.value, found.total) for peer, found in clause.peers] == [
        ("ours", "passed", 1),
        ("strongswan", "failed", 2),
        ("strongswan-6.1", "passed", 1),
    ]
