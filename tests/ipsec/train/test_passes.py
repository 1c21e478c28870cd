"""What the tunnel device gave together leaves as it would alone, however much of it is sealed in one pass."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.ike.child import ChildSa
from lab.ipsec.batch import LONGEST, MOST, EspTrain
from lab.ipsec.dataplane import EspPacket
from lab.ipsec.superpacket import Superpacket, completed
from lab.wire.packets import UDP_NUMBER
from lab.wire.payloads_v2 import TrafficSelector
from lab.wire.virtio import NEEDS_CSUM, SIZE, VirtioHeader
from tests.ipsec.children import RIGHT, child, mirror
from tests.ipsec.planes import BOTH, children, one_by_one, plane, starts, state
from tests.ipsec.superpackets import raw

pytest.importorskip("numpy", reason="super-packets need numpy (pip install ikelab[fast])")

from lab.ipsec.train.plane import Trains

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


def test_super_packets_of_two_children_are_sealed_each_with_its_own_keys() -> None:
    ends = {f"ts_{side}": (TrafficSelector.of_network(f"10.{n}.0.0/25"),) for n, side in ((1, "local"), (2, "remote"))}
    sa, other = child(**BOTH), child(spi_in=b"\x51" * 4, spi_out=b"\x52" * 4, **ends)
    fast = plane(sa)
    fast.install(other)
    fast.fit(other.spi_in, 1500, 28)
    read = [raw(payload=bytes(9000)), raw(payload=bytes(9000), ends=("10.1.0.5", "10.2.0.200"))]
    sent = Trains(fast).from_device([virtio.encode() + packet for virtio, packet in read], 1.0)
    assert [train.data[:4] for train in sent] == [other.spi_out, sa.spi_out]


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


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=90))
def test_whatever_the_device_gives_is_no_error(data: bytes) -> None:
    fast = plane(child(**BOTH))
    assert Trains(fast).from_device([data], 1.0) == [] and sum(fast.drops.counts.values()) == 1
