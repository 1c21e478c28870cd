"""What a daemon does while nobody answers, at its production defaults in virtual time, exchange by exchange."""

import time

import pytest

from lab.plugin import proofs, timing
from lab.plugin.sight import Ladder
from lab.plugin.tunnel import CHILD, Tunnel

# Both daemons: 4 s, growing by 1.8, five repetitions (RFC 7296 2.4 leaves the intervals open).
SCHEDULE = [sum(4.0 * 1.8**n for n in range(count)) for count in range(6)]
GIVES_UP_S = sum(4.0 * 1.8**n for n in range(6))
DPD_S = 30.0
# strongSwan counts whole milliseconds and adds up their fractions; who gave up is asked for once a second.
TOLERANCE_S, POLL_S = 0.006, 1.0


@pytest.mark.rfc("7296#2.1", "7296#2.4", "7296#2.2")
@pytest.mark.needs("liveness", "rekey")
@pytest.mark.clock("virtual")
def test_retransmission(lab, left, right):
    """Of each exchange a request that nobody answers: sent six times, each bit for bit, and given up after 165 s."""
    lab.up("direct", left=Tunnel(connection={"dpd_delay": f"{DPD_S:g}s"}))
    measured = [never_begun(lab, left), never_authenticated(lab, left)]
    measured.append(never_rekeyed(lab, left))
    measured.append(never_alive(lab, left))
    lab.leave("timing.json", timing.facts(left.peer.name, measured))


def never_begun(lab, left):
    """Nobody answers IKE_SA_INIT."""
    lab.step("IKE_SA_INIT", "nobody answers")
    lab.network.block("left", "right")
    took = given_up(lab, left)
    lab.network.unblock("left", "right")
    return judged("IKE_SA_INIT", lab.ladder().ike("IKE_SA_INIT", response=False), took)


def never_authenticated(lab, left):
    """The responder answers IKE_SA_INIT and never hears IKE_AUTH."""
    lab.step("IKE_AUTH", "nobody answers")
    rule = lab.network.drop("internet", "IKE_AUTH request", count=None)
    took = given_up(lab, left)
    rule.remove()
    return judged("IKE_AUTH", lab.ladder().ike("IKE_AUTH", response=False), took)


def given_up(lab, left):
    """How long an attempt takes that must fail."""
    began = lab.steps.now
    outcome = left.initiate(timeout=2 * GIVES_UP_S)
    assert not outcome.up, "a tunnel came up although nobody answered"
    return lab.steps.now - began


def never_rekeyed(lab, left):
    """A CHILD SA is to be rekeyed and nobody answers."""
    lab.establish()
    lab.step("CREATE_CHILD_SA", "nobody answers")
    return silent(lab, left, "CREATE_CHILD_SA", lambda: left.rekey(child=CHILD, wait=False))


def never_alive(lab, left):
    """The peer falls silent: after the delay of liveness it is asked, and then given up."""
    lab.establish()
    lab.ping()
    lab.step("INFORMATIONAL", f"nobody answers the question after {DPD_S:g} s")
    heard = [entry for entry in lab.ladder() if entry["from"] == "right"][-1]
    found = silent(lab, left, "INFORMATIONAL", lambda: None)
    first = next(e for e in lab.ladder().ike("INFORMATIONAL", sender="left") if e["t_sent"] > heard["t_sent"])
    waited = first["t_sent"] - heard["t_received"]
    assert DPD_S - 1.1 <= waited <= DPD_S + 1.1, f"asked {waited:.3f} s after the last packet, not {DPD_S:g} s"
    return found | {"after_s": round(waited, 3)}


def silent(lab, left, exchange, begin):
    """Nothing passes any more: what the left side sends until it has given its SA up."""
    before = len(lab.ladder())
    lab.network.block("left", "right")
    begin()
    lab.until(lambda: not left.sas(), "the SA is given up", DPD_S + 2 * GIVES_UP_S, every=POLL_S)
    gone = time.time()
    lab.network.unblock("left", "right")
    later = Ladder(lab.ladder().entries[before:])
    sent = later.ike(exchange, response=False, sender="left")
    assert sent, f"no {exchange} was sent"
    return judged(exchange, sent, gone - sent[0]["t_sent"])


def judged(exchange, sent, gave_up_s):
    """The schedule holds to the millisecond, and then no more is tried."""
    proofs.schedule(sent, SCHEDULE, TOLERANCE_S)
    assert all(entry["t_received"] is None for entry in sent), f"a request of {exchange} arrived"
    assert -0.1 <= gave_up_s - GIVES_UP_S <= POLL_S + 0.1, f"given up after {gave_up_s:.3f} s, not {GIVES_UP_S:.3f} s"
    return timing.retransmission(exchange, sent, gave_up_s)
