"""Where AH stands and what its ICV sees of the headers before it, against scapy's reading of the same RFC (4302 A)."""

import random
from ipaddress import ip_address

import pytest
from scapy.layers.inet import IP, UDP, IPOption
from scapy.layers.inet6 import (
    HBHOptUnknown,
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrFragment,
    IPv6ExtHdrHopByHop,
    IPv6ExtHdrRouting,
    RouterAlert,
)
from scapy.layers.ipsec import AH, zero_mutable_fields

from lab.ipsec.drops import Dropped, Reason
from lab.ipsec.headers import before_ah, for_icv, joined, place_for_ah
from lab.wire.packets import AH_NUMBER
from lab.wire.packets import IPv4 as OurIPv4

A, B, C, D = "2001:db8::a", "2001:db8::b", "2001:db8::c", "2001:db8::d"
ENDS = {"src": "192.0.2.1", "dst": "198.51.100.1"}


def option(kind: int, data: bytes) -> IPOption:
    return IPOption(bytes((kind, len(data) + 2)) + data)


# Kind, data, and whether the ICV sees it (RFC 4302 A1).
OPTIONS = {
    "router alert": (148, bytes(2), True),
    "security": (130, bytes(9), True),
    "extended security": (133, b"\1\2", True),
    "commercial security": (134, b"\0\0\0\1", True),
    "multi-destination delivery": (149, bytes((192, 0, 2, 9)), True),
    "record route": (7, b"\x04" + bytes(4), False),
    "time stamp": (68, b"\x05\0" + bytes(4), False),
    "traceroute": (82, bytes(10), False),
    "stream id": (136, b"\0\1", False),
    "nobody's": (222, b"\1\2", False),
}


@pytest.mark.parametrize("name", OPTIONS)
def test_an_ipv4_option_is_seen_as_a_whole_or_not_at_all(name: str) -> None:
    kind, data, seen = OPTIONS[name]
    packet = bytes(IP(**ENDS, tos=0xBB, ttl=3, id=77, flags="DF", proto=51, options=[option(kind, data)]) / b"rest")
    at = before_ah(packet)
    icv = for_icv(packet[:at])
    assert at == (packet[0] & 0xF) * 4
    assert icv[20 : 20 + len(data) + 2] == (packet[20 : 22 + len(data)] if seen else bytes(len(data) + 2))
    # What goes through a router comes out with these changed, and gives the same octets for the ICV.
    assert icv[1] == icv[8] == 0 and icv[6:8] == icv[10:12] == bytes(2)
    assert icv[:1] + icv[2:6] + icv[9:10] + icv[12:20] == packet[:1] + packet[2:6] + packet[9:10] + packet[12:20]


@pytest.mark.parametrize("kind", [131, 137], ids=["loose", "strict"])
def test_a_source_route_is_seen_as_at_its_end(kind: int) -> None:
    stops = [bytes((10, 0, 0, number)) for number in (1, 2, 3)]
    route = option(kind, b"\x04" + b"".join(stops))
    under_way = for_icv(bytes(IP(src="192.0.2.1", dst="10.0.0.9", id=5, proto=51, options=[route])))
    done = option(kind, bytes((16,)) + b"".join(stops))
    at_the_end = for_icv(bytes(IP(src="192.0.2.1", dst="10.0.0.3", id=5, proto=51, options=[done])))
    assert under_way == at_the_end
    assert under_way[16:20] == stops[-1]


def test_scapy_sees_the_same_of_ipv4() -> None:
    plain = IP(**ENDS, tos=0x2E, ttl=17, id=4711, flags="DF", proto=51, options=[option(148, bytes(2))])
    packet = IP(bytes(plain / AH(nh=17, payloadlen=4, spi=9, seq=1, icv=bytes(12)) / UDP()))
    theirs = bytes(zero_mutable_fields(packet.copy(), sending=True))
    at = before_ah(bytes(packet))
    assert for_icv(bytes(packet)[:at]) == theirs[:at]


HOP = IPv6ExtHdrHopByHop(options=[RouterAlert(value=0), HBHOptUnknown(otype=0x3E, optdata=b"en route")])
TO_ALL = IPv6ExtHdrDestOpt(options=[HBHOptUnknown(otype=0x1E, optdata=b"stays as it is")])
ROUTE = IPv6ExtHdrRouting(addresses=[C, D], segleft=2)


@pytest.mark.parametrize(
    "middle", [None, HOP, HOP / TO_ALL / ROUTE, ROUTE, HOP / ROUTE], ids=["bare", "hop", "all", "route", "hop+route"]
)
def test_scapy_sees_the_same_of_ipv6(middle: object) -> None:
    head = IPv6(src=A, dst=B, tc=0x2E, fl=0x12345, hlim=7)
    front = head / middle if middle else head
    packet = IPv6(bytes(front / AH(nh=17, payloadlen=5, spi=9, seq=1, icv=bytes(16), padding=b"") / UDP()))
    theirs = bytes(zero_mutable_fields(packet.copy(), sending=True))
    at = before_ah(bytes(packet))
    ours = for_icv(bytes(packet)[:at])
    if middle is not None and middle.haslayer(IPv6ExtHdrRouting):
        # Scapy leaves the addresses of the routing header as they are under way; the RFC has them as at the end.
        assert ours[24:40] == theirs[24:40] == ip_address(D).packed
        assert ours[:24] + ours[40:-40] == theirs[:24] + theirs[40 : at - 40]
    else:
        assert ours == theirs[:at]


def test_a_routing_header_is_seen_as_at_its_end() -> None:
    sent = bytes(IPv6(src=A, dst=B, nh=43) / IPv6ExtHdrRouting(addresses=[C, D], segleft=2, nh=51))
    half = bytes(IPv6(src=A, dst=C, nh=43) / IPv6ExtHdrRouting(addresses=[B, D], segleft=1, nh=51))
    done = bytes(IPv6(src=A, dst=D, nh=43) / IPv6ExtHdrRouting(addresses=[B, C], segleft=0, nh=51))
    assert for_icv(sent) == for_icv(half) == for_icv(done)
    assert for_icv(sent) != for_icv(bytes(IPv6(src=A, dst=D, nh=43) / IPv6ExtHdrRouting(addresses=[C, B], nh=51)))


def test_an_unknown_route_cannot_be_predicted_until_it_has_been_gone() -> None:
    header = bytearray(bytes(IPv6(src=A, dst=B, nh=43) / IPv6ExtHdrRouting(addresses=[C], segleft=1, nh=51)))
    header[42] = 4  # segment routing
    with pytest.raises(Dropped, match=r"outer header") as refused:
        for_icv(bytes(header))
    assert refused.value.detail == "routing header of type 4 with 1 segments left"
    header[43] = 0
    assert for_icv(bytes(header))[24:40] == ip_address(B).packed


def test_only_the_data_of_an_option_that_may_change_is_hidden() -> None:
    packet = bytes(IPv6(src=A, dst=B, nh=0) / HOP)
    assert b"en route" in packet and b"en route" not in for_icv(packet)
    assert b"\x3e\x08" + bytes(8) in for_icv(packet)
    kept = bytes(IPv6(src=A, dst=B, nh=60) / TO_ALL)
    assert b"stays as it is" in for_icv(kept)


def test_ah_goes_behind_what_routers_look_at() -> None:
    def parts(front: object) -> tuple[int, int]:
        packet = bytes(front / UDP(dport=9) / b"data")
        return place_for_ah(packet)

    bare, hop, route = (IPv6(src=A, dst=B), IPv6(src=A, dst=B) / HOP, IPv6(src=A, dst=B) / HOP / ROUTE)
    assert parts(bare) == (40, 17)
    assert parts(hop) == (len(bytes(hop)), 17)
    assert parts(route) == (len(bytes(route)), 17)
    # Destination options: before AH only where a routing header follows.
    assert parts(hop / TO_ALL) == (len(bytes(hop)), 60)
    assert parts(hop / TO_ALL / ROUTE) == (len(bytes(hop / TO_ALL / ROUTE)), 17)
    assert parts(bare / IPv6ExtHdrFragment()) == (40, 44)
    assert place_for_ah(bytes(IP(**ENDS, options=[option(148, bytes(2))]) / UDP())) == (24, 17)


def test_joined_sets_protocol_length_and_checksum() -> None:
    packet = OurIPv4(ip_address(ENDS["src"]), ip_address(ENDS["dst"]), 17, b"old", ident=9).encode()
    made = OurIPv4.decode(joined(packet[:20], AH_NUMBER, b"much longer"))
    assert (made.protocol, made.payload, made.ident) == (AH_NUMBER, b"much longer", 9)
    front = bytes(IPv6(src=A, dst=B) / HOP)
    again = IPv6(joined(front, AH_NUMBER, b"12345678"))
    assert (again.plen, again[IPv6ExtHdrHopByHop].nh) == (len(front) - 40 + 8, AH_NUMBER)


WHOLE = (
    bytes(IP(**ENDS, proto=51, options=[option(7, b"\x04" + bytes(8)), option(148, bytes(2))]) / bytes(24)),
    bytes(IPv6(src=A, dst=B) / HOP / TO_ALL / ROUTE / AH(nh=17, payloadlen=4, icv=bytes(12))),
)


@pytest.mark.parametrize("packet", WHOLE, ids=["IPv4", "IPv6"])
def test_cut_short_and_random_octets_are_dropped_and_nothing_else(packet: bytes) -> None:
    source = random.Random(4302)
    for size in range(len(packet)):
        survives(packet[:size])
    for _ in range(3000):
        broken = bytearray(packet)
        for _ in range(source.randint(1, 4)):
            broken[source.randrange(len(broken))] = source.randrange(256)
        survives(bytes(broken))


def survives(packet: bytes) -> None:
    try:
        at = before_ah(packet)
        assert len(for_icv(packet[:at])) == at
    except Dropped as drop:
        assert drop.why == Reason.OUTER_HEADER
    try:
        assert place_for_ah(packet)[0] <= len(packet)
    except Dropped as drop:
        assert drop.why == Reason.OUTER_HEADER
