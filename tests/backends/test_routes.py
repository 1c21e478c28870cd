"""Routes through the device, in a namespace."""

import json
import subprocess
from collections.abc import Callable, Iterator
from ipaddress import ip_address, ip_network

import pytest
from pyroute2 import IPRoute

from lab.backends.addresses import Addresses
from lab.backends.datagrams import NOWHERE
from lab.backends.routes import Routes, networks
from lab.backends.tun import Tun
from lab.ike.path import Path
from lab.trace import Record, Trace
from lab.wire.payloads_v2 import TrafficSelector
from tests.ipsec.children import child
from tests.netns import Node, needs_root

pytestmark = needs_root


def ts(*texts: str) -> list[TrafficSelector]:
    return [TrafficSelector.of_network(text) for text in texts]


def test_networks_of_selectors() -> None:
    odd = TrafficSelector(6, 80, 80, ip_address("10.0.0.1"), ip_address("10.0.0.6"))
    assert [str(n) for n in networks([odd])] == ["10.0.0.1/32", "10.0.0.2/31", "10.0.0.4/31", "10.0.0.6/32"]
    backwards = TrafficSelector(0, 0, 65535, ip_address("10.0.0.6"), ip_address("10.0.0.1"))
    mixed = TrafficSelector(0, 0, 65535, ip_address("10.0.0.6"), ip_address("2001:db8::1"))
    assert list(networks([backwards, mixed])) == []
    assert [str(n) for n in networks(ts("0.0.0.0/0", "::/0"))] == ["0.0.0.0/0", "::/0"]


@pytest.fixture
def node() -> Iterator[Node]:
    made = Node()
    made.ip("link add wan type veth peer name far")
    for command in ("addr add 192.0.2.1/24 dev wan", "link set wan up", "link set far up", "link set wan mtu 1400"):
        made.ip(command)
    made.ip("addr add 10.1.0.1/24 dev lo")
    yield made
    made.close()


def inside(node: Node, work: Callable[[Routes, list[Record]], object]) -> object:
    """Run with a device and its routes, in the node."""

    def run() -> object:
        records: list[Record] = []
        tun = Tun()
        routes = Routes(tun.name, Trace(records.append))
        routes.up(1400, 44)
        result = work(routes, records)
        routes.close()
        tun.close()
        return result

    return node.call(run)


def show(*words: str) -> list[dict[str, object]]:
    return json.loads(subprocess.run(["ip", "-json", *words], capture_output=True, check=True).stdout or "[]")


def test_a_route_names_a_source_within_our_selectors(node: Node) -> None:
    def work(routes: Routes, _records: list[Record]) -> object:
        routes.add(ts("10.1.0.0/24"), ts("10.2.0.0/24", "10.3.0.0/24"))
        routes.add(ts("10.9.0.0/24"), ts("10.4.0.0/24"))
        return [(r["dst"], r.get("prefsrc")) for r in show("route") if r["dev"] == "ikelab0"]

    assert inside(node, work) == [["10.2.0.0/24", "10.1.0.1"], ["10.3.0.0/24", "10.1.0.1"], ["10.4.0.0/24", None]]


def test_children_share_routes(node: Node) -> None:
    def work(routes: Routes, records: list[Record]) -> object:
        routes.add([], ts("10.2.0.0/24"))
        routes.add([], ts("10.2.0.0/24"))
        counts = []
        for _ in range(2):
            routes.remove(ts("10.2.0.0/24"))
            counts.append(sum(r["dev"] == "ikelab0" for r in show("route")))
        return [counts, [record.text for record in records]]

    assert inside(node, work) == [[1, 0], []]


def test_our_route_comes_before_one_of_the_same_length(node: Node) -> None:
    node.ip("route add default via 192.0.2.2")
    node.ip("route add 10.2.0.0/24 via 192.0.2.3")

    def work(routes: Routes, records: list[Record]) -> object:
        routes.add([], ts("0.0.0.0/0", "10.2.0.0/24"))
        taken = [show("route", "get", host)[0]["dev"] for host in ("10.2.0.1", "203.0.113.9", "192.0.2.9")]
        routes.remove(ts("0.0.0.0/0", "10.2.0.0/24"))
        after = [show("route", "get", host)[0]["dev"] for host in ("10.2.0.1", "203.0.113.9", "192.0.2.9")]
        return [taken, after, [record.text for record in records]]

    assert inside(node, work) == [["ikelab0", "ikelab0", "wan"], ["wan"] * 3, []]


def test_the_way_to_a_peer_that_a_route_of_ours_covers(node: Node) -> None:
    node.ip("route add default via 192.0.2.2 metric 10")
    node.ip("route add 203.0.113.0/24 nexthop via 192.0.2.4 nexthop via 192.0.2.5")
    wan = next(link["ifindex"] for link in json.loads(node.ip("-json link")) if link["ifname"] == "wan")

    def work(routes: Routes, _records: list[Record]) -> object:
        free = routes.interface_to("198.51.100.1")
        routes.add([], ts("0.0.0.0/0"))
        covered = [routes.interface_to(host) for host in ("198.51.100.1", "192.0.2.2", "203.0.113.1", "198.51.100.1")]
        routes.remove(ts("0.0.0.0/0"))
        return [free, covered, routes.interface_to("198.51.100.1"), routes.interface_to("2001:db8::1")]

    assert inside(node, work) == [0, [wan] * 4, 0, 0]


def test_no_way_to_a_peer_is_no_error(node: Node) -> None:
    def work(routes: Routes, _records: list[Record]) -> object:
        routes.add([], ts("198.51.100.0/24"))
        return [routes.interface_to("198.51.100.1"), routes.mtu_to(child(path=Path("", 500, "198.51.100.1", 500)))]

    assert inside(node, work) == [NOWHERE, 1500]


def test_a_route_may_take_less_than_the_device(node: Node) -> None:
    def work(routes: Routes, records: list[Record]) -> object:
        routes.add(ts("10.1.0.0/24"), ts("10.2.0.0/24", "10.3.0.0/24"))
        seen = []
        for limits in ({"10.2.0.0/24": 1200}, {"10.2.0.0/24": 1000, "10.9.0.0/24": 900}, {}):
            routes.limit({ip_network(network): mtu for network, mtu in limits.items()})
            found = [route for route in show("route") if route["dev"] == "ikelab0"]
            seen.append([(r["dst"], r.get("prefsrc"), r.get("metrics", [{}])[0].get("mtu")) for r in found])
        routes.remove(ts("10.2.0.0/24", "10.3.0.0/24"))
        left = [route for route in show("route") if route["dev"] == "ikelab0"]
        return [seen, left, [record.text for record in records]]

    other = ["10.3.0.0/24", "10.1.0.1", None]
    wanted = [sorted([["10.2.0.0/24", "10.1.0.1", mtu], other]) for mtu in (1200, 1000, None)]
    assert inside(node, work) == [wanted, [], []]


def test_the_mtu_is_that_of_the_way_out(node: Node) -> None:
    def work(routes: Routes, _records: list[Record]) -> object:
        near = child(path=Path("192.0.2.1", 500, "192.0.2.2", 500))
        plain = routes.mtu_to(near)
        routes.add([], ts("192.0.2.2/32"))
        return [plain, routes.mtu_to(near)]

    assert inside(node, work) == [1400, 1400]


def seen(far: str) -> list[list[object]]:
    """The routes to a network through the device: where to, and from which address."""
    family = "-6" if ":" in far else "-4"
    found = [r for r in show(family, "route") if r["dev"] == "ikelab0" and r["dst"] == far]
    return [[r["dst"], r.get("prefsrc")] for r in found]


def on(device: str) -> list[str]:
    """The addresses of an interface, without those that the system gives it."""
    infos = [info for link in show("addr", "show", "dev", device) for info in link.get("addr_info", [])]
    return [f"{i['local']}/{i['prefixlen']}" for i in infos if i.get("scope") == "global"]


@pytest.mark.parametrize(
    ("vip", "host", "far"),
    [("10.3.0.1", "10.3.0.1/32", "10.2.0.0/24"), ("2001:db8:3::1", "2001:db8:3::1/128", "2001:db8:2::/64")],
)
def test_a_virtual_address_is_the_source_and_goes_again(node: Node, vip: str, host: str, far: str) -> None:
    def work(routes: Routes, records: list[Record]) -> object:
        routes.add_address(ip_address(vip))
        routes.add(ts(host), ts(far))
        up = [on("ikelab0"), seen(far)]
        routes.remove(ts(far))
        routes.remove_address(ip_address(vip))
        return [up, on("ikelab0"), seen(far), [record.text for record in records]]

    assert inside(node, work) == [[[host], [[far, vip]]], [], [], []]


@pytest.mark.parametrize(
    ("first", "second", "far"),
    [("10.3.0.1", "10.3.0.2", "10.2.0.0/24"), ("2001:db8:3::1", "2001:db8:3::2", "2001:db8:2::/64")],
)
def test_a_shared_route_names_an_address_that_is_left(node: Node, first: str, second: str, far: str) -> None:
    def work(routes: Routes, records: list[Record]) -> object:
        found = []
        routes.add([], ts(far))  # a trap, which knows no address
        for vip in (first, second):
            routes.add_address(ip_address(vip))
            routes.add(ts(vip), ts(far))
            found.append(seen(far))
        for vip in (second, first):
            routes.remove(ts(far))
            routes.remove_address(ip_address(vip))
            found.append(seen(far))
        return [found, [record.text for record in records]]

    names = [first, second, first, None]
    assert inside(node, work) == [[[[far, name]] for name in names], []]


def test_an_address_is_counted_and_one_that_was_there_stays(node: Node) -> None:
    node.ip("addr add 10.3.0.9/32 dev lo")

    def work(routes: Routes, records: list[Record]) -> object:
        one, there, netlink = ip_address("10.3.0.1"), ip_address("10.3.0.9"), IPRoute()
        addresses = Addresses(netlink, netlink.link_lookup(ifname="lo")[0], Trace(records.append))
        found = []
        for address in (one, one, there):
            addresses.add(address)
        found.append(on("lo"))
        for address in (one, there):
            addresses.remove(address)
        found.append(on("lo"))
        addresses.remove(one)
        addresses.add(ip_address("2001:db8:3::1"))
        addresses.close()
        netlink.close()
        return [*found, on("lo"), [record.text for record in records]]

    assert sorted(inside(node, work)[0]) == ["10.1.0.1/24", "10.3.0.1/32", "10.3.0.9/32"]
    assert [len(found) for found in inside(node, work)] == [3, 3, 2, 0]


def test_ipv6_routes(node: Node) -> None:
    node.ip("addr add 2001:db8:1::1/64 dev wan nodad")

    def work(routes: Routes, records: list[Record]) -> object:
        routes.add(ts("2001:db8:1::/64"), ts("2001:db8:2::/64", "::/0"))
        found = [(r["dst"], r.get("prefsrc")) for r in show("-6", "route") if r["dev"] == "ikelab0"]
        return [found, [record.text for record in records]]

    routes = [["2001:db8:2::/64", "2001:db8:1::1"], ["default", "2001:db8:1::1"]]
    assert inside(node, work) == [routes, []]


def test_a_route_that_cannot_be_is_a_note(node: Node) -> None:
    def work(routes: Routes, records: list[Record]) -> object:
        routes.remove(ts("10.7.0.0/24"))
        return [record.text for record in records]

    (note,) = inside(node, work)
    assert note.startswith("route to 10.7.0.0/24 through the tunnel failed")
