from lab.plugin.steps import Steps
from lab.plugin.verdict import Verdict


def clock(times):
    left = iter(times)
    return lambda: next(left)


def test_a_new_step_closes_the_one_before_as_passed():
    steps = Steps(clock([100.0, 100.5, 102.0]))
    steps.begin("network")
    steps.begin("handshake")
    assert [(s.name, s.verdict, s.at_s) for s in steps.done] == [
        ("network", "passed", 0.5),
        ("handshake", "unresolved", 2.0),
    ]


def test_the_open_step_gets_the_scenarios_verdict_and_reason():
    steps = Steps(clock([0.0, 1.0]))
    steps.begin("handshake", "left initiates")
    steps.end(Verdict("failed", "no answer"))
    assert steps.done[-1].verdict == "failed" and steps.done[-1].detail == "left initiates; no answer"


def test_a_finished_step_does_not_touch_an_ended_list():
    steps = Steps(clock([0.0, 1.0, 2.0]))
    steps.begin("handshake")
    steps.end(Verdict("passed"))
    steps.add("evidence", "failed", "keys differ")
    assert [s.verdict for s in steps.done] == ["passed", "failed"]
