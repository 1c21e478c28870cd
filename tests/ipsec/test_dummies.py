"""Dummy packets: sent at their pace, through the newest child of a name, and dropped by whoever gets them."""

import random
from dataclasses import replace

from lab.ike.child import TO_THE_MTU, Limits
from lab.ipsec.dataplane import Aging, Dataplane, EspPacket
from lab.ipsec.drops import Reason
from lab.trace import Trace
from tests.ipsec.children import RIGHT, ah_child, child, mirror, predictable
from tests.ipsec.test_dataplane import packet, plane


def sender(rate: float = 4.0, **changes: object) -> Dataplane:
    made = Dataplane(Trace(), random.Random(3).randbytes, dummy_rate=rate)
    made.install(child(**changes))
    return made


def test_they_come_at_their_pace() -> None:
    left, right, now, sent = sender(), plane(mirror(child())), 100.0, []
    for _ in range(8):
        sent += left.tick(now)
        now = left.next_deadline()
    assert now == 102.0 and len(sent) == 8
    assert left.tick(101.9) == [], "not before it is due"
    lengths = {len(one.data) for one in sent}
    assert len(lengths) > 4 and max(lengths) <= 1500, "nobody can guess their length"
    for one in sent:
        assert isinstance(one, EspPacket) and right.inbound(one.data, RIGHT, 0.0) == []
    assert right.drops.counts == {Reason.DUMMY: 8}
    assert right.usage()[mirror(child()).spi_in.hex()]["packets_in"] == 0
    assert left.usage()[child().spi_in.hex()]["packets_out"] == 8


def test_they_are_as_long_as_padded_packets() -> None:
    left = sender(tfc_padding=TO_THE_MTU)
    left.fit(child().spi_in, 1500, 28)
    (dummy,), (wanted,) = left.tick(0.0), left.outbound(packet(), 0.0)
    assert len(dummy.data) == len(wanted.data)


def test_nobody_who_does_not_want_them_sends_any() -> None:
    assert sender(0.0).next_deadline() is None and sender(0.0).tick(9.0) == []
    idle = Dataplane(Trace(), predictable, dummy_rate=4.0)
    assert idle.next_deadline() is None and idle.tick(9.0) == []
    idle.install(ah_child())
    assert idle.tick(9.0) == [], "AH hides nothing"


def test_of_children_of_one_name_the_newest_in_use_sends_them() -> None:
    left, new = sender(), replace(child(), spi_in=b"\xc1\0\0\3", spi_out=b"\xc2\0\0\4")
    left.install(new, outbound=False)
    assert [one.data[:4] for one in left.tick(0.0)] == [child().spi_out]
    left.use(new.spi_in)
    assert [one.data[:4] for one in left.tick(1.0)] == [new.spi_out]


def test_lifetimes_take_them_into_account() -> None:
    left = sender(limits=Limits(rekey_packets=2, life_packets=3))
    assert [len(left.tick(float(now))) for now in range(5)] == [1, 2, 1, 0, 0]
    left = sender(limits=Limits(rekey_packets=1))
    assert left.tick(0.0)[1:] == [Aging(child().spi_in)]


def test_they_stop_where_the_numbers_are_used_up() -> None:
    left = sender()
    left._by_spi[child().spi_in].carrier.outgoing.sequence = 2**32 - 1
    assert left.tick(0.0) == [] and left.next_deadline() == 0.25
