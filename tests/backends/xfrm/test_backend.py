"""Our daemon on the kernel's data plane, in the guest: what is in the kernel, and whose it is."""

import contextlib
import json
import os
import signal
import socket
from pathlib import Path

import pytest

from lab.backends.xfrm.record import NAME
from tests.daemon.test_tunnels import ESP, Site, config, network, source_to, with_virtual_addresses
from tests.netns import Daemon, needs_root, until

pytestmark = [
    pytest.mark.guest,
    *needs_root,
    pytest.mark.skipif(os.environ.get("IKELAB_GUEST") != "1", reason="needs a kernel with XFRM: the guest"),
]

STRANGER = (
    "xfrm state add src 192.0.2.1 dst 192.0.2.2 proto esp spi 0x12345678 reqid 1 mode tunnel "
    "aead rfc4106(gcm(aes)) 0x0101010101010101010101010101010101010101 128"
)
STRANGE_POLICY = (
    "xfrm policy add src 10.1.0.0/24 dst 10.9.0.0/24 dir out "
    "tmpl src 192.0.2.1 dst 192.0.2.2 proto esp reqid 1 mode tunnel"
)


@pytest.fixture
def site(tmp_path: Path):
    made = Site(tmp_path)
    made.wire()
    # The kernel's policies are asked after routing: there must be a way.
    made.left.ip("route add 10.2.0.0/24 via 192.0.2.2 src 10.1.0.1")
    made.right.ip("route add 10.1.0.0/24 via 192.0.2.1 src 10.2.0.1")
    yield made
    for node in made.nodes:
        node.close()


def policies(site: Site) -> str:
    """Those of the namespace; sockets have theirs, which go with them."""
    return site.left.ip("xfrm policy list nosock")


def daemons(site: Site, right: str = "xfrm", **changes: str) -> tuple[Daemon, Daemon]:
    left = Daemon(site.left, site.directory / "left", config("left", **changes), backend="xfrm")
    return left, Daemon(site.right, site.directory / "right", config("right", **changes), backend=right)


def spis(site: Site) -> set[str]:
    return {line.split()[3] for line in site.left.ip("xfrm state").splitlines() if "spi" in line}


@pytest.mark.parametrize("right", ["xfrm", "userspace"])
@pytest.mark.parametrize("esp", ["aes256gcm16", "aes128-sha256"])
def test_packets_go_both_ways_and_are_counted(site: Site, esp: str, right: str) -> None:
    left, other = daemons(site, right, esp=esp)
    site.echo()
    left.call("initiate", child="net", timeout=10)
    for size in (1, 500, 1300, 4000):
        assert site.ask(size), f"{size} octets"
    ours, theirs = left.child(), other.child()
    assert ours["packets_out"] == theirs["packets_in"] >= 4 and theirs["packets_out"] == ours["packets_in"] >= 4
    assert left.call("stats")["backend"] == "xfrm" and left.call("stats")["drops"] == {}
    assert spis(site) == {f"0x{ours['spi_in']}", f"0x{ours['spi_out']}"}


def test_the_end_takes_out_ours_and_nothing_else(site: Site) -> None:
    site.left.ip(STRANGER)
    site.left.ip(STRANGE_POLICY)
    before = policies(site)
    left, _ = daemons(site)
    left.call("initiate", child="net", timeout=10)
    assert len(spis(site)) == 3
    assert left.stop() == 0
    assert spis(site) == {"0x12345678"}
    assert policies(site) == before
    assert not (left.directory / NAME).exists()


def test_after_kill_9_the_next_start_takes_out_only_ours(site: Site) -> None:
    site.left.ip(STRANGER)
    site.left.ip(STRANGE_POLICY)
    before = policies(site)
    left, _ = daemons(site)
    left.call("initiate", child="net", timeout=10)
    left.stop(signal.SIGKILL)
    assert len(spis(site)) == 3 and policies(site) != before, "the kernel keeps what was killed"
    left = Daemon(site.left, site.directory / "left", config("left"), backend="xfrm")
    assert spis(site) == {"0x12345678"}
    assert policies(site) == before
    left.call("initiate", child="net", timeout=10)


def test_what_an_older_daemon_wrote_down_is_taken_out_too(site: Site) -> None:
    """A file of a release without XFRM interfaces, whose policies had no if_id; with a line that says nothing."""
    left, _ = daemons(site)
    left.call("initiate", child="net", timeout=10)
    left.stop(signal.SIGKILL)
    record = left.directory / NAME
    lines = [json.loads(line) for line in record.read_text().splitlines()]
    assert tuple(line.pop() for line in lines if line[:2] == ["add", "policy"]) == (0,) * 3
    record.write_text("".join(json.dumps(line) + "\n" for line in (*lines, ["add", "policy", 1], ["add", "tea"])))
    left = Daemon(site.left, site.directory / "left", config("left"), backend="xfrm")
    assert not spis(site) and not policies(site)
    assert "holds an entry that says nothing to us" in left.log()


def test_what_somebody_replaced_meanwhile_is_left_alone(site: Site) -> None:
    left, _ = daemons(site)
    left.call("initiate", child="net", timeout=10)
    child = left.child()
    left.stop(signal.SIGKILL)
    site.left.ip(f"xfrm state delete src 192.0.2.1 dst 192.0.2.2 proto esp spi 0x{child['spi_out']}")
    site.left.ip(STRANGER.replace("0x12345678", f"0x{child['spi_out']}"))
    site.left.ip("xfrm policy update src 10.1.0.0/24 dst 10.2.0.0/24 dir out action block")
    Daemon(site.left, site.directory / "left", config("left"), backend="xfrm")
    assert spis(site) == {f"0x{child['spi_out']}"}
    assert policies(site).split()[:6] == ["src", "10.1.0.0/24", "dst", "10.2.0.0/24", "dir", "out"]


def test_a_policy_in_the_way_costs_the_child_not_the_daemon(site: Site) -> None:
    site.left.ip("xfrm policy add src 10.1.0.0/24 dst 10.2.0.0/24 dir out priority 1")
    before = policies(site)
    left, _ = daemons(site)
    left.call("initiate", child="net", timeout=10)
    until(lambda: not any(sa["children"] for sa in left.call("list-sas")), "the child is given up")
    assert policies(site) == before and not spis(site)
    assert "the kernel does not take child net: File exists" in left.log()


@pytest.mark.parametrize(("protocol", "algorithm"), [("esp", ESP), ("ah", "sha256")])
def test_a_packet_that_meets_a_trap_brings_the_child_up_again_and_again(
    site: Site, protocol: str, algorithm: str
) -> None:
    texts = [
        config(side, start=start).replace(f"esp_proposals = {ESP}", f"{protocol}_proposals = {algorithm}")
        for side, start in (("left", "trap"), ("right", "none"))
    ]
    left, _right = (
        Daemon(node, site.directory / name, text, backend="xfrm")
        for node, name, text in zip(site.nodes, ("left", "right"), texts, strict=True)
    )
    site.echo()
    assert left.call("list-sas") == []
    trap = policies(site)
    assert f"tmpl src 192.0.2.1 dst 192.0.2.2\n\t\tproto {protocol} reqid" in trap, trap
    for _ in range(2):
        site.left.call(_poke)
        until(lambda: any(sa["children"] for sa in left.call("list-sas")), "the child that the packet wants")
        assert site.ask()
        # The place that the kernel held for the SA is gone: it would let nobody ask again for xfrm_acq_expires.
        states = site.left.ip("xfrm state")
        assert states.count("proto") == 2 == states.count(f"proto {protocol}"), states
        left.call("terminate", ike="gw", timeout=10)
        assert policies(site) == trap


def with_address(site: Site) -> tuple[Daemon, Daemon]:
    """Both families; the left side knows no way to the peer's networks but a default route, if that."""
    site.left.ip("route del 10.2.0.0/24")
    site.left.ip("route add default via 192.0.2.2")
    site.right.ip("addr add 2001:db8:2::1/128 dev lo")
    site.right.ip("route add 10.3.0.0/24 via 192.0.2.1")
    site.right.ip("-6 route add 2001:db8:3::/64 dev wan")
    left, other = with_virtual_addresses("10.2.0.0/24, 2001:db8:2::/64")
    return (
        Daemon(site.left, site.directory / "left", left, backend="xfrm"),
        Daemon(site.right, site.directory / "right", other, backend="xfrm"),
    )


def kernel(site: Site) -> tuple[object, ...]:
    return network(site.left), policies(site)


def test_virtual_addresses_are_the_source_and_go_with_the_ike_sa(site: Site) -> None:
    left, other = with_address(site)
    before = kernel(site)
    left.call("initiate", child="net", timeout=10)
    for address, vip in (("10.2.0.1", "10.3.0.1"), ("2001:db8:2::1", "2001:db8:3::1")):
        site.echo(address)
        assert site.left.call(lambda address=address: source_to(address)) == vip
        assert site.ask(address=address)
    assert left.child()["packets_out"] == other.child()["packets_in"] == 2
    left.call("rekey", child="net", timeout=10)
    other.call("rekey", ike="gw", timeout=10)
    assert site.ask()
    left.call("terminate", timeout=10)
    assert kernel(site) == before
    left.call("initiate", child="net", timeout=10)
    assert left.stop() == 0
    assert kernel(site) == before


def test_after_kill_9_the_virtual_addresses_go_at_the_next_start(site: Site) -> None:
    site.left.ip("addr add 10.3.0.1/32 dev lo")  # somebody else's, which stays
    left, _ = with_address(site)
    before = kernel(site)
    left.call("initiate", child="net", timeout=10)
    left.stop(signal.SIGKILL)
    assert kernel(site) != before, "the kernel keeps what was killed"
    text, _ = with_virtual_addresses()
    Daemon(site.left, site.directory / "left", text, backend="xfrm")
    assert kernel(site) == before


def _poke(target: str = "10.2.0.1") -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as here:
        here.setblocking(False)
        with contextlib.suppress(OSError):
            here.sendto(b"!", (target, 7))
    return True


def test_a_rekeyed_child_carries_on(site: Site) -> None:
    left, right = daemons(site)
    site.echo()
    left.call("initiate", child="net", timeout=10)
    assert site.ask()
    old = left.child()["spi_in"]
    for asker in (left, right):
        asker.call("rekey", child="net", timeout=10)
        assert site.ask()

    def one() -> bool:
        return [len(sa["children"]) for sa in left.call("list-sas")] == [1] and len(spis(site)) == 2

    until(one, "the old children are gone")
    assert left.child()["spi_in"] != old and site.ask()


# Of the SPI of a state of ours, but somebody else's: another peer and reqid; it ends with its second packet.
NAMESAKE = "src 192.0.2.1 dst 192.0.2.9 proto esp spi 0x{} reqid 1 mode tunnel"
ITS_POLICY = "xfrm policy add src 10.1.0.0/24 dst 10.9.0.0/24 dir out tmpl " + NAMESAKE.partition(" spi")[0]


def test_the_end_of_somebody_elses_sa_is_not_that_of_ours(site: Site) -> None:
    site.left.ip("route add 10.9.0.0/24 via 192.0.2.2 src 10.1.0.1")
    left, _ = daemons(site)
    site.echo()
    left.call("initiate", child="net", timeout=10)
    spi = left.child()["spi_out"]
    aead = f"aead rfc4106(gcm(aes)) 0x{'01' * 20} 128 limit packet-hard 1 limit packet-soft 1"
    site.left.ip(f"xfrm state add {NAMESAKE.format(spi)} {aead}")
    site.left.ip(f"{ITS_POLICY} reqid 1 mode tunnel")
    for _ in range(3):
        site.left.call(lambda: _poke("10.9.0.1"))
    until(lambda: f"spi 0x{spi} reqid 1(" not in site.left.ip("xfrm state"), "the kernel has ended the other one")
    assert site.ask(), "ours went with it"
    assert left.child()["spi_out"] == spi


def with_keys(side: str, **keys: object) -> str:
    """The configuration of a side, with further keys of its child."""
    return config(side).replace(f"esp_proposals = {ESP}", "\n".join(f"{k} = {v}" for k, v in keys.items()))


def test_a_policy_of_an_xfrm_interface_is_told_from_its_namesake(site: Site) -> None:
    """The kernel may have a policy of the same selector and direction for each interface; another's stays."""
    site.left.ip("xfrm policy add src 10.1.0.0/24 dst 10.2.0.0/24 dir out action block priority 1")
    before, text = policies(site), with_keys("left", esp_proposals=ESP, if_id_in=7, if_id_out=8)
    left = Daemon(site.left, site.directory / "left", text, backend="xfrm")
    Daemon(site.right, site.directory / "right", config("right"), backend="xfrm")
    left.call("initiate", child="net", timeout=10)
    states = site.left.ip("xfrm state")
    assert states.count("if_id 0x7") == states.count("if_id 0x8") == 1, states
    assert policies(site).count("if_id 0x7") == 2 and policies(site).count("if_id 0x8") == 1
    left.stop(signal.SIGKILL)
    left = Daemon(site.left, site.directory / "left", text, backend="xfrm")
    assert policies(site) == before and not spis(site)
    left.call("initiate", child="net", timeout=10)
    left.call("terminate", ike="gw", timeout=10)
    assert policies(site) == before and not spis(site)


def test_a_hard_limit_ends_the_child_alone(site: Site) -> None:
    text = with_keys("left", esp_proposals=ESP, life_packets=4, rekey_time=0)
    left = Daemon(site.left, site.directory / "left", text, backend="xfrm")
    right = Daemon(site.right, site.directory / "right", config("right"), backend="xfrm")
    site.echo()
    left.call("initiate", child="net", timeout=10)
    assert all(site.ask() for _ in range(4))
    site.left.call(_poke)
    for daemon in (left, right):
        until(
            lambda d=daemon: [sa["children"] for sa in d.call("list-sas")] == [[]], "the child is gone, the IKE SA not"
        )
    assert not spis(site)
