"""What came together is judged and joined flow by flow."""

import pytest

from lab.ipsec.batch import DeliverTrain
from lab.ipsec.dataplane import Deliver
from lab.ipsec.esp import IPV4
from lab.wire.packets import UDP_NUMBER
from lab.wire.payloads_v2 import TrafficSelector
from tests.ipsec.children import RIGHT, child, mirror
from tests.ipsec.planes import BOTH, ORDINARY, one_by_one, plane, state
from tests.ipsec.superpackets import raw, superpacket

pytest.importorskip("numpy", reason="super-packets need numpy (pip install ikelab[fast])")

from lab.ipsec.train.load import Load
from lab.ipsec.train.plane import Trains


def test_headers_longer_than_what_is_looked_at_go_the_plain_way() -> None:
    sa = child(**BOTH)
    sender, receiver = plane(sa), Trains(plane(mirror(sa)))
    virtio, packet = raw(6, payload=bytes(100), size=100)
    options = bytes((6, 7)) + bytes((1, 60)) + bytes(60)  # destination options of 64 octets, mostly padding
    inner = packet[:4] + (len(packet) + 24).to_bytes(2, "big") + b"\x3c" + packet[7:40] + options + packet[40:]
    sent = b"".join(sender.outbound(inner, 1.0)[0].data for _ in range(8))
    assert virtio and receiver.inbound(sent, len(sent) // 8, RIGHT, 1.0) == [Deliver(inner)] * 8


def test_flows_are_joined_each_for_itself() -> None:
    sa = child(**BOTH)
    sender, receiver = Trains(plane(sa)), Trains(plane(mirror(sa)))
    trains = [sender.outbound(Load(superpacket(payload=bytes(9000), ports=(port, 443))), 1.0)[0] for port in (1, 2)]
    actions = receiver.inbound(b"".join(train.data for train in trains), trains[0].size, RIGHT, 1.0)
    assert [action.count for action in actions] == [9, 9]


@pytest.mark.parametrize("at", [0, 4, 8])
@pytest.mark.parametrize("kind", ["shorter", "longer", "the other version", "no packet"])
def test_one_that_is_not_what_the_others_are_is_judged_as_if_it_came_alone(kind: str, at: int) -> None:
    sa = child(**BOTH)
    out = plane(sa).association(sa.spi_in).carrier.outgoing
    packets = [*superpacket(payload=bytes(9000)).segments()]
    length = len(packets[at]) + {"shorter": -4, "longer": 4}.get(kind, 0)
    odd = packets[at][:2] + length.to_bytes(2, "big") + packets[at][4:]
    if kind == "the other version":
        odd = next(superpacket(6, payload=bytes(len(odd) - 60), size=1000).segments())
    packets[at] = bytes(len(odd)) if kind == "no packet" else odd
    sent = b"".join(out.seal(packet, IPV4) for packet in packets)
    plain, fast = plane(mirror(sa)), plane(mirror(sa))
    size = len(sent) // 9
    expected = [action for n in range(9) for action in plain.inbound(sent[n * size : (n + 1) * size], RIGHT, 1.0)]
    assert one_by_one(Trains(fast).inbound(sent, size, RIGHT, 1.0)) == expected
    assert len(expected) == (9 if kind == "shorter" else 8) and state(fast) == state(plain)


@pytest.mark.parametrize(("protocol", "counts"), [(6, [200]), (UDP_NUMBER, [64, 64, 64, 8])])
def test_the_system_takes_no_more_than_64_datagrams_in_one_piece(protocol: int, counts: list[int]) -> None:
    sa = child(**BOTH)
    sender, receiver = plane(sa), Trains(plane(mirror(sa)))
    packet = superpacket(4, protocol, bytes(200 * 100), 100)
    sent = b"".join(sender.outbound(segment, 1.0)[0].data for segment in packet.segments())
    assert [action.count for action in receiver.inbound(sent, len(sent) // 200, RIGHT, 1.0)] == counts


NEXT = {"sequence": 7 + 9000, "ident": 3 + 9}  # what goes on behind `ORDINARY`


BEHIND = {
    "it goes on": (NEXT, [18]),
    "another identification": (NEXT | {"ident": 4}, [9, 9]),
    "another sequence number": (NEXT | {"sequence": 8}, [9, 9]),
    "PSH before it": (NEXT, [9, 9]),
    "CWR": (NEXT | {"flags": 0x90}, [9, 1, 8]),
    "another traffic class": (NEXT | {"tos": 0xB8}, [9, 9]),
    "other options": (NEXT | {"options": b"\x01\x01\x08\x0a12345679"}, [9, 9]),
}


@pytest.mark.parametrize("why", BEHIND)
def test_only_what_goes_on_is_joined(why: str) -> None:
    fields, expected = BEHIND[why]
    sa = child(**BOTH)
    sender, receiver = plane(sa), Trains(plane(mirror(sa)))
    options = {"options": b"\x01\x01\x08\x0a12345678"}
    first = superpacket(**ORDINARY, **options, flags=0x18 if why == "PSH before it" else 0x10)
    segments = [*first.segments(), *superpacket(**ORDINARY | options | fields).segments()]
    sent = b"".join(sender.outbound(segment, 1.0)[0].data for segment in segments)
    actions = receiver.inbound(sent, len(sent) // 18, RIGHT, 1.0)
    assert [action.count if isinstance(action, DeliverTrain) else 1 for action in actions] == expected
    assert one_by_one(actions) == [Deliver(segment) for segment in segments]


def test_what_was_wrong_before_the_tunnel_stays_wrong() -> None:
    sa = child(**BOTH)
    sender, receiver = plane(sa), Trains(plane(mirror(sa)))
    segments = [*superpacket(payload=bytes(9000)).segments()]
    segments[2] = segments[2][:-1] + b"\x01"  # its checksum is wrong now
    sent = b"".join(sender.outbound(segment, 1.0)[0].data for segment in segments)
    actions = receiver.inbound(sent, len(sent) // 9, RIGHT, 1.0)
    assert [type(action) for action in actions] == [DeliverTrain, Deliver, DeliverTrain]
    assert one_by_one(actions) == [Deliver(segment) for segment in segments]


def test_a_train_outside_the_selectors_is_dropped_packet_by_packet() -> None:
    sa = child(**BOTH)
    wide = child(**BOTH | {"ts_local": (TrafficSelector.of_network("0.0.0.0/0"),)})
    sender, receiver = Trains(plane(wide)), Trains(plane(mirror(sa)))
    stranger = superpacket(payload=bytes(9000), ends=("10.9.0.1", "10.2.0.7"))
    trains = [sender.outbound(Load(packet), 1.0)[0] for packet in (superpacket(payload=bytes(9000)), stranger)]
    actions = receiver.inbound(b"".join(train.data for train in trains), trains[0].size, RIGHT, 1.0)
    assert [type(action) for action in actions] == [Deliver] * 9
    assert receiver._plane.drops.counts == {"inner packet is outside the selectors": 9}


def test_what_is_known_of_the_flows_of_an_sa_goes_with_it() -> None:
    sa = child(**BOTH)
    sender, fast = Trains(plane(sa)), plane(mirror(sa))
    receiver = Trains(fast)
    (train,) = sender.outbound(Load(superpacket(payload=bytes(9000))), 1.0)
    assert receiver.inbound(train.data, train.size, RIGHT, 1.0) and len(receiver._flows._known) == 1
    fast.remove(sa.spi_out)
    assert not len(receiver._flows._known), "its keys are not kept for it either"
