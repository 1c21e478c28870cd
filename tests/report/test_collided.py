"""The page "Rekey collisions": every order with its answers, what is left, and what was against RFC 7296 2.25."""

import json
from pathlib import Path

import pytest

from lab.report import build, collided, model
from tests import collected
from tests.report.outline import outline
from tests.report.proven import collisions, result, write, write_proven


def test_the_orders_of_each_pairing(tmp_path: Path) -> None:
    run = write_proven(tmp_path / "run")
    (pair,) = collided.table(run, model.load_run(run))
    assert (pair.left, pair.right, pair.survivors) == ("rekey child", "delete child", "1 IKE, 0 CHILD")
    assert (pair.orders, pair.against) == (2, 1)
    played, failed = pair.outcomes
    assert failed.plays == () and failed.result.reason == "left could not rekey."
    first, second = played.plays
    assert first.order == "left asks, right asks, right answers, left answers"
    assert (first.answers, first.left_over, first.lost) == (("SA Nr", "empty"), "1 IKE, 1 CHILD", 1)
    assert second.left_over == "left 1 IKE, 1 CHILD, right 1 IKE, 2 CHILD"
    assert second.observations == ("right: answered nothing",)


def test_the_page_says_what_was_played_and_what_was_not(tmp_path: Path) -> None:
    run = write_proven(tmp_path / "run")
    build(run)
    found = outline(run / "collisions.html")
    assert "scenarios/faults/collision/child-delete/ours-to-strongswan/index.html" in found.links
    assert "2 orders played, 1 of them with something against" in found.text
    assert "right: answered nothing" in found.text and "as it says" in found.text
    assert "left could not rekey." in found.text
    other = write(tmp_path / "other", result("ikev2/cookie", []))
    build(other)
    assert "not run ikelab run faults/collision would." in outline(other / "collisions.html").text


@pytest.mark.parametrize("text", ["", "{", "[]", '{"plays": [3, {"order": 7, "answers": [], "views": {"left": [1]}}]}'])
def test_broken_facts_are_missing_ones(tmp_path: Path, text: str) -> None:
    run = write(tmp_path / "run", result("faults/collision/a-b", [], collisions=collisions()))
    (run / "scenarios/faults/collision/a-b/ours-to-strongswan/collisions.json").write_text(text)
    build(run)
    (pair,) = collided.table(run, model.load_run(run))
    assert pair.left in ("a", "") and json.dumps(pair.survivors)
    assert all("?" in play.left_over for one in pair.outcomes for play in one.plays)


def test_the_catalogue_has_what_the_page_looks_for() -> None:
    assert any(name.startswith(collided.PROOF) for name in collected.names())
