"""The plugin under a pytest of its own, with a pretended laboratory in place of network and peers."""

import json
import sys
from contextlib import contextmanager
from types import ModuleType

import pytest

from lab.plugin.gateway import Gateway
from lab.plugin.verdict import FAILED, Verdict

pytest_plugins = ["pytester"]

SCENARIOS = '''
import pytest
from lab.errors import BrokenError

@pytest.mark.rfc("7296#1.2")
def test_good(lab, left, right):
    """All is well."""
    lab.step("one")
    assert left.peer.name != right.peer.name

def test_bad(lab, left, right):
    lab.step("one")
    assert 4 == 5, "five messages, not four"

def test_broken(lab, left, right):
    raise BrokenError("the network fell over")

def test_bug(lab, left, right):
    {}["no such key"]

@pytest.mark.needs("telepathy")
def test_needy(lab, left, right):
    raise SystemExit("must not run")

def test_contradicted(lab, left, right):
    lab.contradiction = "the keys differ"

def test_gatherless(lab, left, right):
    lab.explodes = True
'''


class PretendedLab:
    """Remembers what the plugin does with it, and writes the verdict as the real one does."""

    def __init__(self, scenario, records):
        self.scenario, self.verdict, self.steps = scenario, None, []
        self.contradiction, self.explodes, self.records = "", False, records
        self.left = Gateway("left", _peer(scenario.pairing.initiator))
        self.right = Gateway("right", _peer(scenario.pairing.responder))

    def step(self, name):
        self.steps.append(name)

    def conclude(self, verdict):
        if self.explodes:
            raise OSError(28, "No space left on device")
        contradicted = verdict.word == "passed" and self.contradiction
        self.settle(Verdict(FAILED, self.contradiction) if contradicted else verdict)
        assert not contradicted, self.contradiction

    def settle(self, verdict):
        if self.verdict is None:
            self.verdict = verdict
            named = {"id": self.scenario.id, "pairing": str(self.scenario.pairing)}
            self.records.line("finished", **named, verdict=verdict.word, reason=verdict.reason)

    def pause(self, where):
        self.records.line("paused", where=str(where))


def _peer(name):
    from lab.peers.registry import peer  # noqa: PLC0415

    return peer(name)


@pytest.fixture
def run(pytester, monkeypatch):
    laboratory = ModuleType("lab.plugin.laboratory")

    @contextmanager
    def open_lab(scenario, records, seed):
        yield PretendedLab(scenario, records)

    laboratory.open_lab = open_lab
    monkeypatch.setitem(sys.modules, "lab.plugin.laboratory", laboratory)
    pytester.makeini("[pytest]\naddopts = --strict-markers --import-mode=importlib")
    pytester.mkdir("ikev2")
    (pytester.path / "ikev2" / "test_some.py").write_text(SCENARIOS)
    loaded = ["-p", "no:ikelab-suite", *([] if "ikelab" in _installed() else ["-p", "lab.plugin"])]

    def start(*arguments):
        events = pytester.path / "events.jsonl"
        events.unlink(missing_ok=True)
        result = pytester.runpytest_inprocess(*loaded, f"--ikelab-events={events}", *arguments)
        lines = [json.loads(line) for line in events.read_text().splitlines()] if events.exists() else []
        return result, lines

    return start


def _installed():
    from importlib.metadata import entry_points  # noqa: PLC0415

    return {point.name for point in entry_points(group="pytest11")}


def verdicts(lines, pairing="ours>strongswan"):
    finished = [line for line in lines if line["event"] == "finished" and line["pairing"] == pairing]
    return {line["id"]: (line["verdict"], line["reason"]) for line in finished}


def test_every_way_to_end_has_its_verdict(run):
    _, lines = run()
    assert verdicts(lines) == {
        "ikev2/good": ("passed", ""),
        "ikev2/bad": ("failed", "five messages, not four"),
        "ikev2/broken": ("unresolved", "BrokenError: the network fell over"),
        "ikev2/bug": ("unresolved", "KeyError: 'no such key'"),
        "ikev2/needy": ("unsupported", "ours lacks telepathy; strongswan lacks telepathy"),
        "ikev2/contradicted": ("failed", "the keys differ"),
        "ikev2/gatherless": ("unresolved", "OSError: [Errno 28] No space left on device"),
    }


def test_every_scenario_runs_in_both_roles(run):
    _, lines = run("-k", "good")
    assert set(verdicts(lines)) == set(verdicts(lines, "strongswan>ours")) == {"ikev2/good"}


def test_a_role_leaves_one_pairing(run):
    _, lines = run("-k", "good", "--ikelab-role=responder")
    assert [line["pairing"] for line in lines] == ["strongswan>ours"]


def test_pytest_agrees_with_the_verdicts(run):
    result, _ = run("--ikelab-role=initiator")
    result.assert_outcomes(passed=1, failed=5, skipped=1)


def test_a_plan_chooses_and_orders(run, pytester):
    jobs = [["ikev2/bug", "ours>strongswan"], ["ikev2/good", "strongswan>ours"]]
    (pytester.path / "plan.json").write_text(json.dumps({"attempt": 1, "jobs": jobs}))
    result, lines = run("--ikelab-plan=plan.json")
    assert [[line["id"], line["pairing"]] for line in lines] == jobs
    assert result.parseoutcomes()["deselected"] == 12


def test_a_failed_scenario_can_be_kept(run, pytester):
    _, lines = run("-k", "bad or broken", "--ikelab-role=initiator", f"--ikelab-pause={pytester.path / 'resume'}")
    assert [line["event"] for line in lines] == ["paused", "finished", "finished"]


def test_lab_without_gateways_is_a_mistake_that_is_named(run, pytester):
    (pytester.path / "test_wrong.py").write_text("def test_wrong(lab):\n    pass\n")
    result, _ = run("-k", "wrong")
    result.stdout.fnmatch_lines(["*takes `lab` but not `left` and `right`*"])


def test_collecting_imports_no_network(pytester):
    """Somebody else's tests, and `ikelab list`, must not need mininet or root."""
    pytester.makepyfile("def test_mine():\n    pass\n")
    pytester.makeconftest(
        """
        import sys
        def pytest_sessionfinish():
            heavy = {"mininet", "pyroute2", "scapy", "lab.emulation.network", "lab.plugin.laboratory"}
            print("HEAVY", sorted(heavy & set(sys.modules)))
        """
    )
    result = pytester.runpytest_subprocess("-s", *([] if "ikelab" in _installed() else ["-p", "lab.plugin"]))
    result.stdout.fnmatch_lines(["*HEAVY []*"])
