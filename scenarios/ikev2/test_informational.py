"""INFORMATIONAL: is the peer alive, and the end of an SA - asked by either side."""

from itertools import pairwise

import pytest

from lab.matrix import IKEV2
from lab.plugin.tunnel import CHILD, CONNECTION, Tunnel

pytestmark = pytest.mark.pairings(*map(str, IKEV2))

SIDES = ("left", "right")
DELAY_S = 7


@pytest.mark.rfc("7296#1.4", "7296#2.4")
@pytest.mark.needs("liveness")
@pytest.mark.clock("virtual")
@pytest.mark.parametrize("asker", SIDES)
def test_liveness(lab, left, right, asker):
    """A side that has heard nothing for a while asks with an empty INFORMATIONAL and gets an empty answer."""
    asking = Tunnel(connection={"dpd_delay": f"{DELAY_S}s"})
    lab.up("direct", **{asker: asking})
    lab.establish()

    lab.step("quiet", f"no traffic; {asker} asks after {DELAY_S} s")
    wanted = 3
    lab.until(lambda: len(lab.ladder().ike("INFORMATIONAL", response=True)) >= wanted, "three answers", 60, every=1.0)
    ladder = lab.ladder()
    questions = ladder.ike("INFORMATIONAL", response=False)[:wanted]
    answers = ladder.ike("INFORMATIONAL", response=True)[:wanted]
    assert {e["from"] for e in questions} == {asker}, f"somebody else asked: {ladder.words()}"
    assert {e["from"] for e in answers} == set(SIDES) - {asker}, f"the wrong side answered: {ladder.words()}"
    filled = [e for e in questions + answers if e["payloads"]]
    assert not filled, f"a liveness check is not empty: {filled[0]['payloads']}"
    assert [e["message_id"] for e in questions] == [e["message_id"] for e in answers], f"answers: {ladder.words()}"
    times = [e["t_sent"] for e in questions]
    gaps = [later - earlier for earlier, later in pairwise(times)]
    late = [gap for gap in gaps if not DELAY_S - 0.1 <= gap <= DELAY_S + 1.1]
    assert not late, f"the questions are {late[0]:.1f} s apart, not {DELAY_S}"
    lab.ping()
    lab.prove_protected()


@pytest.mark.rfc("7296#1.4.1")
@pytest.mark.needs("delete")
@pytest.mark.parametrize("deleter", SIDES)
def test_delete_ike_sa(lab, left, right, deleter):
    """One side deletes the IKE SA; the other answers, and both have forgotten it with its CHILD SA."""
    lab.up("direct")
    lab.establish()
    lab.ping()
    lab.prove_protected()

    lab.step("delete", f"{deleter} deletes the IKE SA")
    gateway = {"left": left, "right": right}[deleter]
    outcome = gateway.terminate(ike=CONNECTION)
    assert outcome.up, f"{gateway} could not delete the IKE SA: {outcome.reason}"
    lab.until(lambda: not left.sas() and not right.sas(), "both sides have forgotten the SAs", 5)
    ladder = lab.ladder()
    (question,) = ladder.ike("INFORMATIONAL", response=False)
    (answer,) = ladder.ike("INFORMATIONAL", response=True)
    assert (question["from"], question["payloads"]) == (deleter, ["D"]), f"not a delete: {ladder.words()}"
    assert answer["payloads"] == [], f"the answer is not empty but {answer['payloads']}"


@pytest.mark.rfc("7296#1.4.1")
@pytest.mark.needs("delete")
@pytest.mark.parametrize("deleter", SIDES)
def test_delete_child_sa(lab, left, right, deleter):
    """One side deletes the CHILD SA; the answer deletes the other direction, and the IKE SA lives on."""
    lab.up("direct")
    lab.establish()
    lab.ping()
    lab.prove_protected()

    lab.step("delete", f"{deleter} deletes the CHILD SA")
    gateway = {"left": left, "right": right}[deleter]
    outcome = gateway.terminate(ike="", child=CHILD)
    assert outcome.up, f"{gateway} could not delete the CHILD SA: {outcome.reason}"
    lab.until(lambda: not left.children() and not right.children(), "both sides have forgotten the CHILD SA", 5)
    ladder = lab.ladder()
    (question,) = ladder.ike("INFORMATIONAL", response=False)
    (answer,) = ladder.ike("INFORMATIONAL", response=True)
    assert (question["from"], question["payloads"]) == (deleter, ["D"]), f"not a delete: {ladder.words()}"
    assert answer["payloads"] == ["D"], f"the answer does not delete the other direction: {answer['payloads']}"
    assert left.established() and right.established(), "the IKE SA went with its CHILD SA"
