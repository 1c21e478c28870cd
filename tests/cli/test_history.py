"""`ikelab history` and `ikelab report diff`."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from lab.cli import cli
from tests.history.recorded import messages, write


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with two runs that differ."""
    monkeypatch.setenv("IKELAB_HISTORY", str(tmp_path / "history.db"))
    monkeypatch.chdir(tmp_path)  # away from runs that somebody has made in reports/out
    write(tmp_path / "runs" / "one", {"nat/a": "passed", "nat/b": "passed"}, started="1")
    write(tmp_path / "runs" / "two", {"nat/a": "failed", "nat/b": "passed"}, started="2", ladder=messages(encr="3DES"))
    return tmp_path / "runs"


def call(*words: object) -> Result:
    return CliRunner().invoke(cli, [str(word) for word in words], catch_exceptions=False)


def test_no_run_is_known(runs: Path) -> None:
    found = call("history")
    assert found.exit_code == 0 and "no run is known" in found.stdout


def test_runs_strips_and_what_is_flaky(runs: Path) -> None:
    lines = call("history", "--rebuild", "--runs", runs).stdout.splitlines()
    assert lines[0].split()[0] == "two" and "1 passed, 1 failed" in lines[0]
    assert lines[-1] == "flaky: nat/a ours>strongswan passed 1 of 2 under equal conditions"
    assert call("history", "nat/a").stdout.splitlines()[0] == "nat/a  ours>strongswan  .F"
    assert "no known run" in call("history", "esp/").stdout


def test_history_in_json(runs: Path) -> None:
    found = json.loads(call("history", "nat/a", "--runs", runs, "--json").stdout)
    assert found["schema"] == "ikelab.history/1" and [one["run_id"] for one in found["runs"]] == ["one", "two"]
    assert found["scenarios"] == [{"id": "nat/a", "pairing": "ours>strongswan", "verdicts": ["passed", "failed"]}]


def test_diff_in_words(runs: Path) -> None:
    found = call("report", "diff", runs / "one", runs / "two")
    assert found.exit_code == 0
    assert found.stdout.splitlines()[0] == "nat/a ours>strongswan: passed -> failed"
    assert "    field: IKE_SA_INIT request 0 from left to right: SA/Transform/ID: AES -> 3DES" in found.stdout
    assert found.stdout.splitlines()[-1] == "0 alike, 2 changed, 1 with another verdict"


def test_diff_in_json_and_by_exit_code(runs: Path) -> None:
    found = json.loads(call("report", "diff", "--json", runs / "one", runs / "two").stdout)
    assert found["schema"] == "ikelab.diff/1" and len(found["changed"]) == 2
    assert call("report", "diff", "--exit-code", runs / "one", runs / "two").exit_code == 1
    assert call("report", "diff", "--exit-code", runs / "one", runs / "one").exit_code == 0


def test_a_replay_is_exact(runs: Path) -> None:
    later, _ = ladder = messages()
    later[3]["t_sent"] += 0.05
    write(runs / "again", {"nat/a": "passed", "nat/b": "passed"}, ladder=ladder)
    words = ("report", "diff", "--exit-code", runs / "one", runs / "again")
    assert call(*words).exit_code == 0, "50 ms are no difference between two runs"
    found = call(*words, "--replay")
    assert found.exit_code == 1 and "time: packet 1 from right to left: absent -> +0.0500 s" in found.stdout
