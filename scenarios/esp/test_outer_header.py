"""What the header outside a tunnel has to do with the one inside: DSCP, congestion marks, and the room that is left.

The capture is the judge: the inner packets are seen at the hosts, the outer ones between the gateways.
"""

import time
from dataclasses import replace

import pytest

from lab.evidence.network import packet
from lab.matrix import DEFAULT, ON_XFRM, OURS
from lab.plugin.tunnel import Tunnel
from lab.wire.packets import AH_NUMBER, ESP_NUMBER, ICMP, decode_ip
from lab.wire.pcapng import Direction

EVERY_PLANE = tuple(map(str, (*DEFAULT, *ON_XFRM)))
TUNNELS = {
    "ESP": (Tunnel(), ESP_NUMBER),
    "AH": (Tunnel(esp=None, child={"ah_proposals": "sha256"}), AH_NUMBER),
}
PROTOCOLS = [pytest.param(name, marks=[pytest.mark.needs("ah")] if name == "AH" else []) for name in TUNNELS]
ECHO_REQUEST, UNREACHABLE, TOO_BIG = 8, 3, 4
EXPEDITED, ECT_0, CE = 0xB8, 2, 3
MTU, HEADERS = 1500, 28
MARKS = """
table ip congested {{
  chain through {{
    type filter hook forward priority 0;
    iifname "left" meta l4proto {protocol} ip ecn set ce
  }}
}}
"""


def ping(lab, *options):
    """The left host pings the right one once; what ping says."""
    argv = ["ping", "-n", "-c", "1", "-W", "2", *options, lab.inner("right")]
    return lab.network.node("left-host").run(argv, timeout=30)


def echoes(lab, point):
    """The IP packets with an echo request at a capture point, in their order."""
    found = (packet(frame) for frame in lab.frames() if frame.point == point)
    return [ip for ip in found if ip is not None and ip.protocol == ICMP and ip.payload[:1] == bytes((ECHO_REQUEST,))]


def outside(lab, number, gateway="left"):
    """The ESP or AH packets as they left a gateway."""
    frames = (f for f in lab.frames() if (f.point, f.direction) == (f"{gateway}:wan", Direction.OUTBOUND))
    return [ip for frame in frames if (ip := packet(frame)) is not None and ip.protocol == number]


@pytest.mark.rfc("4301#5.1.2", "6040#4.1", "6040#4.2")
@pytest.mark.needs("tunnel")
@pytest.mark.pairings(*EVERY_PLANE)
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_dscp_and_congestion(lab, left, right, protocol):
    """DSCP and ECN go out as they are inside; a congestion mark from a router under way comes in, where it may."""
    tunnel, number = TUNNELS[protocol]
    lab.up("direct", tunnel)
    lab.establish()
    lab.step("copied", "DSCP EF and ECT(0) of the inner packet stand outside")
    assert ping(lab, "-Q", str(EXPEDITED | ECT_0)).returncode == 0, "the ping did not come back"
    assert [ip.tos for ip in outside(lab, number)] == [EXPEDITED | ECT_0], "the outer header has other bits"
    assert echoes(lab, "right-host:lan")[-1].tos == EXPEDITED | ECT_0, "the inner header was changed"

    lab.step("congestion", "the router between the gateways marks every packet")
    word = {"ESP": "esp", "AH": "ah"}[protocol]
    done = lab.network.node("internet").run(["nft", "-f", "-"], input=MARKS.format(protocol=word))
    assert done.returncode == 0, f"nft says: {done.stderr}"
    assert ping(lab, "-Q", str(EXPEDITED | ECT_0)).returncode == 0, "a marked packet was not taken"
    assert echoes(lab, "right-host:lan")[-1].tos == EXPEDITED | CE, "the mark did not come in"


@pytest.mark.rfc("4301#8.1", "4301#8.2.1")
@pytest.mark.needs("tunnel")
@pytest.mark.pairings(*EVERY_PLANE)
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_too_big(lab, left, right, protocol):
    """A packet that must not be cut and does not fit is answered with the room there is, and what fits goes whole."""
    tunnel, number = TUNNELS[protocol]
    lab.up("direct", tunnel)
    lab.establish()
    lab.step("too big", f"a packet of {MTU} octets with DF set, and what the gateway answers")
    assert ping(lab, "-M", "do", "-s", str(MTU - HEADERS)).returncode != 0, "a packet of full size got through"
    answers = [ip for f in lab.frames() if f.point == "left-host:lan" and (ip := packet(f)) and ip.protocol == ICMP]
    told = [ip for ip in answers if ip.payload[:2] == bytes((UNREACHABLE, TOO_BIG))]
    assert told and str(told[0].src) == "10.1.0.1", f"no ICMP 'too big' came from the gateway: {answers}"
    room = int.from_bytes(told[0].payload[6:8])
    assert str(quoted(told[0]).dst) == lab.inner("right"), "the answer speaks of another packet"
    assert MTU - 120 < room < MTU, f"it says {room} octets"

    lab.step("fits", f"the gateway says {room} octets, and a packet of that size crosses in one piece")
    before = len(outside(lab, number))
    assert ping(lab, "-M", "do", "-s", str(room - HEADERS)).returncode == 0, f"{room} octets did not get through"
    (sent,) = outside(lab, number)[before:]
    size = len(sent.encode())
    assert size <= MTU and not sent.fragment & 0x3FFF, f"the outer packet has {size} octets or is in pieces"
    assert MTU - size < 32, f"the outer packet has only {size} octets: the room told was too small"


def quoted(answer):
    """The packet that an ICMP error speaks of, filled up where it is cut short."""
    front = answer.payload[8:]
    return decode_ip(front.ljust(int.from_bytes(front[2:4]), b"\0"))


TFC = 700


@pytest.mark.rfc("4303#2.7", "7296#1.3.1")
@pytest.mark.needs("tunnel")
def test_tfc_padding(lab, left, right):
    """Packets of every length up to the padding leave us as ESP packets of one length, and arrive as they were.

    In user space alone: the guest's kernel takes the wish for padding (XFRMA_TFCPAD), from us as from charon, and has
    not been seen to pad.
    """
    lab.up("direct", Tunnel(child={"tfc_padding": str(TFC)}))
    lab.establish()
    ours = next(gateway.name for gateway in (left, right) if gateway.peer.name == OURS)
    lab.step("one length", f"pings of 0 to 600 octets, filled up to {TFC} by {ours}")
    sizes = (0, 17, 300, 600)
    for size in sizes:
        assert ping(lab, "-s", str(size)).returncode == 0, f"a ping of {size} octets did not come back"
    lengths = {len(ip.encode()) for ip in outside(lab, ESP_NUMBER, ours)}
    assert len(lengths) == 1, f"ESP packets have the lengths {sorted(lengths)}"
    arrived = [len(ip.payload) for ip in echoes(lab, "right-host:lan")]
    assert arrived == [size + 8 for size in sizes], f"the pings arrive with {arrived} octets"
    lab.steps.note(f"all of {lengths.pop()} octets")


RATE, IDLE_S = 20, 2


@pytest.mark.rfc("4303#2.6", "4303#2.7")
@pytest.mark.needs("tunnel")
def test_dummy_packets(lab, left, right):
    """Filled up to the MTU, and with dummy packets beside them, packets that carry something look like all others.

    The peer drops dummy packets without a word, and what it is sent beside them arrives. Its own padding stays off:
    Linux 6.18 refuses what charon asks of it for `mtu` ("Excessive TFC padding").
    """
    ours = next(gateway.name for gateway in (left, right) if gateway.peer.name == OURS)
    padded = Tunnel(child={"tfc_padding": "mtu"})
    sides = {"left": Tunnel(), "right": Tunnel(), ours: replace(padded, settings={"dummy_rate": str(RATE)})}
    lab.up("direct", **sides)
    lab.establish()
    lab.step("idle", f"nobody sends anything for {IDLE_S} s, but {ours} does {RATE} times a second")
    time.sleep(IDLE_S)
    lab.ping()
    ladder = lab.prove_protected()

    lab.step("alike", "ESP packets of one length, most of which hold nothing")
    sent = outside(lab, ESP_NUMBER, ours)
    lengths = {len(ip.encode()) for ip in sent}
    assert len(lengths) == 1 and MTU - 16 < min(lengths) <= MTU, f"ESP packets have the lengths {sorted(lengths)}"
    dummies = [entry for entry in ladder.esp(ours) if entry.get("inner") == "dummy packet"]
    assert IDLE_S * RATE * 0.9 <= len(dummies) < len(sent), f"{len(dummies)} dummy packets of {len(sent)}"
    other = next(gateway for gateway in (left, right) if gateway.name != ours)
    (taken,) = other.children()
    lab.steps.note(f"{len(dummies)} dummy packets of {len(sent)}; {other} counts {taken['packets_in']} packets")
