"""Make before break: while SAs are replaced by new ones, not a single packet is lost.

RFC 7296 2.8 has the new SA set up before the old one is deleted, and the old one heard for as long as packets may be on
their way. A ping every 20 ms counts whether that is so; the path is slow enough that some are under way during it.
"""

import pytest

from lab.matrix import IKEV2
from lab.plugin import collisions
from lab.plugin.echoes import all_answered, echoes, in_the_midst
from lab.plugin.renewal import one_new, spis
from lab.plugin.tunnel import CHILD, CONNECTION, Tunnel

pytestmark = pytest.mark.pairings(*map(str, IKEV2))

SIDES = ("left", "right")
EVERY_S, ONE_WAY = 0.02, "25ms"
# Long enough that the pings outlast the 5 s for which both sides still hear an old CHILD SA.
COUNT, LEAST = 350, 25
SETTLED_S = 10
KINDS = {
    "child": ("child", "aes256gcm16"),
    "child-pfs": ("child", "aes256gcm16-x25519"),
    "ike": ("ike", "aes256gcm16"),
}
NAMED = {"child": {"child": CHILD}, "ike": {"ike": CONNECTION}}


@pytest.mark.rfc("7296#2.8")
@pytest.mark.needs("rekey")
@pytest.mark.parametrize("asker", SIDES)
@pytest.mark.parametrize("kind", KINDS)
def test_make_before_break(lab, left, right, kind, asker):
    """Pings every 20 ms go on while one side rekeys, and each of them is answered."""
    what, esp = KINDS[kind]
    lab.up("direct", Tunnel(esp=esp))
    for sender in SIDES:
        lab.network.set_link(f"{sender}-wan", sender, delay=ONE_WAY)
    lab.establish()
    gateway, before = {"left": left, "right": right}[asker], spis(left, what)

    lab.step("rekey", f"{asker} rekeys while {COUNT} pings go through, one every {EVERY_S * 1000:g} ms")
    with lab.pinging(COUNT, EVERY_S, before=LEAST):
        outcome = gateway.rekey(**NAMED[what])
        assert outcome.up, f"{gateway} could not rekey: {outcome.reason}"
        lab.until(lambda: one_new(left, right, what, before), "one new SA on both sides", SETTLED_S)

    lab.step("counted", "every echo request at the host behind the gateway has its reply")
    ladder = lab.prove_protected()
    asked = all_answered(echoes(lab.frames(), "left-host"), lab.inner("left"), lab.inner("right"), COUNT)
    exchange = ladder.ike("CREATE_CHILD_SA", again=False) + ladder.ike("INFORMATIONAL", again=False)
    assert [entry["from"] for entry in exchange[::2]] == [asker, asker], f"not one rekeying: {ladder.words()}"
    in_the_midst(asked, exchange[0]["t_sent"], exchange[-1]["t_sent"], LEAST)


# Both requests arrive before either response: neither side can refuse what it does not know yet.
CROSSED = ("LQ", "RQ", "LR", "RR")


@pytest.mark.rfc("7296#2.8.1", "7296#2.8.2", "7296#2.25")
@pytest.mark.needs("rekey")
@pytest.mark.parametrize("kind", ["child", "ike"])
def test_crossing_rekeyings(lab, left, right, kind):
    """Pings every 20 ms go on while both sides rekey at once; each of them is answered, and one new SA is left."""
    what, esp = KINDS[kind]
    lab.up("direct", Tunnel(esp=esp))
    gate = lab.gate()
    for sender in SIDES:
        lab.network.set_link(f"{sender}-wan", sender, delay=ONE_WAY)
    lab.establish()
    before, action = spis(left, what), f"rekey {what}"

    lab.step("rekey", f"both sides rekey at once while {COUNT} pings go through, one every {EVERY_S * 1000:g} ms")
    filters = {
        name: (collisions.response if name.endswith("R") else collisions.request)(action, SIDES[name[0] == "R"])
        for name in CROSSED
    }

    with lab.pinging(COUNT, EVERY_S, before=LEAST):
        gate.order(*(filters[name] for name in CROSSED), gather=2, seconds=2.0)
        for gateway in (left, right):
            gateway.rekey(**NAMED[what], wait=False)
        lab.until(lambda: one_new(left, right, what, before), "one new SA on both sides", SETTLED_S)

    lab.step("counted", "every echo request at the host behind the gateway has its reply")
    ladder = lab.prove_protected()
    asked = all_answered(echoes(lab.frames(), "left-host"), lab.inner("left"), lab.inner("right"), COUNT)
    requests = ladder.ike("CREATE_CHILD_SA", response=False, again=False)
    answers = ladder.ike("CREATE_CHILD_SA", response=True, again=False)
    assert sorted(entry["from"] for entry in requests) == list(SIDES), f"not one request of each side: {ladder.words()}"
    assert all("SA" in entry["payloads"] for entry in answers), f"one was refused, nothing collided: {ladder.words()}"
    arrived = max(entry["t_received"] for entry in requests)
    assert arrived < min(entry["t_received"] for entry in answers), f"they did not cross: {ladder.words()}"
    in_the_midst(asked, requests[0]["t_sent"], ladder.ike("INFORMATIONAL", again=False)[-1]["t_sent"], LEAST)
