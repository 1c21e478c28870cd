import json
from pathlib import Path

import pytest

from lab.report import model
from lab.report.model import Verdict


def write(path: Path, value: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))


def test_the_scenarios_own_file_wins_over_the_list(tmp_path: Path) -> None:
    listed = {"id": "a/b", "pairing": "x>y", "verdict": "unresolved", "dir": "scenarios/a/b/x-to-y"}
    write(tmp_path / "run.json", {"results": [listed], "duration_s": 3})
    write(tmp_path / "scenarios/a/b/x-to-y/result.json", {"verdict": "passed", "title": "T"})
    (one,) = model.load_run(tmp_path).results
    assert (one.id, one.verdict, one.title, one.group, one.name) == ("a/b", Verdict.PASSED, "T", "a", "b")


def test_a_directory_without_a_verdict_is_an_interrupted_scenario(tmp_path: Path) -> None:
    write(tmp_path / "scenarios/a/b/x-to-y/begun.json", {})
    write(tmp_path / "scenarios/a/c/x-to-y/topology.json", {})
    write(tmp_path / "scenarios/a/c/x-to-y/logs/result.json", {})
    run = model.load_run(tmp_path)
    assert [(one.id, one.pairing, one.verdict) for one in run.results] == [
        ("a/b", "x>y", Verdict.UNRESOLVED), ("a/c", "x>y", Verdict.UNRESOLVED),
    ]  # fmt: skip
    assert "run.json is missing" in run.interrupted


def test_a_run_without_a_duration_was_interrupted(tmp_path: Path) -> None:
    write(tmp_path / "run.json", {"duration_s": None, "seed": 1, "results": []})
    assert "interrupted" in model.load_run(tmp_path).interrupted
    write(tmp_path / "run.json", {"duration_s": 0.5, "results": []})
    assert model.load_run(tmp_path).interrupted == ""


@pytest.mark.parametrize(("word", "reason"), [("splendid", "The verdict 'splendid' is"), ("", "No verdict was")])
def test_an_unknown_verdict_is_unresolved_with_a_reason(word: str, reason: str) -> None:
    one = model.result({"id": "a", "verdict": word}, None)
    assert one.verdict is Verdict.UNRESOLVED and one.reason.startswith(reason)


@pytest.mark.parametrize("name", ["", "/etc", "../x", "a/../../x", "a\0b"])
def test_paths_that_leave_are_refused(name: str) -> None:
    assert model.inside(name) is None


def test_paths_that_stay_are_taken() -> None:
    assert str(model.inside("scenarios/a/x>y")) == "scenarios/a/x>y"
