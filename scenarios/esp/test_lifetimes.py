"""Lifetimes that are counted: a CHILD SA that has carried enough packets or octets is replaced before it ends."""

import pytest

from lab.matrix import OUR_PEERS
from lab.plugin.renewal import one_new
from lab.plugin.tunnel import Tunnel

PACKETS, OCTETS = 20, 20 * 84
LIMITS = {
    "packets": {"rekey_packets": str(PACKETS), "life_packets": "1000", "rand_packets": "0"},
    "octets": {"rekey_bytes": str(OCTETS), "life_bytes": "1000000", "rand_bytes": "0"},
}
EVERY_PLANE = [f"{a}>{b}" for ours in OUR_PEERS for a, b in ((ours, "strongswan"), ("strongswan", ours))]
SETTLED_S = 10


@pytest.mark.rfc("4301#4.4.2.1", "7296#2.8")
@pytest.mark.needs("rekey")
@pytest.mark.pairings(*EVERY_PLANE)
@pytest.mark.parametrize("kind", list(LIMITS))
def test_counted_lifetime(lab, left, right, kind):
    """Our side counts to the soft limit and rekeys: no ping is lost, and no SA carries much more than the limit."""
    ours = "left" if left.peer.name in OUR_PEERS else "right"
    lab.up("direct", Tunnel(), **{ours: Tunnel(child=LIMITS[kind])})
    lab.establish()
    (old,) = left.children()
    lab.ping(2 * PACKETS)
    lab.until(lambda: one_new(left, right, "child", {(old["spi_in"], old["spi_out"])}), "one new CHILD SA", SETTLED_S)
    ladder = lab.prove_protected()

    lab.step("counted", f"the first SA carried the limit of {PACKETS} packets each way and few more")
    asked = ladder.ike("CREATE_CHILD_SA", response=False, again=False)
    assert asked and {entry["from"] for entry in asked} == {ours}, f"not our side alone rekeyed: {ladder.words()}"
    carried = [entry for entry in ladder.esp("left") if entry["spi"] == old["spi_out"]]
    assert PACKETS <= len(carried) <= PACKETS + 2, f"the first SA carried {len(carried)} packets"
