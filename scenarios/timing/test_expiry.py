"""What ends by itself: an SA that its initiator never finished, and the secret behind a cookie."""

import time

import pytest

from lab.matrix import OUR_PEERS
from lab.plugin import timing
from lab.plugin.stranger import half_open
from lab.plugin.tunnel import Tunnel

HALF_OPEN_S, POLL_S, TOLERANCE_S = 30.0, 0.1, 1.2
# charon refuses every cookie for 10 s after its start on a machine that has just booted: its unsigned times wrap.
CHARON_REFUSES_S = 11
# Seconds that a cookie is under way, and until when it is surely good and may be. Ours has two secrets that count, each
# made for 60 s (`cookie_lifetime`); charon writes the time into its cookies, and takes them for 10 s.
AGES_S, TOO_LONG_S = (3, 9, 45, 130), 400.0
OURS, CHARONS = (60, 120), (10, 10)


@pytest.mark.rfc("7296#2.4", "7296#1.2")
@pytest.mark.clock("virtual")
def test_half_open(lab, left, right):
    """A stranger sends IKE_SA_INIT and nothing else: the responder keeps the half-open SA for 30 s and no longer."""
    lab.up("direct")
    lab.step("half-open", "a stranger begins and never goes on")
    half_open(lab.network.node("internet"), right.address)
    lab.until(lambda: right.driver.half_open() == 1, "the stranger has an SA", 5)
    lab.until(lambda: right.driver.half_open() == 0, "the SA is gone", 3 * HALF_OPEN_S, every=POLL_S)
    gone = time.time()
    (answer,) = lab.ladder().ike("IKE_SA_INIT", response=True)
    lasted = gone - answer["t_sent"]
    assert abs(lasted - HALF_OPEN_S) < TOLERANCE_S, f"the half-open SA lasted {lasted:.2f} s, not {HALF_OPEN_S:g} s"
    note = "from the IKE_SA_INIT response until the responder counts no half-open SA any more"
    lab.leave("timing.json", timing.facts(right.peer.name, [timing.expiry("half-open IKE SA", lasted, note)]))


@pytest.mark.rfc("7296#2.6")
@pytest.mark.needs("cookie")
@pytest.mark.clock("virtual")
def test_cookie_secret(lab, left, right):
    """A cookie that comes back late: taken while its secret is known, and answered with a new cookie afterwards."""
    # An initiator that waits: charon's goes on by its first schedule too when a cookie comes, and gives up after 76 s.
    waits = Tunnel(settings={"retransmit_tries": "9"})
    lab.up("direct", left=waits, right=Tunnel(settings={"cookie_threshold": "1", "half_open_timeout": "3600"}))
    began = lab.steps.now
    lab.until(lambda: lab.steps.now >= began + CHARON_REFUSES_S, "charon takes cookies", 60, every=1.0)
    lab.step("half-open", "a stranger begins and never goes on")
    half_open(lab.network.node("internet"), right.address)
    lab.until(lambda: lab.ladder().ike(sender="right", response=True), "the stranger has its answer", 5)
    surely, at_most = OURS if right.peer.name in OUR_PEERS else CHARONS
    measured = []
    for age in AGES_S:
        cookies = late(lab, left, age)
        measured.append(timing.expiry("cookie", age, "taken" if cookies == 1 else "answered with a new cookie"))
        assert cookies == 1 or age > surely, f"a cookie that was {age} s old was not taken"
        assert cookies > 1 or age <= at_most, f"a cookie that was {age} s old was taken"
    lab.leave("timing.json", timing.facts(right.peer.name, measured))


def late(lab, left, age):
    """How many cookies it takes where the first is under way for so long; the SA that comes of it goes again."""
    lab.step(f"{age} s", "the request with the cookie is under way for so long")
    before = len(lab.ladder())
    rule = lab.gate().hold("IKE_SA_INIT request from left with N(COOKIE)", seconds=age)
    outcome = left.initiate(timeout=TOO_LONG_S)
    assert outcome.up, f"no tunnel with a cookie that came {age} s late: {outcome.reason}"
    rule.remove()
    left.terminate()
    sent = [e for e in lab.ladder().entries[before:] if e["payloads"] == ["N(COOKIE)"] and e["to"] == "left"]
    return len({entry["retransmit_of"] or entry["n"] for entry in sent})
