"""Impairments: exact where time is virtual, where they were asked for, and told where the kernel cannot."""

import itertools
import socket

import pytest

from lab.emulation import topology
from lab.emulation.netlink import Batch, RouteSocket
from lab.emulation.network import Network
from lab.errors import BrokenError, ConfigError, UnfitError
from tests.emulation.conftest import Up, kernel_has_netem
from tests.emulation.wire import seen, udp

DIRECT = (topology.directory() / "direct.yaml").read_text()
LEFT_WAN = "      internet: {interface: left, addresses: [203.0.113.1/24]}\n"
SLOW = DIRECT.replace(LEFT_WAN, LEFT_WAN + "    impair:\n      left: {delay: 20ms}\n      internet: {delay: 20ms}\n")
READING_THE_CLOCK = 2_000  # nanoseconds: each time a process asks, the virtual clock moves by 256
RIGHT = "198.51.100.2"


def answered(network: Network, times: int = 1, size: int = 8) -> None:
    """Send datagrams from left to right, each answered before the next."""
    with udp(network.node("left"), 4500) as left, udp(network.node("right"), 4500) as right:
        for _ in range(times):
            left.sendto(bytes(size), (RIGHT, 4500))
            data, source = right.recvfrom(2000)
            right.sendto(data, source)
            left.recv(2000)


def delays(network: Network) -> list[tuple[str, str, int]]:
    """(from, to, nanoseconds) of each step of a datagram and its answer."""
    found = seen(network)
    return [(a.point, b.point, b.time_ns - a.time_ns) for a, b in itertools.pairwise(found)]


@pytest.mark.usefixtures("netem", "virtual_time")
def test_twenty_and_twenty_are_forty_milliseconds_exactly(up: Up) -> None:
    network = up(topology.parse(SLOW))
    ping = network.node("left").run(["ping", "-c5", "-i", "0.2", "-q", RIGHT])
    assert "rtt min/avg/max/mdev = 40.000/40.000/40.000/0.000 ms" in ping.stdout, ping.stdout


@pytest.mark.usefixtures("netem", "virtual_time")
def test_the_taps_of_a_gateway_show_when_it_sent_and_received(up: Up) -> None:
    network = up(topology.parse(SLOW))
    answered(network)
    late = {(a, b): ns for a, b, ns in delays(network) if ns > READING_THE_CLOCK}
    assert late == {
        ("internet:left", "internet:right"): 20_000_000,  # behind the tap at which it came in
        ("internet:right", "internet:left"): 20_000_000,  # before the tap at which it goes out
    }
    found = [packet for packet in seen(network) if packet.point == "left:wan"]
    assert 0 <= found[1].time_ns - found[0].time_ns - 40_000_000 < READING_THE_CLOCK


@pytest.mark.usefixtures("netem")
def test_delay_in_real_time(up: Up) -> None:
    network = up(topology.parse(SLOW))
    answered(network)
    sent, received = (packet.time_ns for packet in seen(network) if packet.point == "left:wan")
    # netem rounds to ticks of 64 ns; the upper bound is generous, as the machine may be busy
    assert 40_000_000 <= received - sent < 100_000_000


@pytest.mark.usefixtures("netem")
def test_loss_and_its_end(up: Up) -> None:
    network = up("nat-both")
    with udp(network.node("left"), 4500) as left, udp(network.node("right"), 4500) as right:
        network.set_link("left-wan", "left", loss="100%")
        left.sendto(b"lost", (RIGHT, 4500))
        network.set_link("left-wan", "left", loss=None)
        left.sendto(b"found", (RIGHT, 4500))
        assert right.recv(100) == b"found"
        network.set_link("right-uplink", "internet", loss="100%")
        left.sendto(b"lost", (RIGHT, 4500))
        network.set_link("right-uplink", "internet", loss=None, delay="1ms")
        left.sendto(b"found", (RIGHT, 4500))
        assert right.recv(100) == b"found"
    assert network.describe()["links"]["right-uplink"]["impair"]["internet"] == {"delay": "1ms"}


@pytest.mark.usefixtures("netem", "virtual_time")
def test_rate(up: Up) -> None:
    network = up("direct")
    answered(network)
    network.set_link("left-wan", "left", rate="1mbit")
    with udp(network.node("left"), 4500) as left, udp(network.node("right"), 4500) as right:
        for _ in range(11):
            left.sendto(bytes(1208), (RIGHT, 4500))  # 1250 octets of Ethernet: 10 ms each
        for _ in range(11):
            right.recv(2000)
    times = [packet.time_ns for packet in seen(network) if packet.point == "right:wan" and len(packet.payload) == 1208]
    assert abs(times[10] - times[0] - 100_000_000) < READING_THE_CLOCK


def test_path_mtu(up: Up) -> None:
    network = up("direct")
    network.set_link("right-wan", "internet", mtu=1400)
    with udp(network.node("left"), 4500) as left, udp(network.node("right"), 4500) as right:
        left.setsockopt(socket.IPPROTO_IP, 10, 2)  # IP_MTU_DISCOVER, IP_PMTUDISC_DO
        left.sendto(bytes(1372), (RIGHT, 4500))
        assert len(right.recv(2000)) == 1372
        left.sendto(bytes(1373), (RIGHT, 4500))
        with pytest.raises(OSError, match="Message too long"):
            for _ in range(50):  # until the router's ICMP has come back
                left.sendto(bytes(1373), (RIGHT, 4500))
        network.set_link("right-wan", "internet", mtu=None)
    assert "mtu 1500" in network.node("internet").run(["ip", "link", "show", "right"]).stdout


def test_mtu_from_the_file(up: Up) -> None:
    network = up(topology.parse(SLOW.replace("{delay: 20ms}", "{mtu: 1280}")))
    for node, interface in (("left", "wan"), ("internet", "left")):
        assert "mtu 1280" in network.node(node).run(["ip", "link", "show", interface]).stdout


def test_a_kernel_without_netem(up: Up) -> None:
    if kernel_has_netem():
        pytest.skip("this kernel has netem")
    with pytest.raises(UnfitError, match=r"this kernel has no `(netem|ifb)`") as caught:
        up(topology.parse(SLOW))
    assert "--kernel guest" in caught.value.fix


def test_what_a_kernel_lacks_is_named(up: Up) -> None:
    namespace = up("direct").node("left").namespace
    batch = Batch()
    batch.link("add", kind="nonesuch", ifname="x")
    with pytest.raises(UnfitError, match="this kernel has no `nonesuch`"):
        RouteSocket(namespace, "left").send(batch)
    batch = Batch()
    batch.address("add", 7777, "192.0.2.1", 24)
    with pytest.raises(BrokenError, match=r"left: the kernel refused `address add 192.0.2.1/24`: No such device"):
        RouteSocket(namespace, "left").send(batch)


def test_mistakes(up: Up) -> None:
    network = up("direct")
    with pytest.raises(ConfigError, match="20ms"):
        network.set_link("left-wan", "left", delay="20")
    with pytest.raises(ConfigError, match="no link `left-wlan`"):
        network.set_link("left-wlan", "left", delay="20ms")
    with pytest.raises(ConfigError, match="no link or interface `left-wan`"):
        network.set_link("left-wan", "right", delay="20ms")
