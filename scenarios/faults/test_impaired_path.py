"""A path that is bad in one way, both ways: the tunnel comes up on it, rekeys on it, and nothing is done twice."""

import pytest

from lab.plugin.echoes import echoes, outage
from lab.plugin.renewal import one_new, spis
from lab.plugin.tunnel import CHILD

ECHOES, EVERY_S, PATIENCE_S = 40, 0.05, 400.0
IMPAIRED = {
    "bursts": {"bursts": {"begin": "5%", "end": "40%"}},
    "reordered": {"delay": "20ms", "reorder": "25%"},
    "jitter": {"delay": "30ms", "jitter": "30ms"},
    "duplicated": {"duplicate": "40%"},
    "corrupted": {"corrupt": "6%"},
    "slow": {"rate": "64kbit", "delay": "300ms"},
}
LOSES = ("bursts", "corrupted")


@pytest.mark.rfc("7296#2.1", "7296#2.3", "4303#3.4.3")
@pytest.mark.needs("rekey")
@pytest.mark.clock("virtual")
@pytest.mark.parametrize("how", IMPAIRED)
def test_impaired_path(lab, left, right, how):
    """IKE gets through by repeating itself; ESP loses what the path loses, and takes no packet twice."""
    lab.up("direct")
    for link, sender in (
        ("left-wan", "left"),
        ("right-wan", "internet"),
        ("right-wan", "right"),
        ("left-wan", "internet"),
    ):
        lab.network.set_link(link, sender, **IMPAIRED[how])
    lab.step("handshake", how)
    outcome = left.initiate(timeout=PATIENCE_S)
    assert outcome.up, f"{left} could not set up the tunnel: {outcome.reason}"
    lab.until(right.children, f"{right} lists an installed CHILD SA", PATIENCE_S, every=1.0)
    lab.step("ping", f"{ECHOES} echo requests")
    with lab.pinging(ECHOES, EVERY_S, before=0, whole=False):
        pass
    missing, _ = outage(echoes(lab.frames(), "left-host"), lab.inner("left"), lab.inner("right"))
    lab.steps.note(f"{missing} without reply")
    assert (0 < missing < ECHOES) if how in LOSES else missing == 0, f"{missing} of {ECHOES} echoes have no reply"
    taken = [echo.number for echo in echoes(lab.frames(), "right-host") if not echo.reply]
    assert len(taken) == len(set(taken)), f"an echo request was delivered twice: {taken}"

    lab.step("rekey", "on the same path")
    old = spis(left, "child")
    left.rekey(child=CHILD, wait=False)
    lab.until(lambda: one_new(left, right, "child", old), "one new child on both sides", PATIENCE_S, every=1.0)
