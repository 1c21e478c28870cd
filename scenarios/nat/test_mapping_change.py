"""A NAT that loses its mapping in the middle of an SA: who is not behind it follows what is authentic."""

from socket import AF_INET, SOCK_DGRAM

import pytest

from lab.evidence.datagram import sightings
from lab.matrix import IKEV2, ON_XFRM
from lab.plugin.tunnel import CHILD, Tunnel

OUTSIDE, BEFORE, AFTER = "203.0.113.2", 24500, 34500
DPD = "5s"


def remote(gateway):
    """Where a gateway's only established IKE SA has its peer."""
    (sa,) = gateway.established()
    return sa["remote_host"], sa["remote_port"]


def up(lab, right):
    """A tunnel through a NAT with a known mapping."""
    lab.up("nat-initiator")
    lab.network.rebind("left-nat", remap={4500: BEFORE})
    lab.establish()
    lab.ping()
    assert remote(right) == (OUTSIDE, BEFORE), f"{right} has its peer at {remote(right)}"


def moved(lab, right):
    """The other side has followed, and traffic goes both ways through the new mapping."""
    lab.until(lambda: remote(right) == (OUTSIDE, AFTER), f"{right} lists its peer at port {AFTER}", 5.0)
    before = len(lab.ladder().esp("right"))
    lab.ping()
    ladder = lab.prove_protected()
    stale = [entry["dst"] for entry in ladder.esp("right")[before:] if entry["dst"] != f"{OUTSIDE}:{AFTER}"]
    assert not stale, f"{right} still sends ESP to {stale[0]}"


@pytest.mark.rfc("7296#2.23", "3948#2.1")
@pytest.mark.needs("nat-t")
@pytest.mark.pairings(*map(str, (*IKEV2, *ON_XFRM)))
def test_mapping_change_shown_by_esp(lab, left, right):
    """The first authentic ESP packet from the new mapping takes the peer's SAs there."""
    up(lab, right)
    lab.step("rebinding", f"the NAT forgets, and maps port 4500 to {AFTER} from now on")
    lab.network.rebind("left-nat", remap={4500: AFTER})
    # Its answer may still go the old way: a kernel tells of the new mapping while the packet goes on.
    lab.network.node("left-host").run(["ping", "-n", "-c", "1", "-W", "1", lab.inner("right")])
    moved(lab, right)


@pytest.mark.pairings(*map(str, IKEV2))
@pytest.mark.rfc("7296#2.23")
@pytest.mark.needs("nat-t", "rekey")
def test_mapping_change_shown_by_ike(lab, left, right):
    """An authentic IKE request from the new mapping takes the peer's SAs there, before any ESP does."""
    up(lab, right)
    lab.step("rebinding", f"the NAT forgets, and maps port 4500 to {AFTER} from now on; an exchange follows")
    lab.network.rebind("left-nat", remap={4500: AFTER})
    outcome = left.rekey(child=CHILD)
    assert outcome.up, f"{left} could not rekey through the new mapping: {outcome.reason}"
    moved(lab, right)


@pytest.mark.rfc("7296#2.23", "4303#3.4.3")
@pytest.mark.needs("nat-t")
@pytest.mark.pairings(*map(str, (*IKEV2, *ON_XFRM)))
def test_mapping_not_changed_by_a_replay(lab, left, right):
    """A genuine ESP packet that a third party sends once more from its own address moves nothing."""
    up(lab, right)
    lab.step("replay", "the last ESP packet of the initiator once more, from the router in between")

    def esp(source):
        # Not of the ladder, where equal octets are one datagram.
        return [seen.body for seen in sightings(lab.frames()) if seen.kind == "esp" and seen.src == source]

    third_party, genuine = "198.51.100.1", esp(OUTSIDE)[-1]
    with lab.network.node("internet").socket(AF_INET, SOCK_DGRAM) as link:
        link.bind((third_party, 4500))
        link.sendto(genuine, (right.address, 4500))
    lab.until(lambda: genuine in esp(third_party), "the replay is on the wire", 2.0, every=0.1)
    lab.ping()
    lab.prove_protected()
    assert remote(right) == (OUTSIDE, BEFORE), f"{right} followed a replay to {remote(right)}"
    astray = [entry for entry in lab.ladder().esp("right") if entry["dst"] != f"{OUTSIDE}:{BEFORE}"]
    assert not astray, f"{right} sent ESP to {astray[0]['dst']}"


@pytest.mark.rfc("4555#3.8")
@pytest.mark.needs("nat-t", "mobike")
@pytest.mark.pairings(*map(str, (*IKEV2, *ON_XFRM)))
def test_mapping_change_found_by_liveness(lab, left, right):
    """With MOBIKE nobody follows by itself: who is behind the NAT finds out where it is seen, and says so."""
    mobile = Tunnel(connection={"mobike": "yes"})
    lab.up("nat-initiator", left=Tunnel(connection={"mobike": "yes", "dpd_delay": DPD}), right=mobile)
    lab.network.rebind("left-nat", remap={4500: BEFORE})
    lab.establish()
    lab.ping()

    def asked(since):
        """Liveness requests of the initiator that were answered, from this place of the ladder on."""
        entries = lab.ladder().ike("INFORMATIONAL")[since:]
        answered = {e["message_id"] for e in entries if e["response"] and e["from"] == "right" and not e["lost"]}
        return [e for e in entries if e["from"] == "left" and not e["response"] and e["message_id"] in answered]

    lab.step("liveness", "the first one shows the initiator where it is seen")
    lab.until(lambda: asked(0), "the responder has answered a liveness request", 30.0, every=0.5)
    before = len(lab.ladder().ike("INFORMATIONAL"))

    lab.step("rebinding", f"the NAT forgets, and maps port 4500 to {AFTER} from now on; the next liveness finds it")
    lab.network.rebind("left-nat", remap={4500: AFTER})
    update = "N(UPDATE_SA_ADDRESSES)"
    lab.until(lambda: any(update in e["payloads"] for e in asked(before)), "the initiator updated", 30.0, every=0.5)
    first, *_, last = asked(before)
    assert update not in first["payloads"] and "N(NAT_DETECTION_DESTINATION_IP)" in first["payloads"], first["payloads"]
    assert last["hops"][-1]["src"] == f"{OUTSIDE}:{AFTER}", f"UPDATE_SA_ADDRESSES from {last['hops'][-1]['src']}"
    moved(lab, right)
