"""Every NAT behaviour of the shipped topologies as the probe finds it, and what becomes of mappings."""

import time

import pytest

from lab.emulation import probe, timeline, topology
from lab.emulation.box import Box
from lab.emulation.model import Nat
from lab.emulation.network import Network
from lab.errors import ConfigError
from tests.emulation.conftest import VIRTUAL, Up, kernel_has_netem
from tests.emulation.wire import nothing_arrives, udp

# Topology -> its boxes, the nearest to the left gateway first.
ZOO = {
    "nat-initiator": ["left-nat"],
    "nat-port-restricted": ["left-nat"],
    "nat-changes-ports": ["left-nat"],
    "nat-address-dependent": ["left-nat"],
    "nat-full-cone": ["left-nat"],
    "nat-address-restricted": ["left-nat"],
    "nat-ipsec-helper": ["left-nat"],
    "nat-forgets": ["left-nat"],
    "nat-two-addresses": ["left-nat"],
    "nat-no-fragments": ["left-nat"],
    "nat-carrier": ["home-nat", "carrier-nat"],
    "ipv6-firewall": ["firewall"],
}
REMOTE = ("198.51.100.2", 4500)


def boxes(network: Network, names: list[str]) -> list[Box]:
    return [network.nat(name) for name in names]


@pytest.mark.parametrize("name", ZOO)
def test_a_box_behaves_as_its_topology_promises(up: Up, name: str) -> None:
    network = up(name)
    wanted = probe.promised([box.behaviour for box in boxes(network, ZOO[name])])
    version = 6 if name.startswith("ipv6") else 4
    found = probe.probe(network.node("left"), network.node("internet"), version)
    assert not probe.differences(found, wanted)


@pytest.mark.parametrize(
    ("nat", "word"),
    [
        ("ports: random", "mapping"),
        ("ports: random, mapping: address-dependent", "mapping"),
        ("filtering: endpoint-independent", "filtering"),
        ("filtering: address-dependent", "filtering"),
        ("ports: 20000-20999, mapping: endpoint-independent", "source ports"),
        ("ports: random, ipsec_helper: true", "source ports"),
        ("hairpin: true", "hairpinning"),
        ("drop_fragments: true", "fragments"),
        ("udp_timeout: 2s", "unanswered UDP mapping"),
    ],
)
def test_the_probe_tells_each_behaviour_from_the_common_one(up: Up, nat: str, word: str) -> None:
    text = (topology.directory() / "nat-initiator.yaml").read_text()
    network = up(topology.parse(text.replace("{ports: random}", f"{{{nat}}}")))
    ages = (1.0, 3.5) if word.startswith("unanswered") else ()
    found = probe.probe(network.node("left"), network.node("internet"), ages=ages)
    behaviour = network.nat("left-nat").behaviour
    assert not probe.differences(found, probe.promised([behaviour], ages)), "what it promises it keeps"
    broken = probe.differences(found, probe.promised([Nat()], ages))
    assert any(line.startswith(word) for line in broken), broken


def test_a_client_is_told_from_another_that_has_the_same_port(up: Up) -> None:
    text = (topology.directory() / "two-clients.yaml").read_text()
    network = up(topology.parse(text.replace("{ports: preserve}", "{filtering: endpoint-independent}")))
    with (
        udp(network.node("left"), 4500) as one,
        udp(network.node("second"), 4500) as two,
        udp(network.node("right"), 4500) as right,
        udp(network.node("internet"), 9) as stranger,
    ):
        places = []
        for client in (one, two):
            client.sendto(b"here", REMOTE)
            places.append(right.recvfrom(100)[1])
        assert places[0] == ("203.0.113.2", 4500) != places[1]
        for client, place in zip((one, two), places, strict=True):
            stranger.sendto(str(place).encode(), place)
            assert client.recv(100) == str(place).encode()


def test_hairpin_through_a_port_forward(up: Up) -> None:
    network = up("nat-hairpin")
    with udp(network.node("left"), 4500) as left, udp(network.node("right"), 4500) as right:
        left.sendto(b"hello", ("203.0.113.2", 4500))
        data, source = right.recvfrom(100)
        assert data == b"hello" and source[0] == "203.0.113.2" and 20000 <= source[1] < 30000
        right.sendto(b"back", source)
        assert left.recvfrom(100) == (b"back", ("203.0.113.2", 4500))
    outside = f"203.0.113.2:{source[1]}"
    assert [(entry["inside"], entry["outside"], entry["remote"]) for entry in network.mappings()] == [
        ("192.168.1.130:4500", "203.0.113.2:4500", outside),
        ("192.168.1.2:4500", outside, "203.0.113.2:4500"),
    ]


def test_a_packet_that_turns_back_for_nobody_takes_no_port(up: Up) -> None:
    network = up("nat-hairpin")
    network.rebind("nat", remap={4500: 34500})
    with udp(network.node("left"), 4500) as left, udp(network.node("right"), 4500) as right:
        right.sendto(b"anybody?", ("203.0.113.2", 34500))
        assert nothing_arrives(left)
        left.sendto(b"hello", ("203.0.113.2", 4500))
        assert right.recvfrom(100) == (b"hello", ("203.0.113.2", 34500))


def test_a_helper_serves_one_client_at_a_time(up: Up) -> None:
    text = (topology.directory() / "two-clients.yaml").read_text()
    network = up(topology.parse(text.replace("{ports: preserve}", "{ports: random, ipsec_helper: true}")))
    with (
        udp(network.node("left"), 500) as one,
        udp(network.node("second"), 500) as two,
        udp(network.node("right"), 500) as right,
    ):
        one.sendto(b"first", ("198.51.100.2", 500))
        assert right.recvfrom(100) == (b"first", ("203.0.113.2", 500))
        two.sendto(b"second", ("198.51.100.2", 500))
        assert nothing_arrives(right)
        network.nat("nat").reboot()
        two.sendto(b"second", ("198.51.100.2", 500))
        assert right.recvfrom(100) == (b"second", ("203.0.113.2", 500))


# -- what can be done to a box, and what its timeline says of it


def events(box: Box) -> list[tuple[str, str]]:
    return [(entry["event"], entry.get("outside", "")) for entry in box.timeline()]


def test_the_timeline_of_a_mapping(up: Up) -> None:
    network = up("nat-two-addresses")
    box = network.nat("left-nat")
    with udp(network.node("left"), 4500) as left, udp(network.node("right"), 4500) as right:

        def seen() -> str:
            left.sendto(b"here", REMOTE)
            place = right.recvfrom(100)[1]
            return f"{place[0]}:{place[1]}"

        began = time.time()
        first, second, third = "203.0.113.2:4500", "203.0.113.3:4500", "203.0.113.3:34500"
        assert seen() == first
        left.sendto(b"other", ("198.51.100.1", 9))
        box.rebind(address="203.0.113.3")
        assert seen() == second
        box.rebind(remap={4500: 34500})
        assert seen() == third
        box.reboot()
        assert seen() == third
    assert events(box) == [
        ("created", first),
        ("rebound", ""),
        ("forgotten", first),
        ("changed", second),
        ("rebound", ""),
        ("forgotten", second),
        ("changed", third),
        ("rebooted", ""),
        ("forgotten", third),
        ("created", third),
    ]
    created, *_ = entries = box.timeline()
    assert created["seen_by"] == ["198.51.100.1:9", "198.51.100.2:4500"]
    assert [entry["before"] for entry in entries if entry["event"] == "changed"] == [first, second]
    assert all(began <= entry["t"] <= time.time() for entry in entries)
    facts = network.nat_facts()
    assert facts["timeline"] == entries and facts["boxes"]["left-nat"]["by"] == "nftables"
    assert facts["boxes"]["left-nat"]["address"] == "203.0.113.3"


def test_a_box_that_is_off_lets_nothing_pass(up: Up) -> None:
    network = up("nat-port-restricted")
    box = network.nat("left-nat")
    with udp(network.node("left"), 4500) as left, udp(network.node("right"), 4500) as right:
        box.off()
        left.sendto(b"lost", REMOTE)
        assert nothing_arrives(right)
        box.on()
        left.sendto(b"there", REMOTE)
        assert right.recv(100) == b"there"


def test_a_timeout_set_later(up: Up) -> None:
    network = up("nat-changes-ports")
    box = network.nat("left-nat")
    box.set_timeout("2s")
    found = probe.lifetime(network.node("left"), network.node("internet"), (1.0, 3.5))
    assert found == (1.0, 3.5)
    lives = [m for m in timeline.mappings(box.connections()) if m.ended_ns]
    last = max((mapping.ended_ns - mapping.began_ns) / 1e9 for mapping in lives)
    assert 1.9 < last < 3.5, "one was used after 1 s, at most, and then had two more"
    assert box.timeline()[0]["detail"] == "udp_timeout: 2s"
    with pytest.raises(ConfigError, match="whole seconds"):
        box.set_timeout("1500ms")


@pytest.mark.skipif(not VIRTUAL, reason="half a minute passes")
def test_answered_mappings_live_longer(up: Up) -> None:
    network = up("nat-port-restricted")
    ages = (25.0, 35.0, 115.0, 125.0)
    ends = network.node("left"), network.node("internet")
    assert probe.lifetime(*ends, ages) == (25.0, 35.0)
    assert probe.lifetime(*ends, ages, answered=True) == (115.0, 125.0)


def test_what_cannot_be_done_to_a_box(up: Up) -> None:
    network = up("ipv6-firewall")
    with pytest.raises(ConfigError, match="is a firewall: it has no mappings"):
        network.rebind("firewall", remap={4500: 1})
    with pytest.raises(ConfigError, match="`internet` is no NAT box"):
        network.nat("internet")
    network.stop()
    network = up("nat-initiator")
    with pytest.raises(ConfigError, match=r"192\.0\.2\.9 is not an address of `left-nat`; outside it has 203"):
        network.rebind("left-nat", address="192.0.2.9")
    assert network.nat("left-nat").behaviour == topology.load("nat-initiator").nodes["left-nat"].nat


@pytest.mark.parametrize("name", topology.names())
def test_every_topology_stands(up: Up, name: str) -> None:
    loaded = topology.load(name)
    if any(link.impair for link in loaded.links.values()) and not kernel_has_netem():
        pytest.skip("needs netem")
    network = up(name)
    version = 6 if loaded.attachment("right").address() is None else 4
    target = loaded.public_address("right", version)
    reached = network.node("left").run(["ping", "-c2", "-i", "0.2", "-W", "3", target])
    assert reached.returncode == 0, f"left does not reach {target}: {reached.stdout}"
