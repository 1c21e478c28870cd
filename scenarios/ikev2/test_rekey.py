"""CREATE_CHILD_SA: rekeying a CHILD SA with and without a key exchange of its own, and the IKE SA, by either side."""

import pytest

from lab.matrix import IKEV2, with_brought
from lab.plugin.renewal import one_new, spis
from lab.plugin.tunnel import CHILD, CONNECTION, Tunnel

pytestmark = pytest.mark.pairings(*map(str, (*IKEV2, *with_brought())))

SIDES = ("left", "right")
# Both sides keep receiving on the old CHILD SA for 5 s, so that no packet on its way is lost.
SETTLED_S = 10


def rekeyed_by(lab, left, right, asker, **what):
    """Have one side rekey, and wait until both sides list the new SAs and no other."""
    gateway = {"left": left, "right": right}[asker]
    outcome = gateway.rekey(**what)
    assert outcome.up, f"{gateway} could not rekey: {outcome.reason}"


def child_rekeyed_by(lab, left, right, asker):
    """Set up the tunnel, have one side rekey its CHILD SA and see that the IKE SA stays; the ladder of all of it."""
    lab.establish()
    lab.ping()
    ike, child = spis(left, "ike"), spis(left, "child")

    lab.step("rekey", f"{asker} rekeys the CHILD SA")
    rekeyed_by(lab, left, right, asker, child=CHILD)
    lab.until(lambda: one_new(left, right, "child", child), "one new CHILD SA", SETTLED_S)
    assert spis(left, "ike") == ike, "the IKE SA changed with its CHILD SA"
    lab.ping()
    return lab.prove_protected()


@pytest.mark.rfc("7296#1.3.3", "7296#2.8", "7296#2.17")
@pytest.mark.needs("rekey")
@pytest.mark.parametrize("asker", SIDES)
@pytest.mark.parametrize("esp", ["aes256gcm16", "aes256gcm16-x25519"], ids=["without-pfs", "with-pfs"])
def test_rekey_child_sa(lab, left, right, esp, asker):
    """One side rekeys the CHILD SA: new SPIs and keys, the old one deleted, the IKE SA the same; the ping goes on."""
    lab.up("direct", Tunnel(esp=esp))
    ladder = child_rekeyed_by(lab, left, right, asker)
    request, response = ladder.ike("CREATE_CHILD_SA", again=False)
    exchanged = "KEi" in request["payloads"], "KEr" in response["payloads"]
    assert request["from"] == asker, f"the other side asked: {ladder.words()}"
    assert "N(REKEY_SA)" in request["payloads"], f"the request names no SA to rekey: {request['payloads']}"
    assert exchanged == ("x25519" in esp,) * 2, f"key exchange: {request['payloads']} and {response['payloads']}"
    question, answer = ladder.ike("INFORMATIONAL", again=False)
    assert (question["from"], question["payloads"], answer["payloads"]) == (asker, ["D"], ["D"]), ladder.words()


@pytest.mark.rfc("7296#1.3.1", "7296#1.3.3", "7296#2.17")
@pytest.mark.needs("rekey", "x25519", "ecp384")
@pytest.mark.pairings(*map(str, IKEV2))
@pytest.mark.parametrize("asker", SIDES)
def test_invalid_ke_payload_in_rekeying(lab, left, right, asker):
    """Whoever rekeys guesses a group that the other refuses, and asks again with the group that it was told."""
    both = {asker: Tunnel(esp="aes256gcm16-x25519-ecp384")}
    lab.up("direct", **{side: both.get(side, Tunnel(esp="aes256gcm16-ecp384")) for side in SIDES})
    ladder = child_rekeyed_by(lab, left, right, asker)
    guess, refusal, again, answer = ladder.ike("CREATE_CHILD_SA", again=False)
    assert refusal["payloads"] == ["N(INVALID_KE_PAYLOAD)"], f"the guess was answered with {refusal['payloads']}"
    assert guess["payloads"] == again["payloads"], f"more than the key changed: {again['payloads']}"
    assert "KEr" in answer["payloads"], f"no key exchange: {answer['payloads']}"
    assert again["message_id"] == guess["message_id"] + 1, "the second request is no new one"


@pytest.mark.rfc("7296#1.3.2", "7296#2.8", "7296#2.18")
@pytest.mark.needs("rekey")
@pytest.mark.parametrize("asker", SIDES)
def test_rekey_ike_sa(lab, left, right, asker):
    """One side rekeys the IKE SA: new SPIs and keys, the CHILD SA moves over untouched, the old IKE SA is deleted."""
    lab.up("direct")
    lab.establish()
    lab.ping()
    ike, child = spis(left, "ike"), spis(left, "child")

    lab.step("rekey", f"{asker} rekeys the IKE SA")
    rekeyed_by(lab, left, right, asker, ike=CONNECTION)
    lab.until(lambda: one_new(left, right, "ike", ike), "one new IKE SA", SETTLED_S)
    assert spis(left, "child") == child, "the CHILD SA changed with its IKE SA"
    lab.ping()

    lab.step("works", "the new IKE SA carries the next exchange")
    rekeyed_by(lab, left, right, asker, child=CHILD)
    lab.until(lambda: one_new(left, right, "child", child), "one new CHILD SA", SETTLED_S)
    ladder = lab.prove_protected()
    (request, response, *later) = ladder.ike("CREATE_CHILD_SA", again=False)
    assert request["payloads"] == ["SA", "Ni", "KEi"], f"not an IKE SA to rekey: {request['payloads']}"
    assert response["payloads"] == ["SA", "Nr", "KEr"], f"not a rekeyed IKE SA: {response['payloads']}"
    assert {entry["message_id"] for entry in later} == {0}, f"message IDs do not begin anew: {ladder.words()}"


@pytest.mark.rfc("7296#2.8.1", "7296#2.25.1")
@pytest.mark.needs("rekey")
@pytest.mark.parametrize("what", ["child", "ike"])
def test_simultaneous_rekeying(lab, left, right, what):
    """Both sides rekey at once over a slow path: the nonces decide, and one SA is left on both sides."""
    lab.up("direct")
    lab.establish()
    lab.ping()
    named = {"child": CHILD} if what == "child" else {"ike": CONNECTION}

    lab.step("collision", "both ask within one round trip")
    before = spis(left, what)
    # Our driver waits for the outcome, vici does not: so ours is asked last.
    for gateway in sorted((left, right), key=lambda gateway: gateway.peer.name == "ours"):
        gateway.rekey(**named)
    lab.until(lambda: one_new(left, right, what, before), "one new SA", 60)
    requests = lab.ladder().ike("CREATE_CHILD_SA", response=False, again=False)
    assert {entry["from"] for entry in requests} == set(SIDES), f"only one side asked: {lab.ladder().words()}"
    lab.ping()
    lab.prove_protected()
