"""A real peer's ESP packets abused: replayed, reordered, cut, and made with the right keys but wrong inside.

The gate keeps the peer's packets from us, and the scenario puts them on our link one by one, in its own order and
changed. Our counters must name the reason of each, our host must see what was taken and nothing else.
"""

import pytest

from lab.crypto import registry
from lab.evidence.network import packet
from lab.matrix import OURS
from lab.plugin import flips
from lab.plugin.tunnel import Tunnel
from lab.wire.ids import Encr, TransformType
from lab.wire.packets import ESP_NUMBER, ICMP, IPv4, decode_ip
from lab.wire.payloads_v2 import Transform
from lab.wire.pcapng import Direction

ECHO_REQUEST, WINDOW, KEPT, PAYLOAD = 8, 64, 72, 16
GCM = Transform(TransformType.ENCR, Encr.ENCR_AES_GCM_16, 256)


def seen(lab, point, direction, protocol):
    """The IP packets of a protocol at a capture point."""
    frames = (frame for frame in lab.frames() if (frame.point, frame.direction) == (point, direction))
    return [ip for frame in frames if (ip := packet(frame)) is not None and ip.protocol == protocol]


def kept(lab, peer, target):
    """So many of the peer's packets, none of which has arrived, the oldest first."""
    rule = lab.network.drop("internet", "ESP", count=None, sender=peer)
    before = len(seen(lab, f"{peer}:wan", Direction.OUTBOUND, ESP_NUMBER))
    argv = ["ping", "-n", "-q", "-c", str(KEPT), "-i", "0.005", "-W", "0.1", "-s", str(PAYLOAD), target]
    lab.network.node(f"{peer}-host").run(argv, timeout=60)
    packets = seen(lab, f"{peer}:wan", Direction.OUTBOUND, ESP_NUMBER)[before:]
    assert len(packets) >= KEPT and rule.dropped() >= KEPT, f"the gate kept {rule.dropped()} packets"
    rule.remove()
    return packets[:KEPT]


class Insider:
    """Makes ESP packets with the peer's own key and one of its sequence numbers, for any plaintext."""

    def __init__(self, lab, like):
        spi = like.payload[:4].hex()
        keys = next(entry for entry in lab.keys().child if entry.spi == spi)
        self._cipher = registry.encr(GCM).new(bytes.fromhex(keys.encr_key + keys.salt))

    def seal(self, like, plaintext):
        """The peer's packet with another plaintext under its own SPI and sequence number."""
        header, iv = like.payload[:8], b"\xff" * 4 + like.payload[4:8]
        return inside(like, header + iv + self._cipher.encrypt(iv, plaintext, header))


def inside(like, esp):
    """The peer's IP packet with another content."""
    return IPv4(like.src, like.dst, like.protocol, esp, ident=like.ident).encode()


def ended(payload, next_header):
    """Plaintext of ESP with right padding."""
    padding = -(len(payload) + 2) % 4
    return payload + bytes(range(1, padding + 1)) + bytes((padding, next_header))


def abuses(insider, packets, inner):
    """What is wrong, a packet with that, and the reason that our data plane must give, in the order to send them."""
    last, first_inside = packets[-1], packets[KEPT - WINDOW]
    unused = iter(packets[KEPT - WINDOW + 1 : KEPT - 1])
    yield "the newest", last.encode(), "taken"
    yield "the same again", last.encode(), "sequence number seen before"
    yield "reordered by the window", first_inside.encode(), "taken"
    yield "reordered by more", packets[KEPT - WINDOW - 1].encode(), "sequence number left of the replay window"
    one = next(unused)
    yield "reordered by less", one.encode(), "taken"
    yield "replayed", one.encode(), "sequence number seen before"
    one = next(unused)
    yield "cut by four octets", inside(one, one.payload[:-4]), "integrity check failed"
    yield "cut to its header", inside(one, one.payload[:8]), "too short for an ESP or AH packet"
    yield "cut within its SPI", inside(one, one.payload[:3]), "too short for an ESP or AH packet"
    yield "of another SPI", inside(one, b"\1\2\3\4" + one.payload[4:]), "unknown SPI"
    yield "with sequence number 0", inside(one, one.payload[:4] + bytes(4) + one.payload[8:]), "sequence number 0"
    yield "far ahead, forged", inside(one, one.payload[:4] + b"\x7f" + one.payload[5:]), "integrity check failed"
    yield "and the true one after all", one.encode(), "taken"
    wrong = inner + bytes((7, 7, 2, 4))  # it has to be 1, 2
    yield "padded with 7, 7", insider.seal(next(unused), wrong), "wrong padding"
    yield "padded by more than it is", insider.seal(next(unused), inner + bytes((255, 4))), "wrong padding"
    yield "with next header 59", insider.seal(next(unused), ended(bytes(60), 59)), "dummy packet"
    yield "with TCP in a tunnel", insider.seal(next(unused), ended(inner[20:], 6)), "next header is not IP in a tunnel"
    yield "cut inside", insider.seal(next(unused), ended(inner[:30], 4)), "inner packet is malformed"
    yield "IPv6 that is none", insider.seal(next(unused), ended(inner, 41)), "inner packet is malformed"
    stranger = bytes((10, 9, 9, 9))
    for words, at in (("from another network", 12), ("to another network", 16)):
        moved = inner[:at] + stranger + inner[at + 4 :]
        yield words, insider.seal(next(unused), ended(moved, 4)), "inner packet is outside the selectors"
    yield "made by the insider, all right", insider.seal(next(unused), ended(inner, 4)), "taken"


@pytest.mark.rfc("4303#3.4.3", "4303#3.4.4", "4303#2.4", "4303#2.6", "4301#5.2")
@pytest.mark.needs("tunnel")
def test_hostile_packets(lab, left, right):
    """Each abused packet is one counted drop with its reason, none is delivered, and the tunnel goes on."""
    lab.up("direct", Tunnel(child={"replay_window": str(WINDOW)}))
    lab.establish()
    lab.ping(1)
    ours = next(gateway for gateway in (left, right) if gateway.peer.name == OURS)
    peer = "left" if ours.name == "right" else "right"
    lab.step("kept", f"{KEPT} packets of {peer}, kept from {ours}")
    node = lab.network.node("internet")
    frames = (f for f in lab.frames() if (f.point, f.direction) == (f"internet:{ours.name}", Direction.OUTBOUND))
    like = next(frame for frame in frames if (ip := packet(frame)) is not None and ip.protocol == ESP_NUMBER)
    packets = kept(lab, peer, lab.inner(ours.name))
    insider = Insider(lab, packets[0])
    inner = inner_of(lab, peer)
    delivered = len(echoes(lab, ours.name))

    thrower = flips.Thrower(node, node.interface(f"{ours.name}-wan"), like)
    read, taken = flips.counting(ours, lab.network.node(ours.name)), 0
    for words, octets, reason in abuses(insider, packets, inner):
        lab.step(words, reason)
        before = read()
        _, counter = flips.outcome(read, thrower, octets)
        moved = +(read() - before)
        assert counter == reason and dict(moved) == {reason: 1}, f"a packet {words} was counted as {dict(moved)}"
        taken += reason == "taken"
    thrower.close()
    lab.forged += [octets[20:] for octets in thrower.thrown if decode_ip(octets) not in packets]

    lab.step("delivered", f"the host behind {ours} got the {taken} packets that were taken, and nothing else")
    assert len(echoes(lab, ours.name)) - delivered == taken, "more or less was delivered than was counted as taken"
    lab.ping()


def echoes(lab, name):
    """The echo requests that came in at the host behind a gateway."""
    found = seen(lab, f"{name}-host:lan", Direction.INBOUND, ICMP)
    return [ip for ip in found if ip.payload[:1] == bytes((ECHO_REQUEST,))]


def inner_of(lab, name):
    """The last packet that the host behind a gateway sent, as it goes into the tunnel."""
    return seen(lab, f"{name}-host:lan", Direction.OUTBOUND, ICMP)[-1].encode()
