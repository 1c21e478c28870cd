"""Our user-space ESP and AH against the kernel's, packet by packet and without IKE: every mode, protocol, algorithm and
IP version, inside and outside. The kernel opens what we seal, and answers what it finds inside; we open its answer.
"""

import json
import os
import select
from collections.abc import Callable, Iterator
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

import pytest

from lab.backends.raw import RawSockets
from lab.backends.xfrm.backend import Xfrm
from lab.crypto import registry
from lab.ike.child import ChildSa
from lab.ike.path import Path as Way
from lab.ipsec.dataplane import AhPacket, Dataplane, Deliver, EspPacket, Expired
from lab.plugin.algorithms import suites
from lab.trace import Trace
from lab.wire.packets import IPv4, IPv6, checksum, decode_ip
from lab.wire.payloads_v2 import TrafficSelector
from tests.ipsec.children import ah_child, child, mirror
from tests.netns import Node, needs_root

pytestmark = [
    pytest.mark.guest,
    *needs_root,
    pytest.mark.skipif(os.environ.get("IKELAB_GUEST") != "1", reason="needs a kernel with XFRM: the guest"),
]
OUTSIDE = {4: ("192.0.2.1", "192.0.2.2"), 6: ("2001:db8::1", "2001:db8::2")}
INSIDE = {4: ("10.1.0.1", "10.2.0.1"), 6: ("2001:db8:1::1", "2001:db8:2::1")}
# Mode, IP version outside, IP version inside (of transport mode the same).
SHAPES = [("tunnel", out, inside) for out in (4, 6) for inside in (4, 6)] + [("transport", 4, 4), ("transport", 6, 6)]
ESP = sorted({suite.esp for suite in suites()})
AH = [word for word, _ in registry.INTEG]
EXTENDED = ["aes128gcm16-esn", "aes128-sha256-esn", "sha256-esn"]
SIZES = (0, 13, 1200)


@pytest.fixture(scope="module")
def wire() -> Iterator[tuple[Node, Node]]:
    left, right = Node(), Node()
    left.join(right, "wan", "192.0.2.1/24", "192.0.2.2/24")
    for node, ours, net, peer in ((left, 1, 2, 2), (right, 2, 1, 1)):
        node.ip(f"addr add 2001:db8::{ours}/64 dev wan nodad")
        node.ip(f"addr add 10.{ours}.0.1/32 dev lo")
        node.ip(f"addr add 2001:db8:{ours}::1/128 dev lo nodad")
        node.ip(f"route add 10.{net}.0.0/24 via 192.0.2.{peer} src 10.{ours}.0.1")
        node.ip(f"-6 route add 2001:db8:{net}::/64 via 2001:db8::{peer} src 2001:db8:{ours}::1")
    # A policy for the two hosts takes their neighbour discovery as well, which then waits for itself.
    for node, other, peer in ((left, right, 2), (right, left, 1)):
        address = json.loads(other.ip("-json link show wan"))[0]["address"]
        node.ip(f"neigh replace 2001:db8::{peer} lladdr {address} dev wan nud permanent")
    yield left, right
    for node in (left, right):
        node.close()


def shaped(sa: ChildSa, mode: str, outside: int, inside: int) -> ChildSa:
    """The left end of a child in one shape."""
    ends = OUTSIDE[outside] if mode == "transport" else INSIDE[inside]
    ours, theirs = ((TrafficSelector.of_network(f"{end}/{32 if inside == 4 else 128}"),) for end in ends)
    here, there = OUTSIDE[outside]
    return replace(sa, mode=mode, encap=False, path=Way(here, 0, there, 0), ts_local=ours, ts_remote=theirs)


def echo(mode: str, inside: int, size: int) -> bytes:
    """An echo request from the left end to the right one."""
    src, dst = map(ip_address, OUTSIDE[inside] if mode == "transport" else INSIDE[inside])
    body = b"\0\7\0\1" + bytes(n & 0xFF for n in range(size))
    if inside == 4:
        return IPv4(src, dst, 1, b"\x08\0" + checksum(b"\x08\0\0\0" + body).to_bytes(2, "big") + body, ident=7).encode()
    pseudo = src.packed + dst.packed + (len(body) + 4).to_bytes(4, "big") + (58).to_bytes(4, "big")
    return IPv6(src, dst, 58, b"\x80\0" + checksum(pseudo + b"\x80\0\0\0" + body).to_bytes(2, "big") + body).encode()


class Ours:
    """Our data plane on raw sockets, in the namespace it is made in."""

    def __init__(self, sa: ChildSa, raw: RawSockets) -> None:
        self._plane, self._raw = Dataplane(Trace(), os.urandom), raw
        self._plane.install(sa)

    def ask(self, packet: bytes, seconds: float = 5.0) -> bytes:
        """Send a packet through the child and give back the first that comes out of it."""
        (sealed,) = self._plane.outbound(packet, 0.0)
        if isinstance(sealed, AhPacket):
            self._raw.send_whole(sealed.data, sealed.path, interface=0)
        else:
            assert isinstance(sealed, EspPacket)
            self._raw.send_esp(sealed.data, sealed.path, traffic_class=0, interface=0)
        while ready := select.select(self._raw.sources(), [], [], seconds)[0]:
            data, path, traffic_class = self._raw.receive(ready[0])
            take = self._plane.inbound_ah if self._raw.is_ah(ready[0]) else self._plane.inbound
            for found in take(data, path, 0.0, *([] if self._raw.is_ah(ready[0]) else [traffic_class])):
                if isinstance(found, Deliver):
                    return found.packet
        raise AssertionError(f"no answer to {len(packet)} octets; drops: {dict(self._plane.drops.counts)}")


def in_both(wire: tuple[Node, Node], directory: Path, work: Callable[[Xfrm, RawSockets], None]) -> None:
    """Run with the kernel's data plane of the right node and raw sockets of the left one, in a process of its own."""
    left, right = wire

    def run() -> int:
        kernel = Xfrm(Trace(), directory)  # its sockets stay where they were opened
        left.enter()
        raw = RawSockets()
        try:
            work(kernel, raw)
        finally:
            raw.close()
            kernel.close()
        return 0

    assert right.wait(right.fork(run)) == 0, "see stderr"


def made(proposal: str, protocol: str) -> ChildSa:
    word, _, more = proposal.partition("-esn")
    esn = proposal.endswith("-esn")
    base = ah_child(word) if protocol == "AH" else child(word)
    return replace(base, esn=esn, replay_window=128 if esn else 32) if not more else base


CASES = [("ESP", words) for words in ESP] + [("AH", words) for words in AH]
CASES += [("AH" if words == "sha256-esn" else "ESP", words) for words in EXTENDED]


@pytest.mark.parametrize(("protocol", "proposal"), CASES, ids=[f"{p}-{words}" for p, words in CASES])
def test_the_kernel_and_we_open_each_others_packets(
    wire: tuple[Node, Node], tmp_path: Path, protocol: str, proposal: str
) -> None:
    base = made(proposal, protocol)

    def work(kernel: Xfrm, raw: RawSockets) -> None:
        for number, (mode, outside, inside) in enumerate(SHAPES):
            spis = {"spi_in": bytes((0xC1, 0, 0, number)), "spi_out": bytes((0xC2, 0, 0, number))}
            sa = shaped(replace(base, **spis, reqid=number + 1), mode, outside, inside)
            kernel.install(mirror(sa))
            ours = Ours(sa, raw)
            for size in SIZES:
                asked = decode_ip(echo(mode, inside, size))
                answer = decode_ip(ours.ask(asked.encode()))
                what = f"{protocol} {proposal} {mode}, IPv{inside} in IPv{outside}, {size} octets"
                assert (answer.src, answer.dst) == (asked.dst, asked.src), what
                assert answer.payload[:1] in (b"\0", b"\x81") and answer.payload[4:] == asked.payload[4:], what
            used = kernel.usage()[sa.spi_out.hex()]
            assert (used["packets_in"], used["packets_out"]) == (len(SIZES), len(SIZES)), used
            kernel.remove(sa.spi_out)

    in_both(wire, tmp_path, work)


@pytest.mark.parametrize("name", ["gmac(aes)", "rfc4543(gcm(aes))"])
def test_this_kernel_has_no_gmac_for_ah(wire: tuple[Node, Node], tmp_path: Path, name: str) -> None:
    """RFC 4543 4: Linux has it for ESP alone, so AH with it needs two of ours. If this fails, add it above.

    Asked by `ip xfrm` under either name, and by our data plane, which says why it has no such child.
    """
    _, right = wire
    state = "state add src 192.0.2.1 dst 192.0.2.2 proto ah spi 0x99 mode tunnel auth"
    with pytest.raises(AssertionError, match="xfrm"):
        right.ip(f"xfrm {state} {name} 0x{'01' * 20}")
    right.ip(f"xfrm {state} hmac(sha1) 0x{'01' * 20}")  # nothing else was wrong with it
    right.ip("xfrm state delete src 192.0.2.1 dst 192.0.2.2 proto ah spi 0x99")

    def work(kernel: Xfrm, raw: RawSockets) -> None:
        sa = shaped(ah_child("aes128gmac"), "tunnel", 4, 4)
        kernel.install(mirror(sa))
        (_, wake), now = kernel.sources(), 0.0
        assert kernel.read(wake, now) == [Expired(sa.spi_out)] and not kernel.usage(), "it is in effect"

    in_both(wire, tmp_path, work)
