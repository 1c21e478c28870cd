"""AH between two of our daemons in two network namespaces: real raw sockets, real IP headers under the ICV."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.daemon.client import Refused
from lab.wire.packets import AH_NUMBER, AHHeader, decode_ip
from tests.daemon.test_tunnels import BEHIND_NAT, Site, config, nat_between
from tests.netns import Daemon, needs_nft, needs_root

pytestmark = needs_root
WAN4 = {"here": "192.0.2.1", "there": "192.0.2.2"}
WAN6 = {"here": "2001:db8::1", "there": "2001:db8::2"}
NETS6 = {"local_ts": "2001:db8:1::/64, 10.1.0.0/24", "remote_ts": "2001:db8:2::/64, 10.2.0.0/24"}


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path)
    yield made
    for node in made.nodes:
        node.close()


def ah(text: str, words: str = "sha256", mode: str = "tunnel") -> str:
    return text.replace("esp_proposals = aes128gcm16", f"ah_proposals = {words}\n        mode = {mode}")


def start(site: Site, words: str = "sha256", mode: str = "tunnel", **changes: str) -> tuple[Daemon, Daemon]:
    texts = {side: ah(config(side, **changes), words, mode) for side in ("left", "right")}
    return site.start(**texts)


def seen(site: Site, count: int, work: object) -> list[bytes]:
    """The first packets of AH that reach the right side while the left side does some work, as IPv4 delivers them."""
    ends = socket.socketpair()

    def watch() -> int:
        with socket.socket(socket.AF_INET, socket.SOCK_RAW, AH_NUMBER) as raw:
            ends[1].send(b"!")
            for _ in range(count):
                packet = raw.recv(65535)
                ends[1].send(len(packet).to_bytes(2, "big") + packet)
            return 0

    site.right.fork(watch)
    assert ends[0].recv(1) == b"!"
    work()
    found = []
    for _ in range(count):
        size = int.from_bytes(ends[0].recv(2, socket.MSG_WAITALL), "big")
        found.append(ends[0].recv(size, socket.MSG_WAITALL))
    return found


@pytest.mark.parametrize(
    "words", ["sha1", "sha256", "sha384", "sha512", "aesxcbc", "aescmac", "aes256gmac", "sha256-esn"]
)
def test_a_tunnel_of_ah_carries_packets_both_ways(site: Site, words: str) -> None:
    site.wire()
    left, right = start(site, words)
    site.echo()
    up = left.call("initiate", child="net", timeout=10)
    assert (up["protocol"], up["encr"], up["encap"]) == ("AH", None, False)
    for size in (1, 500, 1372, 1500, 8000, 60000):
        assert site.ask(size), f"{size} octets"
    assert left.child()["packets_out"] == right.child()["packets_in"] >= 6
    assert left.call("stats")["drops"] == {} and right.call("stats")["drops"] == {}


def test_the_payload_can_be_read_under_way(site: Site) -> None:
    site.wire()
    left, _right = start(site)
    site.echo()
    left.call("initiate", child="net", timeout=10)
    packets = seen(site, 3, lambda: [site.ask(size) for size in (64, 65, 66)])
    for number, packet in enumerate(packets, 1):
        outer = decode_ip(packet)
        header = AHHeader.decode(outer.payload)
        inner = decode_ip(outer.payload[header.size :])
        assert (str(outer.src), str(outer.dst), outer.protocol) == ("192.0.2.1", "192.0.2.2", AH_NUMBER)
        assert (header.next_header, header.size, header.seq) == (4, 28, number)
        assert (str(inner.src), str(inner.dst)) == ("10.1.0.1", "10.2.0.1")
        assert bytes(range(64)) in inner.payload
        assert outer.ident != 0, "the system would have put in a number of its own"


@pytest.mark.parametrize("mode", ["tunnel", "transport"])
@pytest.mark.parametrize("wan", [WAN4, WAN6], ids=["IPv4", "IPv6"])
def test_both_modes_over_both_ip_versions(site: Site, wan: dict[str, str], mode: str) -> None:
    length = 24 if wan is WAN4 else 64
    site.left.join(site.right, "wan", f"{wan['here']}/{length}", f"{wan['there']}/{length}")
    site.left.ip("addr add 2001:db8:1::1/128 dev lo")
    site.right.ip("addr add 2001:db8:2::1/128 dev lo")
    nets = NETS6 if mode == "tunnel" else {"local_ts": "dynamic", "remote_ts": "dynamic"}
    left, right = start(site, mode=mode, **wan, **nets)
    targets = ["10.2.0.1", "2001:db8:2::1"] if mode == "tunnel" else [wan["there"]]
    for target in targets:
        site.echo(target)
    up = left.call("initiate", child="net", timeout=10)
    assert up["mode"] == mode.upper()
    for target in targets:
        for size in (1, 700, 1300):
            assert site.ask(size, target), f"{size} octets to {target}"
    assert left.child()["packets_out"] == right.child()["packets_in"] >= 3 * len(targets)
    assert left.call("stats")["drops"] == {} and right.call("stats")["drops"] == {}


def test_options_stay_outside_and_under_the_icv(site: Site) -> None:
    """Transport mode with a router alert, which the ICV covers, and a record route, which it does not."""
    site.wire()
    left, right = start(site, mode="transport", local_ts="dynamic", remote_ts="dynamic")
    left.call("initiate", child="net", timeout=10)
    options = b"\x94\x04\0\0" + b"\x07\x07\x04" + bytes(4) + b"\0"

    def ask() -> str:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as here:
            here.setsockopt(socket.IPPROTO_IP, socket.IP_OPTIONS, options)
            here.sendto(b"with options", ("192.0.2.2", 9))
        return ""

    (packet,) = seen(site, 1, lambda: site.left.call(ask))
    outer = decode_ip(packet)
    assert outer.options[:4] == b"\x94\x04\0\0" and outer.options[4] == 7
    assert AHHeader.decode(outer.payload).next_header == 17 and outer.payload.endswith(b"with options")
    assert right.child()["packets_in"] == 1 and right.call("stats")["drops"] == {}


def test_extension_headers_stay_outside_and_under_the_icv(site: Site) -> None:
    """Hop-by-hop and destination options of IPv6, some of which may change under way; our receiver gets them back."""
    site.left.join(site.right, "wan", "2001:db8::1/64", "2001:db8::2/64")
    left, right = start(site, mode="transport", local_ts="dynamic", remote_ts="dynamic", **WAN6)
    left.call("initiate", child="net", timeout=10)
    # A router alert; an option whose data may change (0x3e); padding. And destination options of the same kind.
    hop = bytes((0, 1)) + b"\x05\x02\0\0" + b"\x3e\x04data" + b"\x01\x02\0\0"
    to = bytes((0, 0)) + b"\x1e\x04stay"

    def ask() -> str:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as here:
            control = [(socket.IPPROTO_IPV6, 54, hop), (socket.IPPROTO_IPV6, 59, to)]
            here.sendmsg([b"with extension headers"], control, 0, ("2001:db8::2", 9))
        return ""

    site.left.call(ask)
    site.echo("2001:db8::2")
    assert site.ask(address="2001:db8::2")
    assert right.child()["packets_in"] == left.child()["packets_out"] >= 2
    assert left.call("stats")["drops"] == right.call("stats")["drops"] == {}


def test_forged_and_repeated_packets_are_counted(site: Site) -> None:
    site.wire()
    left, right = start(site)
    site.echo()
    left.call("initiate", child="net", timeout=10)
    (packet,) = seen(site, 1, lambda: site.ask())

    def throw() -> str:
        with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as raw:
            forged = bytearray(packet)
            forged[28:32] = (99).to_bytes(4, "big")  # a new sequence number under the old ICV
            for data in (packet, bytes(forged), packet[:21] + b"\x08" + packet[22:], packet[:24], packet[:40]):
                raw.sendto(data, ("192.0.2.2", 0))
        return ""

    site.left.call(throw)
    assert site.ask(), "the tunnel still works"
    drops = right.call("stats")["drops"]
    assert drops["sequence number seen before"] == drops["integrity check failed"] == 1
    assert drops["AH header of another length than its algorithm has"] == 1
    assert drops["too short for an ESP or AH packet"] == 2
    assert "Traceback" not in right.stderr()


@needs_nft
def test_behind_a_nat_there_is_no_ah(site: Site) -> None:
    nat_between(site)
    texts = {side: ah(text) for side, text in BEHIND_NAT.items()}
    left, _right = site.start(**texts)
    with pytest.raises(Refused, match=r"wants AH, and there is a NAT before us: it changes addresses"):
        left.call("initiate", child="net", timeout=10)
    assert left.call("list-sas") == []
