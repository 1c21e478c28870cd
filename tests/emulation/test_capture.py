"""The capture of a running network: complete, exact, in causal order, and readable whatever happens."""

import os
import signal
import time
from collections import Counter
from pathlib import Path

import pytest

from lab.emulation import topology
from lab.emulation.network import Network
from lab.errors import BrokenError
from lab.wire import pcapng
from lab.wire.packets import checksum, decode_ip
from tests.emulation.conftest import Up
from tests.emulation.wire import read, seen, udp

ROUTE = ["left:wan", "left-nat:lan", "left-nat:wan", "internet:left", "internet:right", "right-nat:wan"]
ROUTE += ["right-nat:lan", "right:wan"]


def test_no_packet_after_start_is_missing(up: Up) -> None:
    network = up("nat-both")
    with udp(network.node("left"), 4500) as left, udp(network.node("right"), 4500) as right:
        for number in range(500):
            left.sendto(number.to_bytes(4, "big"), ("198.51.100.2", 4500))
            assert right.recv(100) == number.to_bytes(4, "big")
        for number in range(500, 700):  # and a burst, of which the last have not been read when the capture ends
            left.sendto(number.to_bytes(4, "big"), ("198.51.100.2", 4500))
        found = seen(network)
    for point in ROUTE:
        numbers = [int.from_bytes(packet.payload, "big") for packet in found if packet.point == point]
        assert numbers == list(range(700)), f"{point} saw {len(numbers)}"
    assert network.finish_capture().dropped == 0


def test_both_ends_and_the_translation_between(up: Up) -> None:
    network = up("nat-both")
    with udp(network.node("left"), 4500) as left, udp(network.node("right"), 4500) as right:
        left.sendto(b"request", ("198.51.100.2", 4500))
        _, source = right.recvfrom(100)
        right.sendto(b"answer", source)
        left.recv(100)
    found = seen(network)
    request = [packet for packet in found if packet.payload == b"request"]
    assert [packet.point for packet in request] == ROUTE
    assert [packet.outgoing for packet in request] == [True, False] * 4
    assert (request[0].source, request[-1].source) == ("192.168.1.2:4500", "203.0.113.2:4500")
    assert (request[0].target, request[-1].target) == ("198.51.100.2:4500", "192.168.2.2:4500")
    assert [packet.point for packet in found if packet.payload == b"answer"] == ROUTE[::-1]


def test_the_first_packet_has_the_time_at_which_it_was_sent(up: Up) -> None:
    network = up("nat-both")
    with udp(network.node("left"), 4500) as left, udp(network.node("right"), 4500) as right:
        before = time.time_ns()
        left.sendto(b"first", ("198.51.100.2", 4500))
        right.recvfrom(100)
        after = time.time_ns()
    first, *_, last = (packet for packet in seen(network) if packet.payload == b"first")
    assert before <= first.time_ns <= last.time_ns <= after


def test_causal_order_even_where_all_times_are_equal(up: Up) -> None:
    network = up("nat-both")
    with udp(network.node("left"), 4500) as left, udp(network.node("right"), 4500) as right:
        for number in range(20):
            left.sendto(bytes([number]), ("198.51.100.2", 4500))
            _, source = right.recvfrom(100)
            right.sendto(bytes([number, 0]), source)
            left.recv(100)
    found = [(packet.payload[0], len(packet.payload), packet.point) for packet in seen(network)]
    expected = [(n, kind, point) for n in range(20) for kind, way in ((1, ROUTE), (2, ROUTE[::-1])) for point in way]
    assert found == expected
    times = [packet.time_ns for packet in read(network.capture_file)]
    assert times == sorted(times)


def test_checksums_are_those_of_a_wire(up: Up) -> None:
    network = up("direct")
    with udp(network.node("left")) as left:
        left.sendto(b"data", ("203.0.113.1", 9))
    network.finish_capture()
    capture = pcapng.decode(network.capture_file.read_bytes())
    packets = [packet.data[14:] for packet in capture.packets if packet.data[12:14] == b"\x08\x00"]
    ip = next(decode_ip(packet) for packet in packets if decode_ip(packet).protocol == 17)
    pseudo = ip.src.packed + ip.dst.packed + b"\0\x11" + len(ip.payload).to_bytes(2, "big")
    assert checksum(pseudo + ip.payload) == 0


def test_what_is_no_link_is_not_captured(up: Up) -> None:
    network = up("direct")
    left = network.node("left")
    with udp(left, 5000) as here:
        here.sendto(b"to myself", ("127.0.0.1", 5000))
        assert here.recv(100) == b"to myself"
    assert left.run(["ip", "tuntap", "add", "tun9", "mode", "tun"]).returncode == 0
    left.run(["sh", "-c", "ip addr add 10.9.9.1/24 dev tun9; ip link set tun9 up; ping -c1 -W0.1 10.9.9.2"])
    assert seen(network) == []
    names = [point.name for point in pcapng.decode(network.capture_file.read_bytes()).interfaces]
    assert names == [f"{end.node}:{end.interface}" for end in topology.load("direct").attachments]


def test_the_file_is_written_live(up: Up) -> None:
    network = up("direct")
    with udp(network.node("left")) as left, udp(network.node("internet"), 9) as internet:
        for number in range(10):
            left.sendto(bytes([number]), ("203.0.113.1", 9))
            internet.recv(100)
            assert network.flush_capture().packets == 2 * number + 2
            assert len(read(network.capture_file)) == 2 * number + 2
        deadline = time.monotonic() + 5
        left.sendto(b"last", ("203.0.113.1", 9))
        while len(read(network.capture_file)) < 22 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert len(read(network.capture_file)) == 22, "unasked, too"


def test_kill_of_the_recorder_leaves_a_readable_file_and_is_told(up: Up) -> None:
    network = up("direct")
    with udp(network.node("left")) as left, udp(network.node("internet"), 9) as internet:
        for number in range(50):
            left.sendto(bytes([number]), ("203.0.113.1", 9))
            internet.recv(100)
            if number == 40:
                os.kill(network.recorder_pid, signal.SIGKILL)
    with pytest.raises(BrokenError, match="recorder died"):
        network.finish_capture()
    capture = pcapng.decode(network.capture_file.read_bytes())
    assert len(capture.interfaces) == 8
    points = Counter(packet.point for packet in read(network.capture_file))
    assert all(count <= 51 for count in points.values())


def test_two_networks_at_once(up: Up, tmp_path: Path) -> None:
    one = up("direct")
    with Network(topology.load("nat-initiator"), tmp_path / "other") as two:
        assert one.recorder_pid == two.recorder_pid
        with udp(one.node("left")) as left, udp(two.node("left")) as other:
            left.sendto(b"one", ("203.0.113.1", 9))
            other.sendto(b"two", ("192.168.1.1", 9))
        assert {packet.payload for packet in seen(two)} == {b"two"}
    assert {packet.payload for packet in seen(one)} == {b"one"}


def test_a_full_buffer_is_told(up: Up, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lab.emulation.capture._BUFFER", 4096)
    network = up("direct")
    os.kill(network.recorder_pid, signal.SIGSTOP)
    with udp(network.node("left")) as left:
        for _ in range(100):
            left.sendto(bytes(1000), ("203.0.113.1", 9))
    os.kill(network.recorder_pid, signal.SIGCONT)
    statistics = network.finish_capture()
    assert statistics.dropped > 0
    assert statistics.dropped + statistics.packets >= 200, "an ICMP error or two may have come back"


def test_signals_to_the_lab_do_not_end_the_recorder(up: Up) -> None:
    network = up("direct")
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        os.kill(network.recorder_pid, number)
    with udp(network.node("left")) as left:
        left.sendto(b"still here", ("203.0.113.1", 9))
    assert next(packet.payload for packet in seen(network)) == b"still here"
