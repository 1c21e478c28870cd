"""The index of runs, and what it says of them."""

import shutil
import sqlite3
from pathlib import Path

import pytest

from lab.errors import ConfigError
from lab.history.differences import diff
from lab.history.store import History
from lab.history.trend import flaky, trend
from tests.history.recorded import messages, write

PAIR = "ours>strongswan"


def test_a_run_is_recorded_once_and_again_when_it_is_made_again(tmp_path: Path) -> None:
    run = write(tmp_path / "one", {"nat/a": "passed", "nat/b": "failed"})
    with History.at(tmp_path / "h.db") as history:
        assert history.record(run) and history.record(run)
        (past,) = history.runs(5)
        assert past.counts == {"passed": 1, "failed": 1}
        shutil.rmtree(run)
        write(run, {"nat/a": "passed"}, started="2026-01-02")
        history.record(run)
        (past,) = history.runs(5)
        assert (past.started, past.counts) == ("2026-01-02", {"passed": 1})


def test_rebuilt_from_the_directories_alone(tmp_path: Path) -> None:
    for day, name in enumerate(("one", "two"), 1):
        write(tmp_path / "runs" / name, {"nat/a": "passed"}, started=f"2026-01-0{day}")
    (tmp_path / "runs" / "stranger").mkdir()
    with History.at(tmp_path / "h.db") as history:
        assert history.rebuild([tmp_path / "runs"]) == 2
        assert [run.run_id for run in history.runs(5)] == ["two", "one"]
        assert [moment.run_id for moment in trend(history.runs(5))] == ["one", "two"]
        shutil.rmtree(tmp_path / "runs" / "one")
        history.forget_gone()
        assert [run.run_id for run in history.runs(5)] == ["two"]


def test_an_interrupted_run_is_one_too(tmp_path: Path) -> None:
    run = write(tmp_path / "one", {"nat/a": "passed"})
    (run / "scenarios" / "nat" / "b" / "ours-to-strongswan").mkdir(parents=True)
    (run / "scenarios" / "nat" / "b" / "ours-to-strongswan" / "begun.json").write_text("{}")
    with History.at(tmp_path / "h.db") as history:
        history.record(run)
        assert history.runs(1)[0].counts == {"passed": 1, "unresolved": 1}


@pytest.mark.parametrize("what", ["text", "another database"])
def test_a_file_that_is_no_index_is_left_alone(tmp_path: Path, what: str) -> None:
    file = tmp_path / "h.db"
    if what == "text":
        file.write_text("my notes, which are longer than the header of a database would be " * 4)
    else:
        with sqlite3.connect(file) as db:
            db.execute("CREATE TABLE mine (x)")
    before = file.read_bytes()[:100] if what == "text" else None
    with pytest.raises(ConfigError, match="not an index of runs"), History.at(file):
        pass
    if before:
        assert file.read_bytes()[:100] == before


def test_an_index_of_another_version_is_made_anew(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "h.db") as db:
        db.executescript("CREATE TABLE runs (old); PRAGMA user_version = 99;")
    with History.at(tmp_path / "h.db") as history:
        assert history.record(write(tmp_path / "one", {"nat/a": "passed"}))


@pytest.mark.parametrize(
    ("second", "found"),
    [({}, [("nat/a", 1, 2)]), ({"source": "other"}, []), ({"seed": 2}, [])],
    ids=["same code", "other code", "other seed"],
)
def test_flaky_is_what_differs_under_equal_conditions(tmp_path: Path, second: dict, found: list) -> None:
    runs = [
        write(tmp_path / "one", {"nat/a": "passed", "nat/b": "failed"}, started="1"),
        write(tmp_path / "two", {"nat/a": "failed", "nat/b": "failed"}, started="2", **second),
    ]
    with History.at(tmp_path / "h.db") as history:
        for run in runs:
            history.record(run)
        assert [(one.id, one.passed, one.total) for one in flaky(history, history.runs(9))] == found


def test_two_runs_differ_in_verdicts_results_and_messages(tmp_path: Path) -> None:
    before = write(tmp_path / "one", {"nat/a": "passed", "nat/b": "passed", "nat/gone": "passed"})
    after = write(tmp_path / "two", {"nat/a": "failed", "nat/b": "passed", "nat/new": "passed"})
    found = diff(before, after)
    assert (found.alike, found.gone, found.new) == (1, [f"nat/gone {PAIR}"], [f"nat/new {PAIR}"])
    assert [(one.id, one.verdicts) for one in found.changed] == [("nat/a", ("passed", "failed"))]
    other = write(tmp_path / "three", {"nat/a": "passed"}, ladder=messages(encr="3DES"))
    (changed,) = diff(before, other).changed
    assert not changed.flipped and {one.kind for one in changed.differences} == {"field"}


def test_what_is_no_run_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no run directory"):
        diff(tmp_path, tmp_path)
