"""GRE tunnels between two ends, against scapy, and what does not come out of one."""

import random
from contextlib import suppress
from dataclasses import replace
from ipaddress import ip_address

import pytest
from scapy.layers.inet import ICMP, IP, UDP
from scapy.layers.inet6 import HBHOptUnknown, IPv6, IPv6ExtHdrDestOpt, Pad1, PadN
from scapy.layers.l2 import GRE

from lab.ike.gre import Gre
from lab.ipsec.drops import Dropped, Reason
from lab.ipsec.gre import Decapsulated, GreTunnel, GreTunnels

LEFT = Gre("gre1", ip_address("203.0.113.2"), ip_address("198.51.100.2"))
V6 = Gre("gre6", ip_address("2001:db8::1"), ip_address("2001:db8::2"))
PACKET = bytes(IP(src="10.1.0.10", dst="10.2.0.10", tos=0xB8) / UDP(sport=1, dport=2) / b"inside")


def turned(config):
    return replace(config, local=config.remote, remote=config.local)


def pair(config=LEFT):
    return GreTunnel(config), GreTunnels([turned(config)])


@pytest.mark.parametrize("config", [LEFT, V6], ids=["IPv4", "IPv6"])
@pytest.mark.parametrize("inner", [PACKET, bytes(IPv6(src="fd00::1", dst="fd00::2") / ICMP())], ids=["4", "6"])
@pytest.mark.parametrize(
    "options", [{}, {"key": 7}, {"checksum": True}, {"key": 0, "checksum": True, "sequence_numbers": True}]
)
def test_what_goes_in_comes_out(config, inner, options):
    out, into = pair(replace(config, **options))
    for _ in range(3):
        assert into.inbound(out.encapsulate(inner)) == Decapsulated(config.name, inner)


def test_scapy_reads_what_we_send():
    out, _ = pair(replace(LEFT, key=7, checksum=True, sequence_numbers=True))
    read = [IP(out.encapsulate(PACKET)) for _ in range(2)]
    assert [(p.src, p.dst, p.proto, p.tos, p.flags.value) for p in read] == [
        ("203.0.113.2", "198.51.100.2", 47, 0xB8, 2)
    ] * 2
    assert [(p[GRE].key, p[GRE].sequence_number) for p in read] == [(7, 0), (7, 1)]
    assert bytes(read[0][GRE].payload) == PACKET


def from_scapy(**fields):
    packet = IP(src="203.0.113.2", dst="198.51.100.2", tos=fields.pop("tos", 0)) / GRE(**fields) / IP(PACKET)
    return bytes(packet)


def test_we_read_what_scapy_sends():
    _, into = pair(replace(LEFT, key=7))
    assert into.inbound(from_scapy(key_present=1, key=7, chksum_present=1)) == Decapsulated("gre1", PACKET)


def dropped(into, packet):
    with pytest.raises(Dropped) as caught:
        into.inbound(packet)
    return caught.value.why


def with_options(*options):
    """What Linux sends over IPv6: options for the destination before GRE."""
    ends = IPv6(src=str(V6.local), dst=str(V6.remote))
    return bytes(ends / IPv6ExtHdrDestOpt(options=list(options)) / GRE(proto=0x0800) / PACKET)


def test_over_ipv6_options_for_the_destination_may_stand_before_it():
    tunnels = GreTunnels([turned(V6)])
    limit = HBHOptUnknown(otype=4, optdata=b"\4")  # how deep tunnels may nest (RFC 2473 4.1.1)
    for options in ((limit,), (Pad1(), limit, PadN(optdata=b"\0" * 9)), ()):
        assert tunnels.inbound(with_options(*options)) == Decapsulated("gre6", PACKET)


@pytest.mark.parametrize("kind", [0x44, 0x84, 0xC4])
def test_an_option_that_forbids_to_pass_it_over(kind):
    """RFC 8200 4.2: where the two highest bits are not 0, who does not know the option discards the packet."""
    with pytest.raises(Dropped) as caught:
        GreTunnels([turned(V6)]).inbound(with_options(HBHOptUnknown(otype=kind, optdata=b"\4")))
    assert (caught.value.why, caught.value.detail) == (
        Reason.GRE_HEADER, f"IPv6 option {kind} that is not to be passed over"
    )  # fmt: skip


def test_options_cut_anywhere_or_of_any_octets():
    tunnels, whole, octets = (
        GreTunnels([turned(V6)]),
        with_options(HBHOptUnknown(otype=4, optdata=b"\4")),
        random.Random(4),
    )
    for end in range(len(whole)):
        for cut in (whole[:end], whole[:4] + end.to_bytes(2) + whole[6:]):  # the packet, or the length that it tells
            with suppress(Dropped):
                tunnels.inbound(cut)
    for _ in range(2000):
        with suppress(Dropped):
            tunnels.inbound(whole[:40] + octets.randbytes(16) + whole[56:])


@pytest.mark.parametrize("other", [{}, {"key_present": 1, "key": 8}])
def test_another_key_or_none(other):
    _, into = pair(replace(LEFT, key=7))
    assert dropped(into, from_scapy(**other)) is Reason.GRE_KEY


def test_a_key_where_none_is_wanted():
    _, into = pair()
    assert dropped(into, from_scapy(key_present=1, key=0)) is Reason.GRE_KEY


def test_the_key_chooses_among_tunnels_of_the_same_ends():
    into = GreTunnels([turned(LEFT), turned(replace(LEFT, name="gre2", key=5))])
    assert into.inbound(from_scapy()) == Decapsulated("gre1", PACKET)
    assert into.inbound(from_scapy(key_present=1, key=5)) == Decapsulated("gre2", PACKET)


def numbered(number):
    return from_scapy(seqnum_present=1, sequence_number=number)


def test_out_of_sequence_is_what_is_not_newer():
    _, into = pair(replace(LEFT, sequence_numbers=True))
    taken = [5, 6, 9, 2**31 + 8, 2**32 - 1, 0]  # a gap is no loss, and the numbers wrap
    refused = [0, 2**32 - 1, 2**31 + 1]
    for number in taken:
        assert into.inbound(numbered(number)), f"{number} was not taken"
    for number in refused:
        assert dropped(into, numbered(number)) is Reason.GRE_SEQUENCE
    assert into.inbound(from_scapy()), "a packet without a number is in sequence (RFC 2890 2.2)"


@pytest.mark.parametrize("number", [0, 2**31, 2**32 - 1])
def test_the_first_number_may_be_any(number):
    _, into = pair(replace(LEFT, sequence_numbers=True))
    assert into.inbound(numbered(number)), "a receiver that was started later knows no last number"


def test_without_sequence_numbers_nobody_looks():
    _, into = pair()
    for number in (5, 5, 1):
        assert into.inbound(numbered(number))


def test_our_sequence_numbers_wrap():
    out, _ = pair(replace(LEFT, sequence_numbers=True))
    out._next = 2**32 - 1
    first, second = (IP(out.encapsulate(PACKET))[GRE].sequence_number for _ in range(2))
    assert (first, second) == (2**32 - 1, 0)


@pytest.mark.parametrize(
    ("proto", "inside"),
    [(0x6558, PACKET), (0x86DD, PACKET), (0x0800, b""), (0x0800, PACKET[:1]), (0x0800, PACKET[:19]), (0x86DD, b"`")],
)
def test_what_is_no_ip_packet_inside(proto, inside):
    _, into = pair()
    packet = bytes(IP(src="203.0.113.2", dst="198.51.100.2", proto=47) / GRE(proto=proto)) + inside
    whole = bytes(IP(src="203.0.113.2", dst="198.51.100.2", tos=3, proto=47) / packet[20:])
    assert dropped(into, whole) is Reason.GRE_PROTOCOL


def test_what_is_for_somebody_else_is_left_alone():
    _, into = pair()
    assert into.inbound(PACKET) is None
    assert into.inbound(bytes(IP(src="203.0.113.9", dst="198.51.100.2") / GRE() / IP(PACKET))) is None
    assert into.inbound(b"") is None
    assert GreTunnels([]).inbound(from_scapy()) is None


def test_cut_anywhere_it_is_a_counted_drop_or_somebody_elses():
    _, into = pair(replace(LEFT, key=7, checksum=True, sequence_numbers=True))
    data = from_scapy(key_present=1, key=7, chksum_present=1, seqnum_present=1)
    for size in range(len(data)):
        cut = data[:size]
        if size < 10:
            assert into.inbound(cut) is None
        else:
            assert dropped(into, cut) is Reason.GRE_HEADER


def test_congestion_met_on_the_way_is_carried_inwards():
    _, into = pair()
    capable = bytes(IP(src="10.1.0.10", dst="10.2.0.10", tos=2) / UDP() / b"inside")
    packet = bytes(IP(src="203.0.113.2", dst="198.51.100.2", tos=3) / GRE() / IP(capable))
    found = into.inbound(packet)
    assert found is not None and IP(found.packet).tos == 3
    assert dropped(into, from_scapy(tos=3)) is Reason.ECN, "its sender would not understand the mark"


def test_anything_comes_out_is_dropped_or_left_alone():
    _, into = pair(replace(LEFT, key=7, sequence_numbers=True))
    generator, good = random.Random(1), from_scapy(key_present=1, key=7, seqnum_present=1)
    for _ in range(5000):
        packet = bytearray(good)
        for _ in range(generator.randrange(1, 4)):
            packet[generator.randrange(len(packet))] = generator.randrange(256)
        try:
            into.inbound(bytes(packet))
        except Dropped:
            continue
