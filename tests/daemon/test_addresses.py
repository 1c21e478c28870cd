"""What the system says of its addresses, in a network namespace of our own; and a daemon that acts on it."""

import json
import select
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.backends.datagrams import NOWHERE
from lab.daemon.addresses import Addresses, _interfaces, _ours
from lab.daemon.client import Refused
from lab.daemon.ports import source_towards
from tests.daemon.test_tunnels import Site, config
from tests.netns import Node, needs_root, until

pytestmark = needs_root


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path)
    yield made
    for node in made.nodes:
        node.close()


def test_only_addresses_that_others_can_reach(site: Site) -> None:
    site.wire()
    site.left.ip("addr add 2001:db8::1/64 dev wan nodad")
    assert site.left.call(lambda: Addresses().own()) == ["10.1.0.1", "192.0.2.1", "2001:db8::1"]


def changes(node: Node, *commands: str) -> list[bool]:
    """Whether a change was said, before any and after each of these commands."""

    def watch() -> list[bool]:
        seen = Addresses()
        said = [seen.changed()]
        for command in commands:
            node_ip(command)
            select.select([seen], [], [], 1.0)
            said.append(seen.changed())
            said.append(seen.changed())
        seen.close()
        return said

    return node.call(watch)


def node_ip(command: str) -> None:
    subprocess.run(["ip", *command.split()], check=True)


def test_every_change_of_addresses_and_routes_is_said_once(site: Site) -> None:
    site.wire()
    commands = ("addr add 192.0.2.77/24 dev wan", "route add 10.9.0.0/24 via 192.0.2.2", "link set wan down")
    assert changes(site.left, *commands) == [False, True, False, True, False, True, False]


def test_tunnel_devices_of_ours_do_not_count(site: Site) -> None:
    site.wire()
    site.left.ip("tuntap add dev ikelab7 mode tun")
    commands = ("link set ikelab7 up", "addr add 10.8.0.1/32 dev ikelab7", "route add 10.9.0.0/24 dev ikelab7")
    assert not any(changes(site.left, *commands))
    assert site.left.call(lambda: Addresses().own()) == ["10.1.0.1", "192.0.2.1"]


@pytest.mark.parametrize("data", [b"", bytes(15), bytes(16), bytes(40), b"\xff" * 40, b"\x10\0\0\0\x18\0" + bytes(10)])
def test_a_message_that_makes_no_sense_is_about_no_device_of_ours(data: bytes) -> None:
    assert not any(_ours(interface) for interface in _interfaces(data))


def test_the_source_towards_a_host_by_an_interface(site: Site) -> None:
    site.wire()

    def ask() -> list[str | None]:
        wan = socket.if_nametoindex("wan")
        return [source_towards("192.0.2.2", by) for by in (0, wan, NOWHERE)] + [source_towards("198.51.100.1")]

    assert site.left.call(ask) == ["192.0.2.1", "192.0.2.1", None, None]


def ends(daemon) -> tuple[str, str]:
    (sa,) = daemon.call("list-sas")
    return sa["local_host"], sa["remote_host"]


def test_a_daemon_goes_along_to_another_address(site: Site) -> None:
    site.wire()
    left, right = site.start(here="%any")
    site.echo()
    before = left.call("initiate", child="net", timeout=10)
    site.left.ip("addr add 192.0.2.77/24 dev wan")
    site.left.ip("addr del 192.0.2.1/24 dev wan")
    site.left.ip("addr replace 192.0.2.77/24 dev wan")  # where secondary addresses go with the first
    until(lambda: ends(right) == ("192.0.2.2", "192.0.2.77"), "the right side to follow")
    until(lambda: left.child()["spi_in"] == before["spi_in"] and site.ask(seconds=0.5), "an echo through the same SAs")
    assert '"moved"' in (left.directory / "events.jsonl").read_text()


def test_a_full_tunnel_goes_along_to_another_network(site: Site) -> None:
    """Routes of the tunnel cover the peer; the way to it is found beside them, before and after."""
    site.left.join(site.right, "wan", "192.0.2.1/24", "192.0.2.2/24")
    site.left.join(site.right, "wifi", "198.51.100.1/24", "198.51.100.2/24")
    site.right.ip("addr add 203.0.113.9/32 dev lo")
    site.left.ip("route add default via 192.0.2.2")
    left, right = site.start(here="%any", there="203.0.113.9", remote_ts="0.0.0.0/0")
    site.echo()
    left.call("initiate", child="net", timeout=10)
    assert site.ask() and ends(left) == ("192.0.2.1", "203.0.113.9")
    site.left.ip("route del default via 192.0.2.2")
    until(lambda: "no way to 203.0.113.9 now" in left.log(), "the daemon to see that there is no way beside the tunnel")
    site.left.ip("route append default via 198.51.100.2 dev wifi")
    site.left.ip("addr del 192.0.2.1/24 dev wan")
    until(lambda: ends(right) == ("203.0.113.9", "198.51.100.1"), "the right side to follow")
    until(lambda: site.ask(seconds=0.5), "an echo through the tunnel")
    assert ends(left) == ("198.51.100.1", "203.0.113.9")


def test_the_command_moves_and_says_why_not(site: Site) -> None:
    site.wire()
    site.left.ip("addr add 192.0.2.77/24 dev wan")
    left, right = site.start(here="%any")
    left.call("initiate", child="net", timeout=10)
    assert left.call("move", ike="gw", local="192.0.2.77", timeout=10)["path"] == "192.0.2.77[4500]-192.0.2.2[4500]"
    assert ends(right) == ("192.0.2.2", "192.0.2.77")
    with pytest.raises(Refused, match=r"192\.0\.2\.9 is no address of this host; there are: .*192\.0\.2\.77"):
        left.call("move", local="192.0.2.9")


def test_an_address_that_the_peer_does_not_want_is_left_again(site: Site) -> None:
    site.wire()
    site.left.ip("addr add 192.0.2.77/24 dev wan")
    left, _right = site.start(left=config("left", here="%any"))
    left.call("initiate", child="net", timeout=10)
    with pytest.raises(Refused, match="UNACCEPTABLE_ADDRESSES"):
        left.call("move", local="192.0.2.77", timeout=10)
    assert ends(left) == ("192.0.2.1", "192.0.2.2")
    assert json.loads((left.directory / "events.jsonl").read_text().splitlines()[-1])["event"] == "not-moved"
