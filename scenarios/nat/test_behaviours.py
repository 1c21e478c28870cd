"""The NAT zoo: every behaviour of RFC 4787 before the initiator, the responder or both, from the probe to the reboot.

One scenario plays a whole life: the box is asked how it behaves, the tunnel comes up and carries traffic, two minutes
pass with keepalives only, the box gives its client another name, and at last it is switched off and on. What RFC 7296
section 2.23 promises must hold; where it promises nothing the scenario asserts what happens, and its step says why.

Who follows a changed mapping: a peer that is not behind a NAT itself. One that is should not (2.23, for the sake of
its safety); ours does not, strongSwan does.
"""

import pytest

from lab.emulation import topology
from lab.matrix import DEFAULT, OUR_PEERS
from lab.plugin import papers, proofs, zoo
from lab.plugin.tunnel import Tunnel

ONE = ["left-nat"]
# Topology -> its boxes, the nearest to the initiator first. The last one is what becomes another.
BEHAVIOURS = {
    "nat-initiator": ONE,
    "nat-port-restricted": ONE,
    "nat-changes-ports": ONE,
    "nat-address-dependent": ONE,
    "nat-full-cone": ONE,
    "nat-address-restricted": ONE,
    "nat-ipsec-helper": ONE,
    "nat-forgets": ONE,
    "nat-no-fragments": ONE,
}
BEFORE_INITIATOR = BEHAVIOURS | {"nat-two-addresses": ONE, "nat-carrier": ["home-nat", "carrier-nat"]}
WITH_STRONGSWAN = (*map(str, DEFAULT), "strongswan>strongswan")
AGES = {"nat-forgets": (13.0, 17.0)}
AFTER, OTHER = 34500, "203.0.113.3"
QUIET_S, KEEPALIVES = 200, 6
SMALL = 576  # octets of an IP packet


def port(gateway):
    """The port at which a gateway has its peer."""
    (sa,) = gateway.established()
    return sa["remote_port"]


def begin(lab, name, boxes, ages=()):
    """Ask the boxes, then the tunnel comes up through them and carries a ping."""
    zoo.probed(lab, name, boxes, ages)
    lab.up(name)
    lab.establish()
    lab.ping(1)


def quiet(lab, box, *, held):
    """Two minutes with keepalives only: the mapping lives if they come sooner than the box forgets."""
    what = "longer than any mapping lives unused" if held else "each one too late: the box forgets sooner"
    lab.step("quiet", f"{KEEPALIVES} keepalives and nothing else, {what}")
    before = len(lab.ladder().keepalives())
    lab.until(lambda: len(lab.ladder().keepalives()) >= before + KEEPALIVES, "keepalives", QUIET_S, every=40)
    there = lab.ping_back()
    assert there == held, f"a ping from the right host came {'through' if there else 'not through'} the mapping"
    gone = [e for e in box.timeline() if e["event"] == "expired" and e["inside"].endswith(":4500")]
    assert bool(gone) != held, f"of the mappings of port 4500 {len(gone)} expired"


def change(lab, box):
    """Give the client another outside name; what changed, as the box tells it."""
    other = {"address": OTHER} if box.behaviour.address else {"remap": {4500: AFTER}}
    lab.step("changed", f"{box.name} forgets, and from now on has {other}")
    box.rebind(**other)


def noticed(lab, box):
    """The timeline of the box tells of the change, and by whom it was seen."""
    told = [entry for entry in box.timeline() if entry["event"] == "changed" and entry["inside"].endswith(":4500")]
    assert told, f"{box.name} knows of no changed mapping: {box.timeline()}"
    assert f":{AFTER}" in told[-1]["outside"] or OTHER in told[-1]["outside"], told[-1]
    return told[-1]


def rebooted(lab, box):
    """The box is switched off and on: nobody outside reaches its client before that has sent something."""
    lab.step("rebooted", f"{box.name} knows nothing any more: a ping from outside is lost, one from inside opens it")
    box.reboot()


def carried(lab):
    """A ping goes through; the first may be lost, as a kernel tells of a new mapping while its answer goes on."""
    lab.ping_once()
    lab.ping(1)


@pytest.mark.rfc("7296#2.23", "3948#2.1", "3948#4")
@pytest.mark.needs("nat-t")
@pytest.mark.clock("virtual")
@pytest.mark.pairings(*WITH_STRONGSWAN)
@pytest.mark.parametrize("behaviour", BEFORE_INITIATOR)
def test_zoo_before_initiator(lab, left, right, behaviour):
    """The initiator behind the NAT: the responder follows whatever is authentic."""
    boxes = BEFORE_INITIATOR[behaviour]
    begin(lab, behaviour, boxes, AGES.get(behaviour, ()))
    box = lab.network.nat(boxes[-1])
    quiet(lab, box, held=behaviour not in AGES)
    carried(lab)

    change(lab, box)
    assert not lab.ping_back(), "a ping to the forgotten mapping came through"
    carried(lab)
    mapping = noticed(lab, box)
    assert mapping["outside"].endswith(f":{port(right)}"), f"{right} is at port {port(right)}, not at {mapping}"
    assert [place.partition(":")[0] for place in mapping["seen_by"]] == [right.address], mapping

    rebooted(lab, box)
    assert not lab.ping_back(), "a ping to the forgotten mapping came through"
    carried(lab)
    lab.prove_protected()


@pytest.mark.rfc("7296#2.23", "3948#2.1", "3948#4")
@pytest.mark.needs("nat-t")
@pytest.mark.clock("virtual")
@pytest.mark.parametrize("behaviour", BEHAVIOURS)
def test_zoo_before_responder(lab, left, right, behaviour):
    """The responder behind the NAT and a port forward: the initiator follows what comes from a new mapping."""
    network = topology.load("nat-responder").with_nats({"right-nat": topology.load(behaviour).nodes["left-nat"].nat})
    lab.up(network)
    lab.establish()
    lab.ping(1)
    box = lab.network.nat("right-nat")

    change(lab, box)
    lab.step("forwarded", "the initiator's packets still find the port forward, and are answered through it")
    lab.ping(1)
    assert port(left) == 4500, f"{left} has moved to port {port(left)} though nothing came from there"
    box.rebind()
    lab.step("followed", f"what the responder sends first comes from port {AFTER}, and the initiator goes there")
    lab.ping_back()
    carried(lab)
    assert port(left) == AFTER, f"{left} has its peer at port {port(left)}, not at {AFTER}"

    lab.step("rebooted", f"port {AFTER} is not forwarded: the initiator is lost until the responder has sent something")
    box.reboot()
    assert not lab.ping_once(), f"a ping to the forgotten port {AFTER} came through"
    lab.ping_back()
    carried(lab)
    lab.prove_protected()


def both_sides(lab, left, right, box, *, held):
    """The life of a tunnel whose ends both are behind NATs; `box` is the one before the initiator."""
    lab.establish()
    lab.ping(1)
    follows = right.peer.name not in OUR_PEERS
    quiet(lab, box, held=held)
    if not held:
        after_a_change(lab, left, right, follows=follows)
    change(lab, box)
    after_a_change(lab, left, right, follows=follows)
    noticed(lab, box)

    rebooted(lab, box)
    assert not lab.ping_back(), "a ping to the forgotten mapping came through"
    carried(lab)
    lab.prove_protected()


def after_a_change(lab, left, right, *, follows):
    """Section 2.23 promises nothing where the responder is behind a NAT as well."""
    before = port(right)
    there = lab.ping_once() or lab.ping_once()
    assert there == follows, f"the ping came {'back' if there else 'not back'}, though {right} is behind a NAT itself"
    if follows:
        lab.step("followed", "the responder follows, though it is behind a NAT and 2.23 says that it should not")
        assert port(right) != before, f"{right} still has its peer at port {before}"
    else:
        lab.step("not followed", "the responder is behind a NAT itself, and 2.23 says that it should not follow")
        assert port(right) == before, f"{right} has followed to port {port(right)}"
        lab.step(
            "anew", "the initiator deletes the IKE SA (its requests are answered where they come from) and begins anew"
        )
        assert (outcome := left.terminate()).up, f"{left} could not end its IKE SA: {outcome.reason}"
        lab.until(lambda: not right.sas(), "the responder has forgotten the SA", 5)
        lab.establish()
    lab.ping(1)


@pytest.mark.rfc("7296#2.23", "3948#2.1", "3948#4")
@pytest.mark.needs("nat-t", "delete")
@pytest.mark.clock("virtual")
@pytest.mark.parametrize("behaviour", BEHAVIOURS)
def test_zoo_before_both(lab, left, right, behaviour):
    """Both behind the same kind of NAT, the responder behind a port forward: who follows, and who begins anew."""
    nat = topology.load(behaviour).nodes["left-nat"].nat
    lab.up(topology.load("nat-both").with_nats({"left-nat": nat, "right-nat": nat}))
    both_sides(lab, left, right, lab.network.nat("left-nat"), held=behaviour not in AGES)


@pytest.mark.rfc("7296#2.23", "3948#2.1")
@pytest.mark.needs("nat-t", "delete")
@pytest.mark.clock("virtual")
@pytest.mark.pairings(*WITH_STRONGSWAN)
def test_zoo_hairpin(lab, left, right):
    """Both behind one NAT, which turns back what is for its outside address: both see the other under that address."""
    zoo.probed(lab, "nat-hairpin", ["nat"])
    lab.up("nat-hairpin")
    both_sides(lab, left, right, lab.network.nat("nat"), held=True)
    lab.step("turned back", "each side saw the other under the outside address, and nothing went to the internet")
    came = [
        hop["src"]
        for e in lab.ladder().esp()
        for hop in e["hops"]
        if hop["point"].endswith(":wan") and hop["src"] != e["src"]
    ]
    assert came and all(place.startswith("203.0.113.2:") for place in came), f"ESP came from {sorted(set(came))}"
    beyond = [frame for frame in lab.frames() if frame.node == "internet"]
    assert not beyond, f"{len(beyond)} packets went to the internet"


@pytest.mark.rfc("7383#1", "7296#2.23")
@pytest.mark.needs("nat-t", "fragmentation", "certificates", "rsa")
@pytest.mark.clock("virtual")
@pytest.mark.parametrize("divided", ["by-ip", "by-ike"])
def test_zoo_large_messages(lab, left, right, divided):
    """A NAT that drops fragments: an IKE_AUTH that IP divides never arrives, one that IKE divides does (RFC 7383)."""
    by_ike = divided == "by-ike"
    want = Tunnel(connection={"fragmentation": "yes" if by_ike else "no"}, settings={"fragment_size": str(SMALL)})
    ca = lab.ca()
    sides = {
        side: papers.trusting(papers.certified(want, ca.leaf(side, "rsa-2048", identities=(f"{side}.lab",))), ca.root)
        for side in ("left", "right")
    }
    lab.up("nat-no-fragments", **sides)
    for link, sender in (("left-wan", "left"), ("right-wan", "right")):
        lab.network.set_link(link, sender, mtu=SMALL)
    if by_ike:
        lab.establish()
        lab.ping(1)
        pieces = lab.prove_protected().ike("IKE_AUTH")
        assert all(entry["payloads"][0].startswith("SKF(") for entry in pieces), "IKE did not divide IKE_AUTH"
        return
    lab.step("handshake", f"{left} initiates, and IP divides what is larger than {SMALL} octets")
    outcome = left.initiate(timeout=10.0)
    assert not outcome.up, "the tunnel came up though IKE_AUTH is too large to arrive whole"
    asked = lab.ladder().ike("IKE_AUTH")
    assert asked and all(entry["lost"] and entry["from"] == "left" for entry in asked), lab.ladder().words()
    assert all(any("fragments" in hop for hop in entry["hops"]) for entry in asked), "IP did not divide IKE_AUTH"


@pytest.mark.rfc("7296#2.23", "6092#3.2.4")
@pytest.mark.needs("tunnel")
@pytest.mark.clock("virtual")
@pytest.mark.pairings(*WITH_STRONGSWAN)
def test_firewall(lab, left, right):
    """An IPv6 firewall with state and no NAT: nobody detects one, ESP goes without UDP, and no keepalive is sent."""
    begin(lab, "ipv6-firewall", ["firewall"])
    proofs.set_up_in_four_messages(lab.ladder())
    lab.step("bare", "no NAT before either side: port 500 only, and ESP as such")
    for gateway in (left, right):
        (sa,) = gateway.established()
        assert not sa["nat_local"] and not sa["nat_remote"], f"{gateway} sees a NAT"
    assert lab.ping_back(), "what answers does not come in"

    lab.step("rebooted", "the firewall knows nothing any more: ESP from outside is lost until some has gone out")
    lab.network.nat("firewall").reboot()
    assert not lab.ping_back(), "the firewall let ESP in that nobody asked for"
    assert lab.ping_once(), "ESP does not go out any more"
    assert lab.ping_back(), "what answers does not come in"
    ladder = lab.prove_protected()
    wrapped = [entry for entry in ladder.esp() if entry["udp"]]
    assert ladder.esp() and not wrapped, f"ESP went in UDP: {wrapped[:1]}"
    assert not ladder.keepalives(), "keepalives were sent where there is no NAT"
