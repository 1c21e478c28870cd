"""A whole run with a pretended kernel: what it runs writes the files that a guest would write."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

import pytest

from lab.errors import ConfigError, UnfitError
from lab.evidence.results import Result, write_result
from lab.matrix import Pairing
from lab.plugin.meta import Scenario
from lab.run import catalogue, crew, kernels, main, past, source
from lab.run.inside import EVENTS, PLAN
from lab.run.kernels import Ended
from lab.run.options import Options

PAIRING = Pairing("ours", "strongswan")


@dataclass
class PretendedKernel:
    """Gives every scenario the verdict that its id ends in; `hangs` and `dies` do what they say."""

    kind: str = "guest"
    release: str = "0.0"
    virtual: bool = True
    boots: int = 0
    verdicts: dict = field(default_factory=dict)

    def run(self, out, arguments, *, virtual, limit_s, output, stop, attached=None, counts=False):
        self.boots += 1
        batch = Path(next(a for a in arguments if a.startswith("--batch=")).removeprefix("--batch=OUT/"))
        plan = json.loads((out / batch / PLAN).read_text())
        for name, pairing in plan["jobs"]:
            word = self.verdicts.get((name, self.boots)) or name.rpartition("/")[2]
            directory = Path("scenarios", name, PAIRING.directory)
            if plan["attempt"] > 1:
                directory /= f"attempt-{plan['attempt']}"
            (out / directory).mkdir(parents=True)
            self.event(out / batch, "started", name, pairing, dir=directory.as_posix())
            if word == "hangs":
                return Ended(None, "stopped on request" if stop.wait(60) else "nobody stopped it")
            if word == "dies":
                return Ended(None, "the guest ended without an exit status")
            write_result(Result(id=name, pairing=pairing, verdict=word, reason=f"is {word}"), out / directory)
            self.event(out / batch, "finished", name, pairing, versions={"strongswan": "6.0.1"})
        output("done")
        return Ended(0, "exit code 0")

    @staticmethod
    def event(batch, kind, name, pairing, **more):
        with (batch / EVENTS).open("a") as file:
            file.write(json.dumps({"event": kind, "id": name, "pairing": pairing, **more}) + "\n")


@pytest.fixture
def kernel(monkeypatch):
    pretended = PretendedKernel()
    monkeypatch.setattr(kernels, "runner", lambda kind, suite=None: pretended)
    monkeypatch.setattr(crew, "POLL_S", 0.001)
    return pretended


@pytest.fixture
def run(monkeypatch, tmp_path, kernel):
    def start(*names, **options):
        limits = {"hangs": 0.05}
        clause = ("7296#1.2",)
        found = [Scenario(n, PAIRING, "", "", clause, limit_s=limits.get(n.rpartition("/")[2], 60.0)) for n in names]
        monkeypatch.setattr(catalogue, "collect", lambda **_: found)
        code, out = main.run(Options(out=tmp_path / "out", **options))
        return code, json.loads((out / "run.json").read_text()) if out else None

    return start


def verdicts(facts):
    return {result["id"]: result["verdict"] for result in facts["results"]}


def test_all_passed_is_0(run, tmp_path):
    code, facts = run("a/passed", "b/unsupported")
    assert code == 0 and facts["counts"]["passed"] == 1 and facts["counts"]["unsupported"] == 1
    assert facts["versions"]["strongswan"] == "6.0.1" and facts["duration_s"] is not None
    assert (tmp_path / "out" / "index.html").is_file()


def test_a_run_joins_the_index_and_takes_along_what_came_before(run, tmp_path, monkeypatch):
    monkeypatch.setenv("IKELAB_HISTORY", str(tmp_path / "history.db"))
    _, facts = run("a/passed")
    assert facts["versions"]["source"] == source.digest()
    found = json.loads((tmp_path / "out" / "history.json").read_text())
    assert [(one["run_id"], one["directory"], one["counts"]) for one in found["runs"]] == [
        (facts["run_id"], ".", {"passed": 1})
    ]


def test_an_index_that_cannot_be_written_spoils_no_run(run, tmp_path, monkeypatch):
    (tmp_path / "history.db").write_text("no database at all, as long as it may be" * 9)
    monkeypatch.setenv("IKELAB_HISTORY", str(tmp_path / "history.db"))
    assert run("a/passed")[0] == 0


def test_a_failure_is_1_and_never_tried_again(run, kernel):
    code, facts = run("a/passed", "b/failed")
    assert code == 1 and kernel.boots == 1 and verdicts(facts)["b/failed"] == "failed"


def test_nothing_selected_is_4_and_boots_nothing(run, kernel):
    assert run("a/passed", select=("zzz",)) == (4, None) and kernel.boots == 0


def test_what_the_lab_broke_is_tried_once_more(run, kernel):
    kernel.verdicts["a/unresolved", 2] = "passed"
    code, facts = run("a/unresolved", "b/passed")
    assert code == 0 and kernel.boots == 2
    assert verdicts(facts) == {"a/unresolved": "flaky", "b/passed": "passed"}


def test_what_stays_broken_is_5(run, kernel):
    code, facts = run("a/unresolved")
    assert code == 5 and kernel.boots == 2 and verdicts(facts) == {"a/unresolved": "unresolved"}


def test_a_guest_that_dies_takes_only_one_scenario_with_it(run, kernel):
    code, facts = run("a/passed", "b/dies", "c/passed")
    assert verdicts(facts) == {"a/passed": "passed", "b/dies": "unresolved", "c/passed": "passed"}
    reason = next(result["reason"] for result in facts["results"] if result["id"] == "b/dies")
    assert code == 5 and "without an exit status" in reason


def test_a_scenario_that_hangs_ends_its_guest_and_the_rest_goes_on(run):
    code, facts = run("a/hangs", "b/passed")
    assert verdicts(facts) == {"a/hangs": "unresolved", "b/passed": "passed"} and code == 5
    assert {result["id"]: result["reason"] for result in facts["results"]}["a/hangs"].startswith("it took more than")


def test_repeating_shows_what_is_flaky(run, kernel):
    kernel.verdicts["a/passed", 2] = "failed"
    code, facts = run("a/passed", repeat=3)
    assert code == 1 and kernel.boots == 3 and verdicts(facts) == {"a/passed": "flaky"}


def test_an_earlier_runs_results_do_not_stay(run):
    run("a/passed", "b/failed")
    _, facts = run("a/passed")
    assert verdicts(facts) == {"a/passed": "passed"}


def test_junit_has_one_case_per_scenario(run, tmp_path):
    run("a/passed", "b/failed", "c/unsupported", junit=tmp_path / "junit.xml")
    suite = ElementTree.parse(tmp_path / "junit.xml").getroot()
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("3", "1", "1")
    assert suite.find("testcase/failure").get("message") == "is failed"


def test_an_unfit_machine_is_said_before_anything_is_written(run, monkeypatch, tmp_path):
    def unfit(kind, suite=None):
        raise UnfitError("there is no guest image", fix="ikelab image build")

    monkeypatch.setattr(kernels, "runner", unfit)
    with pytest.raises(UnfitError, match="ikelab image build"):
        run("a/passed")
    assert not (tmp_path / "out").exists()


def test_an_interrupted_run_keeps_what_it_has(run, monkeypatch, tmp_path):
    def interrupted(self, *told):
        raise KeyboardInterrupt

    monkeypatch.setattr("lab.run.progress.Screen.result", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run("a/passed")
    facts = json.loads((tmp_path / "out" / "run.json").read_text())
    assert facts["duration_s"] is None and verdicts(facts) == {"a/passed": "passed"}
    assert (tmp_path / "out" / "index.html").is_file()


def test_nothing_of_the_users_is_ever_removed(run, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("keep")
    with pytest.raises(ConfigError, match="mine"):
        run("a/passed")
    assert (tmp_path / "out" / "mine.txt").read_text() == "keep"


def test_only_what_failed_is_run_again(run, kernel, tmp_path, monkeypatch):
    monkeypatch.setenv(past.VARIABLE, str(tmp_path / "history.db"))
    names = ["a/passed", "b/failed", "c/unsupported", "d/unresolved"]
    run(*names)
    for wish in ({"failed": True}, {"failed_in": tmp_path / "out"}):
        _, again = run(*names, **wish)
        assert {row["id"] for row in again["results"]} == {"b/failed", "d/unresolved"}
    kernel.verdicts = {("b/failed", number): "passed" for number in range(1, 50)}
    _, mended = run(*names, failed=True, select=("b/",))
    assert [row["verdict"] for row in mended["results"]] == ["passed"]
    assert run(*names, failed=True) == (main.NOTHING, None)


def test_where_no_run_is_known_none_can_be_run_again(run, tmp_path, monkeypatch):
    monkeypatch.setenv(past.VARIABLE, str(tmp_path / "history.db"))
    with pytest.raises(ConfigError, match="no run is known"):
        run("a/passed", failed=True)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match="no run directory"):
        run("a/passed", failed_in=tmp_path / "empty")


def test_the_command_of_a_run_can_be_pasted_into_a_shell(run):
    _, found = run("a/passed", command=("ikelab", "run", "a/passed:ours>strongswan"))
    assert found["command"] == "ikelab run 'a/passed:ours>strongswan'"
