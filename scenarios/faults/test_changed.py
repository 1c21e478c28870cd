"""An octet changed in flight: the receiver drops the packet, nothing else happens, and the record says which it was."""

import pytest

from lab.matrix import IKEV2
from lab.plugin import proofs
from lab.plugin.echoes import echoes, outage

ECHOES, OCTET = 8, 40


@pytest.mark.rfc("4303#3.4.4.1", "7296#2.1")
@pytest.mark.clock("virtual")
@pytest.mark.pairings(*map(str, IKEV2), "strongswan>strongswan")
def test_octet_changed(lab, left, right):
    """Octet 40 of the fifth ESP packet is changed, and one of the IKE_AUTH request: each sender's packet is lost."""
    lab.up("direct")
    gate = lab.gate()
    request = gate.corrupt("1st IKE_AUTH request from left", octet=OCTET)
    esp = gate.corrupt("5th ESP from left", octet=OCTET)
    lab.establish()
    lab.step("ping", f"{ECHOES} echo requests, the fifth changed on its way")
    with lab.pinging(ECHOES, 0.2, whole=False):
        pass
    assert (request.acted(), esp.acted()) == (1, 1), "the gate did not change one of each"

    lab.step("lost", "what was changed is as good as lost: repeated if it is IKE, missing if it is an echo")
    ladder, frames = lab.ladder(), lab.frames()
    requests = ladder.ike("IKE_AUTH", response=False, sender="left")
    proofs.schedule(requests, (0.0, 4.0), 0.006)
    assert requests[0]["lost"] and not requests[1]["lost"], f"not the first was lost: {ladder.words()}"
    assert len(ladder.ike("IKE_AUTH", response=True)) == 1, f"more than one response: {ladder.words()}"
    sent = ladder.esp("left")
    assert [entry["n"] for entry in sent if entry["lost"]] == [sent[4]["n"]], "not the fifth ESP packet was lost"
    missing, _ = outage(echoes(frames, "left-host"), lab.inner("left"), lab.inner("right"))
    assert missing == 1, f"{missing} echoes have no reply"
    made = [entry for entry in ladder if entry["from"] == "internet"]
    assert [entry["opened"] for entry in made] == [False, False], "what the gate made opens with a key"
