"""Informational: R-U-THERE and its answer, and Delete, which nobody answers."""

from itertools import pairwise

import pytest

from lab.matrix import IKEV1
from lab.plugin import first_version as v1
from lab.plugin.tunnel import CHILD, CONNECTION

pytestmark = pytest.mark.pairings(*map(str, IKEV1))

SIDES = ("left", "right")
DELAY_S = 7


@pytest.mark.rfc("3706#5")
@pytest.mark.needs("ikev1", "dpd")
@pytest.mark.clock("virtual")
@pytest.mark.parametrize("asker", SIDES)
def test_dead_peer_detection(lab, left, right, asker):
    """A side that has heard nothing for a while asks R-U-THERE and gets R-U-THERE-ACK, each an exchange of its own."""
    asking = v1.tunnel(connection={"dpd_delay": f"{DELAY_S}s"})
    other = ({*SIDES} - {asker}).pop()
    lab.up("direct", **{asker: asking, other: v1.tunnel()})
    lab.establish()

    lab.step("quiet", f"no traffic; {asker} asks after {DELAY_S} s")

    def of(kind, sender):
        return lab.ladder().ike("Informational", sender=sender, payload=f"N({kind})")

    lab.until(lambda: len(of("R_U_THERE_ACK", other)) >= 3, "three answers", 60, every=1.0)
    questions, answers = of("R_U_THERE", asker)[:3], of("R_U_THERE_ACK", other)[:3]
    assert not of("R_U_THERE", other), f"somebody else asked: {lab.ladder().words()}"
    ids = {entry["message_id"] for entry in questions + answers}
    assert len(ids) == 6, "question and answer share a message ID"
    off = [b["t_sent"] - a["t_sent"] for a, b in pairwise(questions)]
    late = [gap for gap in off if not DELAY_S - 0.1 <= gap <= DELAY_S + 1.1]
    assert not late, f"the questions are {late[0]:.1f} s apart, not {DELAY_S}"
    lab.ping()
    lab.prove_protected()


@pytest.mark.rfc("2408#3.15", "2409#5.7")
@pytest.mark.needs("ikev1", "delete")
@pytest.mark.parametrize("deleter", SIDES)
@pytest.mark.parametrize("what", ["child", "ike"])
def test_delete(lab, left, right, what, deleter):
    """One side deletes its SAs and says so; the other forgets them, and answers nothing."""
    lab.up("direct", v1.tunnel())
    lab.establish()
    lab.ping()
    lab.prove_protected()

    lab.step("delete", f"{deleter} deletes the {what} SA")
    gateway = {"left": left, "right": right}[deleter]
    before = len(lab.ladder().ike("Informational"))
    outcome = gateway.terminate(ike="" if what == "child" else CONNECTION, child=CHILD if what == "child" else "")
    assert outcome.up, f"{gateway} could not delete: {outcome.reason}"

    def gone():
        lists = (left.children(), right.children()) if what == "child" else (left.sas(), right.sas())
        return not any(lists)

    lab.until(gone, "both sides have forgotten the SAs", 5)
    told = lab.ladder().ike("Informational")[before:]
    assert told and {entry["from"] for entry in told} == {deleter}, f"the other side answered: {lab.ladder().words()}"
    assert all("D" in entry["payloads"] for entry in told), f"not a Delete: {lab.ladder().words()}"
    if what == "child":
        assert left.established() and right.established(), "the ISAKMP SA went with its child"
