"""RFC 7383: IKE_AUTH with certificates travels in fragments of its own, so that IP need not fragment it."""

import pytest

from lab.matrix import IKEV2
from lab.plugin import papers
from lab.plugin.tunnel import Tunnel

pytestmark = pytest.mark.pairings(*map(str, IKEV2))

SIDES = ("left", "right")
SIZE = 576  # octets of an IP packet
FRONT = 20 + 8  # IP and UDP; the non-ESP marker is not part of the length that the ladder shows
WANT = Tunnel(connection={"fragmentation": "yes"}, settings={"fragment_size": str(SIZE)})


def certified(lab):
    """Both sides with an RSA certificate, which makes their IKE_AUTH longer than one such packet."""
    ca = lab.ca()
    return {
        side: papers.trusting(papers.certified(WANT, ca.leaf(side, "rsa-2048", identities=(f"{side}.lab",))), ca.root)
        for side in SIDES
    }


def in_fragments(ladder):
    """Both sides announced fragmentation, all of IKE_AUTH came in fragments, none longer than agreed."""
    for entry in ladder.ike("IKE_SA_INIT", again=False):
        announced = "N(IKEV2_FRAGMENTATION_SUPPORTED)" in entry["payloads"]
        assert announced, f"{entry['from']} does not announce fragmentation: {entry['payloads']}"
    sent = ladder.ike("IKE_AUTH")
    for side in SIDES:
        mine = [entry for entry in sent if entry["from"] == side]
        assert len(mine) > 1, f"{side} sent IKE_AUTH in one message: {ladder.words()}"
    for entry in sent:
        assert entry["payloads"][0].startswith("SKF("), f"not a fragment: {entry['payloads']}"
        assert entry["length"] + FRONT <= SIZE, f"a fragment of {entry['length']} octets, {SIZE - FRONT} allowed"
        whole = [hop for hop in entry["hops"] if "fragments" in hop]
        assert not whole, f"IP fragmented a fragment at {whole[0]['point']}"


@pytest.mark.rfc("7383#2.3", "7383#2.5")
@pytest.mark.needs("fragmentation", "certificates", "rsa")
def test_fragmentation(lab, left, right):
    """Certificates make IKE_AUTH too long for a packet: both sides cut it up and put it together."""
    lab.up("direct", **certified(lab))
    lab.establish()
    lab.ping()
    in_fragments(lab.prove_protected())


@pytest.mark.rfc("7383#2.6", "7383#2.6.1")
@pytest.mark.needs("fragmentation", "certificates", "rsa")
@pytest.mark.parametrize("way", ["request", "response"])
def test_fragment_lost(lab, left, right, way):
    """One fragment is lost: the request is sent again, and what is missing comes with it."""
    lab.up("direct", **certified(lab))
    lab.network.drop("internet", f"IKE_AUTH {way}")
    lab.establish()
    lab.ping()
    ladder = lab.prove_protected()
    in_fragments(ladder)
    lost = [entry for entry in ladder.ike("IKE_AUTH") if entry["lost"]]
    again = [entry for entry in ladder.ike("IKE_AUTH", sender="left") if entry["retransmit_of"] is not None]
    assert len(lost) == 1, f"not one fragment was lost: {ladder.words()}"
    assert again, f"nothing was sent again: {ladder.words()}"
