"""Phase 1 with RSA and ECDSA signatures: SIG over the bare hash, certificates of the lab's CA."""

import pytest

from lab.matrix import IKEV1
from lab.plugin import first_version as v1
from lab.plugin import papers
from lab.wire.ids_v1 import AuthMethod1

pytestmark = pytest.mark.pairings(*map(str, IKEV1))

SIDES = ("left", "right")
CURVES = {
    "ecdsa-256": AuthMethod1.ECDSA_256,
    "ecdsa-384": AuthMethod1.ECDSA_384,
    "ecdsa-521": AuthMethod1.ECDSA_521,
}


@pytest.mark.rfc("2409#5.1", "2408#3.9", "2408#3.12")
@pytest.mark.needs("ikev1", "certificates", "rsa")
@pytest.mark.parametrize("mode", ["main", "aggressive"])
@pytest.mark.parametrize("key", ["rsa-2048", "rsa-3072"])
def test_rsa_signatures(lab, left, right, mode, key):
    """Both sides prove themselves by an RSA signature of HASH_I and HASH_R, with certificates of a common CA."""
    ca = lab.ca()
    plain = v1.tunnel(connection={"aggressive": "yes"} if mode == "aggressive" else {})
    leaves = {side: ca.leaf(side, key, identities=(f"{side}.lab",)) for side in SIDES}
    lab.up("direct", **{side: papers.trusting(papers.certified(plain, leaves[side]), ca.root) for side in SIDES})
    lab.establish()
    lab.ping()
    ladder = lab.prove_protected()

    signed(lab, ladder, v1.AGGRESSIVE if mode == "aggressive" else v1.MAIN, AuthMethod1.RSA_SIGNATURE)


@pytest.mark.rfc("4754#4")
@pytest.mark.needs("ikev1", "certificates", "ecdsa")
@pytest.mark.parametrize("curve", CURVES)
def test_ecdsa_signatures(lab, left, right, curve):
    """Both sides sign on the same curve: the method names it, and with it the hash."""
    ca, plain = lab.ca(), v1.tunnel()
    leaves = {side: ca.leaf(side, curve, identities=(f"{side}.lab",)) for side in SIDES}
    lab.up("direct", **{side: papers.trusting(papers.certified(plain, leaves[side]), ca.root) for side in SIDES})
    lab.establish()
    lab.ping()
    signed(lab, lab.prove_protected(), v1.MAIN, CURVES[curve])


def signed(lab, ladder, name, method):
    """CERT and SIG of both sides, by this method and no other."""
    lab.step("proofs", f"{method.name}: CERT and SIG of both sides, and no HASH in phase 1")
    v1.set_up(ladder, name)
    chosen = v1.method(lab.frames())
    assert chosen == method, f"the responder chose {chosen.name}"
    proofs = [entry for entry in v1.messages(ladder, name) if "SIG" in entry["payloads"]]
    assert {entry["from"] for entry in proofs} == set(SIDES), f"not both sides signed: {ladder.words()}"
    for entry in proofs:
        assert "CERT" in entry["payloads"], f"{entry['from']} shows no certificate: {entry['payloads']}"
        assert "HASH" not in entry["payloads"], f"{entry['from']} sends a HASH as well: {entry['payloads']}"


@pytest.mark.rfc("2409#5.1")
@pytest.mark.needs("ikev1", "certificates", "rsa")
def test_a_strangers_certificate_is_refused(lab, left, right):
    """The initiator's certificate is of another CA: no SA comes up, and the responder holds none."""
    ours, other = lab.ca(), lab.ca("other")
    plain = v1.tunnel()
    stranger = other.leaf("left", "rsa-2048", identities=("left.lab",))
    own = ours.leaf("right", "rsa-2048", identities=("right.lab",))
    lab.up(
        "direct",
        left=papers.trusting(papers.certified(plain, stranger), ours.root),
        right=papers.trusting(papers.certified(plain, own), ours.root),
    )
    lab.step("handshake", f"{left} initiates with a certificate that {right} has no reason to trust")
    outcome = left.initiate()
    assert not outcome.up, "a tunnel came up with a stranger"
    assert not right.established(), "the responder holds an SA with a stranger"
    assert not v1.messages(lab.ladder(), v1.QUICK), f"phase 2 began: {lab.ladder().words()}"
