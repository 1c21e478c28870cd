"""A flood of first messages from spoofed addresses: what IKEv1 and IKEv2 send for them, and what they keep."""

from dataclasses import replace

import pytest

from lab.matrix import IKEV1, OUR_PEERS
from lab.plugin import first_version as v1
from lab.plugin import stranger
from lab.plugin.tunnel import IKE, Tunnel

pytestmark = pytest.mark.pairings(*map(str, IKEV1))

FLOOD, PATIENCE_S, POLL_S = 60, 5, 0.5
# IKEv2 asks for a COOKIE from so many half-open SAs on; ours takes no more than this in either version.
COOKIES_FROM, MOST = 10, 40
CHARON_REFUSES_COOKIES_S, HONEST_S = 11, 8
LIMITS = {"cookie_threshold": str(COOKIES_FROM)}
KINDS = {
    "main-mode": (v1.MAIN, v1.tunnel(settings=LIMITS), lambda name: stranger.main_mode(name, v1.IKE)),
    "ikev2": ("IKE_SA_INIT", Tunnel(settings=LIMITS), lambda name: stranger.ike_sa_init(name, IKE)),
}


def bounded(tunnel, peer):
    """The tunnel with the limit that our own responder has and charon, as it comes, has not."""
    return replace(tunnel, settings={**LIMITS, "half_open_limit": str(MOST)}) if peer in OUR_PEERS else tunnel


@pytest.mark.rfc("2408#2.5.3", "7296#2.6")
@pytest.mark.needs("ikev1", "cookie")
@pytest.mark.parametrize("kind", KINDS)
def test_flood(lab, left, right, kind):
    """IKEv1 answers every stranger in full and keeps an SA for it, IKEv2 answers with COOKIE and keeps nothing."""
    exchange, tunnel, first = KINDS[kind]
    lab.up("direct", left=tunnel, right=bounded(tunnel, right.peer.name))
    # charon refuses every cookie for 10 s after its start on a machine that has just booted: its unsigned times wrap.
    began = lab.steps.now
    lab.until(lambda: lab.steps.now >= began + CHARON_REFUSES_COOKIES_S, "charon takes cookies", 60, every=1.0)
    internet = lab.network.node("internet")
    assert not internet.run(["ip", "route", "add", "blackhole", str(stranger.NOBODYS)]).returncode
    spoofer, datagrams = stranger.Spoofer(internet, right.address), [first(f"{number}") for number in range(FLOOD)]

    def answers():
        return lab.ladder().ike(exchange, sender="right")

    lab.step("flood", f"{FLOOD} first messages from as many addresses that nobody has")
    limit = MOST if right.peer.name in OUR_PEERS else FLOOD
    spoofer.send(datagrams[:COOKIES_FROM])
    lab.until(lambda: right.driver.half_open() == COOKIES_FROM, f"{right} holds {COOKIES_FROM} half-open SAs", 5)
    spoofer.send(datagrams[COOKIES_FROM:], COOKIES_FROM)
    count = limit if kind == "main-mode" else FLOOD
    lab.until(lambda: len(answers()) >= count, f"{right} has answered {count}", PATIENCE_S, POLL_S)
    found = answers()
    cookies = [entry for entry in found if entry["payloads"] == ["N(COOKIE)"]]
    full = [entry for entry in found if entry["payloads"][0] in ("SA", "SAr1")]
    assert len({entry["dst"] for entry in found}) == len(found), "somebody was answered twice"
    assert len(full) + len(cookies) == len(found), f"other answers: {lab.ladder().words()}"
    said, held = (len(full), len(cookies)), right.driver.half_open()
    lab.steps.note(f"answered in full {said[0]}, with COOKIE alone {said[1]}, half-open SAs kept {held}")
    wanted = (limit, 0, limit) if kind == "main-mode" else (COOKIES_FROM, FLOOD - COOKIES_FROM, COOKIES_FROM)
    assert (*said, held) == wanted, f"answers in full, with COOKIE, and SAs kept: {(*said, held)}, not {wanted}"

    lab.step("honest peer", f"{left} initiates while {right} holds them")
    outcome = left.initiate(timeout=HONEST_S)
    room = kind == "ikev2" or limit == FLOOD
    assert outcome.up == room, f"{left}: {outcome.reason or 'it came up, although no half-open SA is free'}"
    brought = lab.ladder().ike("IKE_SA_INIT", sender="left", payload="N(COOKIE)")
    assert len(brought) == (kind == "ikev2"), f"requests of the honest peer with its cookie: {len(brought)}"
