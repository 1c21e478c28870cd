"""Results as files: written whole, merged from what lies there, and nothing that was begun is ever left out."""

import json
import os
from pathlib import Path

import pytest

from lab.evidence import files, results
from lab.evidence.results import Result, ResultWriter, Run


def result(name: str, verdict: results.VerdictWord = "passed") -> Result:
    return Result(
        id=f"nat/{name}", pairing="ours>strongswan", verdict=verdict, duration_s=0.5, clauses=["rfc7296:2.23"]
    )


def directory(run_dir: Path, name: str) -> Path:
    return run_dir / "scenarios" / "nat" / name / "ours-strongswan"


def writer(run_dir: Path) -> ResultWriter:
    return ResultWriter(run_dir, Run(run_id="r1", started="2026-01-01T00:00:00Z", command="ikelab run nat/"))


def test_run_is_readable_from_its_first_moment_to_its_last(tmp_path: Path) -> None:
    run = writer(tmp_path)
    assert json.loads((tmp_path / "run.json").read_text())["duration_s"] is None
    run.add(result("one"))
    known = json.loads((tmp_path / "run.json").read_text())
    assert known["schema"] == "ikelab.run/1"
    assert known["counts"] == {"passed": 1, "failed": 0, "unsupported": 0, "unresolved": 0, "flaky": 0}
    assert set(known["results"][0]) == {
        "id", "pairing", "verdict", "reason", "duration_s", "topology", "initiator", "responder", "clauses", "dir",
    }  # fmt: skip
    run.finish()
    assert json.loads((tmp_path / "run.json").read_text())["duration_s"] >= 0


def test_results_of_scenarios_are_gathered_from_their_directories(tmp_path: Path) -> None:
    run = writer(tmp_path)
    for name, verdict in (("b", "failed"), ("a", "passed")):
        results.write_result(result(name, verdict), directory(tmp_path, name))
    finished = run.finish()
    assert [(r.id, r.verdict, r.dir) for r in finished.results] == [
        ("nat/a", "passed", "scenarios/nat/a/ours-strongswan"),
        ("nat/b", "failed", "scenarios/nat/b/ours-strongswan"),
    ]
    assert results.read_run(tmp_path) == finished


def test_result_added_twice_is_listed_once(tmp_path: Path) -> None:
    run = writer(tmp_path)
    run.add(result("a", "failed"))
    run.add(result("a", "passed"))
    assert [r.verdict for r in run.run.results] == ["passed"]


@pytest.mark.parametrize("sign", results.SIGNS[1:])
def test_interrupted_scenario_is_unresolved(tmp_path: Path, sign: str) -> None:
    place = directory(tmp_path, "cut")
    place.mkdir(parents=True)
    (place / sign).write_bytes(b"")
    (found,) = results.gather(tmp_path)
    assert (found.id, found.pairing, found.verdict) == ("nat/cut", "ours-strongswan", "unresolved")
    assert "interrupted" in found.reason


@pytest.mark.parametrize("text", ["", "{", "[]", '{"id": 3}', '{"id": "x", "pairing": "y", "verdict": "perhaps"}'])
def test_unreadable_result_is_unresolved_and_says_why(tmp_path: Path, text: str) -> None:
    place = directory(tmp_path, "torn")
    place.mkdir(parents=True)
    (place / "result.json").write_text(text)
    (found,) = results.gather(tmp_path)
    assert found.verdict == "unresolved"
    assert "cannot be read" in found.reason


def test_interrupted_run_keeps_what_was_finished(tmp_path: Path) -> None:
    run = writer(tmp_path)
    results.write_result(result("a"), directory(tmp_path, "a"))
    begun = directory(tmp_path, "b")
    begun.mkdir(parents=True)
    (begun / "begun.json").write_text("{}")
    left = run.finish(interrupted=True)
    assert left.duration_s is None
    assert left.counts["passed"] == left.counts["unresolved"] == 1
    events = [json.loads(line) for line in (tmp_path / "events.jsonl").read_text().splitlines()]
    assert [event["event"] for event in events] == ["run-started", "run-interrupted"]


def test_files_within_a_scenario_are_no_scenarios_of_their_own(tmp_path: Path) -> None:
    place = directory(tmp_path, "a")
    results.write_result(result("a"), place)
    (place / "wireshark").mkdir()
    (place / "wireshark" / "topology.json").write_text("{}")
    assert len(results.gather(tmp_path)) == 1


def test_written_file_is_whole_or_absent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "result.json"
    files.write_json(target, {"a": 1})

    def full(self: Path, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space"):
        files.write_json(target, {"a": 2})
    assert json.loads(target.read_text()) == {"a": 1}
    assert os.listdir(tmp_path) == ["result.json"]


def test_facts_of_a_result_read_back(tmp_path: Path) -> None:
    full = Result(
        id="x", pairing="y", verdict="flaky", attempts=["failed", "passed"], messages={"ikev2_init": 2},
        steps=[results.Step(name="ping", verdict="passed", at_s=0.1)],
        evidence=[results.Evidence(kind="capture", file="wire.pcapng")], negotiated={"ike": "aes"},
        reproduce="ikelab run x --seed 1",
    )  # fmt: skip
    place = tmp_path / "scenarios" / "x" / "y"
    results.write_result(full, place)
    found = results.read_result(place, tmp_path)
    full.dir = "scenarios/x/y"
    assert found == full
    assert json.loads((place / "result.json").read_text())["schema"] == "ikelab.result/1"
