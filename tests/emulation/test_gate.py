"""In the kernel the gate drops the packets that it was told to drop, and no other."""

import socket

import pytest

from lab.emulation.gate import filter as filters
from lab.emulation.gate import nftables
from lab.emulation.network import Network
from lab.errors import ConfigError
from lab.wire.ids import ExchangeType
from tests.emulation.conftest import Up
from tests.emulation.wire import ike, nothing_arrives, number, seen, udp

INIT, AUTH = ExchangeType.IKE_SA_INIT, ExchangeType.IKE_AUTH
MARKER = bytes(4)
RIGHT = "198.51.100.2"


def send(network: Network, datagrams: list[bytes], port: int = 500) -> list[int]:
    """Send from left to right; the numbers that arrived. The last datagram must arrive."""
    with udp(network.node("left"), port) as left, udp(network.node("right"), port) as right:
        for datagram in [*datagrams, b"end of the list"]:
            left.sendto(datagram, (RIGHT, port))
        found = []
        while (datagram := right.recv(2000)) != b"end of the list":
            found.append(number(datagram))
        return found


@pytest.mark.parametrize(
    ("name", "nth", "count", "arrived"),
    [
        ("direct", 1, 1, [2, 3, 4]),
        ("direct", 2, 2, [1, 4]),
        ("direct", 3, None, [1, 2]),
        ("nat-initiator", 3, 1, [1, 2, 4]),
        ("nat-both", 3, 1, [1, 2, 4]),
    ],
)
def test_the_nth_request(up: Up, name: str, nth: int, count: int | None, arrived: list[int]) -> None:
    network = up(name)
    rule = network.drop("internet", "IKE_SA_INIT request", nth, count)
    assert send(network, [ike(n, INIT) for n in (1, 2, 3, 4)]) == arrived
    assert (rule.dropped(), rule.seen()) == (4 - len(arrived), 4)


def test_only_the_named_exchange_and_direction(up: Up) -> None:
    network = up("direct")
    rule = network.drop("internet", "IKE_AUTH request", count=None)
    mixed = [ike(1, INIT), ike(2, AUTH), ike(3, AUTH, response=True), ike(4, ExchangeType.INFORMATIONAL), ike(5, AUTH)]
    assert send(network, mixed) == [1, 3, 4]
    assert rule.dropped() == 2
    assert send(network, [MARKER + datagram for datagram in mixed], 4500) == [1, 3, 4], "with a marker on 4500 too"
    assert send(network, [bytes([7]) * 4 + datagram for datagram in mixed], 4500) != [1, 3, 4], "but not inside ESP"
    rule.remove()
    assert send(network, mixed) == [1, 2, 3, 4, 5]


def test_the_count_runs_over_both_ports(up: Up) -> None:
    network = up("direct")
    network.drop("internet", "IKE_AUTH request", nth=2)
    assert send(network, [ike(1, AUTH)]) == [1]
    assert send(network, [MARKER + ike(n, AUTH) for n in (2, 3)], 4500) == [3]


def test_a_message_id(up: Up) -> None:
    network = up("direct")
    rule = network.drop("internet", "IKE_AUTH request 2", count=None)
    assert send(network, [ike(n, AUTH, message_id=n) for n in (1, 2, 3)]) == [1, 3]
    assert rule.dropped() == 1


def test_one_side_only(up: Up) -> None:
    network = up("direct")
    network.drop("internet", "IKE_AUTH request", count=None, sender="right")
    assert send(network, [ike(1, AUTH)]) == [1]
    with udp(network.node("right"), 500) as right, udp(network.node("left"), 500) as left:
        right.sendto(ike(2, AUTH), ("203.0.113.2", 500))
        assert nothing_arrives(left)


def test_a_packet_that_crosses_a_link_is_counted_once(up: Up) -> None:
    network = up("nat-both")
    rule = network.drop("left-uplink", "IKE_SA_INIT request", nth=2)
    assert send(network, [ike(n, INIT) for n in (1, 2, 3)]) == [1, 3]
    assert (rule.dropped(), rule.seen()) == (1, 3)
    other = network.drop("right-wan", "IKE_SA_INIT request", sender="left")
    assert send(network, [ike(n, INIT) for n in (1, 2, 3)]) == [2, 3]
    assert other.dropped() == 1
    backward = network.drop("right-wan", "any", count=None, sender="right")
    assert send(network, [ike(1, INIT)]) == [1] and backward.seen() == 0


def test_the_capture_shows_where_it_was_lost(up: Up) -> None:
    network = up("direct")
    network.drop("internet", "IKE_SA_INIT request")
    assert send(network, [ike(1, INIT), ike(2, INIT)]) == [2]
    found = [(number(packet.payload), packet.point) for packet in seen(network) if packet.payload != b"end of the list"]
    # The second may leave before the first has come to the router; each goes its way in order.
    assert sorted(found, key=lambda one: one[0]) == [
        (1, "left:wan"), (1, "internet:left"),
        (2, "left:wan"), (2, "internet:left"), (2, "internet:right"), (2, "right:wan"),
    ]  # fmt: skip


def test_a_port_that_the_nat_changed(up: Up) -> None:
    network = up("nat-initiator")
    rule = network.drop("internet", "IKE_AUTH response", sender="right")
    with udp(network.node("left"), 4500) as left, udp(network.node("right"), 4500) as right:
        left.sendto(MARKER + ike(1, AUTH), (RIGHT, 4500))
        _, source = right.recvfrom(2000)
        assert source[1] != 4500
        for answer in (2, 3):
            right.sendto(MARKER + ike(answer, AUTH, response=True), source)
        assert number(left.recv(2000)) == 3
    assert (rule.dropped(), rule.seen()) == (1, 2)


def test_esp_and_keepalives(up: Up) -> None:
    network = up("direct")
    esp = network.drop("internet", "ESP", nth=2)
    keepalive = network.drop("internet", "keepalive", count=None)
    packets = [bytes([0, 0, 0, n]) * 4 for n in (1, 2, 3)]
    with udp(network.node("left"), 4500) as left, udp(network.node("right"), 4500) as right:
        for packet in (b"\xff", packets[0], MARKER + ike(1, AUTH), packets[1], b"\xff", packets[2], b"end"):
            left.sendto(packet, (RIGHT, 4500))
        arrived = [right.recv(2000) for _ in range(4)]
    assert arrived == [packets[0], MARKER + ike(1, AUTH), packets[2], b"end"]
    assert (esp.dropped(), keepalive.dropped()) == (1, 2)


def test_bare_esp(up: Up) -> None:
    network = up("direct")
    rule = network.drop("internet", "ESP", nth=2)
    with (
        network.node("left").socket(kind=socket.SOCK_RAW, protocol=50) as left,
        network.node("right").socket(kind=socket.SOCK_RAW, protocol=50) as right,
    ):
        right.settimeout(5)
        for n in (1, 2, 3):
            left.sendto(bytes([n]) * 16, (RIGHT, 0))
        assert [right.recv(100)[20] for _ in range(2)] == [1, 3]
    assert rule.dropped() == 1


def test_a_dead_peer(up: Up) -> None:
    network = up("nat-both")
    network.block("left", "right")
    ping = ["ping", "-c1", "-W0.2", RIGHT]
    assert network.node("left").run(ping).returncode
    assert not network.node("left").run(["ping", "-c1", "-W2", "203.0.113.1"]).returncode, "only between these two"
    network.unblock("left", "right")
    assert not network.node("left").run(ping).returncode
    with pytest.raises(ConfigError, match="nothing is blocked"):
        network.unblock("left", "right")


@pytest.mark.parametrize(
    ("where", "what", "nth", "words"),
    [
        ("internet", "IKE_AUTHS", 1, "does not know `IKE_AUTHS`"),
        ("internet", "2nd IKE_AUTH request", 1, "says itself which packets"),
        ("internet", "IKE_AUTH request with SA", 1, "nftables cannot say"),
        ("internet", "IKE", 1, "nftables cannot say"),
        ("internet", "IKE_HUG request", 1, "CREATE_CHILD_SA"),
        ("internet", "ESP", 0, "counts packets from 1"),
        ("left", "ESP", 1, "`left` is no router or NAT box"),
        ("left-lan", "ESP", 1, "nor a link next to one"),
        ("nowhere", "ESP", 1, "`nowhere` is no router"),
    ],
)
def test_mistakes(up: Up, where: str, what: str, nth: int, words: str) -> None:
    network = up("direct")
    with pytest.raises(ConfigError, match=words):
        network.drop(where, what, nth)


def test_messages_of_ikev1_are_told_by_their_type_alone() -> None:
    """They carry no flag of direction; both ports, each on either side of a packet."""
    found = nftables.matches(filters.parse("QUICK_MODE message"))
    assert found == [
        "udp dport 500 @th,208,8 32",
        "udp dport != 500 udp sport 500 @th,208,8 32",
        "udp dport 4500 @th,64,32 0 @th,240,8 32",
        "udp dport != 4500 udp sport 4500 @th,64,32 0 @th,240,8 32",
    ]


def test_what_has_no_direction_is_told_by_its_type(up: Up) -> None:
    network = up("direct")
    rule = network.drop("internet", "IKE_AUTH", count=None)
    assert send(network, [ike(1, AUTH), ike(2, AUTH, response=True), ike(3, INIT)]) == [3]
    assert rule.acted() == 2
