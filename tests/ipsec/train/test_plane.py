"""The fast way against the plain one: the same octets, numbers, windows, counters and drops, whatever comes."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.ike.child import TO_THE_MTU, ChildSa, Limits
from lab.ike.path import Path
from lab.ipsec.batch import DeliverTrain, EspTrain
from lab.ipsec.dataplane import Deliver, EspPacket
from lab.ipsec.superpacket import Superpacket
from lab.wire.packets import UDP_NUMBER
from tests.ipsec.children import RIGHT, ah_child, child, mirror
from tests.ipsec.planes import AWAY, BOTH, ORDINARY, children, one_by_one, plane, starts, state
from tests.ipsec.superpackets import anything, superpacket

pytest.importorskip("numpy", reason="super-packets need numpy (pip install ikelab[fast])")

from lab.ipsec.train.load import Load
from lab.ipsec.train.plane import Trains


def batches(packets: list[bytes], most: int = 65507) -> list[tuple[bytes, int]]:
    """As the system receives them: runs of one length, a shorter one may end a run; up to so many octets together."""
    out: list[tuple[bytes, int]] = []
    ended = True
    for packet in packets:
        if not ended and len(packet) <= out[-1][1] and len(out[-1][0]) + len(packet) <= most:
            ended = len(packet) < out[-1][1]
            out[-1] = (out[-1][0] + packet, out[-1][1])
        else:
            out.append((packet, len(packet)))
            ended = False
    return out


@settings(max_examples=150, deadline=None)
@given(children, st.lists(anything(), min_size=1, max_size=3), starts)
def test_out_is_what_the_plain_way_sends(sa: ChildSa, packets: list[Superpacket], start: int) -> None:
    plain, fast = plane(sa, start), plane(sa, start)
    trains = Trains(fast)
    for packet in packets:
        expected = [action for segment in packet.segments() for action in plain.outbound(segment, 1.0)]
        assert one_by_one(trains.outbound(Load(packet), 1.0)) == expected
    assert state(fast) == state(plain)


@settings(max_examples=200, deadline=None)
@given(children, st.lists(anything(), min_size=1, max_size=3), starts, st.data())
def test_in_is_what_the_plain_way_delivers(
    sa: ChildSa, packets: list[Superpacket], start: int, data: st.DataObject
) -> None:
    sender = plane(sa, start)
    sent = [a.data for p in packets for s in p.segments() for a in sender.outbound(s, 1.0) if isinstance(a, EspPacket)]
    came = data.draw(disturbed(sent))
    top = data.draw(st.sampled_from((0, start)))
    plain, fast = plane(mirror(sa), top=top), plane(mirror(sa), top=top)
    trains = Trains(fast, udp=data.draw(st.booleans()))
    path, outer = data.draw(st.sampled_from((RIGHT, AWAY))), data.draw(st.sampled_from((0, 2, 1, 3, 0xB8)))
    for train, size in batches(came, data.draw(st.sampled_from((65507, 3 * 65507)))):
        expected = []
        for at in range(0, len(train), size):
            expected += plain.inbound(train[at : at + size], path, 2.0, outer)
        assert one_by_one(trains.inbound(train, size, path, 2.0, outer)) == expected
    assert state(fast) == state(plain)


@st.composite
def disturbed(draw: st.DrawFn, packets: list[bytes]) -> list[bytes]:
    """What a network and an attacker make of packets."""
    came = list(packets)
    for _ in range(draw(st.integers(0, 3)) if came else 0):
        at = draw(st.integers(0, len(came) - 1))
        match draw(st.sampled_from(("lose", "double", "late", "flip", "cut", "spi"))):
            case "lose":
                del came[at : at + draw(st.integers(1, 3))]
            case "double":
                came.insert(draw(st.integers(0, len(came))), came[at])
            case "late":
                came.append(came.pop(at))
            case "flip":
                place = draw(st.integers(0, len(came[at]) - 1))
                came[at] = came[at][:place] + bytes((came[at][place] ^ 0x41,)) + came[at][place + 1 :]
            case "cut":
                came[at] = came[at][: draw(st.integers(8, len(came[at])))]
            case _:
                came[at] = b"\xee\xee\xee\xee" + came[at][4:]
        if not came:
            break
    return came


def test_a_train_really_is_one() -> None:
    sa = child(**BOTH)
    sender, receiver = Trains(plane(sa)), Trains(plane(mirror(sa)))
    (train,) = sender.outbound(Load(superpacket(payload=bytes(9500))), 1.0)
    assert isinstance(train, EspTrain) and len(train.data) // train.size == 9 and len(train.data) % train.size
    *joined, tail = receiver.inbound(train.data, train.size, RIGHT, 1.0)
    assert [type(action) for action in joined] == [DeliverTrain] and isinstance(tail, Deliver)
    assert sender.counts["trains out"] == receiver.counts["trains in"] == 1
    assert sender.counts["passes out"] == receiver.counts["passes in"] == 1


V6 = Path("2001:db8::1", 4500, "2001:db8::2", 4500)


PLAIN_WAYS = {
    "TFC padding behind these": (child(tfc_padding=1400, **BOTH), ORDINARY, 0, 1500),
    "TFC padding to the MTU": (child(tfc_padding=TO_THE_MTU, **BOTH), ORDINARY, 0, 1500),
    "fragments over IPv6": (child(path=V6, encap=False, **BOTH), {"size": 1400, "payload": bytes(9000)}, 0, 1400),
    "a lifetime that ends": (child(limits=Limits(life_packets=8), **BOTH), ORDINARY, 0, 1500),
    "a soft limit": (child(limits=Limits(rekey_bytes=5000), **BOTH), ORDINARY, 0, 1500),
    "the last numbers": (child(**BOTH), ORDINARY, 2**32 - 5, 1500),
    "transport mode": (child(mode="transport", **BOTH), ORDINARY, 0, 1500),
    "counter mode": (child("aes128ctr-sha256", **BOTH), ORDINARY, 0, 1500),
    "another high half": (child(esn=True, **BOTH), ORDINARY, 2**32 - 5, 1500),
    "few segments": (child(**BOTH), {"payload": bytes(3000)}, 0, 1500),
    "AH": (ah_child(**BOTH), ORDINARY, 0, 1500),
}


@pytest.mark.parametrize("why", PLAIN_WAYS)
def test_what_is_unusual_goes_the_plain_way(why: str) -> None:
    sa, fields, start, mtu = PLAIN_WAYS[why]
    plain, fast = plane(sa, start, mtu=mtu), plane(sa, start, mtu=mtu)
    trains, packet = Trains(fast), superpacket(**fields)
    assert trains.outbound(Load(packet), 1.0) == [a for s in packet.segments() for a in plain.outbound(s, 1.0)]
    assert trains.counts == {"super-packets cut one by one": 1}


@pytest.mark.parametrize(("copy", "whole"), [("yes", True), ("no", False), ("set", True)])
def test_a_train_asks_for_df_as_its_packets_would(copy: str, whole: bool) -> None:
    (train,) = Trains(plane(child(copy_df=copy, **BOTH))).outbound(Load(superpacket(payload=bytes(9000))), 1.0)
    assert isinstance(train, EspTrain) and train.dont_fragment is whole
    (train,) = Trains(plane(child(copy_df=copy, **BOTH), mtu=1000)).outbound(
        Load(superpacket(payload=bytes(9000))), 1.0
    )
    assert train.dont_fragment is (copy == "set"), "what is known not to fit loses a copied DF"


@pytest.mark.parametrize(("size", "whole"), [(1208, False), (1209, True)])
def test_a_train_of_ipv6_may_be_cut_up_to_the_least_mtu(size: int, whole: bool) -> None:
    packet = superpacket(6, payload=bytes(9 * size), size=size, options=b"\1" * 12)
    (train,) = Trains(plane(child(**BOTH))).outbound(Load(packet), 1.0)
    assert train.dont_fragment is whole


def test_dummy_packets_in_a_train_are_counted_drops() -> None:
    sa = child(**BOTH)
    sender, receiver = plane(sa), Trains(plane(mirror(sa)))
    carrier = sender.association(sa.spi_in).carrier
    sent = b"".join(carrier.dummy(1000) for _ in range(10))
    assert receiver.inbound(sent, len(sent) // 10, RIGHT, 1.0) == []
    assert receiver._plane.drops.counts == {"dummy packet": 10}


@pytest.mark.parametrize("protocol", [6, UDP_NUMBER])
def test_rooms_do_not_pile_up(protocol: int) -> None:
    sa = child(**BOTH)
    trains = Trains(plane(sa))
    for size in range(100, 140):
        trains.outbound(Load(superpacket(4, protocol, bytes(size * 4), size)), 1.0)
    assert len(trains._out._rooms) == 8


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300), st.integers(1, 300))
def test_hostile_batches_are_drops(octets: bytes, size: int) -> None:
    sa = child(**BOTH)
    trains = Trains(plane(mirror(sa)))
    data = b"".join((sa.spi_out + octets).ljust(size, b"\1")[:size] for _ in range(9))
    assert trains.inbound(data, size, RIGHT, 1.0) == []
    assert sum(trains._plane.drops.counts.values()) == 9 and trains._plane.association(sa.spi_out).packets_in == 0


@pytest.mark.parametrize("proposal", ["aes128gcm16", "aes128-sha256"])
@pytest.mark.parametrize("at", [9, 40, -1])
def test_a_forged_packet_in_a_train_moves_nothing_but_its_counter(proposal: str, at: int) -> None:
    sa = child(proposal, **BOTH)
    sender, receiver = Trains(plane(sa)), Trains(plane(mirror(sa)))
    (train,) = sender.outbound(Load(superpacket(payload=bytes(9000))), 1.0)
    forged = bytearray(train.data)
    forged[3 * train.size + at if at < 0 else 2 * train.size + at] ^= 1
    assert [type(action) for action in receiver.inbound(bytes(forged), train.size, RIGHT, 1.0)] == [Deliver] * 8
    assert receiver._plane.drops.counts == {"integrity check failed": 1}
    assert receiver.inbound(train.data, train.size, RIGHT, 1.0) and receiver._plane.drops.counts == {
        "integrity check failed": 1,
        "sequence number seen before": 8,
    }
