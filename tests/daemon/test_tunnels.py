"""Two of our daemons in two network namespaces: tunnels that carry packets, and what is left when a daemon ends."""

import json
import os
import select
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.daemon.client import Refused
from tests.netns import Daemon, Node, needs_nft, needs_root, until

pytestmark = needs_root

CONFIG = """
connections {
  gw {
    version = 2
    local_addrs = %(here)s
    remote_addrs = %(there)s
    proposals = aes128gcm16-prfsha256-x25519
    local {
      auth = psk
      id = %(me)s
    }
    remote {
      auth = psk
      id = %(peer)s
    }
    children {
      net {
        local_ts = %(local_ts)s
        remote_ts = %(remote_ts)s
        esp_proposals = %(esp)s
        start_action = %(start)s
      }
    }
  }
}
secrets {
  ike {
    secret = %(secret)s
  }
}
ikelab {
  retransmit_timeout = 0.5
  retransmit_tries = 2
}
"""
ESP = "aes128gcm16"


def config(side: str, **changes: str) -> str:
    """The configuration of `left` or `right`; changes are given as the left side sees them."""
    values = {"here": "192.0.2.1", "there": "192.0.2.2", "me": "left", "peer": "right", "secret": "swordfish"}
    values |= {"local_ts": "10.1.0.0/24", "remote_ts": "10.2.0.0/24", "esp": ESP, "start": "none"} | changes
    if side == "right":
        for ours, theirs in (("here", "there"), ("me", "peer"), ("local_ts", "remote_ts")):
            values[ours], values[theirs] = values[theirs], values[ours]
    return CONFIG % values


class Site:
    """Two gateways on one wire, each with an address of its inner network."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.left, self.right = Node(), Node()
        self.nodes = [self.left, self.right]
        self.left.ip("addr add 10.1.0.1/32 dev lo")
        self.right.ip("addr add 10.2.0.1/32 dev lo")

    def wire(self) -> None:
        self.left.join(self.right, "wan", "192.0.2.1/24", "192.0.2.2/24")

    def start(self, *, left: str | None = None, right: str | None = None, **changes: str) -> tuple[Daemon, Daemon]:
        return (
            Daemon(self.left, self.directory / "left", left or config("left", **changes)),
            Daemon(self.right, self.directory / "right", right or config("right", **changes)),
        )

    def echo(self, address: str = "10.2.0.1") -> None:
        """Let the right side send back what comes to UDP port 7."""
        served = socket.socketpair()

        def serve() -> int:
            with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM) as here:
                here.bind((address, 7))
                served[1].send(b"!")
                while True:
                    data, sender = here.recvfrom(65535)
                    here.sendto(data, sender)

        self.right.fork(serve)
        assert served[0].recv(1) == b"!"
        for end in served:
            end.close()

    def ask(self, size: int = 100, address: str = "10.2.0.1", source: str = "", seconds: float = 5.0) -> bool:
        """Whether an echo comes back to the left side."""
        return self.left.call(lambda: asked(size, address, source, seconds))


def asked(size: int, address: str, source: str, seconds: float) -> bool:
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM) as here:
        if source:
            here.bind((source, 0))
        here.connect((address, 7))
        data = bytes(n & 0xFF for n in range(size))
        here.send(data)
        return bool(select.select([here], [], [], seconds)[0]) and here.recv(65535) == data


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path)
    yield made
    for node in made.nodes:
        node.close()


@pytest.mark.parametrize("esp", ["aes128gcm16", "aes256gcm16", "chacha20poly1305", "aes256-sha512", "aes128-sha256"])
def test_raw_esp_carries_packets_both_ways(site: Site, esp: str) -> None:
    site.wire()
    left, right = site.start(esp=esp)
    site.echo()
    up = left.call("initiate", child="net", timeout=10)
    assert up["child"] == "net" and up["encap"] is False
    for size in (1, 500, 1300, 1372, 1500, 8000, 60000):
        assert site.ask(size), f"{size} octets"
    ours, theirs = left.child(), right.child()
    assert ours["packets_out"] == theirs["packets_in"] >= 7 and theirs["packets_out"] == ours["packets_in"] >= 7
    assert ours["bytes_out"] == theirs["bytes_in"] and ours["spi_in"] == theirs["spi_out"]
    assert left.call("stats")["drops"] == {} and right.call("stats")["drops"] == {}


def test_the_mtu_of_the_device_keeps_esp_packets_whole(site: Site) -> None:
    """Full-sized inner packets leave as ESP packets that fit the wire, none larger, none wastefully smaller."""
    site.wire()
    left, _right = site.start(esp="aes256-sha512")
    site.echo()
    left.call("initiate", child="net", timeout=10)
    mtu, inner = (json.loads(site.left.ip(f"-json link show {name}"))[0]["mtu"] for name in ("wan", "ikelab0"))
    # 1500 - 20 IP = 1480; - 8 ESP - 16 IV - 32 ICV = 1424, whole blocks 1424, - 2 trailer
    assert (mtu, inner) == (1500, 1422)
    assert site.ask(inner - 28) and site.ask(inner)


def with_virtual_addresses(far: str = "10.2.0.0/24") -> tuple[str, str]:
    """The left side asks for virtual addresses of both families, the right side lends them."""
    own, other = (config(side, local_ts="dynamic", remote_ts=far) for side in ("left", "right"))
    pools = "pools {\n four {\n addrs = 10.3.0.0/24\n }\n six {\n addrs = 2001:db8:3::/64\n }\n}\n"
    asks, lends = "version = 2\n vips = 0.0.0.0, ::", "version = 2\n pools = four, six"
    return own.replace("version = 2", asks), other.replace("version = 2", lends) + pools


def source_to(address: str) -> str:
    """The address that a socket of this host sends from."""
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM) as here:
        here.connect((address, 7))
        return str(here.getsockname()[0])


def network(node: Node) -> tuple[list[tuple[object, ...]], ...]:
    """Addresses and routes of a node, without those that the system gives every link."""
    links = json.loads(node.ip("-json addr"))
    addresses = [(link["ifname"], i["local"]) for link in links for i in link["addr_info"] if i["scope"] == "global"]
    routes = [r for family in ("-4", "-6") for r in json.loads(node.ip(f"-json {family} route") or "[]")]
    told = [(r["dst"], r.get("dev"), r.get("prefsrc")) for r in routes if not r["dst"].startswith("fe80")]
    return addresses, told


def test_virtual_addresses_are_the_source_and_go_with_the_ike_sa(site: Site) -> None:
    site.wire()
    site.right.ip("addr add 2001:db8:2::1/128 dev lo")
    left, right = with_virtual_addresses("10.2.0.0/24, 2001:db8:2::/64")
    before = network(site.left)
    ours, theirs = site.start(left=left, right=right)
    ours.call("initiate", child="net", timeout=10)
    for address, vip in (("10.2.0.1", "10.3.0.1"), ("2001:db8:2::1", "2001:db8:3::1")):
        site.echo(address)
        assert site.left.call(lambda address=address: source_to(address)) == vip
        assert site.ask(address=address)
    assert ours.child()["local_ts"] == theirs.child()["remote_ts"] == ["10.3.0.1/32", "2001:db8:3::1/128"]
    for asker in (ours, theirs):
        asker.call("rekey", ike="gw", timeout=10)
        assert site.ask()
    (sa,) = (sa for sa in ours.call("list-sas") if sa["state"] == "ESTABLISHED")
    assert sa["local_vips"] == ["10.3.0.1", "2001:db8:3::1"]
    assert network(site.left) != before
    ours.call("terminate", timeout=10)
    assert network(site.left) == before
    ours.call("initiate", child="net", timeout=10)
    ours.stop(signal.SIGKILL)
    assert network(site.left) == before


def nat_between(site: Site) -> None:
    """left 192.168.1.2 - NAT box 203.0.113.2 - right 203.0.113.1; the box changes ports."""
    box = Node()
    site.nodes.append(box)
    site.left.join(box, "wan", "192.168.1.2/24", "192.168.1.1/24")
    box.join(site.right, "out", "203.0.113.2/24", "203.0.113.1/24")
    site.left.ip("route add default via 192.168.1.1")
    box.run(["sysctl", "-qw", "net.ipv4.ip_forward=1"])
    box.nft(
        """table ip nat {
             chain post {
               type nat hook postrouting priority 100;
               oifname "out" meta l4proto udp masquerade to :20000-29999 random
             }
           }
           table ip filter {
             chain in {
               type filter hook input priority 0; policy drop;
               iifname "wan" accept
             }
           }
        """
    )


BEHIND_NAT = {
    "left": config("left", here="192.168.1.2", there="203.0.113.1"),
    "right": config("left", here="203.0.113.1", there="%any", me="right", peer="left", local_ts="10.2.0.0/24",
                    remote_ts="10.1.0.0/24"),
}  # fmt: skip


@needs_nft
def test_esp_in_udp_through_a_nat(site: Site) -> None:
    nat_between(site)
    left, right = site.start(**BEHIND_NAT)
    site.echo()
    up = left.call("initiate", child="net", timeout=10)
    assert up["encap"] is True
    for size in (1, 1300, 1410, 5000):
        assert site.ask(size), f"{size} octets"
    (seen,) = right.call("list-sas")
    assert (seen["remote_host"], seen["local_port"], seen["nat_remote"]) == ("203.0.113.2", 4500, True)
    assert 20000 <= seen["remote_port"] <= 29999, "the NAT's port"
    assert right.child()["packets_in"] >= 4 and right.call("stats")["drops"] == {}


def test_delete_from_both_ends_and_again(site: Site) -> None:
    site.wire()
    left, right = site.start()
    site.echo()
    for ender in (left, right, left):
        left.call("initiate", child="net", timeout=10)
        assert site.ask()
        ender.call("terminate", ike="gw", timeout=10)
        for daemon in (left, right):
            until(lambda d=daemon: d.call("list-sas") == [], "no IKE SA left")
        assert "ikelab0" not in site.left.ip("route") + site.right.ip("route")


def test_a_child_alone_is_deleted(site: Site) -> None:
    site.wire()
    left, right = site.start()
    left.call("initiate", child="net", timeout=10)
    left.call("terminate", child="net", timeout=10)
    ((ours,), (theirs,)) = left.call("list-sas"), right.call("list-sas")
    assert ours["state"] == theirs["state"] == "ESTABLISHED" and ours["children"] == theirs["children"] == []


def test_sigterm_says_goodbye_and_leaves_nothing(site: Site) -> None:
    site.wire()
    left, right = site.start()
    before = traces_in(site.left)
    left.call("initiate", child="net", timeout=10)
    assert "ikelab0" in site.left.ip("route")
    assert left.stop() == 0
    assert right.call("list-sas") == [], "the peer was told"
    links = [name for name in before[0] if name != "ikelab0"]
    assert links != before[0] and traces_in(site.left) == [links, *before[1:]]
    assert not (site.directory / "left" / "ctl").exists()
    assert right.stop(signal.SIGINT) == 130


def traces_in(node: Node) -> list[object]:
    """What a daemon could leave behind in the system, without what changes by itself (states, link-local addresses)."""
    links = sorted(link["ifname"] for link in json.loads(node.ip("-json link")))
    return [links, node.ip("-4 route show table all"), node.ip("-4 rule"), node.ip("-6 rule")]


def test_after_kill_nothing_is_left_and_a_restart_works(site: Site) -> None:
    site.wire()
    clean = traces_in(site.left)
    left, right = site.start(remote_ts="0.0.0.0/0")
    site.echo()
    left.call("initiate", child="net", timeout=10)
    assert site.ask()
    assert site.left.kill(left.pid) == -signal.SIGKILL
    # The kernel clears up when the last descriptor goes, a moment after the process: the device first, then its routes.
    until(lambda: traces_in(site.left) == clean, "the device and its routes to go")
    left = Daemon(site.left, site.directory / "left", config("left", remote_ts="0.0.0.0/0"))
    left.call("initiate", child="net", timeout=10)
    assert site.ask()
    # What arrives for the SA of before the restart has an SPI that nobody knows.
    assert right.call("stats")["endpoint"]["ike_sas"] >= 1


def test_a_device_that_somebody_deletes_ends_the_daemon_with_a_sentence(site: Site) -> None:
    site.wire()
    left, _right = site.start()
    site.left.ip("link del ikelab0")
    assert site.left.wait(left.pid) == 5
    assert left.stderr() == "ikelab: the interface ikelab0 is gone: File descriptor in bad state\n"


@pytest.mark.parametrize("remote_ts", ["0.0.0.0/0", "192.0.2.2/32, 10.2.0.0/24"])
def test_selectors_that_cover_the_peer_itself_do_not_loop(site: Site, remote_ts: str) -> None:
    site.wire()
    left, right = site.start(remote_ts=remote_ts)
    site.left.ip("route add default via 192.0.2.2")
    site.echo()
    site.echo("192.0.2.2")
    left.call("initiate", child="net", timeout=10)
    assert site.ask() and left.child()["packets_out"] == 1
    assert site.ask(address="192.0.2.2", source="10.1.0.1"), "the peer's own address"
    # The route of the wire itself is longer than 0.0.0.0/0, and not as long as that of the one address.
    assert left.child()["packets_out"] == (1 if remote_ts == "0.0.0.0/0" else 2)
    left.call("liveness", ike="gw")
    left.call("terminate", ike="gw", timeout=10)
    assert right.call("list-sas") == []
    assert left.call("stats")["drops"] == {}


def test_a_packet_asks_for_its_child(site: Site) -> None:
    site.wire()
    left, _right = site.start(left=config("left", start="trap"))
    site.echo()
    with left.client() as client:
        events = client.events()
        until(lambda: site.ask(seconds=0.5), "an echo through the tunnel that the packets asked for")
        names = [next(events)["event"] for _ in range(2)]
    assert names == ["ike-up", "child-up"]
    assert left.log().count("a packet wants child net") == 1
    left.call("terminate", ike="gw", timeout=10)
    until(lambda: site.ask(seconds=0.5), "the child to come back by itself")
    assert left.log().count("a packet wants child net") == 2


def test_failure_is_told_in_words(site: Site) -> None:
    site.wire()
    left, right = site.start(left=config("left", secret="wrong"))
    with pytest.raises(Refused, match=r"IKE_AUTH.*AUTHENTICATION_FAILED"):
        left.call("initiate", child="net", timeout=10)
    with pytest.raises(Refused, match=r"no child is called 'nat'; there are: net"):
        left.call("initiate", child="nat", timeout=10)
    right.stop()
    with pytest.raises(Refused, match=r"was not up after 0.2 s"):
        left.call("initiate", child="net", timeout=0.2)
    with pytest.raises(Refused, match=r"IKE_SA_INIT: peer does not answer"):
        left.call("initiate", child="net", timeout=20)


def test_an_idle_daemon_does_not_wake_up(site: Site) -> None:
    """Counted, not timed: while nothing happens the loop makes no turns, with and without a tunnel."""
    site.wire()
    left, right = site.start()
    for _ in range(2):
        before = [daemon.call("stats")["loop"]["wakeups"] for daemon in (left, right)]
        with left.client() as client:
            client.events()
            assert not select.select([client._socket], [], [], 1.0)[0], "an event while nothing happens"
        after = [daemon.call("stats")["loop"]["wakeups"] for daemon in (left, right)]
        # Each client is two or three turns: it connects, asks, leaves. Spinning would be tens of thousands.
        assert all(b - a <= 8 for a, b in zip(before, after, strict=True)), (before, after)
        left.call("initiate", child="net", timeout=10)


def test_the_reply_leaves_from_the_address_that_was_asked(site: Site) -> None:
    site.wire()
    site.right.ip("addr add 192.0.2.77/24 dev wan")
    left, right = site.start(left=config("left", there="192.0.2.77"), right=config("right", there="%any"))
    left.call("initiate", child="net", timeout=10)
    site.echo()
    assert site.ask()
    assert right.call("list-sas")[0]["local_host"] == "192.0.2.77"


def unreachables_sent() -> int:
    """ICMP "destination unreachable" messages that this namespace sent."""
    names, values = (line.split() for line in Path("/proc/self/net/snmp").read_text().splitlines() if "Icmp:" in line)
    return int(dict(zip(names, values, strict=True))["OutDestUnreachs"])


def test_garbage_is_counted_by_reason_and_hurts_nobody(site: Site) -> None:
    site.wire()
    left, right = site.start()
    site.echo()
    left.call("initiate", child="net", timeout=10)
    spi = bytes.fromhex(left.child()["spi_out"])

    def throw() -> int:
        with socket.socket(socket.AF_INET, socket.SOCK_RAW, 50) as raw:
            for data in (b"", b"\1", bytes(4), bytes(60), spi, spi + bytes(4), spi + bytes(60), spi + os.urandom(90)):
                raw.sendto(data, ("192.0.2.2", 0))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            for port in (500, 4500):
                for data in (b"", b"\xff", b"\xff" * 2, bytes(4), bytes(40), spi + os.urandom(90), os.urandom(1000)):
                    udp.sendto(data, ("192.0.2.2", port))
        return 0

    assert site.left.wait(site.left.fork(throw)) == 0
    assert site.ask(), "the tunnel still works"
    # A kernel with ESP of its own sees the raw packets too; it must not answer them with "unreachable".
    assert site.right.call(unreachables_sent) == 0
    drops = right.call("stats")["drops"]
    assert drops["too short for an ESP or AH packet"] >= 4
    assert drops["integrity check failed"] >= 2 and drops["unknown SPI"] >= 1
    assert "Traceback" not in right.stderr()


def test_ipv6_inside_and_outside(site: Site) -> None:
    site.left.join(site.right, "wan", "2001:db8::1/64", "2001:db8::2/64")
    site.left.ip("addr add 2001:db8:1::1/128 dev lo")
    site.right.ip("addr add 2001:db8:2::1/128 dev lo")
    nets = {"local_ts": "2001:db8:1::/64, 10.1.0.0/24", "remote_ts": "2001:db8:2::/64, 10.2.0.0/24"}
    left, _right = site.start(here="2001:db8::1", there="2001:db8::2", **nets)
    site.echo("2001:db8:2::1")
    site.echo()
    left.call("initiate", child="net", timeout=10)
    for size in (1, 1300, 4000):
        assert site.ask(size, "2001:db8:2::1") and site.ask(size)


def test_transport_mode_over_ipv6(site: Site) -> None:
    """The route to the peer itself leads into the tunnel, and IKE and ESP still leave by the wire."""
    site.left.join(site.right, "wan", "2001:db8::1/64", "2001:db8::2/64")
    ends = {"here": "2001:db8::1", "there": "2001:db8::2", "local_ts": "dynamic", "remote_ts": "dynamic"}
    texts = {side: config(side, **ends).replace("esp_", "mode = transport\n        esp_") for side in ("left", "right")}
    left, right = site.start(**texts)
    site.echo("2001:db8::2")
    left.call("initiate", child="net", timeout=10)
    for size in (1, 1300):
        assert site.ask(size, "2001:db8::2")
    left.call("liveness", ike="gw")
    assert left.child()["packets_out"] == right.child()["packets_in"] >= 2 and left.child()["mode"] == "TRANSPORT"
    assert left.call("stats")["drops"] == right.call("stats")["drops"] == {}


def test_keys_and_events_are_in_their_files(site: Site) -> None:
    site.wire()
    left, right = site.start()
    left.call("initiate", child="net", timeout=10)
    keys = [[json.loads(line) for line in (d.directory / "keys.jsonl").read_text().splitlines()] for d in (left, right)]
    assert [entry["kind"] for entry in keys[0]] == ["ike", "child", "child"]
    for kind, name in (("ike", "SK_ei"), ("child", "encr_key")):
        first, second = ({entry.get("spi"): entry[name] for entry in side if entry["kind"] == kind} for side in keys)
        assert first == second
    events = [json.loads(line) for line in (left.directory / "events.jsonl").read_text().splitlines()]
    assert [event["event"] for event in events] == ["ike-up", "child-up"] and events[0]["t"] > 1.6e9
    for name in ("keys.jsonl", "events.jsonl", "daemon.log"):
        assert (left.directory / name).stat().st_mode & 0o777 == 0o600


def test_a_seed_makes_a_run_that_can_be_repeated(site: Site) -> None:
    site.wire()

    def run(attempt: int, seed: str) -> list[str]:
        pair = [
            Daemon(getattr(site, side), site.directory / f"{side}{attempt}", config(side), seed=seed)
            for side in ("left", "right")
        ]
        pair[0].call("initiate", child="net", timeout=10)
        keys = (pair[0].directory / "keys.jsonl").read_text().splitlines()
        assert [daemon.stop() for daemon in pair] == [0, 0]
        return keys

    assert run(1, "a") == run(2, "a")
    assert run(3, "b")[0] != run(4, "c")[0]
