"""NAT traversal of IKEv1: vendor IDs, NAT-D, the move to port 4500 with the fifth message, UDP encapsulation."""

from itertools import pairwise

import pytest

from lab.matrix import OLDER
from lab.plugin import first_version as v1

KEEPALIVE_S = 20


def detected(gateway, local, remote):
    """What a side knows of NATs before itself and before its peer."""
    (sa,) = gateway.established()
    found = (sa["nat_local"], sa["nat_remote"])
    assert found == (local, remote), f"{gateway}: a NAT here: {found[0]}, there: {found[1]}; true is {local}, {remote}"
    assert all(child["encap"] for child in sa["children"]), f"{gateway}: a child is not encapsulated in UDP"


NATS = {
    "nat-initiator": ((True, False), (False, True)),
    "nat-responder": ((False, True), (True, False)),
    "nat-both": ((True, True), (True, True)),
}


@pytest.mark.rfc("3947#3", "3947#4", "3947#5.1", "3948#2.1")
@pytest.mark.needs("ikev1", "nat-t")
@pytest.mark.parametrize("where", NATS)
def test_nat(lab, left, right, where):
    """NAT-D in messages 3 and 4 finds the NAT; from message 5 on everything goes over port 4500, ESP in UDP."""
    traversed(lab, left, right, where)


@pytest.mark.rfc("3947#3", "3947#4")
@pytest.mark.needs("ikev1", "nat-t")
@pytest.mark.pairings(*map(str, OLDER))
def test_nat_with_an_older_release(lab, left, right):
    """The same beside the strongSwan of Debian 12, with NATs before both."""
    traversed(lab, left, right, "nat-both")


def traversed(lab, left, right, where):
    """The tunnel comes up through the NATs, which both sides know of."""
    lab.up(where, v1.tunnel())
    lab.establish()
    lab.ping()
    ladder = lab.prove_protected()

    lab.step("traversal", "found by both, moved to port 4500 with message 5, ESP in UDP")
    v1.set_up(ladder)
    for gateway, known in zip((left, right), NATS[where], strict=True):
        detected(gateway, *known)
    discovery = [entry["payloads"].count("NAT_D") for entry in v1.messages(ladder, v1.MAIN)]
    assert discovery == [0, 0, 2, 2, 0, 0], f"NAT-D payloads: {discovery}"
    v1.floated(ladder, v1.MAIN, 5)


@pytest.mark.rfc("3948#4")
@pytest.mark.needs("ikev1", "nat-t")
@pytest.mark.clock("virtual")
def test_keepalive(lab, left, right):
    """The side behind the NAT keeps the mapping open every 20 s while nothing else is sent; the other side does not."""
    lab.up("nat-initiator", v1.tunnel())
    lab.establish()
    lab.step("quiet", "nobody sends anything")
    lab.until(lambda: len(lab.ladder().keepalives("left")) >= 3, "three keepalives", 100, every=1.0)
    ladder = lab.ladder()
    assert not ladder.keepalives("right"), "the side without a NAT sends keepalives"
    times = [entry["t_sent"] for entry in ladder.keepalives("left")]
    off = [later - earlier for earlier, later in pairwise(times) if abs(later - earlier - KEEPALIVE_S) > 1.1]
    assert not off, f"keepalives are {off[0]:.1f} s apart, not {KEEPALIVE_S}"
    lab.ping()
    lab.prove_protected()
