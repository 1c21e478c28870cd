"""Lifetimes: at the soft one a child is rekeyed by a new Quick Mode, before the hard one, and no packet is lost."""

from itertools import pairwise

import pytest

from lab.matrix import IKEV1
from lab.plugin import first_version as v1
from lab.plugin.echoes import all_answered, echoes

pytestmark = pytest.mark.pairings(*map(str, IKEV1))

SIDES = ("left", "right")
SOFT_S, HARD_S, EVERY_S, COUNT, LEAST = 4, 60, 0.02, 500, 25


@pytest.mark.rfc("2409#5.5", "2407#4.5")
@pytest.mark.needs("ikev1", "rekey")
@pytest.mark.clock("virtual")
@pytest.mark.parametrize("asker", SIDES)
def test_soft_expiry(lab, left, right, asker):
    """The side whose soft lifetime is over begins a new Quick Mode by itself, while a ping goes every 20 ms."""
    soft = v1.tunnel(child={"rekey_time": f"{SOFT_S}s", "life_time": f"{HARD_S}s", "rand_time": "0"})
    other = ({*SIDES} - {asker}).pop()
    lab.up("direct", **{asker: soft, other: v1.tunnel()})
    lab.establish()
    with lab.pinging(COUNT, EVERY_S, before=LEAST):
        lab.step("rekey", f"{COUNT} pings; {asker} rekeys after {SOFT_S} s and again")

    lab.step("counted", "Quick Mode anew by who was told to, and every echo request has its reply")
    ladder = lab.prove_protected()
    all_answered(echoes(lab.frames(), "left-host"), lab.inner("left"), lab.inner("right"), COUNT)
    quick = v1.messages(ladder, v1.QUICK)
    firsts = [entry for entry in quick if entry["step"] == 1]
    assert [entry["from"] for entry in firsts[1:3]] == [asker] * 2, f"not rekeyed twice by {asker}: {ladder.words()}"
    gaps = [b["t_sent"] - a["t_sent"] for a, b in pairwise(firsts[:3])]
    assert all(SOFT_S - 0.2 <= gap <= SOFT_S + 1.2 for gap in gaps), f"Quick Modes are {gaps} s apart, not {SOFT_S}"
    assert len(v1.messages(ladder, v1.MAIN)) == 6, f"phase 1 was made anew: {ladder.words()}"
    spis = {entry["spi"] for entry in ladder.esp("left")}
    assert len(spis) >= 3, f"the pings went through {len(spis)} SAs"


@pytest.mark.rfc("2409#5.4")
@pytest.mark.needs("ikev1", "rekey")
@pytest.mark.clock("virtual")
@pytest.mark.parametrize("asker", SIDES)
def test_soft_expiry_of_phase_1(lab, left, right, asker):
    """The ISAKMP SA's soft lifetime is over: a Main Mode anew, and the child goes over to it without a ping lost."""
    soft = v1.tunnel(connection={"rekey_time": f"{SOFT_S}s", "over_time": f"{HARD_S}s", "rand_time": "0"})
    other = ({*SIDES} - {asker}).pop()
    lab.up("direct", **{asker: soft, other: v1.tunnel()})
    lab.establish()
    (child,) = left.children()
    with lab.pinging(COUNT, EVERY_S, before=LEAST):
        lab.step("anew", f"{COUNT} pings; {asker} authenticates anew after {SOFT_S} s and again")

    lab.step("counted", "Main Mode anew by who was told to, the child untouched, and every echo request has its reply")
    ladder = lab.prove_protected()
    all_answered(echoes(lab.frames(), "left-host"), lab.inner("left"), lab.inner("right"), COUNT)
    firsts, lasts = ([e for e in v1.messages(ladder, v1.MAIN) if e["step"] == step] for step in (1, 6))
    assert [entry["from"] for entry in firsts[1:3]] == [asker] * 2, f"not twice anew by {asker}: {ladder.words()}"
    # From its end on: charon at times passes over the first reply to a Main Mode that it begins beside another one.
    gaps = [begun["t_sent"] - over["t_sent"] for over, begun in zip(lasts, firsts[1:3], strict=False)]
    assert all(SOFT_S - 0.2 <= gap <= SOFT_S + 1.2 for gap in gaps), f"anew {gaps} s after a Main Mode, not {SOFT_S}"
    assert len(v1.messages(ladder, v1.QUICK)) == 3, f"the child was made anew: {ladder.words()}"
    assert [one["spi_in"] for one in left.children()] == [child["spi_in"]], "the child changed with its ISAKMP SA"
