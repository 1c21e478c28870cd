"""The fast way against the plain one: the same octets, numbers, windows, counters and drops, whatever comes."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.ike.child import TO_THE_MTU, ChildSa, Limits
from lab.ike.path import Path
from lab.ipsec.batch import LONGEST, MOST, DeliverTrain, EspTrain
from lab.ipsec.dataplane import Dataplane, Deliver, EspPacket
from lab.ipsec.esp import IPV4
from lab.ipsec.superpacket import Superpacket, completed
from lab.trace import Trace
from lab.wire.packets import UDP_NUMBER
from lab.wire.payloads_v2 import TrafficSelector
from lab.wire.virtio import NEEDS_CSUM, SIZE, VirtioHeader
from tests.ipsec.children import RIGHT, ah_child, child, endless, mirror
from tests.ipsec.superpackets import anything, raw, superpacket, taken_apart

pytest.importorskip("numpy", reason="super-packets need numpy (pip install ikelab[fast])")

from lab.ipsec.train.load import Load
from lab.ipsec.train.plane import Trains

PROPOSALS = (
    "aes128gcm16",
    "aes256gcm16",
    "chacha20poly1305",
    "aes128ccm16",
    "aes256ccm12",
    "aes128gcm8",
    "aes128-sha256",
    "aes256-sha512",
    "camellia256-sha384",
    "3des-aesxcbc",
    "aes128-aescmac",
    "aes128ctr-sha256",
)
BOTH = {
    "ts_local": tuple(map(TrafficSelector.of_network, ("10.1.0.0/24", "2001:db8:1::/64"))),
    "ts_remote": tuple(map(TrafficSelector.of_network, ("10.2.0.0/24", "2001:db8:2::/64"))),
}
AWAY = Path(RIGHT.local_host, 4500, "203.0.113.77", 1029)


def plane(sa: ChildSa, sequence: int = 0, top: int = 0, mtu: int = 1500) -> Dataplane:
    made = Dataplane(Trace(), endless())
    carrier = made.install(sa).carrier
    made.fit(sa.spi_in, mtu, 28)
    carrier.outgoing.sequence, carrier.incoming.window.top = sequence, top
    return made


def one_by_one(actions: list[object]) -> list[object]:
    """Trains taken apart into the actions that the plain way has."""
    out: list[object] = []
    for action in actions:
        match action:
            case EspTrain():
                out += action.packets()
            case DeliverTrain(front=front, payload=payload, count=count):
                packets = taken_apart(front + payload)
                assert len(packets) == count
                out += map(Deliver, packets)
            case _:
                out.append(action)
    return out


def state(plane: Dataplane) -> tuple[object, ...]:
    association = plane.association(plane.children()[0].spi_in)
    outgoing, incoming = association.carrier.outgoing, association.carrier.incoming
    window = incoming.window
    counted = plane.usage(), plane.carried(), plane.drops.counts
    return *counted, outgoing.sequence, window.top, window._bits, incoming.newest


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


children = st.builds(
    lambda proposal, esn, window, limits, df, fill: child(
        proposal, esn=esn, replay_window=window, limits=limits, copy_df=df, tfc_padding=fill, **BOTH
    ),
    st.sampled_from(PROPOSALS),
    st.booleans(),
    st.sampled_from((64, 1024)),
    st.sampled_from(
        (Limits(), Limits(rekey_packets=30), Limits(life_packets=40), Limits(rekey_bytes=9000, life_bytes=40000))
    ),
    st.sampled_from(("yes", "no", "set")),
    st.sampled_from((0, 700, TO_THE_MTU)),
)
starts = st.sampled_from((0, 17, 2**32 - 20, 2**32 - 1))


@settings(max_examples=150, deadline=None)
@given(children, st.lists(anything(), min_size=1, max_size=3), starts)
def test_out_is_what_the_plain_way_sends(sa: ChildSa, packets: list[Superpacket], start: int) -> None:
    plain, fast = plane(sa, start), plane(sa, start)
    trains = Trains(fast)
    for packet in packets:
        expected = [action for segment in packet.segments() for action in plain.outbound(segment, 1.0)]
        assert one_by_one(trains.outbound(Load(packet), 1.0)) == expected
    assert state(fast) == state(plain)


supers = st.builds(
    lambda count, rest, flags, **fields: raw(
        payload=bytes([count]) * (count * 700 + rest), size=700, flags=flags, **fields
    ),
    st.integers(2, 45),
    st.sampled_from((0, 0, 0, 300)),
    st.sampled_from((0x10, 0x18, 0x90, 0x11)),
    version=st.sampled_from((4, 4, 6)),
    protocol=st.sampled_from((6, 6, UDP_NUMBER)),
    ports=st.sampled_from(((1, 2), (3, 2), (3, 9))),
    tos=st.sampled_from((0, 0, 0xB8)),
    sequence=st.sampled_from((7, 2**32 - 5000)),
    ident=st.sampled_from((3, 65530)),
    options=st.sampled_from((b"", b"\x01\x01\x08\x0a12345678", b"\x01\x01\x08\x0a12345679")),
)


@settings(max_examples=150, deadline=None)
@given(children, st.lists(supers, min_size=2, max_size=5), starts)
def test_super_packets_read_together_leave_as_they_would_alone(
    sa: ChildSa, read: list[tuple[VirtioHeader, bytes]], start: int
) -> None:
    plain, fast = plane(sa, start), plane(sa, start)
    segments = [one for virtio, packet in read for one in Superpacket.of(virtio, memoryview(packet)).segments()]
    expected = [action for segment in segments for action in plain.outbound(segment, 1.0)]
    sent = Trains(fast).from_device([virtio.encode() + packet for virtio, packet in read], 1.0)
    assert one_by_one(sent) == expected
    assert all(action.count <= MOST and len(action.data) <= LONGEST for action in sent if isinstance(action, EspTrain))
    assert state(fast) == state(plain)


def test_super_packets_of_several_flows_are_sealed_and_opened_in_one_pass() -> None:
    sa = child(**BOTH)
    sender, receiver = Trains(plane(sa)), Trains(plane(mirror(sa)))
    read = [raw(payload=bytes(40 * 1000), ports=(port, 443), ident=port) for port in (1, 2, 3)]
    sent = sender.from_device([virtio.encode() + packet for virtio, packet in read], 1.0)
    assert [train.count for train in sent] == [60, 60], "as many as one send takes, whatever super-packet they are of"
    assert len({len(train.data) // train.count for train in sent}) == 1
    actions = receiver.inbound(b"".join(train.data for train in sent), sent[0].size, RIGHT, 1.0)
    assert [action.count for action in actions] == [40, 40, 40] and receiver.counts["passes in"] == 1


def test_headers_longer_than_what_is_looked_at_go_the_plain_way() -> None:
    sa = child(**BOTH)
    sender, receiver = plane(sa), Trains(plane(mirror(sa)))
    virtio, packet = raw(6, payload=bytes(100), size=100)
    options = bytes((6, 7)) + bytes((1, 60)) + bytes(60)  # destination options of 64 octets, mostly padding
    inner = packet[:4] + (len(packet) + 24).to_bytes(2, "big") + b"\x3c" + packet[7:40] + options + packet[40:]
    sent = b"".join(sender.outbound(inner, 1.0)[0].data for _ in range(8))
    assert virtio and receiver.inbound(sent, len(sent) // 8, RIGHT, 1.0) == [Deliver(inner)] * 8


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
ORDINARY = {"payload": bytes(9000)}
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


def test_super_packets_of_two_children_are_sealed_each_with_its_own_keys() -> None:
    ends = {f"ts_{side}": (TrafficSelector.of_network(f"10.{n}.0.0/25"),) for n, side in ((1, "local"), (2, "remote"))}
    sa, other = child(**BOTH), child(spi_in=b"\x51" * 4, spi_out=b"\x52" * 4, **ends)
    fast = plane(sa)
    fast.install(other)
    fast.fit(other.spi_in, 1500, 28)
    read = [raw(payload=bytes(9000)), raw(payload=bytes(9000), ends=("10.1.0.5", "10.2.0.200"))]
    sent = Trains(fast).from_device([virtio.encode() + packet for virtio, packet in read], 1.0)
    assert [train.data[:4] for train in sent] == [other.spi_out, sa.spi_out]


def test_what_was_wrong_before_the_tunnel_stays_wrong() -> None:
    sa = child(**BOTH)
    sender, receiver = plane(sa), Trains(plane(mirror(sa)))
    segments = [*superpacket(payload=bytes(9000)).segments()]
    segments[2] = segments[2][:-1] + b"\x01"  # its checksum is wrong now
    sent = b"".join(sender.outbound(segment, 1.0)[0].data for segment in segments)
    actions = receiver.inbound(sent, len(sent) // 9, RIGHT, 1.0)
    assert [type(action) for action in actions] == [DeliverTrain, Deliver, DeliverTrain]
    assert one_by_one(actions) == [Deliver(segment) for segment in segments]


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


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=90))
def test_whatever_the_device_gives_is_no_error(data: bytes) -> None:
    fast = plane(child(**BOTH))
    assert Trains(fast).from_device([data], 1.0) == [] and sum(fast.drops.counts.values()) == 1


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


def test_bare_packets_of_the_device_are_completed_and_sealed() -> None:
    header, packet = raw(payload=b"x" * 10)
    fast = Trains(plane(child(**BOTH)))
    bare = VirtioHeader(NEEDS_CSUM, csum_start=header.csum_start, csum_offset=header.csum_offset)
    expected = plane(child(**BOTH)).outbound(completed(bare, packet), 1.0)
    assert fast.from_device([bare.encode() + packet], 1.0) == expected


def bare(payload: int, *, count: int = 6, **fields: object) -> list[bytes]:
    """What the device gives of packets that are none of a super-packet, their checksums still to be made."""
    read = []
    for number in range(count):
        header, packet = raw(payload=bytes([number]) * payload, ident=number, sequence=number * payload, **fields)
        start = VirtioHeader(NEEDS_CSUM, csum_start=header.csum_start, csum_offset=header.csum_offset)
        read.append(start.encode() + packet)
    return read


reads = st.lists(
    st.builds(
        bare,
        st.sampled_from((1, 18, 64, 1000)),
        count=st.integers(1, 9),
        version=st.sampled_from((4, 6)),
        protocol=st.sampled_from((6, UDP_NUMBER)),
        ports=st.sampled_from(((1, 2), (3, 2))),
        tos=st.sampled_from((0, 0xB8)),
    ),
    min_size=1,
    max_size=3,
).map(lambda parts: [data for part in parts for data in part])


@settings(max_examples=150, deadline=None)
@given(children, reads, starts)
def test_packets_read_together_leave_as_they_would_alone(sa: ChildSa, read: list[bytes], start: int) -> None:
    plain, fast = plane(sa, start), plane(sa, start)
    whole = [completed(VirtioHeader.decode(data), data[SIZE:]) for data in read]
    expected = [action for packet in whole for action in plain.outbound(packet, 1.0)]
    assert one_by_one(Trains(fast).from_device(read, 1.0)) == expected
    assert state(fast) == state(plain)


def test_small_packets_of_one_flow_are_one_train() -> None:
    header, packet = raw(payload=bytes(9000))
    fast = Trains(plane(child(**BOTH)))
    read = [*bare(64, protocol=UDP_NUMBER), header.encode() + packet, *bare(64, protocol=UDP_NUMBER, count=3)]
    kinds = [type(action) for action in fast.from_device(read, 1.0)]
    assert kinds == [EspTrain, EspTrain, EspPacket, EspPacket, EspPacket], "few are not worth a train; the order stays"


def test_fragments_and_other_protocols_go_each_for_itself() -> None:
    fast = Trains(plane(child(**BOTH)))
    for place, value in ((6, 0x20), (7, 1), (9, 1), (0, 0x46)):
        read = []
        for data in bare(64, protocol=UDP_NUMBER):
            changed = bytearray(data[SIZE:])
            changed[place] = value
            read.append(VirtioHeader().encode() + changed)
        assert EspTrain not in map(type, fast.from_device(read, 1.0))


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
