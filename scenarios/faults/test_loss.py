"""Lost messages: who repeats what, when, and what the peer makes of it."""

import pytest

from lab.matrix import IKEV2
from lab.plugin import proofs
from lab.plugin.sight import line
from lab.plugin.tunnel import Tunnel

pytestmark = pytest.mark.pairings(*map(str, IKEV2))

# RFC 7296 2.4 leaves the intervals open; these are strongSwan's defaults, which our stack shares: 4 s, growing by 1.8.
FIRST_S, GROWTH, TRIES = 4.0, 1.8, 5
SCHEDULE = [sum(FIRST_S * GROWTH**n for n in range(count)) for count in range(TRIES + 1)]
GIVES_UP_S = sum(FIRST_S * GROWTH**n for n in range(TRIES + 1))
# strongSwan counts whole milliseconds and adds up their fractions.
TOLERANCE_S = 0.006


@pytest.mark.rfc("7296#2.1")
def test_first_ike_sa_init_request_lost(lab, left, right):
    """The first IKE_SA_INIT request is lost: the initiator repeats it bit for bit after 4 s."""
    lab.up("direct")
    rule = lab.network.drop("internet", "IKE_SA_INIT request")
    lab.establish()
    lab.ping()
    ladder = lab.prove_protected()

    lab.step("repeated", "the same datagram, 4 s later")
    assert rule.dropped() == 1, f"the network dropped {rule.dropped()} packets"
    first, *_ = requests = ladder.ike("IKE_SA_INIT", response=False)
    assert first["lost"], f"the first request was not lost: {ladder.words()}"
    proofs.schedule(requests, SCHEDULE[:2], 0.5 if lab.real_time else TOLERANCE_S)


@pytest.mark.rfc("7296#2.1")
def test_ike_auth_response_lost(lab, left, right):
    """The IKE_AUTH response is lost: the request is repeated, the same response is sent again, one SA results."""
    lab.up("direct")
    rule = lab.network.drop("internet", "IKE_AUTH response")
    lab.establish()
    lab.ping()
    ladder = lab.prove_protected()

    lab.step("repeated", "request and response, each bit for bit")
    assert rule.dropped() == 1, f"the network dropped {rule.dropped()} packets"
    proofs.schedule(ladder.ike("IKE_AUTH", response=False), SCHEDULE[:2], 0.5 if lab.real_time else TOLERANCE_S)
    first, second = ladder.ike("IKE_AUTH", response=True)
    assert first["lost"] and not second["lost"], f"not the first response was lost: {ladder.words()}"
    assert second["retransmit_of"] == first["n"], f"the second response differs from the first: {line(second)}"
    assert len(left.children()) == len(right.children()) == 1, "more than one CHILD SA came of it"


@pytest.mark.rfc("7296#2.4")
@pytest.mark.clock("virtual")
def test_dead_peer(lab, left, right):
    """Nobody answers: six IKE_SA_INIT requests at exactly growing intervals, and after 165 s the initiator gives up."""
    lab.up("direct", start=("left",))
    lab.network.block("left", "right")
    lab.step("silence", "the responder is dead")
    began = lab.steps.now
    outcome = left.initiate(timeout=2 * GIVES_UP_S)
    took = lab.steps.now - began
    assert not outcome.up, "a tunnel came up with a dead peer"
    proofs.schedule(lab.ladder().ike(), SCHEDULE, TOLERANCE_S)
    assert abs(took - GIVES_UP_S) < 0.1, f"gave up after {took:.3f} s, not {GIVES_UP_S:.3f} s"
    assert not left.sas(), "the initiator still holds an SA"


@pytest.mark.rfc("7296#2.4", "7296#1.4")
@pytest.mark.clock("virtual")
@pytest.mark.needs("liveness")
def test_peer_dies(lab, left, right):
    """An established peer dies: a liveness check is repeated for 165 s, then the IKE SA and its CHILD SA are gone."""
    lab.up("direct", left=Tunnel(connection={"dpd_delay": "10s"}))
    lab.establish()
    lab.ping()
    lab.prove_protected()

    lab.step("silence", "nothing of the responder arrives any more")
    lab.network.block("left", "right")
    lab.until(lambda: not left.sas(), "the initiator has given up", 60 + GIVES_UP_S, every=1.0)
    asked = lab.ladder().ike("INFORMATIONAL", sender="left")
    lost = [entry for entry in asked if entry["lost"]]
    proofs.schedule(lost, SCHEDULE, TOLERANCE_S)
