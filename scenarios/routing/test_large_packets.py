"""Large packets through GRE and ESP: their sender is told how large they may be, and none vanishes without a word."""

from contextlib import suppress
from random import Random
from socket import AF_INET, SOCK_STREAM

import pytest

from lab.evidence.network import packet
from lab.matrix import DEFAULT, ON_XFRM
from lab.peers.frr_conf import FAST
from lab.plugin import routing
from lab.plugin.tunnel import Tunnel
from lab.wire.packets import ICMP
from lab.wire.pcapng import Direction

EVERY_PLANE = tuple(map(str, (*DEFAULT, *ON_XFRM)))
OCTETS, PORT, PATIENCE_S = 150_000, 7000, 60.0
GRE_MTU, NARROW_MTU = 1400, 1300


def transfer(lab, source, target):
    """One host sends octets to another over TCP; all of them arrive as they were."""
    data, came, sent = Random(lab.seed).randbytes(OCTETS), bytearray(), 0
    address = (lab.inner(target), PORT)
    server, client = (lab.network.node(f"{name}-host").socket(AF_INET, SOCK_STREAM) for name in (target, source))
    with server, client:
        server.bind(address)
        server.listen()
        client.settimeout(PATIENCE_S)
        client.connect(address)
        connection, _ = server.accept()
        with connection:
            client.setblocking(False)
            connection.settimeout(PATIENCE_S)
            while len(came) < len(data):
                with suppress(BlockingIOError):
                    sent += client.send(data[sent:])
                try:
                    more = connection.recv(1 << 16)
                except TimeoutError:
                    raise AssertionError(f"{len(came)} of {OCTETS} octets came from {source}, then no more") from None
                came += more
    assert bytes(came) == data, f"{OCTETS} octets from {source} did not arrive as they were"


def too_big(frames, host):
    """The MTUs of the "fragmentation needed" messages (RFC 1191) that came in at a host."""
    found = []
    for frame in frames:
        ip = packet(frame) if frame.node == host and frame.direction == Direction.INBOUND else None
        if ip is not None and ip.protocol == ICMP and ip.payload[:2] == b"\x03\x04":
            found.append(int.from_bytes(ip.payload[6:8], "big"))
    return found


@pytest.mark.rfc("1191#4", "2784#3.1", "4301#8")
@pytest.mark.needs("tunnel", "transport")
@pytest.mark.pairings(*EVERY_PLANE)
@pytest.mark.parametrize("width", ["ethernet", "narrow"])
@pytest.mark.parametrize("mode", ["transport", "tunnel"])
def test_large_packets(lab, left, right, mode, width):
    """TCP of hosts that know nothing of GRE and ESP gets through, over a path of 1500 octets and one of 1300."""
    routing.up(lab, "direct", Tunnel(child=routing.GRE_ONLY | {"mode": mode}), mtu=GRE_MTU)
    lab.establish()
    routing.routers(lab, FAST)
    routing.converge(lab)
    if width == "narrow":
        for sender in ("internet", "right"):
            lab.network.set_link("right-wan", sender, mtu=NARROW_MTU)

    lab.step("transfer", f"{OCTETS} octets over TCP, from each host to the other")
    for source, target in (("left", "right"), ("right", "left")):
        transfer(lab, source, target)

    lab.step("told", "the first host was told how large a packet may be, and nothing wider was on the path")
    frames = lab.frames()
    told = too_big(frames, "left-host")
    # What it was told it tells the other host itself: the largest segment that it wants (RFC 9293 3.7.1).
    assert told, "left-host was never told that its packets are too large"
    assert max(told) <= GRE_MTU, f"left-host was told an MTU of {max(told)}"
    if width == "narrow":
        wide = [len(f.data) for f in frames if f.point == "internet:right" and f.direction == Direction.OUTBOUND]
        assert max(wide) <= NARROW_MTU + 14, f"a frame of {max(wide)} octets left for a link of {NARROW_MTU}"
    routing.ping(lab, 3)
