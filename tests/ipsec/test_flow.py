"""RFC 4301 4.4.1.1 and the IPv6 extension headers of RFC 8200 4."""

from collections.abc import Callable
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.errors import ProtocolError
from lab.ipsec.flow import flow_of, key_of
from lab.wire.packets import IPv4, IPv6

V4, V6 = ip_address("10.1.0.5"), ip_address("2001:db8:1::5")
FAR4, FAR6 = ip_address("10.2.0.7"), ip_address("2001:db8:2::7")


def packet(protocol: int, payload: bytes, fragment: int = 0) -> bytes:
    return IPv4(V4, FAR4, protocol, payload, fragment=fragment).encode()


def ports(source: int, target: int) -> bytes:
    return source.to_bytes(2, "big") + target.to_bytes(2, "big") + bytes(4)


def test_flow_of_each_protocol() -> None:
    assert flow_of(packet(6, ports(1000, 80))).dst_port == 80
    assert flow_of(packet(17, ports(1000, 53))).src_port == 1000
    assert flow_of(packet(1, b"\x08\x00" + bytes(6))).src_port == 0x0800
    assert flow_of(packet(47, bytes(8))).src_port is None
    assert flow_of(packet(6, ports(1, 2), fragment=0x2000)).dst_port == 2
    assert flow_of(packet(6, ports(1, 2), fragment=0x2001)).dst_port is None
    assert str(flow_of(packet(6, ports(1, 2)))) == "10.1.0.5 -> 10.2.0.7, protocol 6, 1 -> 2"
    assert "type/code 2048" in str(flow_of(packet(1, b"\x08\x00" + bytes(6))))


def test_flow_walks_ipv6_extension_headers() -> None:
    options = bytes([43, 0]) + bytes(6) + bytes([44, 1]) + bytes(14)
    first = bytes([17, 0, 0, 1]) + bytes(4) + ports(7, 9)
    assert flow_of(IPv6(V6, FAR6, 60, options + first).encode()).dst_port == 9
    later = bytes([17, 0, 0, 9]) + bytes(4) + ports(7, 9)
    flow = flow_of(IPv6(V6, FAR6, 60, options + later).encode())
    assert (flow.protocol, flow.dst_port) == (17, None)
    assert flow_of(IPv6(V6, FAR6, 135, bytes([59, 0, 5]) + bytes(5)).encode()).src_port == 0x0500


@pytest.mark.parametrize("whole", [packet(6, ports(1, 2)), IPv6(V6, FAR6, 60, bytes([17, 0]) + bytes(14)).encode()])
def test_a_cut_packet_gives_a_flow_or_a_protocol_error(whole: bytes) -> None:
    for size in range(len(whole)):
        header = 20 if whole[0] >> 4 == 4 else 48
        if size < header:
            with pytest.raises(ProtocolError):
                flow_of(whole[:size])
        else:
            assert flow_of(whole[:size]).src == flow_of(whole).src


@given(
    st.sampled_from((packet, lambda *parts: IPv6(V6, FAR6, *parts).encode())),
    st.sampled_from((6, 17, 1, 60, 47)),
    st.sampled_from((ports(1, 2), ports(1, 3), ports(1, 2)[:6], b"\x06\0" + bytes(6) + ports(1, 2))),
    st.dictionaries(st.sampled_from((0, 1, 2, 6, 7, 9, 12, 19, 23, 30, 39)), st.integers(0, 255), max_size=2),
    st.integers(0, 60),
)
def test_packets_of_one_key_are_of_one_flow(
    make: Callable[[int, bytes], bytes], protocol: int, payload: bytes, changes: dict[int, int], size: int
) -> None:
    changed = bytearray(make(protocol, payload))
    for at, octet in changes.items():
        if at < len(changed):
            changed[at] = octet
    whole = bytes(changed[:size])
    if key := key_of(whole):
        assert _FLOWS.setdefault(key, flow_of(whole)) == flow_of(whole)


_FLOWS: dict[bytes, object] = {}


def test_a_key_leaves_out_what_needs_a_closer_look() -> None:
    plain = packet(6, ports(1, 2))
    assert key_of(plain) and key_of(plain) == key_of(plain[:1] + b"\x02" + plain[2:] + b"more")
    assert key_of(IPv6(V6, FAR6, 17, ports(1, 2)).encode())
    for other in (packet(1, ports(1, 2)), packet(6, ports(1, 2), fragment=0x2000), packet(6, ports(1, 2), fragment=9)):
        assert not key_of(other)


def test_what_is_no_ip_packet() -> None:
    for data in (b"", b"\x00" * 40, b"\x44" * 40, b"\x70" * 40):
        with pytest.raises(ProtocolError):
            flow_of(data)
