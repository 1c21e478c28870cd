"""In user space: packets of real nodes go through the gate's process, and what it does shows in the capture."""

import json
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from lab.daemon.client import Client, Refused
from lab.emulation import topology
from lab.emulation.gate.gate import Gate
from lab.emulation.network import Network
from lab.errors import ConfigError
from lab.evidence import gates as evidence
from lab.wire.ids import ExchangeType
from tests.emulation.conftest import VIRTUAL, Up
from tests.emulation.wire import ike, nothing_arrives, number, seen, udp

INIT, AUTH, CREATE = ExchangeType.IKE_SA_INIT, ExchangeType.IKE_AUTH, ExchangeType.CREATE_CHILD_SA
MARKER = bytes(4)
LEFT, RIGHT = "203.0.113.2", "198.51.100.2"


class Pair:
    """A UDP socket on each gateway."""

    def __init__(self, network: Network, port: int = 500) -> None:
        self.one, self.two = udp(network.node("left"), port), udp(network.node("right"), port)
        self._port = port

    def rightwards(self, *datagrams: bytes) -> None:
        for datagram in datagrams:
            self.one.sendto(datagram, (RIGHT, self._port))

    def leftwards(self, *datagrams: bytes) -> None:
        for datagram in datagrams:
            self.two.sendto(datagram, (LEFT, self._port))

    def arrived(self, count: int) -> list[int]:
        return [number(self.two.recv(2000)) for _ in range(count)]


@contextmanager
def pair(network: Network, port: int = 500) -> Iterator[Pair]:
    made = Pair(network, port)
    with made.one, made.two:
        yield made


def test_held_until_the_other_side_has_spoken(up: Up) -> None:
    network = up("direct")
    held = network.gate().hold("IKE_AUTH request from left", until="IKE_AUTH request from right")
    with pair(network) as ends:
        ends.rightwards(ike(1, AUTH), ike(2, INIT), ike(3, AUTH))
        assert ends.arrived(1) == [2] and nothing_arrives(ends.two)
        assert (held.held(), held.seen(), held.acted(), held.ran) == (2, 2, 2, "user space")
        ends.leftwards(ike(4, AUTH))
        assert ends.arrived(2) == [1, 3]
        assert number(ends.one.recv(2000)) == 4
        ends.rightwards(ike(5, AUTH))
        assert ends.arrived(1) == [5], "once ended it holds nothing more"


@pytest.mark.parametrize("name", ["direct", "nat-initiator"])
def test_what_the_gate_does_shows_in_the_capture(up: Up, name: str) -> None:
    """Doubled, changed, swapped and dropped, on both sides of the gate."""
    network = up(name)
    gate = network.gate()
    kernel = gate.drop("5th IKE_SA_INIT request from right")
    gate.duplicate("1st IKE_SA_INIT request")
    gate.corrupt("2nd IKE_SA_INIT request", octet=7, mask=0x40)
    gate.swap("3rd IKE_SA_INIT request")
    dropped = gate.drop("5th IKE_SA_INIT request")
    with pair(network) as ends:
        ends.rightwards(*(ike(n, INIT) for n in range(1, 7)))
        assert ends.arrived(7 - 1) == [1, 1, 2 ^ 0x40, 4, 3, 6]
    assert (kernel.ran, kernel.acted(), kernel.seen()) == ("nftables", 0, 0)
    assert (dropped.ran, dropped.acted(), dropped.seen()) == ("user space", 1, 6), "behind others it counts with them"
    out = [number(one.payload) for one in seen(network) if one.point == "internet:right" and one.outgoing]
    assert out == [1, 1, 66, 4, 3, 6]


def test_delayed(up: Up) -> None:
    network = up("direct")
    network.gate().delay("1st IKE_SA_INIT request", "300ms")
    with pair(network) as ends:
        ends.rightwards(ike(1, INIT), ike(2, INIT))
        assert ends.arrived(2) == [2, 1]
    at = {
        (number(one.payload), one.outgoing): one.time_ns / 1e9
        for one in seen(network)
        if one.point in ("internet:left", "internet:right")
    }
    late = at[1, True] - at[1, False]
    assert 0.3 <= late < (0.301 if VIRTUAL else 3.0), f"{late:.6f} s"


def test_in_order(up: Up) -> None:
    """None goes before two are there; a repeat of what waits is not sent."""
    network = up("direct")
    wanted = ["IKE_AUTH request from right", "IKE_AUTH request from left", "IKE_SA_INIT request from left"]
    network.gate().order(*wanted, gather=2)
    with pair(network) as ends:
        ends.rightwards(ike(2, AUTH), ike(2, AUTH), ike(3, INIT))
        assert nothing_arrives(ends.two)
        ends.leftwards(ike(1, AUTH))
        assert ends.arrived(2) == [2, 3] and number(ends.one.recv(2000)) == 1
        assert nothing_arrives(ends.two), "the repeat"


def test_released_and_removed(up: Up) -> None:
    network = up("direct")
    gate = network.gate()
    first, second = gate.hold("IKE_SA_INIT"), gate.hold("IKE_AUTH")
    with pair(network) as ends:
        ends.rightwards(ike(1, INIT), ike(2, AUTH))
        assert nothing_arrives(ends.two)
        assert first.release() == 1
        assert ends.arrived(1) == [1]
        ends.rightwards(ike(3, INIT), ike(4, AUTH))
        assert ends.arrived(1) == [3], "what has released holds nothing more"
        second.remove()
        assert ends.arrived(2) == [2, 4]
        with pytest.raises(ConfigError, match="has no rule 2"):
            second.release()
        held = gate.hold("any from left", seconds=0.2)
        ends.rightwards(ike(5, AUTH))
        assert ends.arrived(1) == [5], "nothing is held longer than was said"
        assert held.held() == 0


def test_at_a_link_and_in_a_nat_box(up: Up) -> None:
    network = up("nat-initiator")
    network.gate("left-uplink").duplicate("1st IKE_SA_INIT request")
    with pair(network) as ends:
        ends.rightwards(ike(1, INIT), ike(2, INIT))
        assert ends.arrived(3) == [1, 1, 2]
    with pytest.raises(ConfigError, match="no router or NAT box"):
        network.gate("left-lan")


def test_esp_and_what_is_no_ipsec(up: Up) -> None:
    """Garbage on the ports, fragments and pings pass untouched; the n-th ESP is changed where it was said."""
    network = up("direct")
    gate = network.gate()
    gate.corrupt("3rd ESP from left", octet=10)  # the first is garbage, but with an SPI
    gate.drop("IKE with SA")  # which makes it look into every message
    garbage = [b"", b"\0", bytes(3), b"\0\0\0\0short", bytes(4) + b"\xff" * 40, b"\x01" * 9]
    esp = [bytes([0, 0, 1, n]) + bytes(range(8, 40)) for n in (1, 2, 3)]
    with pair(network, 4500) as ends:
        ends.rightwards(*garbage, *esp, b"\x07" * 4000)
        arrived = [ends.two.recv(65535) for _ in range(len(garbage) + 4)]
    changed = bytearray(esp[1])
    changed[10] ^= 0xFF
    assert arrived == [*garbage, esp[0], bytes(changed), esp[2], b"\x07" * 4000]
    with pair(network) as ends:
        ends.rightwards(*garbage, ike(1, INIT)[:20], ike(1, INIT) + b"longer than it says")
        assert [ends.two.recv(2000) for _ in range(len(garbage) + 2)][:-2] == garbage
    assert not network.node("left").run(["ping", "-c2", "-i0.2", "-W2", RIGHT]).returncode


def test_bare_esp_and_ipv6(up: Up) -> None:
    network = up("dual-stack")
    network.gate().swap("1st ESP from left")
    target = network.node("right").address(version=6)
    kinds = ((socket.AF_INET, RIGHT, 20), (socket.AF_INET6, target, 0))
    for family, address, header in kinds:
        with (
            network.node("left").socket(family, socket.SOCK_RAW, 50) as left,
            network.node("right").socket(family, socket.SOCK_RAW, 50) as right,
        ):
            right.settimeout(5)
            for n in (1, 2, 3):
                left.sendto(bytes([n]) * 16, (address, 0))
            wanted = [2, 1, 3] if family == socket.AF_INET else [1, 2, 3]
            assert [right.recv(100)[header] for _ in range(3)] == wanted


def test_others_command_it_by_lines_of_json(up: Up) -> None:
    """What `ikelab gate` will say; mistakes are answered in words, and the gate goes on."""
    network = up("direct")
    gate = network.gate()
    with socket.socket(socket.AF_UNIX) as raw:
        raw.connect(str(gate.control))
        raw.sendall(
            b'not json\n[]\n{"command": "dance"}\n' + json.dumps({"command": "add", "action": "hug"}).encode() + b"\n"
        )
        answers = raw.makefile("rb")
        assert [json.loads(answers.readline())["ok"] for _ in range(4)] == [False] * 4
    with Client(gate.control, timeout=5) as client, pair(network) as ends:
        assert client.call("add", action="hold", filter="IKE_AUTH request") == {"rule": 1}
        for wrong in (
            {"filter": "IKE_HUG"},
            {"filter": "ESP from nobody"},
            {"filter": 5},
            {"filter": "ESP", "octet": 1},
        ):
            with pytest.raises(Refused):
                client.call("add", action="hold", **wrong)
        ends.rightwards(ike(1, AUTH))
        assert nothing_arrives(ends.two)
        assert client.call("release", rule=1) == {"released": 1}
        assert ends.arrived(1) == [1]
        status = client.call("status")
        assert isinstance(status, dict) and status["rules"][0]["acted"] == 1
        events = client.call("events", since=0)
        assert isinstance(events, list) and [event["action"] for event in events] == ["hold", "release"]
    assert oct(gate.control.stat().st_mode & 0o777) == "0o600"


def test_what_is_held_at_the_end_is_recorded(up: Up) -> None:
    network = up("direct")
    gate: Gate = network.gate()
    gate.drop("IKE_SA_INIT")
    gate.hold("IKE_AUTH request")
    with pair(network) as ends:
        ends.rightwards(ike(1, AUTH), ike(2, INIT))
        assert nothing_arrives(ends.two)
    network.gates.close()
    record = network.gates.record()
    assert record is not None
    assert [event["action"] for event in record["gates"][0]["events"]] == ["hold", "kept"]
    assert [(rule["ran"], rule["acted"]) for rule in record["gates"][0]["rules"]] == [
        ("user space", 1),
        ("nftables", 1),
    ]
    assert "in nftables, 1 of 1 packets" in evidence.sentence(record)
    network.gates.close()
    assert network.gates.record() == record


def test_rules_of_the_topology_file(up: Up) -> None:
    base = (topology.directory() / "direct.yaml").read_text()
    rules = "gates:\n  internet: [{drop: 1st IKE_SA_INIT request}, {delay: 2nd IKE_SA_INIT request, for: 50ms}]\n"
    network = up(topology.parse(base + rules, "ruled.yaml"))
    with pair(network) as ends:
        ends.rightwards(ike(1, INIT), ike(2, INIT), ike(3, INIT))
        assert ends.arrived(2) == [3, 2]


def test_a_flood_does_not_grow_the_gate(up: Up) -> None:
    """More than it holds goes on, and the record says so."""
    network = up("direct")
    held = network.gate().hold("any from left")
    with pair(network) as ends:
        for start in range(0, 300, 50):
            ends.rightwards(*(ike(n, INIT) for n in range(start, start + 50)))
            deadline = time.monotonic() + 10
            while held.acted() < start + 50 and time.monotonic() < deadline:
                time.sleep(0.01)
        assert held.held() == 256
        assert ends.arrived(44) == list(range(256, 300))
