"""EAP inside IKE_AUTH: the initiator proves a password, the responder the shared key; how many messages that costs."""

from dataclasses import dataclass, replace

import pytest

from lab.matrix import IKEV2, WE_RESPOND
from lab.plugin import papers, proofs
from lab.plugin.tunnel import Tunnel

pytestmark = pytest.mark.pairings(*map(str, IKEV2))

USER, PASSWORD = "carol", "Ar3etTnp"
PLAIN = 4


@dataclass(frozen=True)
class Way:
    """A method, whether the responder asks for an EAP identity or takes IDi for it, and the IKE_AUTH messages of it."""

    auth: str
    asks: bool
    messages: int

    @property
    def secrets(self) -> dict[str, dict[str, str]]:
        return {"eap-user": {"id": USER if self.asks else "left.lab", "secret": PASSWORD}}

    @property
    def left(self) -> Tunnel:
        identity = {"eap_id": USER} if self.asks else {}
        return Tunnel(local={"auth": self.auth, **identity}, secrets=self.secrets)

    @property
    def right(self) -> Tunnel:
        identity = {"eap_id": "%any"} if self.asks else {}
        return Tunnel(remote={"auth": self.auth, **identity}, secrets=self.secrets)


# IKE_AUTH messages: the first request and the last exchange hold no EAP; each round of a method is two.
WAYS = {
    "md5": Way("eap-md5", False, 6),
    "md5-with-identity": Way("eap-md5", True, 8),
    "mschapv2": Way("eap-mschapv2", False, 8),
    "mschapv2-with-identity": Way("eap-mschapv2", True, 10),
}
PARAMETERS = [pytest.param(way, id=name, marks=pytest.mark.needs(way.auth)) for name, way in WAYS.items()]


def payloads(ladder):
    return [e["payloads"] for e in ladder.ike("IKE_AUTH", again=False)]


@pytest.mark.rfc("7296#2.16")
@pytest.mark.parametrize("way", PARAMETERS)
def test_eap(lab, left, right, way):
    """The initiator is let in by EAP, and AUTH is made from the method's key or from SK_p."""
    lab.up("direct", left=way.left, right=way.right)
    lab.establish()
    lab.ping()
    ladder = lab.prove_protected()

    found = payloads(ladder)
    extra = len(found) + 2 - PLAIN
    lab.step(
        "messages", f"{len(found) + 2} in all: {extra} more than the {PLAIN} without EAP (the textbook says 2 more)"
    )
    assert len(found) == way.messages, f"IKE_AUTH took {len(found)} messages, not {way.messages}: {ladder.words()}"
    assert extra > 2, f"EAP cost only {extra} messages more: {ladder.words()}"
    assert "AUTH" not in found[0], f"the first request holds AUTH: {found[0]}"
    assert "AUTH" in found[1] and "EAP" in found[1], f"the responder did not prove itself in front of EAP: {found[1]}"
    assert all(one == ["EAP"] for one in found[2:-2]), f"EAP was not alone: {found[2:-2]}"
    assert found[-2] == ["AUTH"], f"the last request holds {found[-2]}"
    assert {"AUTH", "SAr2", "TSi", "TSr"} <= set(found[-1]), f"the last answer holds {found[-1]}"


@pytest.mark.rfc("7296#2.16")
@pytest.mark.needs("eap-mschapv2", "certificates")
def test_eap_and_certificate(lab, left, right):
    """The responder proves itself by its certificate, the initiator by a password: what most remote users have."""
    way, ca = WAYS["mschapv2-with-identity"], lab.ca()
    lab.up(
        "direct",
        left=papers.trusting(way.left, ca.root),
        right=papers.knowing(papers.certified(way.right, ca.leaf("right", identities=("right.lab",))), ca.root),
    )
    lab.establish()
    lab.ping()
    ladder = lab.prove_protected()

    found = payloads(ladder)
    lab.step("messages", f"{len(found) + 2} in all: {len(found) + 2 - PLAIN} more than the {PLAIN} without EAP")
    assert len(found) == way.messages, f"IKE_AUTH took {len(found)} messages: {ladder.words()}"
    assert {"CERT", "AUTH", "EAP"} <= set(found[1]), f"the responder's first answer holds {found[1]}"
    assert not any("CERT" in one for one in found[2:]), f"a certificate came later: {ladder.words()}"


@pytest.mark.rfc("7296#2.16", "7296#2.21.2")
@pytest.mark.parametrize("way", [p for p in PARAMETERS if p.id.endswith("identity")])
def test_wrong_password(lab, left, right, way):
    """With another password the authenticator says Failure, and nothing is set up."""
    wrong = replace(way.left, secrets={"eap-user": {"id": USER, "secret": "guess"}})
    lab.up("direct", left=wrong, right=way.right)
    lab.step("refused")
    outcome = left.initiate()
    assert not outcome.up, "a tunnel came up with a wrong password"
    lab.until(lambda: not left.established() and not right.sas(), "the responder holds no SA", 5)
    ladder = lab.ladder()
    found = payloads(ladder)
    assert found[-1] in (["EAP"], ["EAP", "N(AUTHENTICATION_FAILED)"]), f"the last answer holds {found[-1]}"
    assert not any("TSr" in one for one in found[1:]), f"a child was answered: {ladder.words()}"
    assert not ladder.esp(), "ESP was sent without a CHILD SA"
    lab.step("reason", outcome.reason)
    proofs.all_opened(ladder)


@pytest.mark.rfc("3748#2.1", "3748#5.3.1")
@pytest.mark.needs("eap-md5", "eap-mschapv2")
# Only our responder: Debian's strongSwan has no eap-dynamic, so it never proposes a second method.
@pytest.mark.pairings("ours>ours", *map(str, WE_RESPOND))
def test_negotiated(lab, left, right):
    """The responder begins with one method, the initiator wants another: Nak, and the other is run."""
    way = WAYS["md5-with-identity"]
    any_of_them = replace(way.right, remote={"auth": "eap-dynamic", "eap_id": "%any"})
    lab.up("direct", left=way.left, right=any_of_them)
    lab.establish()
    lab.ping()
    ladder = lab.prove_protected()

    found = payloads(ladder)
    lab.step("messages", f"{len(found)} of IKE_AUTH: the refused method costs two more")
    assert len(found) == 10, f"IKE_AUTH took {len(found)} messages: {ladder.words()}"
