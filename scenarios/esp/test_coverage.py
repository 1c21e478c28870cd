"""What the ICV covers, tried octet by octet: each is changed in flight, and the receiver's counters say who noticed.

ESP leaves the header outside it alone, AH takes the whole packet but for what routers change. The page of each scenario
draws the packet from its captured octets, part by part, with what the RFC covers and what the receiver noticed.
"""

from dataclasses import replace
from ipaddress import ip_address

import pytest

from lab.evidence.datagram import sightings
from lab.evidence.keyring import Keyring
from lab.evidence.layout import layout, names
from lab.evidence.network import packet
from lab.matrix import OUR_PEERS
from lab.plugin import flips
from lab.plugin.tunnel import Tunnel
from lab.wire.packets import AH_NUMBER, ESP_NUMBER, decode_ip
from lab.wire.pcapng import Direction

SCHEMA = "ikelab.coverage/1"
NUMBERS = {"ESP": ESP_NUMBER, "AH": AH_NUMBER}
TUNNELS = {
    "ESP": Tunnel(esp="aes128-sha256"),
    "AH": Tunnel(esp=None, child={"ah_proposals": "sha256"}),
}
HOSTS = {"local_ts": "dynamic", "remote_ts": "dynamic", "mode": "transport"}
LAYOUTS = {
    ("ESP", "transport"): ["IP header", "ESP header", "IV", "payload", "ESP trailer", "ESP auth"],
    ("ESP", "tunnel"): ["new IP header", "ESP header", "IV", "IP header", "payload", "ESP trailer", "ESP auth"],
    ("AH", "transport"): ["IP header", "AH", "ICV", "payload"],
    ("AH", "tunnel"): ["new IP header", "AH", "ICV", "IP header", "payload"],
}
PAYLOAD = 16
OUTSIDE_V6, NETS_V6 = ("2001:db8:a::2", "2001:db8:b::2"), ("2001:db8:1::/64", "2001:db8:2::/64")


def child(protocol, mode):
    """One child of this protocol in this mode."""
    tunnel = TUNNELS[protocol]
    return replace(tunnel, child={**tunnel.child, **HOSTS}) if mode == "transport" else tunnel


def over_ipv6(tunnel, mode):
    """Both sides' tunnels with IPv6 inside and outside."""
    here, there = OUTSIDE_V6
    nets = {} if mode == "transport" else {"local_ts": NETS_V6[0], "remote_ts": NETS_V6[1]}
    back = dict(zip(nets, reversed(nets.values()), strict=True))
    sides = (({"local_addrs": here, "remote_addrs": there}, nets), ({"local_addrs": there, "remote_addrs": here}, back))
    return [replace(tunnel, connection=ends, child={**tunnel.child, **ts}) for ends, ts in sides]


def set_up_ipv6(lab, protocol, mode):
    """The same over IPv6."""
    left, right = over_ipv6(child(protocol, mode), mode)
    lab.up("dual-stack", left=left, right=right)
    lab.establish()
    sender, receiver = ("left", "right") if mode == "transport" else ("left-host", "right-host")
    target = lab.topology.attachment(receiver).address(6)
    send(lab, sender, target, 1)
    return sender, target


def set_up(lab, protocol, mode):
    """The tunnel stands and carries pings; who pings whom in this mode."""
    lab.up("direct", child(protocol, mode))
    lab.establish()
    if mode == "transport":
        lab.ping_gateways(1)
        return "left", lab.ends().right_public
    lab.ping(1)
    return "left-host", lab.inner("right")


def seen(lab, protocol, point, direction):
    """The frames with this protocol at a capture point."""
    found = ((frame, packet(frame)) for frame in lab.frames() if (frame.point, frame.direction) == (point, direction))
    return [frame for frame, ip in found if ip is not None and ip.protocol == NUMBERS[protocol]]


def send(lab, sender, target, count):
    """So many echo requests of one size, whatever becomes of them."""
    argv = ["ping", "-n", "-q", "-c", str(count), "-i", "0.005", "-W", "0.1", "-s", str(PAYLOAD), target]
    lab.network.node(sender).run(argv, timeout=60)


def kept(lab, protocol, sender, target):
    """Packets of one shape that the gate keeps from their receiver: one to leave as it is, one for each octet."""
    rule = lab.network.drop("internet", protocol, count=None, sender="left")
    before = len(seen(lab, protocol, "left:wan", Direction.OUTBOUND))
    send(lab, sender, target, 1)
    size = len(seen(lab, protocol, "left:wan", Direction.OUTBOUND)[before].data) - flips.ETHERNET
    send(lab, sender, target, size + 1)
    packets = [frame.data[flips.ETHERNET :] for frame in seen(lab, protocol, "left:wan", Direction.OUTBOUND)[before:]]
    assert rule.dropped() >= len(packets) > size + 1, f"the gate kept {rule.dropped()} packets of {len(packets)}"
    assert {len(one) for one in packets} == {size}, "the packets are not all of one size"
    return packets


@pytest.mark.rfc("4303#2.8", "4303#3.1", "4302#3.1", "4302#3.3.3.1")
@pytest.mark.needs("tunnel", "transport", "ah")
@pytest.mark.parametrize("mode", ["tunnel", "transport"])
@pytest.mark.parametrize("protocol", ["ESP", "AH"])
def test_coverage(lab, left, right, protocol, mode):
    """Every octet of a packet is changed in flight: the receiver notices those that the RFC says, and no others."""
    mapped(lab, right, protocol, mode, set_up(lab, protocol, mode))


@pytest.mark.rfc("4303#2.8", "4303#3.1", "4302#3.1", "4302#3.3.3.1.2")
@pytest.mark.needs("tunnel", "transport", "ah")
@pytest.mark.parametrize("mode", ["tunnel", "transport"])
@pytest.mark.parametrize("protocol", ["ESP", "AH"])
def test_coverage_ipv6(lab, left, right, protocol, mode):
    """The same with IPv6 inside and outside, whose header has other fields that routers may change."""
    mapped(lab, right, protocol, mode, set_up_ipv6(lab, protocol, mode))


def mapped(lab, right, protocol, mode, ends):
    """The map, made and compared with the RFC."""
    sender, target = ends
    lab.step("kept", "packets of one shape, each with a sequence number of its own, kept from the receiver")
    like = seen(lab, protocol, "internet:right", Direction.OUTBOUND)[0]
    first, *packets = kept(lab, protocol, sender, target)

    lab.step("layout", "the parts of a captured packet, opened with the keys of the run")
    parts = layout(first, Keyring(lab.keys()))
    assert names(parts) == LAYOUTS[protocol, mode], f"the packet is {' | '.join(names(parts))}"
    assert sum(part.octets for part in parts) == len(first), "the parts are not the whole packet"
    lab.steps.note(" | ".join(f"{part.name} {part.octets}" for part in parts))

    lab.step("changed", f"each of {len(first)} octets in turn, on the link to {right}")
    thrower = flips.Thrower(lab.network.node("internet"), lab.network.node("internet").interface("right-wan"), like)
    read = flips.counting(right, lab.network.node("right"))
    control = flips.outcome(read, thrower, first)
    assert control == ("taken", "taken"), f"the unchanged packet was not taken: {control}"
    found = flips.flip_all(read, thrower, packets)
    thrower.close()
    version = first[0] >> 4
    front = flips.HEADER[version]
    genuine = {one[front:] for one in (first, *packets)}
    lab.forged += [one[front:] for one in thrower.thrown if one[front:] not in genuine]
    plane = "user space" if right.peer.name == OUR_PEERS[0] else "the kernel's XFRM"
    lab.leave("coverage.json", facts(protocol, mode, f"{right}, {plane}", first, parts, found))
    wrong = flips.contradictions(NUMBERS[protocol], found, version)
    assert not wrong, f"{len(wrong)} octets contradict the RFC, first: {wrong[0]}"


def facts(protocol, mode, receiver, first, parts, found):
    """coverage.json."""
    version = first[0] >> 4
    rfc = [at for at in range(len(first)) if flips.guarded_by_rfc(NUMBERS[protocol], at, version)]
    return {
        "schema": SCHEMA,
        "protocol": protocol,
        "mode": mode,
        "receiver": receiver,
        "octets": first.hex(),
        "parts": [part.as_dict() for part in parts],
        "covered": rfc,
        "ip_decides": {str(at): why for at, why in flips.IP_DECIDES[version].items()},
        "flips": [flip.as_dict() for flip in found],
    }


MASQUERADE = """
table ip late {
  chain out {
    type nat hook postrouting priority 100;
    oifname "right" meta l4proto ah masquerade
  }
}
"""


@pytest.mark.rfc("3715#2.1", "4302#3.3.3.1")
@pytest.mark.needs("ah", "transport")
def test_ah_in_a_nat(lab, left, right):
    """A router that begins to translate addresses under an SA of AH: from then on every packet fails its ICV."""
    set_up(lab, "AH", "tunnel")
    lab.prove_protected("AH")
    read = flips.counting(right, lab.network.node("right"))

    lab.step("NAT", "the router between the gateways translates AH from now on")
    done = lab.network.node("internet").run(["nft", "-f", "-"], input=MASQUERADE)
    assert done.returncode == 0, f"nft says: {done.stderr}"
    before = read()
    count = 5
    send(lab, "left-host", lab.inner("right"), count)
    moved = +(read() - before)
    assert moved["taken"] == 0, f"{right} took {moved['taken']} packets of AH out of a NAT"
    named = next((name for name in moved if "integrity" in name or "StateProtoError" in name), "")
    assert moved[named] >= count, f"{right} counts {dict(moved)}, not {count} packets with a wrong ICV"

    lab.step("same packet", "its ICV is right before the NAT and wrong behind it, and only addresses differ")
    keyring = Keyring(lab.keys())
    ah = [one for one in sightings(lab.frames()) if one.kind == "ah" and one.src != lab.ends().left]
    changed = [one for one in ah if one.point == "right:wan" and one.src == "198.51.100.1"]
    assert len(changed) >= count, f"the NAT changed {len(changed)} packets, not {count}"
    for sighting in changed:
        spi = sighting.body[4:8].hex()
        assert not keyring.vouches(spi, sighting.packet), "the ICV of a translated packet is right"
        original = replace(decode_ip(sighting.packet), src=ip_address(lab.ends().left)).encode()
        assert keyring.vouches(spi, original), "more than the source address was changed under way"
    lab.steps.note(f"{named}: {moved[named]}")
