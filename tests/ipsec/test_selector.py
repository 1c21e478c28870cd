"""RFC 7296 2.9 and 3.13.1, RFC 4301 4.4.1."""

import time
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.ipsec.flow import flow_of
from lab.ipsec.selector import Selectors, contains, intersect, narrow, packet_selectors
from lab.wire.packets import IPv4, IPv6
from lab.wire.payloads_v2 import TrafficSelector

V4, V6 = ip_address("10.1.0.5"), ip_address("2001:db8:1::5")
FAR4, FAR6 = ip_address("10.2.0.7"), ip_address("2001:db8:2::7")


def ts(text: str, protocol: int = 0, low: int = 0, high: int = 65535) -> TrafficSelector:
    if "-" in text:
        start, end = map(ip_address, text.split("-"))
        return TrafficSelector(protocol, low, high, start, end)
    return TrafficSelector.of_network(text, protocol, low, high)


def packet(protocol: int, payload: bytes, fragment: int = 0) -> bytes:
    return IPv4(V4, FAR4, protocol, payload, fragment=fragment).encode()


def ports(source: int, target: int) -> bytes:
    return source.to_bytes(2, "big") + target.to_bytes(2, "big") + bytes(4)


NARROWINGS = [
    # (what is offered, what policy allows, what the answer is)
    (["10.1.0.0/24"], ["10.1.0.0/24"], ["10.1.0.0/24"]),
    (["0.0.0.0/0"], ["10.1.0.0/24"], ["10.1.0.0/24"]),
    (["10.1.0.0/24"], ["0.0.0.0/0"], ["10.1.0.0/24"]),
    (["10.1.0.0-10.1.0.99"], ["10.1.0.50-10.1.0.200"], ["10.1.0.50-10.1.0.99"]),
    (["10.1.0.0/24"], ["10.2.0.0/24"], []),
    (["10.1.0.0/24"], [], []),
    ([], ["10.1.0.0/24"], []),
    (["10.1.0.0/24"], ["::/0"], []),
    (["0.0.0.0/0", "::/0"], ["2001:db8::/32", "10.1.0.0/16"], ["10.1.0.0/16", "2001:db8::/32"]),
    # several answers to one offer
    (["10.0.0.0/8"], ["10.1.0.0/24", "10.2.0.0/24"], ["10.1.0.0/24", "10.2.0.0/24"]),
    # the packet's selector first, then the network: the answer begins with what covers the packet
    (["10.2.0.7/32", "10.1.0.0/16"], ["10.0.0.0/8"], ["10.2.0.7/32", "10.1.0.0/16"]),
    (["10.1.0.7/32", "10.1.0.0/16"], ["10.1.0.0/24"], ["10.1.0.0/24"]),
    (["10.9.0.1/32", "10.1.0.0/16"], ["10.1.0.0/24"], ["10.1.0.0/24"]),
]


@pytest.mark.parametrize(("offered", "allowed", "answer"), NARROWINGS)
def test_narrow_addresses(offered: list[str], allowed: list[str], answer: list[str]) -> None:
    assert narrow([ts(t) for t in offered], [ts(t) for t in allowed]) == tuple(ts(t) for t in answer)


NET = "10.1.0.0/24"
PROTOCOLS = [
    (ts(NET, 17), ts(NET), ts(NET, 17)),
    (ts(NET), ts(NET, 6, 80, 80), ts(NET, 6, 80, 80)),
    (ts(NET, 6), ts(NET, 17), None),
    (ts(NET, 6, 1, 100), ts(NET, 6, 50, 200), ts(NET, 6, 50, 100)),
    (ts(NET, 6, 1, 49), ts(NET, 6, 50, 200), None),
    # ICMP echo request, type 8, any code
    (ts(NET, 1), ts(NET, 1, 0x0800, 0x08FF), ts(NET, 1, 0x0800, 0x08FF)),
    (ts(NET, 1, 0x0800, 0x08FF), ts(NET, 1, 0x0301, 0x0301), None),
    # OPAQUE is part of ANY and of nothing else
    (ts(NET, 6, 65535, 0), ts(NET), ts(NET, 6, 65535, 0)),
    (ts(NET, 6, 65535, 0), ts(NET, 6, 65535, 0), ts(NET, 6, 65535, 0)),
    (ts(NET, 6, 65535, 0), ts(NET, 6, 80, 80), None),
    # ends in the wrong order take nothing
    (ts("10.1.0.9-10.1.0.3"), ts(NET), None),
    (ts(NET, 6, 90, 80), ts(NET), None),
]


@pytest.mark.parametrize(("offer", "rule", "common"), PROTOCOLS)
def test_intersect_protocols_and_ports(offer: TrafficSelector, rule: TrafficSelector, common: object) -> None:
    assert intersect(offer, rule) == common
    assert intersect(rule, offer) == common


selectors = st.builds(
    lambda a, b, protocol, low, high: TrafficSelector(
        protocol, low, high, ip_address(0x0A000000 + min(a, b)), ip_address(0x0A000000 + max(a, b))
    ),
    st.integers(0, 40),
    st.integers(0, 40),
    st.sampled_from([0, 6, 17]),
    st.sampled_from([0, 1, 80]),
    st.sampled_from([80, 443, 65535]),
)


@given(st.lists(selectors, max_size=4), st.lists(selectors, max_size=4))
def test_narrow_takes_exactly_what_both_take(offered: list[TrafficSelector], allowed: list[TrafficSelector]) -> None:
    answer = narrow(offered, allowed)
    hosts = [ip_address(0x0A000000 + number) for number in range(0, 42, 3)]
    probes = [TrafficSelector(p, port, port, a, a) for p in (6, 17) for port in (0, 1, 80, 443, 9) for a in hosts]
    for probe in probes:
        both = any(contains(o, probe) for o in offered) and any(contains(r, probe) for r in allowed)
        assert any(contains(s, probe) for s in answer) == both
    assert set(narrow(offered, answer)) == set(answer)
    assert not any(a is not b and contains(a, b) for a in answer for b in answer)


def test_an_answer_fits_its_count_octet() -> None:
    offered = [ts(f"10.{n >> 8}.{n & 255}.1/32") for n in range(300)]
    assert len(narrow(offered, [ts("0.0.0.0/0")])) == 255


def test_selectors_have_two_directions() -> None:
    pair = Selectors.of([ts("10.1.0.0/24", 6, 1000, 2000)], [ts("10.2.0.0/24", 6, 80, 80)])
    there, back = flow_of(packet(6, ports(1500, 80))), flow_of(IPv4(FAR4, V4, 6, ports(80, 1500)).encode())
    assert pair.outbound(there) and pair.inbound(back)
    assert not pair.inbound(there) and not pair.outbound(back)
    assert not pair.outbound(flow_of(packet(6, ports(1500, 81))))
    assert not pair.outbound(flow_of(packet(17, ports(1500, 80))))
    assert not pair.outbound(flow_of(packet(6, ports(1500, 80), fragment=1))), "a later fragment shows no ports"


def test_icmp_type_belongs_to_the_side_that_sends() -> None:
    """RFC 4301 4.4.1.3: here we may send echo requests (8) and receive echo replies (0)."""
    pair = Selectors.of([ts("10.1.0.0/24", 1, 0x0800, 0x08FF)], [ts("10.2.0.0/24", 1, 0x0000, 0x00FF)])
    request = packet(1, b"\x08\x00" + bytes(6))
    reply = IPv4(FAR4, V4, 1, b"\x00\x00" + bytes(6)).encode()
    assert pair.outbound(flow_of(request)) and pair.inbound(flow_of(reply))
    assert not pair.outbound(flow_of(packet(1, b"\x00\x00" + bytes(6))))
    assert not pair.inbound(flow_of(IPv4(FAR4, V4, 1, b"\x08\x00" + bytes(6)).encode()))


def test_opaque_takes_only_packets_without_visible_ports() -> None:
    pair = Selectors.of([ts("10.1.0.0/24", 6, 65535, 0)], [ts("10.2.0.0/24", 6, 65535, 0)])
    assert pair.outbound(flow_of(packet(6, ports(1, 2), fragment=1)))
    assert not pair.outbound(flow_of(packet(6, ports(1, 2))))


def test_packet_selectors_are_the_packets_own() -> None:
    flow = flow_of(packet(17, ports(68, 67)))
    assert packet_selectors(flow) == (ts("10.1.0.5/32", 17, 68, 68), ts("10.2.0.7/32", 17, 67, 67))
    assert packet_selectors(flow_of(packet(47, b"")))[0] == ts("10.1.0.5/32", 47)


def test_families_do_not_mix() -> None:
    pair = Selectors.of([ts("0.0.0.0/0"), ts("2001:db8::/32")], [ts("0.0.0.0/0"), ts("::/0")])
    assert pair.outbound(flow_of(IPv6(V6, FAR6, 59, b"").encode()))
    assert not pair.outbound(flow_of(IPv6(ip_address("2001:db9::1"), FAR6, 59, b"").encode()))


def test_an_offer_of_255_selectors_cut_by_many_of_ours_is_narrowed_at_once() -> None:
    # Without a limit every one of 255 x 40 pieces is held against every other: minutes for one message.
    apart = [ts(f"10.{n}.0.0/24") for n in range(255)]
    ours = [ts("10.0.0.0/8", 17, port, port) for port in range(0, 80, 2)]
    begun = time.process_time()
    assert len(narrow(apart, ours)) == 255
    assert time.process_time() - begun < 5
