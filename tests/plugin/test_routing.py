"""What the capture says of OSPF: who said what where, and in which headers."""

from ipaddress import IPv4Address

import pytest

from lab.evidence.capture import Frame
from lab.evidence.layers import packets
from lab.plugin import routing
from lab.wire.gre import IPV4, GREPacket
from lab.wire.ospf import ALL_ROUTERS, OSPF_NUMBER, OspfType
from lab.wire.packets import GRE, ICMP, IPv4, checksum
from lab.wire.pcapng import Direction, LinkType

LEFT, RIGHT = IPv4Address("203.0.113.2"), IPv4Address("198.51.100.2")


def ospf(kind=1, router="1.1.1.1", body=bytes(20)):
    front = bytes([2, kind]) + (24 + len(body)).to_bytes(2, "big") + IPv4Address(router).packed + bytes(4)
    total = checksum(front + bytes(4) + body)
    return front + total.to_bytes(2, "big") + bytes(10) + body


def said(data):
    return IPv4(IPv4Address("172.31.0.1"), ALL_ROUTERS, OSPF_NUMBER, data, ttl=1).encode()


def in_gre(data):
    return IPv4(LEFT, RIGHT, GRE, GREPacket(IPV4, data).encode()).encode()


def captured(*seen):
    frames = [Frame(n, point, data, LinkType.RAW, way) for n, (point, way, data) in enumerate(seen)]
    return packets(frames, lambda packet: None)


OUT, IN = Direction.OUTBOUND, Direction.INBOUND


def test_what_a_router_said_and_where():
    found = captured(
        ("left:wan", OUT, in_gre(said(ospf()))),
        ("internet:left", IN, in_gre(said(ospf()))),
        ("left:wan", OUT, in_gre(said(ospf(kind=2)))),
        ("left:wan", IN, in_gre(said(ospf(router="2.2.2.2")))),
        ("right:wan", IN, in_gre(said(ospf()))),
    )
    heard = routing.heard(found)
    assert len(heard) == 5
    assert [one.ospf.kind for one in routing.sent(heard, "left")] == [1, 2]
    assert len(routing.sent(heard, "left", OspfType.HELLO)) == 1
    assert not routing.sent(heard, "right"), "what came in was not sent there"
    back = routing.heard(captured(("left:wan", IN, in_gre(said(ospf())))))
    assert not routing.sent(back, "left"), "what came back was not sent there either"
    assert [one.packet.point for one in routing.arrived(heard, "left")] == ["right:wan"]
    assert [one.packet.point for one in routing.arrived(heard, "right")] == ["left:wan"]


def test_what_is_no_ospf_is_not_heard():
    damaged = bytearray(ospf())
    damaged[-1] ^= 1
    assert not routing.heard(captured(("left:wan", OUT, said(bytes(damaged))), ("left:wan", OUT, in_gre(b""))))


def test_the_headers_of_all_packets():
    found = captured(("left:wan", OUT, in_gre(said(ospf()))), ("left:wan", OUT, said(ospf())))
    routing.layered(found[:1], "IPv4 | GRE | IPv4 | OSPF")
    with pytest.raises(AssertionError, match=r"are IPv4 \| GRE \| IPv4 \| OSPF and IPv4 \| OSPF, not"):
        routing.layered(found, "IPv4 | GRE | IPv4 | OSPF")
    with pytest.raises(AssertionError, match="there is no packet that could be"):
        routing.layered([], "IPv4 | OSPF")


class Lab:
    def inner(self, name):
        return {"left": "10.1.0.10", "right": "10.2.0.10"}[name]


def echo(source, target):
    return IPv4(IPv4Address(source), IPv4Address(target), ICMP, b"\x08\0\0\0\0\x07\0\x01").encode()


def test_echoes_in_their_headers_and_outside_of_them():
    there, back = echo("10.1.0.10", "10.2.0.10"), echo("10.2.0.10", "10.1.0.10")
    both = [("left:wan", OUT, in_gre(there)), ("right:wan", OUT, in_gre(back))]
    routing.carried(Lab(), captured(*both), "IPv4 | GRE | IPv4", 1)
    with pytest.raises(AssertionError, match=r"1 echoes of 10\.1\.0\.10 left left, not 2"):
        routing.carried(Lab(), captured(*both), "IPv4 | GRE | IPv4", 2)
    with pytest.raises(AssertionError, match=r"the headers are IPv4 \| GRE \| IPv4 \| ICMP and IPv4 \| ICMP"):
        routing.carried(Lab(), captured(*both, ("left:wan", OUT, there)), "IPv4 | GRE | IPv4", 1)
