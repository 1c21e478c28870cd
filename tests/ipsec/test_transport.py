"""ESP in transport mode: against scapy, between two data planes, behind a NAT, and what cannot go in (RFC 4303)."""

from dataclasses import replace

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.ipsec import ESP, SecurityAssociation

from lab.ike.child import ChildSa
from lab.ike.path import Path
from lab.ipsec.dataplane import Dataplane, Deliver
from lab.ipsec.drops import Reason
from lab.trace import Trace
from lab.wire.payloads_v2 import TrafficSelector
from tests.ipsec.children import child, mirror, predictable

V4, V6 = ("192.0.2.1", "198.51.100.1"), ("2001:db8::1", "2001:db8::2")
INSIDE = "192.168.1.2"


def hosts(here: str, there: str, proposal: str = "aes128gcm16", **changes: object) -> ChildSa:
    sides = {"ts_local": (TrafficSelector.of_network(here),), "ts_remote": (TrafficSelector.of_network(there),)}
    path = Path(here, 4500, there, 4500)
    return child(proposal, mode="transport", encap=False, path=path, **sides, **changes)


def plane(sa: ChildSa) -> Dataplane:
    made = Dataplane(Trace(), predictable)
    made.install(sa)
    return made


def whole(packet: IP | IPv6) -> bytes:
    """The octets with all sums and lengths; ICMP and UDP checksums are scapy's."""
    return bytes(packet)


def header(packet: bytes) -> IP | IPv6:
    return IPv6(packet) if packet[0] >> 4 == 6 else IP(packet)


PAYLOADS = [UDP(sport=1000, dport=2000) / b"over UDP", TCP(sport=80, dport=8080) / b"over TCP"]


@pytest.mark.parametrize("ends", [V4, V6], ids=["IPv4", "IPv6"])
@pytest.mark.parametrize("payload", PAYLOADS, ids=["udp", "tcp"])
@pytest.mark.parametrize(
    ("proposal", "names"), [("aes128gcm16", ("AES-GCM", None)), ("aes128-sha256", ("AES-CBC", "SHA2-256-128"))]
)
def test_scapy_agrees_on_transport_mode(ends: tuple, payload: object, proposal: str, names: tuple) -> None:
    sa, layer = hosts(*ends, proposal), IPv6 if ":" in ends[0] else IP
    inner = whole(layer(src=ends[0], dst=ends[1]) / payload)
    keys = {"crypt_key": sa.key_encr_out, "auth_key": sa.key_integ_out or None}
    names = {"crypt_algo": names[0], "auth_algo": names[1]}
    scapy = SecurityAssociation(ESP, spi=int.from_bytes(sa.spi_out, "big"), **names, **keys)
    (sealed,) = plane(sa).outbound(inner, 0.0)
    outside = layer(src=ends[0], dst=ends[1], **{"nh" if layer is IPv6 else "proto": 50}) / ESP(sealed.data)
    opened = scapy.decrypt(layer(bytes(outside)))
    assert bytes(opened.payload) == bytes(header(inner).payload)
    assert (opened.nh if layer is IPv6 else opened.proto) == (17 if payload.name == "UDP" else 6)

    theirs = scapy.encrypt(layer(inner), seq_num=1)
    (delivered,) = plane(mirror(sa)).inbound(bytes(theirs[ESP]), mirror(sa).path, 0.0)
    assert bytes(header(delivered.packet).payload) == bytes(header(inner).payload)
    assert (header(delivered.packet).src, header(delivered.packet).dst) == ends


@pytest.mark.parametrize("ends", [V4, V6], ids=["IPv4", "IPv6"])
def test_the_inside_has_no_ip_header_and_comes_out_whole(ends: tuple) -> None:
    sa, layer = hosts(*ends), IPv6 if ":" in ends[0] else IP
    inner = whole(layer(src=ends[0], dst=ends[1], **{"tc" if layer is IPv6 else "tos": 0xB8}) / UDP() / bytes(100))
    left, right = plane(sa), plane(mirror(sa))
    (sealed,) = left.outbound(inner, 0.0)
    assert sealed.traffic_class == 0xB8
    (delivered,) = right.inbound(sealed.data, mirror(sa).path, 0.0, 0xB8)
    back = header(delivered.packet)
    assert bytes(back.payload) == bytes(header(inner).payload)
    assert (back.tc if layer is IPv6 else back.tos) == 0xB8
    assert whole(layer(delivered.packet)) == delivered.packet, "lengths and checksums are right"
    assert not left.drops.counts and not right.drops.counts


@pytest.mark.parametrize("payload", PAYLOADS, ids=["udp", "tcp"])
def test_checksums_fit_the_addresses_that_a_nat_made(payload: object) -> None:
    # The sender sums up 192.168.1.2; the receiver sees 192.0.2.1.
    left = replace(hosts(INSIDE, V4[1]), encap=True)
    right = mirror(replace(hosts(*V4), encap=True))
    (sealed,) = plane(left).outbound(whole(IP(src=INSIDE, dst=V4[1]) / payload), 0.0)
    (delivered,) = plane(right).inbound(sealed.data, right.path, 0.0)
    assert delivered.packet[20:] == whole(IP(src=V4[0], dst=V4[1]) / payload)[20:]
    assert (IP(delivered.packet).src, IP(delivered.packet).dst) == V4


def test_udp_without_a_checksum_stays_without() -> None:
    sa = replace(hosts(*V4), encap=True)
    inner = whole(IP(src=V4[0], dst=V4[1]) / UDP(chksum=0) / b"none")
    (sealed,) = plane(sa).outbound(inner, 0.0)
    (delivered,) = plane(mirror(sa)).inbound(sealed.data, mirror(sa).path, 0.0)
    assert delivered == Deliver(delivered.packet)
    assert delivered.packet[26:28] == bytes(2)


NOT_WHOLE = [
    IP(src=V4[0], dst=V4[1], flags="MF") / UDP() / bytes(64),
    IP(src=V4[0], dst=V4[1], frag=8, proto=17) / bytes(64),
    IP(src=V4[0], dst=V4[1], options=[b"\x07\x04\x04\x00"]) / ICMP(),
]


@pytest.mark.parametrize("packet", NOT_WHOLE, ids=["first", "last", "options"])
def test_only_whole_datagrams_go_into_transport_mode(packet: IP) -> None:
    left = plane(hosts(*V4))
    assert left.outbound(whole(packet), 0.0) == []
    assert dict(left.drops.counts) == {Reason.NOT_WHOLE.value: 1}


def test_a_packet_for_others_is_not_delivered() -> None:
    sa = hosts(*V4)
    (sealed,) = plane(sa).outbound(whole(IP(src=V4[0], dst=V4[1]) / UDP()), 0.0)
    right = plane(mirror(sa))
    assert right.inbound(sealed.data, Path(V4[1], 0, "203.0.113.9", 0), 0.0) == []
    assert dict(right.drops.counts) == {Reason.INNER_SELECTORS.value: 1}
