"""Lifetimes in octets and packets: at the soft limit a successor is asked for once, behind the hard one is nothing."""

import pytest

from lab.ike.child import Limits
from lab.ipsec.dataplane import Aging, AhPacket, Deliver, EspPacket, Expired
from lab.ipsec.drops import Reason
from tests.ipsec.children import RIGHT, ah_child, child, mirror
from tests.ipsec.test_dataplane import packet, plane

OCTETS = len(packet())
ROW = {
    "packets": (Limits(rekey_packets=3, life_packets=5), 3, 5),
    "octets": (Limits(rekey_bytes=3 * OCTETS - 1, life_bytes=5 * OCTETS), 3, 5),
    "octets first": (Limits(rekey_bytes=OCTETS, rekey_packets=4, life_packets=6), 1, 6),
    "no soft limit": (Limits(life_packets=2), None, 2),
    "no hard limit": (Limits(rekey_packets=2), 2, None),
}


@pytest.mark.parametrize("protocol", [child, ah_child], ids=["ESP", "AH"])
@pytest.mark.parametrize("name", ROW)
def test_both_limits_of_what_is_sent(protocol: object, name: str) -> None:
    limits, soft, hard = ROW[name]
    sa = protocol(limits=limits)
    left = plane(sa)
    for number in range(1, 9):
        actions = left.outbound(packet(), 0.0)
        if hard is not None and number > hard:
            assert actions == ([Expired(sa.spi_in)] if number == hard + 1 else [])
            continue
        sealed, *told = actions
        assert isinstance(sealed, EspPacket | AhPacket)
        assert told == ([Aging(sa.spi_in)] if number == soft else [])
    assert left.drops.counts == ({Reason.LIFETIME: 8 - hard} if hard else {})
    assert left.usage()[sa.spi_in.hex()]["packets_out"] == (hard or 8)


def test_both_limits_of_what_is_received() -> None:
    sender, sa = plane(child()), mirror(child(limits=Limits(rekey_packets=2, life_packets=3)))
    right = plane(sa)
    found = [right.inbound(sender.outbound(packet(), 0.0)[0].data, RIGHT, 0.0) for _ in range(5)]
    told = [[action for action in actions if not isinstance(action, Deliver)] for actions in found]
    assert told == [[], [Aging(sa.spi_in)], [], [Expired(sa.spi_in)], []]
    assert [sum(isinstance(a, Deliver) for a in actions) for actions in found] == [1, 1, 1, 0, 0]
    assert right.drops.counts == {Reason.LIFETIME: 2}


def test_the_directions_are_counted_apart() -> None:
    limits = Limits(life_packets=2)
    left, right = plane(child(limits=limits)), plane(mirror(child(limits=limits)))
    for _ in range(2):
        assert right.inbound(left.outbound(packet(), 0.0)[0].data, RIGHT, 0.0)
    assert isinstance(right.outbound(packet("10.2.0.7", "10.1.0.5"), 0.0)[0], EspPacket)


def test_without_limits_there_is_no_end() -> None:
    assert not Limits().soft(2**70, 2**70) and not Limits().hard(2**70, 2**70)
