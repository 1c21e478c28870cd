"""NAT traversal: detection, the move to port 4500, UDP encapsulation, keepalives."""

from itertools import pairwise

import pytest

from lab.matrix import IKEV2, ON_XFRM, with_brought
from lab.plugin import proofs
from lab.plugin.tunnel import Tunnel

KEEPALIVE_S = 20


def floated(ladder):
    """After IKE_SA_INIT on port 500 everything goes over 4500, ESP inside UDP."""
    for entry in ladder.ike(sender="left"):
        port = 500 if entry["exchange"] == "IKE_SA_INIT" else 4500
        assert entry["dst"].endswith(f":{port}"), f"{entry['exchange']} went to {entry['dst']}, not to port {port}"
    bare = [entry for entry in ladder.esp() if not entry["udp"]]
    assert not bare, f"ESP was not encapsulated in UDP: {bare[0]['src']} -> {bare[0]['dst']}"


def detected(sas, local, remote):
    """What a side knows of NATs before itself and before its peer."""
    (sa,) = sas
    assert (sa["nat_local"], sa["nat_remote"]) == (local, remote), (
        f"a NAT here: {sa['nat_local']}, there: {sa['nat_remote']}; true is {local} and {remote}"
    )
    assert all(child["encap"] for child in sa["children"]), "a CHILD SA is not encapsulated in UDP"


@pytest.mark.rfc("7296#2.23", "3948#2.1")
@pytest.mark.needs("nat-t")
@pytest.mark.pairings(*map(str, (*IKEV2, *with_brought())))
def test_before_initiator(lab, left, right):
    """The initiator sits behind a NAT that changes ports: both detect it, move to 4500 and put ESP into UDP."""
    lab.up("nat-initiator")
    lab.establish()
    lab.ping()
    ladder = lab.prove_protected()
    proofs.set_up_in_four_messages(ladder)

    lab.step("traversal", "detected by both, moved to port 4500, ESP in UDP")
    floated(ladder)
    detected(left.established(), local=True, remote=False)
    detected(right.established(), local=False, remote=True)
    seen = {place["src"] for entry in ladder.ike("IKE_AUTH", sender="left") for place in entry["hops"]}
    assert len(seen) > 1, f"the NAT did not change the source of IKE_AUTH: {seen}"


@pytest.mark.rfc("7296#2.23", "3948#2.1")
@pytest.mark.needs("nat-t")
@pytest.mark.pairings(*map(str, (*IKEV2, *ON_XFRM, *with_brought())))
def test_both_sides(lab, left, right):
    """Both gateways sit behind NATs, the responder behind a port forward."""
    lab.up("nat-both")
    lab.establish()
    lab.ping()
    ladder = lab.prove_protected()
    proofs.set_up_in_four_messages(ladder)

    lab.step("traversal", "detected by both, moved to port 4500, ESP in UDP")
    floated(ladder)
    detected(left.established(), local=True, remote=True)
    detected(right.established(), local=True, remote=True)


@pytest.mark.pairings(*map(str, IKEV2))
@pytest.mark.rfc("7296#2.23")
@pytest.mark.needs("nat-t")
@pytest.mark.parametrize("side", ["left", "right"])
def test_forced(lab, left, right, side):
    """`encap = yes` on one side: a false hash makes the other see a NAT, and ESP goes in UDP though there is none."""
    ordinary, forced = Tunnel(), Tunnel(connection={"encap": "yes"})
    lab.up("direct", left=forced if side == "left" else ordinary, right=forced if side == "right" else ordinary)
    lab.establish()
    lab.ping()
    ladder = lab.prove_protected()
    proofs.set_up_in_four_messages(ladder)

    lab.step("forced", "moved to port 4500, ESP in UDP, and the deceived side believes in a NAT")
    floated(ladder)
    assert ladder.esp(), "there is no ESP"
    deceived = right if side == "left" else left
    for gateway in (left, right):
        (sa,) = gateway.established()
        assert all(child["encap"] for child in sa["children"]), f"{gateway} does not encapsulate its CHILD SA"
        if gateway is deceived:
            assert sa["nat_remote"] and not sa["nat_local"], f"{gateway} sees no NAT before its peer"


@pytest.mark.pairings(*map(str, IKEV2))
@pytest.mark.rfc("3948#4")
@pytest.mark.needs("nat-t")
@pytest.mark.clock("virtual")
def test_keepalive(lab, left, right):
    """The side behind the NAT keeps the mapping open every 20 s while nothing else is sent; the other side does not."""
    lab.up("nat-initiator")
    lab.establish()

    lab.step("quiet", "nobody sends anything")
    lab.until(lambda: len(lab.ladder().keepalives("left")) >= 3, "three keepalives", 100, every=1.0)
    ladder = lab.ladder()
    assert not ladder.keepalives("right"), "the side without a NAT sends keepalives"
    times = [entry["t_sent"] for entry in ladder.keepalives("left")]
    gaps = [later - earlier for earlier, later in pairwise(times)]
    off = [gap for gap in gaps if abs(gap - KEEPALIVE_S) > 1.1]
    assert not off, f"keepalives are {off[0]:.1f} s apart, not {KEEPALIVE_S}"
    lab.ping()
    lab.prove_protected()
