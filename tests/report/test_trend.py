"""The strip of earlier runs on the index."""

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from lab.report import build, trend
from tests.report.synthetic import write_run

RUNS = [
    {"run_id": "one", "directory": "../one", "duration_s": 60, "counts": {"passed": 8, "failed": 2}},
    {"run_id": "<b>two", "directory": ".", "duration_s": None, "counts": {"passed": 5}},
]


def written(run_dir: Path, **found: object) -> Path:
    (run_dir / "history.json").write_text(json.dumps({"schema": "ikelab.history/1", "runs": RUNS, **found}))
    return run_dir


def test_columns_are_as_high_as_their_results(tmp_path: Path) -> None:
    strip = ElementTree.fromstring(str(trend.load(written(tmp_path)).strip))
    first, second = ([float(rect.get("height")) for rect in group.iter("rect")] for group in strip)
    assert sum(first) == trend.HEIGHT and sum(second) == trend.HEIGHT / 2
    assert first == pytest.approx([trend.HEIGHT * 0.2, trend.HEIGHT * 0.8])


def test_only_runs_beside_this_one_are_linked(tmp_path: Path) -> None:
    assert [one.address for one in trend.load(written(tmp_path)).runs] == ["../one/index.html", ""]


@pytest.mark.parametrize("place", ["/etc", "../../x", "../", "../..", "javascript:x", "../a/b", ""])
def test_no_other_place_is_linked(tmp_path: Path, place: str) -> None:
    rows = [RUNS[0] | {"directory": place}, RUNS[1]]
    assert trend.load(written(tmp_path, runs=rows)).runs[0].address == ""


def test_one_run_is_no_trend_and_rubbish_is_none(tmp_path: Path) -> None:
    assert trend.load(tmp_path) == trend.Trend()
    assert not trend.load(written(tmp_path, runs=RUNS[:1])).runs
    assert not trend.load(written(tmp_path, runs=[1, {"counts": {"passed": "x"}}, None])).runs


def test_the_index_shows_them(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run")
    unsteady = [{"id": "nat/a", "pairing": "ours>strongswan", "passed": 1, "total": 3}]
    text = build(written(run if isinstance(run, Path) else tmp_path / "run", flaky=unsteady)).read_text()
    assert "Runs before" in text and "&lt;b&gt;two" in text and "passed 1 of 3 times" in text
