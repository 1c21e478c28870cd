"""Super-packets: what is cut out of them against scapy, and headers that contradict each other."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6

from lab.errors import Truncated
from lab.ipsec.drops import Dropped, Reason
from lab.ipsec.superpacket import Superpacket, completed
from lab.wire.packets import TCP as TCP_NUMBER
from lab.wire.packets import UDP_NUMBER
from lab.wire.virtio import NEEDS_CSUM, SIZE, VirtioHeader
from tests.ipsec.superpackets import anything, raw, superpacket


@settings(max_examples=60, deadline=None)
@given(anything())
def test_each_segment_is_what_scapy_would_make_of_its_fields(packet: Superpacket) -> None:
    payload = b""
    for number, segment in enumerate(packet.segments()):
        seen = IP(segment) if segment[0] >> 4 == 4 else IPv6(segment)
        inner = seen[TCP] if packet.protocol == TCP_NUMBER else seen[UDP]
        payload += bytes(inner.payload)[: len(segment) - len(packet.headers)]
        if packet.protocol == TCP_NUMBER:
            sequence = int.from_bytes(packet.headers[packet.behind + 4 : packet.behind + 8], "big")
            assert inner.seq == (sequence + number * packet.size) & 0xFFFFFFFF
        for layer, field in ((seen, "chksum"), (inner, "chksum"), (seen, "len"), (seen, "plen"), (inner, "len")):
            if field in layer.fields:
                delattr(layer, field)
        assert bytes(seen) == segment
    assert payload == bytes(packet.payload)


def test_flags_belong_to_the_first_and_the_last() -> None:
    packet = superpacket(payload=bytes(2500), flags=0x99)  # CWR, ACK, PSH, FIN
    assert [segment[20 + 13] for segment in packet.segments()] == [0x90, 0x10, 0x19]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"gso_type": 3}, "gso type 3"),
        ({"gso_type": 4}, "version 4"),
        ({"gso_size": 0}, "payload by 0"),
        ({"csum_start": 0}, "gso type 1"),
        ({"csum_start": 24}, "protocol 6"),
        ({"csum_start": 5030}, "5040 octets"),
        ({"csum_offset": 6}, "checksum at"),
        ({"flags": 0}, "checksum at"),
    ],
)
def test_headers_that_contradict_each_other(changes: dict[str, int], words: str) -> None:
    header, packet = raw()
    with pytest.raises(Dropped) as dropped:
        Superpacket.of(header._replace(**changes), memoryview(packet))
    assert dropped.value.why == Reason.SUPERPACKET and words in dropped.value.detail


@pytest.mark.parametrize("offset", [0, 3, 15])
def test_a_tcp_header_length_that_cannot_be(offset: int) -> None:
    header, packet = raw(payload=bytes(10), size=5)
    packet = packet[:32] + bytes((offset << 4,)) + packet[33:]
    with pytest.raises(Dropped):
        Superpacket.of(header, memoryview(packet))


@given(st.binary(max_size=80), st.binary(min_size=SIZE, max_size=SIZE))
def test_anything_ends_as_a_super_packet_or_a_drop(packet: bytes, header: bytes) -> None:
    virtio = VirtioHeader.decode(header)
    assert virtio.encode() == header
    for work in (
        lambda: list(Superpacket.of(virtio, memoryview(packet)).segments()),
        lambda: completed(virtio, packet),
    ):
        try:
            work()
        except Dropped as drop:
            assert drop.why == Reason.SUPERPACKET


@pytest.mark.parametrize("octets", range(SIZE))
def test_a_header_cut_short(octets: int) -> None:
    with pytest.raises(Truncated):
        VirtioHeader.decode(bytes(octets))


@pytest.mark.parametrize("protocol", [TCP_NUMBER, UDP_NUMBER])
def test_a_checksum_left_to_the_device(protocol: int) -> None:
    header, packet = raw(4, protocol, b"odd", 1000)
    (whole,) = superpacket(4, protocol, b"odd", 1000).segments()
    # The IPv4 header checksum is not part of what is left.
    left = VirtioHeader(NEEDS_CSUM, csum_start=header.csum_start, csum_offset=header.csum_offset)
    assert completed(left, packet)[20:] == whole[20:]
    assert completed(VirtioHeader(), packet) == packet
