"""A path that takes less than the gateways' own links: what routers say of ESP, and what the gateways tell on.

The capture is the judge: the routers' ICMP comes in at the gateways, the gateways' own at the hosts, and between the
routers nothing is longer than the path takes.
"""

import time
from dataclasses import replace
from socket import AF_INET, IPPROTO_ICMP, SOCK_RAW

import pytest

from lab.evidence.network import packet, upper
from lab.matrix import DEFAULT, ON_XFRM, OURS
from lab.plugin import flips
from lab.plugin.tunnel import Tunnel
from lab.wire.packets import ESP_NUMBER, ICMP, UDP_NUMBER, IPv4, checksum
from lab.wire.pcapng import Direction

EVERY_PLANE = tuple(map(str, (*DEFAULT, *ON_XFRM)))
MIDDLE, WIDE, LEAST_V6 = 1280, 1400, 1280
ICMPV6, FRAGMENT, ETHERNET = 58, 44, 14
HEADERS = {4: 28, 6: 48}
NETS = {"left": "10.1.0.0/24, 2001:db8:1::/64", "right": "10.2.0.0/24, 2001:db8:2::/64"}
OUTSIDE_V6 = {"left": "2001:db8:a::2", "right": "2001:db8:b::2"}
SIDES = ("left", "right")
AGED_S = 600
STRANGE = "ICMP too big, but about no packet of ours"


def side(name, outside):
    """One side's tunnel: networks of both families inside, one of them outside."""
    other = SIDES[1 - SIDES.index(name)]
    addresses = {"local_addrs": OUTSIDE_V6[name], "remote_addrs": OUTSIDE_V6[other]} if outside == 6 else {}
    return Tunnel(connection=addresses, child={"local_ts": NETS[name], "remote_ts": NETS[other]})


def ping(lab, sender, version, octets, *, whole=True):
    """The host behind a gateway pings the other one once with an IP packet of this length; whether it came back."""
    other = SIDES[1 - SIDES.index(sender)]
    target = lab.topology.attachment(f"{other}-host").address(version)
    how = ["-M", "do" if whole else "dont", "-s", str(octets - HEADERS[version])]
    done = lab.network.node(f"{sender}-host").run(["ping", "-n", "-c", "1", "-W", "1", *how, target], timeout=30)
    return done.returncode == 0


def told(lab, point):
    """The MTUs of the ICMP messages "too big" that came in at a point, of each IP version."""
    found = {4: [], 6: []}
    for frame in lab.frames():
        if (frame.point, frame.direction) == (point, Direction.INBOUND) and (ip := packet(frame)) is not None:
            if ip.protocol == ICMP and ip.payload[:2] == b"\3\4":
                found[4].append(int.from_bytes(ip.payload[6:8]))
            elif ip.protocol == ICMPV6 and ip.payload[:2] == b"\2\0":
                found[6].append(int.from_bytes(ip.payload[4:8]))
    return found


def outside(lab, name):
    """The IP packets with ESP, or a piece of it, as they left a gateway."""
    frames = (f for f in lab.frames() if (f.point, f.direction) == (f"{name}:wan", Direction.OUTBOUND))
    found = [ip for frame in frames if (ip := packet(frame)) is not None]
    return [ip for ip in found if upper(ip).protocol in (ESP_NUMBER, UDP_NUMBER) or ip.protocol == FRAGMENT]


def in_pieces(ip):
    """Whether an outer packet is only a piece of one."""
    return upper(ip).ident is not None


def learn(lab, name, family, versions):
    """A packet too big for the path is lost, the router says why, and the next one is answered by the gateway."""
    lab.step("too big", f"packets of {WIDE} octets that must not be cut, from the host behind {name}")
    room = {}
    for version in versions:
        assert not ping(lab, name, version, WIDE), f"{WIDE} octets got through a path of {MIDDLE}"
        ping(lab, name, version, WIDE)
        heard = told(lab, f"{name}-host:lan")[version]
        assert heard, f"{name}-host was never told that its packets are too big"
        room[version] = heard[-1]
    routers = told(lab, f"{name}:wan")[family]
    assert routers and set(routers) == {MIDDLE}, f"{name} heard of the MTUs {routers} from the router"
    return room


@pytest.mark.rfc("4301#8.1", "4301#8.2", "4301#8.2.1", "1191#4", "8201#4", "4213#3.2.2")
@pytest.mark.needs("tunnel")
@pytest.mark.pairings(*EVERY_PLANE)
@pytest.mark.parametrize("family", [4, 6], ids=["ipv4", "ipv6"])
def test_path_mtu(lab, left, right, family):
    """ICMP about ESP makes inner packets smaller: their senders are told how long they may be, and none vanishes."""
    lab.up("pmtu-1280", left=side("left", family), right=side("right", family))
    lab.establish()
    if family == 4:
        lab.step("may be cut", f"{WIDE} octets with DF clear, inside and outside: the router cuts ESP in two")
        assert ping(lab, "left", 4, WIDE, whole=False), f"{WIDE} octets with DF clear did not get through"
        sent = outside(lab, "left")[-1]
        assert not sent.fragment & 0x4000 and not in_pieces(sent), "the gateway's packet has DF set, or is cut already"

    room = {name: learn(lab, name, family, (4, 6)) for name in SIDES}
    for gateway in (left, right):
        fits(lab, gateway, family, room[gateway.name])
        if gateway.peer.name == OURS:
            cut_before(lab, gateway, family)
    nothing_longer(lab)

    lab.step("aged", f"after {AGED_S} s the path is tried anew")
    ours = next((gateway for gateway in (left, right) if gateway.peer.name == OURS), None)
    if ours is None:
        return
    if family == 4:
        forged(lab, ours)
    aged(lab, ours, family)


@pytest.mark.rfc("4301#8.2.1", "3948#2.1")
@pytest.mark.needs("tunnel", "nat-t")
def test_path_mtu_behind_nat(lab, left, right):
    """The same for ESP in UDP: ICMP speaks of UDP then, and the SPI is further back."""
    lab.up("nat-initiator")
    for sender in ("left-nat", "internet"):
        lab.network.set_link("left-uplink", sender, mtu=MIDDLE)
    lab.establish()
    room = {name: learn(lab, name, 4, (4,))[4] for name in SIDES}
    for name in SIDES:
        lab.step("fits", f"{name}-host was told {room[name]} octets, and sends such packets")
        assert ping(lab, name, 4, room[name]), f"{room[name]} octets did not get through"
        sizes = [len(ip.encode()) for ip in outside(lab, name) if not in_pieces(ip)]
        assert max(size for size in sizes if size <= MIDDLE) > MIDDLE - 20, "the room told was too small"


def fits(lab, gateway, family, room):
    """What the sender was told fits: in one piece where there is room for it in the path."""
    name = gateway.name
    lab.step("fits", f"{name}-host was told {room[4]} octets for IPv4, {room[6]} for IPv6, and sends such packets")
    assert MIDDLE - 110 < room[4] < MIDDLE, f"{room[4]} octets in a path of {MIDDLE}"
    before = len(outside(lab, name))
    assert ping(lab, name, 4, room[4]), f"{room[4]} octets of IPv4 did not get through"
    (sent,) = outside(lab, name)[before:]
    size = len(sent.encode())
    assert size <= MIDDLE and not in_pieces(sent), f"ESP of {size} octets, or in pieces"
    assert MIDDLE - size < 20, f"ESP of only {size} octets: the room told was too small"
    if family == 4 and gateway.peer.name == OURS:
        assert sent.fragment & 0x4000, "DF of the inner packet was not copied"
    if gateway.peer.name != OURS:
        # Linux tells hosts less than IPv6 allows, and what they send of 1280 octets all the same it does not carry.
        assert room[6] < LEAST_V6, f"Linux now says {room[6]} octets: this comment is out of date"
        assert ping(lab, name, 6, room[6]), f"{room[6]} octets of IPv6 did not get through"
        return
    # IPv6 cannot be told to make packets smaller than this, so ESP itself comes in pieces (RFC 2473 7.1).
    assert room[6] == LEAST_V6, f"{room[6]} octets, though IPv6 takes no less than {LEAST_V6}"
    ping(lab, name, 6, room[6])  # the reply may be one of those that Linux does not carry
    assert arrived(lab, name, room[6]), f"{room[6]} octets of IPv6 did not get through"


def arrived(lab, name, octets):
    """Whether an IPv6 packet of this length from the host behind a gateway came to the other host."""
    source = lab.topology.attachment(f"{name}-host").address(6)
    points = [f"{other}-host:lan" for other in SIDES if other != name]
    found = (packet(frame) for frame in lab.frames() if frame.point in points)
    return any(ip is not None and str(ip.src) == source and len(ip.encode()) == octets for ip in found)


def cut_before(lab, gateway, family):
    """An inner packet that may be cut is cut before ESP, so that no ESP packet has to be."""
    name = gateway.name
    lab.step("cut before", f"{WIDE} octets of IPv4 with DF clear from {name}-host, in two packets of ESP")
    before = len(outside(lab, name))
    assert ping(lab, name, 4, WIDE, whole=False), f"{WIDE} octets with DF clear did not get through"
    sent = outside(lab, name)[before:]
    assert len(sent) == 2 and not any(map(in_pieces, sent)), f"{name} sent {len(sent)} packets, or pieces of one"


def nothing_longer(lab):
    """No frame on the narrow link was longer than it takes."""
    points = ("internet:far", "far:near")
    sizes = [len(frame.data) - ETHERNET for frame in lab.frames() if frame.point in points]
    assert sizes and max(sizes) <= MIDDLE, f"a packet of {max(sizes, default=0)} octets on a link of {MIDDLE}"


def forged(lab, gateway):
    """A stranger who has not seen our packets cannot make them smaller."""
    lab.step("forged", f"an ICMP message about an SPI that {gateway} does not send to")
    sent = outside(lab, gateway.name)[-1]
    other = replace(sent, payload=bytes(b ^ 0xFF for b in sent.payload[:4]) + sent.payload[4:]).encode()[:64]
    body = bytes(2) + (600).to_bytes(2) + other
    read = flips.counting(gateway, lab.network.node(gateway.name))
    before = read()
    with lab.network.node("internet").socket(AF_INET, SOCK_RAW, IPPROTO_ICMP) as stranger:
        stranger.sendto(b"\3\4" + checksum(b"\3\4\0\0" + body).to_bytes(2) + body, (gateway.address, 0))
    lab.until(lambda: read()[STRANGE] - before[STRANGE] == 1, "the message is a counted drop", 5.0)


def aged(lab, gateway, family):
    """What the router said is forgotten: a large packet goes out as large as before, and is too big again."""
    name = gateway.name
    time.sleep(AGED_S)
    count = len(told(lab, f"{name}:wan")[family])
    assert not ping(lab, name, 4, WIDE), f"{WIDE} octets got through a path of {MIDDLE}"
    tried = outside(lab, name)[-1]
    assert len(tried.encode()) > WIDE, "the path was not tried anew"
    assert len(told(lab, f"{name}:wan")[family]) == count + 1, "the router had nothing to say"
    assert not isinstance(tried, IPv4) or tried.fragment & 0x4000, "it went with DF clear"
