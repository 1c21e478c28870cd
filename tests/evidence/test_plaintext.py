"""Leaks: inner packets that could be read outside the tunnel."""

from ipaddress import IPv4Address

import pytest

from lab.evidence import plaintext
from lab.evidence.capture import Frame
from lab.evidence.places import of_topology
from lab.wire.packets import IPv4
from tests.evidence.recorded import frames, places_of

INNER = ("10.1.0.0/24", "10.2.0.0/24")
TOPOLOGY = {
    "nodes": {"left-host": {"kind": "host"}, "left": {"kind": "gateway"}, "internet": {"kind": "router"}},
    "links": {
        "inside": {
            "ends": {
                "left-host": {"interface": "eth0", "addresses": ["10.1.0.10/24"]},
                "left": {"interface": "lan", "addresses": ["10.1.0.1/24"]},
            }
        },
        "outside": {
            "ends": {
                "left": {"interface": "wan", "addresses": ["192.0.2.1/24"]},
                "internet": {"interface": "left", "addresses": ["192.0.2.254/24"]},
            }
        },
    },
}


def echo(point: str, src: str = "10.1.0.10", dst: str = "10.2.0.10") -> Frame:
    icmp = bytes([8, 0, 0, 0, 0, 1, 0, 7])
    return Frame(0, point, bytes(12) + b"\x08\x00" + IPv4(IPv4Address(src), IPv4Address(dst), 1, icmp).encode())


def found(*seen: Frame) -> list[str]:
    outside = plaintext.outside_of(of_topology(TOPOLOGY), INNER)
    return [leak.point for leak in plaintext.leaks(seen, INNER, outside)]


def test_inside_may_see_what_outside_may_not() -> None:
    points = ("left-host:eth0", "left:lan", "left:wan", "internet:left")
    assert found(*(echo(point) for point in points)) == ["left:wan", "internet:left"]


@pytest.mark.parametrize(("src", "dst"), [("192.0.2.1", "10.2.0.10"), ("10.1.0.10", "198.51.100.9")])
def test_one_inner_end_is_a_leak_too(src: str, dst: str) -> None:
    assert found(echo("left:wan", src, dst)) == ["left:wan"]


def test_outer_packets_are_none() -> None:
    assert found(echo("left:wan", "192.0.2.1", "192.0.2.254")) == []


def test_leak_says_what_could_be_read() -> None:
    (leak,) = plaintext.leaks([echo("left:wan")], INNER, lambda point: True)
    assert leak.what == "ICMP echo-request 10.1.0.10 -> 10.2.0.10 seq 7"
    assert leak.frame == 0


def test_recorded_tunnel_leaks_nothing() -> None:
    outside = plaintext.outside_of(places_of("nat-gcm"), INNER)
    assert plaintext.leaks(frames("nat-gcm"), INNER, outside) == []
    assert outside("left:wan")
