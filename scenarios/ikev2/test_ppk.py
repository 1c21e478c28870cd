"""Postquantum preshared keys: both sides mix them in, go on without, or insist."""

from dataclasses import replace

import pytest

from lab.matrix import IKEV2
from lab.plugin import proofs
from lab.plugin.tunnel import CHILD, CONNECTION, Tunnel

pytestmark = pytest.mark.pairings(*map(str, IKEV2))

NAME = "lab.ppk"
SECRET = {"ppk-lab": {"id": NAME, "secret": "0x000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"}}
WITH = Tunnel(connection={"ppk_id": NAME}, secrets=SECRET)


def auth_of(lab):
    """What IKE_AUTH carried, request and response."""
    return [entry["payloads"] for entry in lab.ladder().ike("IKE_AUTH", again=False)]


@pytest.mark.rfc("8784#3", "8784#5.1")
@pytest.mark.needs("ppk")
def test_ppk(lab, left, right):
    """Both sides name the same PPK: the keys have it in them, and so have those of what is rekeyed."""
    lab.up("direct", WITH)
    lab.establish()
    lab.ping()
    request, response = auth_of(lab)
    assert "N(PPK_IDENTITY)" in request, f"the initiator names no PPK: {request}"
    assert "N(PPK_IDENTITY)" in response, f"the responder uses no PPK: {response}"
    for entry in lab.ladder().ike("IKE_SA_INIT"):
        assert "N(USE_PPK)" in entry["payloads"], f"{entry['from']} does not say USE_PPK: {entry['payloads']}"

    lab.step("rekey", "the IKE SA, whose SK_d has the PPK in it, is rekeyed, then the CHILD SA")
    for what in ({"ike": CONNECTION}, {"child": CHILD}):
        outcome = left.rekey(**what)
        assert outcome.up, f"{left} could not rekey: {outcome.reason}"
        lab.until(lambda: len(left.established()) == len(right.established()) == 1, "one IKE SA on both sides", 10)
    lab.until(lambda: len(left.children()) == len(right.children()) == 1, "one CHILD SA on both sides", 10)
    lab.ping()
    lab.prove_protected()


@pytest.mark.rfc("8784#3")
@pytest.mark.needs("ppk")
def test_ppk_optional(lab, left, right):
    """The responder has no such PPK: it takes NO_PPK_AUTH, and both go on without."""
    other = {"ppk-lab": {**SECRET["ppk-lab"], "id": "another.ppk"}}
    lab.up("direct", left=WITH, right=replace(WITH, connection={}, secrets=other))
    lab.establish()
    lab.ping()
    request, response = auth_of(lab)
    assert {"N(PPK_IDENTITY)", "N(NO_PPK_AUTH)"} <= set(request), f"no second AUTH without a PPK: {request}"
    assert "N(PPK_IDENTITY)" not in response, f"the responder says that it uses the PPK: {response}"
    lab.prove_protected()


@pytest.mark.rfc("8784#3")
@pytest.mark.needs("ppk")
def test_ppk_required(lab, left, right):
    """The responder insists on a PPK and the initiator has none: AUTHENTICATION_FAILED, nothing stays."""
    insisting = replace(WITH, connection={"ppk_id": NAME, "ppk_required": "yes"})
    lab.up("direct", left=Tunnel(), right=insisting)
    lab.step("refused")
    outcome = left.initiate()
    assert not outcome.up, "a tunnel came up without the PPK that the responder requires"
    *_, answer = auth_of(lab)
    assert answer == ["N(AUTHENTICATION_FAILED)"], f"IKE_AUTH was answered with {answer}"
    lab.until(lambda: not left.sas() and not right.sas(), "neither side holds an SA", 5)
    proofs.all_opened(lab.ladder())


@pytest.mark.rfc("8784#3", "7296#2.16")
@pytest.mark.needs("ppk")
@pytest.mark.parametrize(
    "method",
    [pytest.param(word, marks=pytest.mark.needs(word)) for word in ("eap-mschapv2", "eap-md5")],
)
def test_ppk_and_eap(lab, left, right, method):
    """The last AUTH of each side stands on keys with the PPK, with a key of the EAP method and with none."""
    user = {"eap-user": {"id": "left.lab", "secret": "Ar3etTnp"}}
    both = replace(WITH, secrets={**SECRET, **user})
    lab.up("direct", left=replace(both, local={"auth": method}), right=replace(both, remote={"auth": method}))
    lab.establish()
    lab.ping()
    found = auth_of(lab)
    lab.step("messages", "PPK_IDENTITY goes with the AUTH at the end of EAP, and with no other message")
    (request, response), before = found[-2:], found[:-2]
    assert {"AUTH", "N(PPK_IDENTITY)", "N(NO_PPK_AUTH)"} == set(request), f"the last request holds {request}"
    assert {"AUTH", "N(PPK_IDENTITY)", "SAr2"} <= set(response), f"the last answer holds {response}"
    early = [one for one in before if {"N(PPK_IDENTITY)", "N(NO_PPK_AUTH)"} & set(one)]
    assert not early, f"a PPK is named too early: {early[0]}"

    lab.step("rekey", "the CHILD SA is rekeyed from the SK_d that has the PPK in it")
    outcome = left.rekey(child=CHILD)
    assert outcome.up, f"{left} could not rekey: {outcome.reason}"
    lab.until(lambda: len(left.children()) == len(right.children()) == 1, "one CHILD SA on both sides", 10)
    lab.ping()
    lab.prove_protected()
