"""The path MTU: what is believed of an ICMP message, what follows from it, and when it is forgotten."""

from dataclasses import replace
from ipaddress import ip_address

import pytest

from lab.ike.child import TO_THE_MTU, ChildSa
from lab.ike.path import Path
from lab.ipsec.dataplane import AhPacket, Dataplane, EspPacket, Widened
from lab.ipsec.drops import Reason
from lab.ipsec.path_mtu import AGE_S
from lab.trace import Trace
from lab.wire.packets import AH_NUMBER, ESP_NUMBER, UDP, UDP_NUMBER, IPv4, IPv6, checksum, decode_ip
from lab.wire.payloads_v2 import TrafficSelector
from tests.ipsec.children import LEFT, ah_child, child, mirror, predictable

SPI, DF = child().spi_in, 0x4000
V6 = Path("2001:db8:a::2", 4500, "2001:db8:b::2", 4500)
NETS_V6 = {
    "ts_local": (TrafficSelector.of_network("2001:db8:1::/64"),),
    "ts_remote": (TrafficSelector.of_network("2001:db8:2::/64"),),
}
CHILDREN = {
    "ESP in UDP": (child(), 28),
    "ESP": (child(encap=False), 20),
    "AH": (ah_child(), 20),
    "ESP in UDP, IPv6": (child(path=V6), 48),
    "ESP, IPv6": (child(path=V6, encap=False), 40),
}


def inner(octets: int = 1300, *, df: bool = True) -> bytes:
    return IPv4(ip_address("10.1.0.5"), ip_address("10.2.0.7"), 17, bytes(octets - 20), fragment=DF * df).encode()


def inner_v6(octets: int) -> bytes:
    return IPv6(ip_address("2001:db8:1::5"), ip_address("2001:db8:2::7"), 17, bytes(octets - 40)).encode()


def plane(*children: ChildSa, **how: float) -> Dataplane:
    made = Dataplane(Trace(), predictable, **how)
    for each in children:
        made.install(each)
    return made


def outside(sent: EspPacket | AhPacket) -> bytes:
    """The IP packet that goes out."""
    if isinstance(sent, AhPacket):
        return sent.data
    path = sent.path
    data = UDP(path.local_port, path.remote_port, sent.data).encode() if sent.encap else sent.data
    ends = ip_address(path.local_host), ip_address(path.remote_host)
    kind = IPv6 if ends[0].version == 6 else IPv4
    return kind(*ends, UDP_NUMBER if sent.encap else ESP_NUMBER, data).encode()


def router(packet: bytes, mtu: int, keep: int = 520) -> tuple[bytes, int]:
    """What a router says of a packet that is too big for its next link."""
    if packet[0] >> 4 == 6:
        return b"\2\0\0\0" + mtu.to_bytes(4, "big") + packet[:keep], 6
    body = bytes(2) + mtu.to_bytes(2, "big") + packet[:keep]
    total = checksum(b"\3\4\0\0" + body)
    return b"\3\4" + total.to_bytes(2, "big") + body, 4


def send(sender: Dataplane, packet: bytes) -> EspPacket | AhPacket:
    (sealed,) = sender.outbound(packet, 0.0)
    assert isinstance(sealed, EspPacket | AhPacket)
    return sealed


@pytest.mark.parametrize("name", CHILDREN)
def test_a_router_makes_inner_packets_smaller_until_it_is_forgotten(name: str) -> None:
    sa, headers = CHILDREN[name]
    left = plane(sa)
    before = left.fit(SPI, 1500, headers)
    assert left.too_big(*router(outside(send(left, inner())), 1280), 5.0)
    after = left.fit(SPI, 1500, headers)
    largest = len(outside(send(left, inner(after))))
    assert 1280 - 16 < largest <= 1280 and 1500 - 16 < len(outside(send(left, inner(before)))) <= 1500
    assert left.next_deadline() == 5.0 + AGE_S
    assert left.tick(5.0 + AGE_S - 1) == [] and left.fit(SPI, 1500, headers) == after
    assert left.tick(5.0 + AGE_S) == [Widened()] and left.fit(SPI, 1500, headers) == before
    assert left.next_deadline() is None and not left.drops.counts


def test_it_only_makes_smaller_and_another_sa_of_the_path_heeds_it() -> None:
    left = plane(child())
    packet = outside(send(left, inner(1400)))
    assert left.too_big(*router(packet, 1280), 0.0)
    assert left.too_big(*router(packet, 1400), 9.0), "it is about us, but tells nothing new"
    assert left.next_deadline() == AGE_S
    new = replace(child(), spi_in=b"\xc1\0\0\7", spi_out=b"\xc2\0\0\x08")
    elsewhere = replace(new, spi_in=b"\xc1\0\0\x09", path=replace(LEFT, remote_host="203.0.113.9"))
    for sa in (new, elsewhere):
        left.install(sa)
    assert left.fit(new.spi_in, 1500, 28) == left.fit(SPI, 1500, 28) < 1280
    assert left.fit(elsewhere.spi_in, 1500, 28) > 1400
    left.move(new.spi_in, elsewhere.path, encap=True)
    assert left.fit(new.spi_in, 1500, 28) > 1400


def test_a_link_of_ours_that_takes_less_decides() -> None:
    left = plane(child())
    assert left.too_big(*router(outside(send(left, inner(1400))), 1400), 0.0)
    assert left.fit(SPI, 1280, 28) < 1280


STRANGE = {
    "another SPI": lambda ip: replace(ip, payload=ip.payload[:8] + b"\xc2\0\0\3" + ip.payload[12:]),
    "a number not sent yet": lambda ip: replace(ip, payload=ip.payload[:12] + bytes((0, 0, 0, 9)) + ip.payload[16:]),
    "another peer": lambda ip: replace(ip, dst=ip_address("198.51.100.2")),
    "another source": lambda ip: replace(ip, src=ip_address("192.0.2.2")),
    "another port": lambda ip: replace(ip, payload=b"\x11\x95" + ip.payload[2:]),
    "ESP without UDP": lambda ip: replace(ip, protocol=ESP_NUMBER, payload=ip.payload[8:]),
    "AH": lambda ip: replace(ip, protocol=AH_NUMBER, payload=bytes(4) + ip.payload[8:]),
}


@pytest.mark.parametrize("how", STRANGE)
def test_what_is_about_no_packet_of_ours_is_a_counted_drop(how: str) -> None:
    left = plane(child())
    room = left.fit(SPI, 1500, 28)
    forged = STRANGE[how](decode_ip(outside(send(left, inner())))).encode()
    assert not left.too_big(*router(forged, 1280), 0.0)
    assert left.drops.counts == {Reason.ICMP_STRANGE: 1} and left.fit(SPI, 1500, 28) == room


def test_a_number_of_long_ago_is_not_believed() -> None:
    left = plane(child())
    early = outside(send(left, inner()))
    left._by_spi[SPI].carrier.outgoing.sequence = 1 << 17
    assert not left.too_big(*router(early, 1280), 0.0)
    assert left.drops.counts == {Reason.ICMP_STRANGE: 1}


@pytest.mark.parametrize(("name", "mtu"), [("ESP", 68), ("ESP", 575), ("ESP", 2000), ("ESP, IPv6", 1279)])
def test_an_mtu_that_cannot_be_is_a_counted_drop(name: str, mtu: int) -> None:
    left = plane(CHILDREN[name][0])
    assert not left.too_big(*router(outside(send(left, inner())), mtu), 0.0)
    assert left.drops.counts == {Reason.ICMP_UNBELIEVED: 1} and left.next_deadline() is None


def test_a_router_that_names_no_mtu_means_the_next_plateau() -> None:
    left = plane(child(encap=False))
    assert left.too_big(*router(outside(send(left, inner(1400))), 0), 0.0)
    assert left.fit(SPI, 1500, 20) == plane(child(encap=False)).fit(SPI, 1006, 20)


def test_messages_about_others_and_pieces_are_left_alone() -> None:
    left = plane(child())
    packet = outside(send(left, inner()))
    assert not left.too_big(*router(packet, 1280, keep=28), 0.0), "RFC 792 asks for no more, and there is no SPI in it"
    assert not left.too_big(*router(IPv4(*(ip_address("192.0.2.1"),) * 2, 6, bytes(40)).encode(), 1280), 0.0)
    assert not left.too_big(b"", 4, 0.0) and not left.drops.counts


@pytest.mark.parametrize(("policy", "wanted"), [("yes", [True, False]), ("no", [False] * 2), ("set", [True] * 2)])
def test_df_goes_out_as_configured(policy: str, wanted: list[bool]) -> None:
    left = plane(child(copy_df=policy))
    assert [send(left, inner(200, df=df)).dont_fragment for df in (True, False)] == wanted
    ah = plane(ah_child(copy_df=policy))
    sent = [decode_ip(send(ah, inner(200, df=df)).data) for df in (True, False)]
    assert [bool(ip.fragment & DF) for ip in sent] == wanted


def test_of_ipv6_what_its_sender_can_make_smaller_goes_whole() -> None:
    left = plane(child(**NETS_V6))
    assert [send(left, inner_v6(octets)).dont_fragment for octets in (1281, 1280)] == [True, False]


def test_what_is_known_not_to_fit_goes_in_pieces_rather_than_nowhere() -> None:
    left = plane(child())
    assert left.fit(SPI, 1500, 28) >= 1400 and send(left, inner(1400)).dont_fragment
    assert left.too_big(*router(outside(send(left, inner(1400))), 1280), 0.0)
    room = left.fit(SPI, 1500, 28)
    assert [send(left, inner(octets)).dont_fragment for octets in (room, room + 8)] == [True, False]
    always = plane(child(copy_df="set"))
    always.fit(SPI, 1280, 28)
    assert send(always, inner(1400)).dont_fragment


@pytest.mark.parametrize(
    ("name", "mtu"), [("ESP, IPv6", 1280), ("ESP in UDP, IPv6", 0), ("ESP", 0), ("AH, IPv6", 1280)]
)
def test_what_the_system_would_not_cut_is_to_be_cut(name: str, mtu: int) -> None:
    sa, headers = (CHILDREN | {"AH, IPv6": (ah_child(path=V6), 40)})[name]
    left = plane(sa)
    room = left.fit(SPI, 1280, headers)
    assert [send(left, inner(octets)).mtu for octets in (room, room + 8)] == [0, mtu]


def test_padding_goes_to_the_mtu_and_follows_it() -> None:
    for padding, wide in ((TO_THE_MTU, 1500), (1300, 1384), (4000, 1500)):
        left, right = plane(child(tfc_padding=padding)), plane(mirror(child()))
        left.fit(SPI, 1500, 28)
        lengths = {len(outside(send(left, inner(octets)))) for octets in (28, 500, 1200)}
        assert len(lengths) == 1 and wide - 34 <= lengths.pop() <= wide
        assert left.too_big(*router(outside(send(left, inner(28))), 1280), 0.0)
        left.fit(SPI, 1500, 28)
        small = send(left, inner(28))
        assert 1280 - 4 < len(outside(small)) <= 1280
        (delivered,) = right.inbound(small.data, mirror(child()).path, 0.0)
        assert delivered.packet == inner(28), "and is cut off again"
