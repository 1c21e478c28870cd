"""IKEv1 and IKEv2 side by side: message counts, and the ciphers that only one of them can negotiate."""

import pytest

from lab.errors import ConfigError
from lab.evidence.ladder import count
from lab.ike import config
from lab.ike.swanctl import render
from lab.matrix import IKEV1, SELVES
from lab.plugin import first_version as v1
from lab.plugin.tunnel import Ends, Tunnel, left_tree

pytestmark = pytest.mark.pairings(*map(str, IKEV1))

ENDS = Ends("192.0.2.1", "198.51.100.1", "198.51.100.1", "10.1.0.0/24", "10.2.0.0/24")
KINDS = {
    "main-mode": (v1.tunnel(), {"ikev1_phase1": 6, "ikev1_phase2": 3}),
    "aggressive-mode": (v1.tunnel(connection={"aggressive": "yes"}), {"ikev1_phase1": 3, "ikev1_phase2": 3}),
    "ikev2": (Tunnel(), {"ikev2_init": 2, "ikev2_auth": 2}),
}
SETTLED_S = 10
AEAD = "aes256gcm16-prfsha384-ecp384"


@pytest.mark.rfc("2409#5", "7296#1.2")
@pytest.mark.needs("ikev1", "aggressive")
@pytest.mark.pairings(*map(str, (*IKEV1, *SELVES)))
@pytest.mark.parametrize("kind", KINDS)
def test_messages_until_the_first_packet(lab, left, right, kind):
    """Messages until ESP flows: six and three in Main Mode, three and three in Aggressive Mode, four in IKEv2."""
    tunnel, wanted = KINDS[kind]
    lab.up("direct", tunnel)
    lab.establish()
    # charon says that the child is up before the last message of Quick Mode has left it.
    lab.until(lambda: _told(lab.ladder()) == wanted, "every message of the handshake on the wire", SETTLED_S)
    lab.ping()
    ladder = lab.prove_protected()

    lab.step("counted", ", ".join(f"{name} {number}" for name, number in wanted.items()))
    first = next(entry["n"] for entry in ladder if entry["protocol"] == "ESP")
    # charon as responder of Aggressive Mode drops a Quick Mode that comes hard on the third message, which repeats it.
    found = _told(entry for entry in ladder if entry["n"] < first)
    assert found == wanted, f"messages before the first ESP packet: {found}"


def _told(entries):
    """How many messages of each kind, without repetitions."""
    return count(entry for entry in entries if entry["retransmit_of"] is None)


@pytest.mark.rfc("2409#A")
@pytest.mark.needs("ikev1")
@pytest.mark.pairings("strongswan>ours", "strongswan-5.9>ours", "strongswan>strongswan")
def test_aes_gcm_in_phase_1(lab, left, right):
    """AES-GCM for the ISAKMP SA has no number in IKEv1: nobody can agree to it, and our configuration says why."""
    lab.up("direct", left=v1.tunnel(ike=AEAD), right=v1.tunnel())
    lab.step("handshake", f"{left} asks for AES-GCM in phase 1")
    outcome = left.initiate()
    assert not outcome.up, "an SA came up with a cipher that IKEv1 has no number for"
    assert not left.established() and not right.established(), "one side holds an SA"
    ladder = lab.ladder()
    assert not v1.messages(ladder, v1.QUICK), f"phase 2 began: {ladder.words()}"
    answers = ladder.ike(sender="right", payload="N(NO_PROPOSAL_CHOSEN)")
    asked = v1.messages(ladder, v1.MAIN)
    assert answers or not asked, f"the responder does not say why: {ladder.words()}"

    lab.step("refused", "our own stack refuses such a configuration, with the key that is wrong")
    with pytest.raises(ConfigError, match="version = 1 has no numbers for aes256gcm16") as refused:
        config.load(render(left_tree(v1.tunnel(ike=AEAD), ENDS)), "swanctl.conf")
    assert refused.value.key == "proposals"
