"""What happens when the peers do not agree at once, or not at all."""

from dataclasses import replace

import pytest

from lab.matrix import IKEV2, OUR_PEERS
from lab.plugin import proofs
from lab.plugin.stranger import half_open
from lab.plugin.tunnel import Tunnel

pytestmark = pytest.mark.pairings(*map(str, IKEV2))

CHARON_REFUSES_S = 11


@pytest.mark.rfc("7296#2.6")
@pytest.mark.needs("cookie")
def test_cookie(lab, left, right):
    """A responder with half-open SAs demands a cookie; the initiator repeats its request with the cookie in front."""
    lab.up("direct", right=Tunnel(settings={"cookie_threshold": "1"}))
    # charon refuses every cookie for 10 s after its start on a machine that has just booted: its unsigned times wrap.
    began = lab.steps.now
    lab.until(lambda: lab.steps.now >= began + CHARON_REFUSES_S, "charon takes cookies", 60, every=1.0)
    lab.step("half-open", "a stranger begins and never goes on")
    half_open(lab.network.node("internet"), right.address)
    lab.until(lambda: lab.ladder().ike(sender="right", response=True), "the stranger has its answer", 5)
    lab.establish()
    lab.ping()
    ladder = lab.prove_protected()

    lab.step("cookie", "demanded, and sent back with the same KE, Ni and SPI")
    requests = ladder.ike("IKE_SA_INIT", sender="left", response=False)
    assert len(requests) == 2, f"not two IKE_SA_INIT requests: {ladder.words()}"
    first, second = requests
    (demand,) = [e for e in ladder.ike("IKE_SA_INIT", sender="right", response=True) if e["payloads"] == ["N(COOKIE)"]]
    assert first["n"] < demand["n"] < second["n"], f"the cookie came out of turn: {ladder.words()}"
    assert second["payloads"][0] == "N(COOKIE)", f"the cookie does not come first: {second['payloads']}"
    assert second["payloads"][1:] == first["payloads"], f"more than the cookie changed: {second['payloads']}"
    assert second["message_id"] == 0, f"the repeated request has message ID {second['message_id']}"
    assert second["spi"].partition(":")[0] == first["spi"].partition(":")[0], "the initiator changed its SPI"


@pytest.mark.rfc("7296#1.2", "7296#2.6.1")
@pytest.mark.needs("x25519", "modp2048")
def test_invalid_ke_payload(lab, left, right):
    """The initiator guesses a group the responder refuses, and tries again with the group it was told."""
    lab.up(
        "direct",
        left=Tunnel(ike="aes256-sha256-x25519-modp2048"),
        right=Tunnel(ike="aes256-sha256-modp2048"),
    )
    lab.establish()
    lab.ping()
    ladder = lab.prove_protected()

    lab.step("second guess", "six messages: the first two found the group")
    found = [(e["from"], e["exchange"], e["payloads"]) for e in ladder.ike(again=False)][:3]
    assert [one[:2] for one in found] == [
        ("left", "IKE_SA_INIT"),
        ("right", "IKE_SA_INIT"),
        ("left", "IKE_SA_INIT"),
    ], f"not a request, a refusal and a second request: {ladder.words()}"
    assert found[1][2] == ["N(INVALID_KE_PAYLOAD)"], f"the refusal holds {found[1][2]}"
    for gateway in (left, right):
        (sa,) = gateway.established()
        assert sa["ke"] == "MODP_2048", f"{gateway} used {sa['ke']}"


@pytest.mark.rfc("7296#2.7", "7296#3.10.1")
def test_no_common_proposal(lab, left, right):
    """Without a common IKE proposal the responder says NO_PROPOSAL_CHOSEN, and nothing is set up."""
    lab.up(
        "direct",
        left=Tunnel(ike="aes256-sha256-modp3072"),
        right=Tunnel(ike="aes256gcm16-prfsha384-x25519"),
    )
    lab.step("refused")
    outcome = left.initiate()
    assert not outcome.up, "a tunnel came up although the proposals have nothing in common"
    ladder = lab.ladder()
    (answer,) = ladder.ike(response=True)
    assert answer["payloads"] == ["N(NO_PROPOSAL_CHOSEN)"], f"the responder answered {answer['payloads']}"
    assert len(ladder.ike()) == 2, f"the peers went on after the refusal: {ladder.words()}"
    lab.until(lambda: not left.sas() and not right.sas(), "neither side holds an SA", 5)


@pytest.mark.rfc("7296#1.2", "7296#2.7")
def test_no_common_esp_proposal(lab, left, right):
    """Without a common ESP proposal IKE_AUTH makes the IKE SA but no CHILD SA."""
    lab.up("direct", left=Tunnel(esp="aes128-sha256"), right=Tunnel(esp="aes256gcm16"))
    lab.step("refused")
    outcome = left.initiate()
    assert not outcome.up, "a CHILD SA came up although the ESP proposals have nothing in common"
    ladder = lab.ladder()
    (answer,) = ladder.ike("IKE_AUTH", response=True)
    assert "N(NO_PROPOSAL_CHOSEN)" in answer["payloads"], f"IKE_AUTH was answered with {answer['payloads']}"
    assert "AUTH" in answer["payloads"], "the responder did not authenticate itself, as if the IKE SA had failed too"
    assert not left.children() and not right.children(), "a side lists a CHILD SA"
    assert not ladder.esp(), "ESP was sent without a CHILD SA"


@pytest.mark.rfc("7296#2.15", "7296#2.21.2")
def test_wrong_psk(lab, left, right):
    """With different secrets the responder answers IKE_AUTH with AUTHENTICATION_FAILED and keeps nothing."""
    tunnel = Tunnel()
    lab.up("direct", tunnel, right=replace(tunnel, secret="another secret"))
    lab.step("refused")
    outcome = left.initiate()
    assert not outcome.up, "a tunnel came up although the secrets differ"
    ladder = lab.ladder()
    (answer,) = ladder.ike("IKE_AUTH", response=True)
    assert answer["payloads"] == ["N(AUTHENTICATION_FAILED)"], f"IKE_AUTH was answered with {answer['payloads']}"
    assert answer["opened"], "the refusal was not protected with the keys of the IKE SA"
    lab.until(lambda: not left.sas() and not right.sas(), "neither side holds an SA", 5)
    assert not ladder.esp(), "ESP was sent without a CHILD SA"
    proofs.all_opened(ladder)


@pytest.mark.rfc("7296#2.9", "7296#2.21.2")
def test_no_common_selectors(lab, left, right):
    """Without selectors in common IKE_AUTH makes the IKE SA but no CHILD SA: TS_UNACCEPTABLE."""
    lab.up("direct", left=Tunnel(), right=Tunnel(child={"local_ts": "10.77.0.0/24"}))
    lab.step("refused")
    outcome = left.initiate()
    assert not outcome.up, "a CHILD SA came up although the selectors have nothing in common"
    ladder = lab.ladder()
    (answer,) = ladder.ike("IKE_AUTH", response=True)
    assert {"N(TS_UNACCEPTABLE)", "AUTH"} <= set(answer["payloads"]), f"the answer holds {answer['payloads']}"
    assert not left.children() and not right.children(), "a side lists a CHILD SA"
    if left.peer.name in OUR_PEERS:
        assert "we offer 10.1.0.0/24 to 10.2.0.0/24" in outcome.reason, f"the reason is {outcome.reason}"
    else:
        told = f"peer offers local {lab.ends().right_net}; we allow 10.77.0.0/24"
        assert told in reasons(right), f"the reasons are {reasons(right)}"


@pytest.mark.rfc("7296#2.15", "7296#2.21.2", "7296#3.5")
def test_unknown_identity(lab, left, right):
    """An initiator that the responder does not know is refused, whatever it proves."""
    lab.up("direct", left=Tunnel(local={"id": "stranger.lab"}), right=Tunnel())
    lab.step("refused")
    outcome = left.initiate()
    assert not outcome.up, "a tunnel came up with a stranger"
    ladder = lab.ladder()
    (answer,) = ladder.ike("IKE_AUTH", response=True)
    assert answer["payloads"] == ["N(AUTHENTICATION_FAILED)"], f"IKE_AUTH was answered with {answer['payloads']}"
    lab.until(lambda: not left.sas() and not right.sas(), "neither side holds an SA", 5)
    if left.peer.name in OUR_PEERS:
        assert "we call ourselves stranger.lab" in outcome.reason, f"the reason is {outcome.reason}"
    else:
        assert any("peer calls itself stranger.lab" in one for one in reasons(right)), f"{reasons(right)}"


def reasons(gateway):
    """What our daemon gives as the reasons of failures (`ikelab ctl events`)."""
    return [str(event.fields.get("reason")) for event in gateway.events() if event.name == "failed"]


@pytest.mark.rfc("7296#2.4")
def test_initial_contact(lab, left, right):
    """The initiator forgets everything and begins anew with INITIAL_CONTACT: the responder drops what it had of it."""
    lab.up("direct")
    lab.establish()
    lab.ping()
    (before,) = right.established()

    lab.step("restart", f"{left} is killed, which tells nobody, and started again")
    left.restart(15.0)
    lab.establish()
    lab.until(lambda: len(right.established()) == 1, f"{right} holds one IKE SA", 5)
    (after,) = right.established()
    assert after["spi_i"] != before["spi_i"], f"{right} still holds the first IKE SA"
    lab.ping()
    requests = lab.ladder().ike("IKE_AUTH", response=False, again=False)
    assert all("N(INITIAL_CONTACT)" in one["payloads"] for one in requests), f"{left} does not say that it is new"
    assert len(right.children()) == 1, f"{right} still lists the first CHILD SA"
