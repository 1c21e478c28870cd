"""Rekeying in IKEv1: a new Quick Mode for the child, phase 1 anew for the ISAKMP SA, and no packet lost meanwhile."""

import pytest

from lab.matrix import IKEV1
from lab.plugin import first_version as v1
from lab.plugin.echoes import all_answered, echoes
from lab.plugin.renewal import one_new, spis
from lab.plugin.tunnel import CHILD, CONNECTION

pytestmark = pytest.mark.pairings(*map(str, IKEV1))

SIDES = ("left", "right")
EVERY_S, COUNT, LEAST = 0.02, 350, 25
SETTLED_S = 10


@pytest.mark.rfc("2409#5.5")
@pytest.mark.needs("ikev1", "rekey")
@pytest.mark.parametrize("asker", SIDES)
@pytest.mark.parametrize("esp", ["aes256-sha256", "aes256-sha256-ecp256"], ids=["without-pfs", "with-pfs"])
def test_rekey_child(lab, left, right, esp, asker):
    """One side makes a new Quick Mode for the same selectors: new SPIs and keys, the same ISAKMP SA, no ping lost."""
    lab.up("direct", v1.tunnel(esp=esp))
    lab.establish()
    gateway, before, ike = {"left": left, "right": right}[asker], spis(left, "child"), spis(left, "ike")

    lab.step("rekey", f"{asker} rekeys while {COUNT} pings go through, one every {EVERY_S * 1000:g} ms")
    with lab.pinging(COUNT, EVERY_S, before=LEAST):
        outcome = gateway.rekey(child=CHILD)
        assert outcome.up, f"{gateway} could not rekey: {outcome.reason}"
        lab.until(lambda: spis(left, "child") - before and spis(right, "child"), "a new child", SETTLED_S)

    lab.step("counted", "every echo request has its reply, and the last ones went through the new child")
    ladder = lab.prove_protected()
    all_answered(echoes(lab.frames(), "left-host"), lab.inner("left"), lab.inner("right"), COUNT)
    assert spis(left, "ike") == ike, "the ISAKMP SA changed with its child"
    second = [entry for entry in v1.messages(ladder, v1.QUICK) if entry["from"]][3:]
    assert [entry["from"] for entry in second] == [asker, *({*SIDES} - {asker}), asker], f"{ladder.words()}"
    assert ["KE" in entry["payloads"] for entry in second[:2]] == ["ecp256" in esp] * 2, f"{ladder.words()}"
    last = ladder.esp("right")[-1]["spi"]
    assert last not in {inbound for inbound, _ in before}, "the last packet still went through the old child"


@pytest.mark.rfc("2409#5.4")
@pytest.mark.needs("ikev1", "rekey")
def test_authenticate_anew(lab, left, right):
    """Phase 1 anew: a new ISAKMP SA, the old one deleted, the child carried over untouched, no ping lost."""
    lab.up("direct", v1.tunnel())
    lab.establish()
    before, ike = spis(left, "child"), spis(left, "ike")

    lab.step("rekey", f"{left} authenticates anew while {COUNT} pings go through")
    with lab.pinging(COUNT, EVERY_S, before=LEAST):
        outcome = left.rekey(ike=CONNECTION)
        assert outcome.up, f"{left} could not begin phase 1 anew: {outcome.reason}"
        lab.until(lambda: one_new(left, right, "ike", ike), "one new ISAKMP SA on both sides", SETTLED_S)

    lab.step("works", "the new ISAKMP SA carries the next Quick Mode")
    assert spis(left, "child") == before, "the child changed with its ISAKMP SA"
    outcome = left.rekey(child=CHILD)
    assert outcome.up, f"{left} could not rekey the child: {outcome.reason}"
    lab.until(lambda: spis(left, "child") - before and spis(right, "child"), "a new child", SETTLED_S)
    lab.ping()
    ladder = lab.prove_protected()
    all_answered(echoes(lab.frames(), "left-host")[: 2 * COUNT], lab.inner("left"), lab.inner("right"), COUNT)
    assert len(v1.messages(ladder, v1.MAIN)) == 12, f"not two Main Modes: {ladder.words()}"
