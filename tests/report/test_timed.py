"""The page "Time": schedules with their chart, the matrix of keepalives, lifetimes, and what ends by itself."""

import json
from pathlib import Path

import pytest

from lab.report import build, model, timed
from tests import collected
from tests.report.outline import outline
from tests.report.proven import result, timing, write


@pytest.fixture
def run(tmp_path: Path) -> Path:
    failed = result("timing/lifetimes", [], verdict="failed", reason="right rekeyed.")
    return write(tmp_path / "run", result("timing/all", [], timing=timing()), failed)


def test_what_was_measured(run: Path) -> None:
    found = timed.page(run, model.load_run(run))
    (schedule,) = found.schedules
    assert (schedule.name, [cell for cell, _ in schedule.cells]) == (
        "ours: IKE_AUTH",
        ["0.000, 4.000, 11.200", "24.2 s", "after 30.000 s of silence"],
    )
    (matrix,) = found.matrices
    assert (matrix.peer, matrix.timeouts, [row.name for row in matrix.rows]) == (
        "ours",
        ("15 s", "30 s"),
        ["every 20 s", "never"],
    )
    assert matrix.rows[0].cells == (("lost; found again by packet 2 from inside", True), ("reached", False))
    assert matrix.rows[1].cells == (("lost; not found again", True), ("", False))
    (lifetime,) = found.lifetimes
    assert [cell for cell, _ in lifetime.cells] == [
        "2",
        "54 min 00 s to 1 h 00 min",
        "55 min 00 s",
        "57 min 25 s",
        "59 min 50 s",
    ]
    assert [row.cells[0][0] for row in found.expiries] == ["30.100 s"]
    assert [one.id for one in found.unfinished] == ["timing/lifetimes"]


def test_the_chart_has_a_dot_for_each_time_and_a_cross_at_the_end(run: Path) -> None:
    drawn = timed.page(run, model.load_run(run)).schedules_drawn
    assert drawn is not None and drawn.count("<circle") == 3 and drawn.count("sign lost") == 1
    assert 'cx="216"' in drawn and "876" in drawn, "the first dot at the left end, the cross at the right one"


def test_the_page_says_all_of_it_and_what_was_not_run(run: Path, tmp_path: Path) -> None:
    build(run)
    found = outline(run / "timing.html")
    for words in ("ours: IKE_AUTH", "every 20 s", "forgotten after 15 s", "ours: CHILD SA", "right rekeyed."):
        assert words in found.text
    other = write(tmp_path / "other", result("ikev2/cookie", []))
    build(other)
    assert "not run ikelab run timing would." in outline(other / "timing.html").text


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", '{"measured": [3, {"what": "retransmission", "sent_s": ["x", 1e99, -1]}, {"what": "mappings"}]}'],
)
def test_broken_facts_are_missing_ones(run: Path, text: str) -> None:
    (run / "scenarios/timing/all/ours-to-strongswan/timing.json").write_text(text)
    build(run)
    found = timed.page(run, model.load_run(run))
    assert not found.schedules and found.schedules_drawn is None and json.dumps(len(found.unfinished))


def test_the_catalogue_has_what_the_page_looks_for() -> None:
    assert any(name.startswith(timed.PROOF) for name in collected.names())
