"""NULL authentication (RFC 7619): a side that proves nothing, where it may and where it may not."""

import pytest

from lab.matrix import IKEV2, OUR_PEERS
from lab.plugin import proofs
from lab.plugin.tunnel import Tunnel

NOBODY = {"auth": "null", "id": "%null"}
ANYBODY = {"id": "%any"}
REFUSED = ["N(AUTHENTICATION_FAILED)"]
# Who proves nothing, as the tunnels of left and right.
KINDS = {
    "both": (Tunnel(local=NOBODY, remote=NOBODY), Tunnel(local=NOBODY, remote=NOBODY)),
    "initiator": (
        Tunnel(local=NOBODY),
        Tunnel(remote=NOBODY, secrets={"ike-any": {"secret": "lab only, not a secret"}}),
    ),
}


@pytest.mark.rfc("7619#2.1", "7619#2.2")
@pytest.mark.needs("null-auth")
@pytest.mark.pairings("ours>ours", *map(str, IKEV2))
@pytest.mark.parametrize("kind", KINDS)
def test_null_authentication(lab, left, right, kind):
    """A side that proves nothing is nobody to the other, and the tunnel stands all the same."""
    ours, theirs = KINDS[kind]
    lab.up("direct", left=ours, right=theirs)
    lab.establish()
    lab.ping()
    ladder = lab.prove_protected()
    proofs.set_up_in_four_messages(ladder)
    request, response = ladder.ike("IKE_AUTH", again=False)
    assert "N(INITIAL_CONTACT)" not in request["payloads"], f"nobody speaks of first contact: {request['payloads']}"
    for entry in (request, response):
        assert "AUTH" in entry["payloads"], f"{entry['from']} sends no AUTH: {entry['payloads']}"
    (seen,) = right.sas()
    assert seen["remote_id"] == "ID_NULL", f"{right} takes the initiator for {seen['remote_id']}"


@pytest.mark.rfc("7619#2.1", "7296#2.21.2")
@pytest.mark.pairings(*map(str, IKEV2))
def test_null_authentication_refused(lab, left, right):
    """A peer that wants a proof says AUTHENTICATION_FAILED to a side that has none, and keeps nothing."""
    nobody, wary = Tunnel(local=NOBODY), Tunnel(remote=ANYBODY)
    first = left.peer.name in OUR_PEERS
    lab.up("direct", left=nobody if first else wary, right=wary if first else nobody)
    lab.step("refused")
    outcome = left.initiate()
    assert not outcome.up, "a tunnel came up with a peer that proves nothing"
    lab.until(lambda: not left.sas() and not right.sas(), "neither side holds an SA", 5)
    ladder = lab.ladder()
    refusals = [entry["exchange"] for entry in ladder.ike() if entry["payloads"] == REFUSED]
    assert refusals == (["IKE_AUTH"] if first else ["INFORMATIONAL"]), f"no refusal: {ladder.words()}"
    assert not ladder.esp(), "ESP was sent without a CHILD SA"
    proofs.all_opened(ladder)

    lab.step("again", "both sides still answer, and answer the same")
    assert not left.initiate().up, "the second attempt came up"
