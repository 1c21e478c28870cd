"""Large packets through GRE and ESP: their sender is told how large they may be, and none vanishes without a word."""

from contextlib import suppress
from socket import AF_INET, SO_REUSEADDR, SOCK_STREAM, SOL_SOCKET

import pytest

from lab.evidence.network import packet
from lab.matrix import DEFAULT, ON_XFRM
from lab.peers.frr_conf import FAST
from lab.plugin import routing
from lab.plugin.tunnel import Tunnel
from lab.wire.packets import ICMP
from lab.wire.pcapng import Direction

pytestmark = pytest.mark.limit(180)
EVERY_PLANE = tuple(map(str, (*DEFAULT, *ON_XFRM)))
OCTETS, PORT, PATIENCE_S = 100_000, 9, 60.0
GRE_MTU, NARROW_MTU, ETHERNET = 1400, 1300, 14


def transfer(lab, source, target):
    """One host sends octets to another over TCP; all of them arrive as they were."""
    # Plain numbers: tshark would take random octets for a protocol of its own, now and then, and stumble over them.
    data, came, sent = b"".join(b"%07d\n" % n for n in range(OCTETS // 8)), bytearray(), 0
    address = (lab.inner(target), PORT)
    server, client = (lab.network.node(f"{name}-host").socket(AF_INET, SOCK_STREAM) for name in (target, source))
    with server, client:
        server.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
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


def both_ways(lab):
    """What hosts send over TCP arrives, in both directions."""
    for source, target in (("left", "right"), ("right", "left")):
        transfer(lab, source, target)


@pytest.mark.rfc("1191#4", "2784#3.1", "4301#8")
@pytest.mark.needs("tunnel", "transport")
@pytest.mark.pairings(*EVERY_PLANE)
@pytest.mark.parametrize("mode", ["transport", "tunnel"])
def test_large_packets(lab, left, right, mode):
    """TCP of hosts that know nothing of GRE and ESP gets through, over a path of 1500 octets and one of 1300."""
    routing.up(lab, "direct", Tunnel(child=routing.GRE_ONLY | {"mode": mode}), mtu=GRE_MTU)
    lab.establish()
    routing.routers(lab, FAST)
    routing.converge(lab)
    lab.step("transfer", f"{OCTETS} octets over TCP, from each host to the other")
    both_ways(lab)

    lab.step("told", "the first host was told how large a packet may be")
    told = too_big(lab.frames(), "left-host")
    # What it was told it tells the other host itself: the largest segment that it wants (RFC 9293 3.7.1).
    assert told, "left-host was never told that its packets are too large"
    assert max(told) <= GRE_MTU, f"left-host was told an MTU of {max(told)}"

    lab.step("narrow", f"the same while the link to the right gateway takes no packet above {NARROW_MTU} octets")
    for sender in ("internet", "right"):
        lab.network.set_link("right-wan", sender, mtu=NARROW_MTU)
    since = max(frame.t for frame in lab.frames())
    both_ways(lab)
    narrow = [f for f in lab.frames() if f.t > since and f.point in ("internet:right", "right:wan")]
    wide = max(len(frame.data) for frame in narrow if frame.direction == Direction.OUTBOUND)
    assert wide <= NARROW_MTU + ETHERNET, f"a frame of {wide} octets left for a link of {NARROW_MTU}"
    routing.ping(lab, 3)
