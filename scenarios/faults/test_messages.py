"""Every message of every exchange lost, doubled, late and swapped with its successor: one exchange comes of it."""

import time

import pytest

from lab.matrix import DEFAULT, IKEV2, SELVES
from lab.plugin import repeats
from lab.plugin.renewal import one_new, spis
from lab.plugin.repeats import Round
from lab.plugin.tunnel import CHILD

# RFC 7296 2.4 leaves the intervals open; both stacks begin with 4 s.
SCHEDULE = (0.0, 4.0)
TOLERANCE_S = 0.006  # strongSwan counts whole milliseconds
SETTLED_S = 30.0
# Whose exchange: IKE_SA_INIT and IKE_AUTH are the initiator's, the others either side's.
ASKERS = {"IKE_SA_INIT": ("left",), "IKE_AUTH": ("left",), "CREATE_CHILD_SA": ("left", "right")}
ASKERS["INFORMATIONAL"] = ASKERS["CREATE_CHILD_SA"]
# One exchange of each kind of asker goes beside every strongSwan, lost, which is what the schedule of repeats shows in.
WITH_EVERY_STRONGSWAN = (("IKE_AUTH", "lost"), ("CREATE_CHILD_SA", "lost"))
WITH_ONE = pytest.mark.pairings(*map(str, (*DEFAULT, *SELVES)))
PARAMETERS = [
    pytest.param(exchange, fault, marks=() if (exchange, fault) in WITH_EVERY_STRONGSWAN else WITH_ONE)
    for exchange in ASKERS
    for fault in repeats.FAULTS
]


def place(gate, fault, what):
    """The rule that lets a message suffer."""
    if fault == "late":
        return gate.delay(what, repeats.LATE_S)
    return {"lost": gate.drop, "duplicated": gate.duplicate, "swapped": gate.swap}[fault](what)


def play(lab, gate, fault, what, asker, response):
    """One exchange with a fault, until both sides have settled; how it was."""
    exchange = what.split()[0]
    sender = asker if not response else {"left": "right", "right": "left"}[asker]
    rule = place(gate, fault, f"1st {exchange} {'response' if response else 'request'} from {sender}")
    began = time.time()
    gateways = {"left": lab.left, "right": lab.right}
    if exchange in ("IKE_SA_INIT", "IKE_AUTH"):
        for gateway in gateways.values():
            assert not gateway.sas(), f"{gateway} still has an SA of the round before"
        lab.establish()
    else:
        before = spis(lab.left, "child")
        outcome = gateways[asker].rekey(child=CHILD)
        assert outcome.up, f"{asker} could not rekey: {outcome.reason}"
        lab.until(
            lambda: one_new(*lab.gateways, "child", before), "one new CHILD SA on both sides", SETTLED_S, every=0.25
        )
    again = 1 if fault == "duplicated" else 2
    lab.until(lambda: rule.seen() >= again and not rule.held(), "its repeat has come", SETTLED_S, every=0.25)
    lab.ping(1)
    assert rule.acted() == 1, f"the gate acted on {rule.acted()} messages"
    rule.remove()
    return Round(exchange, fault, response, asker, began, time.time())


@pytest.mark.rfc("7296#2.1", "7296#2.2", "7296#2.3")
@pytest.mark.needs("rekey")
@pytest.mark.clock("virtual")
@pytest.mark.pairings(*map(str, IKEV2), "strongswan>strongswan")
@pytest.mark.parametrize(("exchange", "fault"), PARAMETERS)
def test_one_message(lab, left, right, exchange, fault):
    """A message suffers: its sender repeats it bit for bit where it must, and its receiver does nothing twice."""
    lab.up("direct")
    gate = lab.gate()
    if exchange in ("CREATE_CHILD_SA", "INFORMATIONAL"):
        lab.establish()
    rounds = []
    for asker in ASKERS[exchange]:
        for response in (False, True):
            rounds.append(play(lab, gate, fault, exchange, asker, response))
            if asker == "left" and not response and exchange in ("IKE_SA_INIT", "IKE_AUTH"):
                left.terminate()
    ladder = lab.prove_protected()
    for one in rounds:
        lab.step("repeated", f"{one}")
        lab.steps.note(repeats.judge(one, ladder, SCHEDULE, TOLERANCE_S))
    assert len(left.established()) == len(right.established()) == 1, "more than one IKE SA came of it"
    assert len(left.children()) == len(right.children()) == 1, "more than one CHILD SA came of it"
