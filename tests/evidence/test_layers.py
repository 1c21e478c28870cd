"""The order of headers in packets made up here: opened, closed, in UDP, in pieces, cut short."""

import random
from ipaddress import IPv4Address

import pytest

from lab.evidence.capture import Frame
from lab.evidence.inner import summary
from lab.evidence.keyring import Inner
from lab.evidence.layers import packets
from lab.wire.gre import IPV4, GREPacket
from lab.wire.packets import ESP_NUMBER, GRE, ICMP, UDP, UDP_NUMBER, IPv4
from lab.wire.pcapng import LinkType

LEFT, RIGHT = IPv4Address("203.0.113.2"), IPv4Address("198.51.100.2")
ECHO = IPv4(IPv4Address("10.1.0.10"), IPv4Address("10.2.0.10"), ICMP, b"\x08\0\0\0\0\x07\0\x01").encode()
IN_GRE = GREPacket(IPV4, ECHO).encode()
WRAPPED = IPv4(LEFT, RIGHT, GRE, IN_GRE).encode()
SEALED = b"\xc0\0\0\x01" + bytes(4) + bytes(24)


def outer(protocol, payload, fragment=0):
    return IPv4(LEFT, RIGHT, protocol, payload, ident=7, fragment=fragment).encode()


def seen(*datas, inner=None):
    frames = [Frame(0, "left:wan", data, LinkType.RAW) for data in datas]
    return packets(frames, lambda packet: inner if packet == SEALED else None)


@pytest.mark.parametrize(
    ("inner", "names"),
    [
        (Inner(4, WRAPPED, 0), "IPv4 | ESP | IPv4 | GRE | IPv4 | ICMP"),
        (Inner(GRE, IN_GRE, 0), "IPv4 | ESP | GRE | IPv4 | ICMP"),
        (Inner(59, b"", 0), "IPv4 | ESP | protocol 59"),
        (None, "IPv4 | ESP"),
    ],
)
def test_tunnel_transport_dummy_and_closed(inner, names):
    (packet,) = seen(outer(ESP_NUMBER, SEALED), inner=inner)
    assert packet.names == names
    assert packet.ends == (str(LEFT), str(RIGHT))


def test_esp_in_udp():
    (packet,) = seen(outer(UDP_NUMBER, UDP(4500, 4500, SEALED).encode()), inner=Inner(GRE, IN_GRE, 0))
    assert packet.names == "IPv4 | UDP | ESP | GRE | IPv4 | ICMP"


def test_the_last_header_of_a_name_is_the_innermost():
    (packet,) = seen(outer(ESP_NUMBER, SEALED), inner=Inner(4, WRAPPED, 0))
    assert packet.last("IPv4") == ECHO
    assert packet.last("TCP") is None


def test_fragments_are_put_together():
    first, second = SEALED[:16], SEALED[16:]
    found = seen(outer(ESP_NUMBER, first, 0x2000), outer(ESP_NUMBER, second, 2), inner=Inner(GRE, IN_GRE, 0))
    assert [packet.names for packet in found] == ["IPv4 | ESP | GRE | IPv4 | ICMP"]


def test_a_fragment_inside_stays_one():
    piece = IPv4(LEFT, RIGHT, GRE, IN_GRE[:8], fragment=0x2000).encode()
    (packet,) = seen(outer(ESP_NUMBER, SEALED), inner=Inner(4, piece, 0))
    assert packet.names == "IPv4 | ESP | IPv4 | fragment"


def test_gre_of_something_else_and_malformed():
    (other,) = seen(outer(GRE, GREPacket(0x6558, b"frame").encode()))
    assert other.names == "IPv4 | GRE | EtherType 0x6558"
    (bad,) = seen(outer(GRE, b"\0\x01\x08\0"))
    assert bad.names == "IPv4 | malformed"


def test_anything_inside_is_named():
    generator = random.Random(1)
    for _ in range(2000):
        inner = Inner(generator.choice((4, 41, 47, 17, 50)), generator.randbytes(generator.randrange(60)), 0)
        (packet,) = seen(outer(ESP_NUMBER, SEALED), inner=inner)
        assert packet.names.startswith("IPv4 | ESP")


def test_the_words_on_gre_say_what_is_in_it():
    ends = "in GRE 203.0.113.2 -> 198.51.100.2"
    assert summary(WRAPPED) == f"ICMP echo-request 10.1.0.10 -> 10.2.0.10 seq 1 {ends}"
    assert summary(outer(GRE, b"\0\x01\x08\0")).endswith("(GRE version 1)")
