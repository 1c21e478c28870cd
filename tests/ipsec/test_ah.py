"""AH against scapy, against damage of every octet, and by its own rules (RFC 4302)."""

import random
from contextlib import suppress
from dataclasses import replace
from ipaddress import ip_address

import pytest
from scapy.layers.inet import ICMP, IP, UDP, IPOption
from scapy.layers.inet6 import IPv6 as ScapyIPv6
from scapy.layers.inet6 import IPv6ExtHdrHopByHop, RouterAlert
from scapy.layers.ipsec import AH, SecurityAssociation

from lab.crypto import registry
from lab.ike.path import Path
from lab.ipsec.ah import AhIn, AhOut, spi_of
from lab.ipsec.drops import Dropped, Reason
from lab.wire.packets import AHHeader, IPv4, IPv6, decode_ip
from tests.ipsec.children import ah_child, mirror

INNER = IPv4(ip_address("10.1.0.5"), ip_address("10.2.0.7"), 17, bytes(range(97)), tos=0x2E).encode()
INNER6 = IPv6(ip_address("2001:db8:1::1"), ip_address("2001:db8:2::2"), 59, bytes(33)).encode()
OUTER = {4: Path("192.0.2.1", 500, "198.51.100.1", 500), 6: Path("2001:db8::1", 500, "2001:db8::2", 500)}
# Octets of the ICV, of the whole header in IPv4 and in IPv6.
SIZES = {
    "md5": (12, 24, 24),
    "sha1": (12, 24, 24),
    "sha256": (16, 28, 32),
    "sha384": (24, 36, 40),
    "sha512": (32, 44, 48),
    "aesxcbc": (12, 24, 24),
    "aescmac": (12, 24, 24),
    "aes128gmac": (24, 36, 40),
    "aes192gmac": (24, 36, 40),
    "aes256gmac": (24, 36, 40),
}
SCAPY = {"sha1": "HMAC-SHA1-96", "sha256": "SHA2-256-128", "sha384": "SHA2-384-192", "sha512": "SHA2-512-256"}
SCAPY |= {"aescmac": "AES-CMAC-96"}


def datagram(version: int, payload: bytes = bytes(range(50))) -> bytes:
    """What transport mode protects: a packet between the ends of the IKE SA."""
    path = OUTER[version]
    kind = IPv4 if version == 4 else IPv6
    return kind(ip_address(path.local_host), ip_address(path.remote_host), 17, payload, tos=0x2E).encode()


def ends(proposal: str = "sha256", **changes: object) -> tuple[AhOut, AhIn]:
    sa = ah_child(proposal, **changes)
    return AhOut(sa), AhIn(mirror(sa))


def refusal(receiver: AhIn, packet: bytes) -> Reason | None:
    try:
        receiver.open(packet)
    except Dropped as drop:
        return drop.why
    return None


def test_every_integrity_algorithm_of_the_registry_is_here() -> None:
    words = {word for word, _ in registry.INTEG} | {f"aes{bits}gmac" for bits in registry.AH_GMAC}
    assert set(SIZES) == words


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("esn", [False, True])
@pytest.mark.parametrize("proposal", SIZES)
def test_there_and_back_in_both_modes(proposal: str, esn: bool, version: int) -> None:
    sender, receiver = ends(proposal, esn=esn)
    for inner in (INNER, INNER6):
        packet = sender.encapsulate(inner, OUTER[version], 0x2E)
        opened = receiver.open(packet)
        assert (opened.payload, opened.next_header) == (inner, 4 if inner is INNER else 41)
        assert inner in packet, "AH hides nothing"
        assert decode_ip(packet).tos == 0x2E
    plain = datagram(version)
    packet = sender.insert(plain)
    assert decode_ip(packet).payload[-50:] == plain[-50:]
    got, sent = decode_ip(receiver.open(packet).joined), decode_ip(plain)
    assert (got.src, got.dst, got.protocol, got.payload) == (sent.src, sent.dst, sent.protocol, sent.payload)


@pytest.mark.parametrize("proposal", SIZES)
def test_the_header_is_padded_as_its_ip_version_wants(proposal: str) -> None:
    sender, _ = ends(proposal)
    icv, *wanted = SIZES[proposal]
    for version, size in zip((4, 6), wanted, strict=True):
        header = AHHeader.decode(decode_ip(sender.encapsulate(INNER, OUTER[version], 0)).payload)
        assert header.size == size and header.reserved == 0
        assert (header.spi, header.seq) == (sender.spi, sender.sequence)
        assert header.icv[icv:] == bytes(size - 12 - icv)


def scapy_sa(proposal: str, *, esn: bool = False, tunnel: IP | ScapyIPv6 | None = None) -> SecurityAssociation:
    sa = ah_child(proposal)
    spi = int.from_bytes(sa.spi_out, "big")
    return SecurityAssociation(
        AH, spi=spi, auth_algo=SCAPY[proposal], auth_key=sa.key_integ_out, tunnel_header=tunnel, esn_en=esn
    )


def outer(version: int) -> IP | ScapyIPv6:
    kind, path = (IP, OUTER[4]) if version == 4 else (ScapyIPv6, OUTER[6])
    return kind(src=path.local_host, dst=path.remote_host)


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("proposal", SCAPY)
def test_scapy_takes_what_we_seal(proposal: str, version: int) -> None:
    sender, kind = ends(proposal)[0], IP if version == 4 else ScapyIPv6
    tunnel = scapy_sa(proposal, tunnel=outer(version))
    assert bytes(tunnel.decrypt(kind(sender.encapsulate(INNER, OUTER[version], 0x2E)))) == INNER
    plain = datagram(version)
    out = bytes(scapy_sa(proposal).decrypt(kind(sender.insert(plain))))
    assert decode_ip(out).payload == decode_ip(plain).payload


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("proposal", SCAPY)
def test_we_take_what_scapy_seals(proposal: str, version: int) -> None:
    receiver = ends(proposal)[1]
    tunnel = scapy_sa(proposal, tunnel=outer(version))
    assert receiver.open(bytes(tunnel.encrypt(IP(INNER), seq_num=1))).payload == INNER
    plain = outer(version) / UDP(sport=9, dport=10) / b"transport"
    opened = receiver.open(bytes(scapy_sa(proposal).encrypt(plain, seq_num=2)))
    assert opened.next_header == 17 and opened.payload.endswith(b"transport")


@pytest.mark.parametrize("packet", ["option", "extension"])
def test_scapy_and_we_agree_on_packets_with_options(packet: str) -> None:
    plain = {
        "option": IP(src="192.0.2.1", dst="198.51.100.1", id=7, options=[IPOption(b"\x94\x04\0\0")]) / ICMP(),
        "extension": ScapyIPv6(src="2001:db8::1", dst="2001:db8::2")
        / IPv6ExtHdrHopByHop(options=[RouterAlert()])
        / UDP(),
    }[packet]
    sender, receiver = ends()
    peer = scapy_sa("sha256")
    assert receiver.open(bytes(peer.encrypt(plain.copy(), seq_num=9))).joined[40:] == bytes(plain)[40:]
    sealed = sender.insert(bytes(plain))
    assert bytes(peer.decrypt(type(plain)(sealed)))[40:] == bytes(plain)[40:]


def test_esn_goes_into_the_icv_and_is_not_sent() -> None:
    sender, receiver = ends(esn=True)
    sender.sequence = 2**32 - 2
    receiver.window.commit(2**32 - 2)
    packets = [sender.encapsulate(INNER, OUTER[4], 0) for _ in range(3)]
    assert [AHHeader.decode(decode_ip(p).payload).seq for p in packets] == [2**32 - 1, 0, 1]
    for packet in packets:
        assert receiver.open(packet).payload == INNER
    assert receiver.window.top == 2**32 + 1
    # The same octets under the other high half are somebody else's packet.
    late = AhIn(mirror(ah_child(esn=True)))
    assert refusal(late, packets[2]) == Reason.INTEGRITY


def test_scapy_agrees_on_esn() -> None:
    sender = ends(esn=True)[0]
    sender.sequence = 2**32 + 6
    sealed = sender.encapsulate(INNER, OUTER[4], 0)
    peer = scapy_sa("sha256", esn=True, tunnel=outer(4))
    assert bytes(peer.decrypt(IP(sealed), esn_en=True, esn=1)) == INNER


def test_the_last_sequence_number_ends_the_sa() -> None:
    for esn, last in ((False, 2**32 - 1), (True, 2**64 - 1)):
        sender, _ = ends(esn=esn)
        sender.sequence = last - 1
        sender.encapsulate(INNER, OUTER[4], 0)
        with pytest.raises(Dropped, match="used up"):
            sender.encapsulate(INNER, OUTER[4], 0)


def test_replays_and_old_packets() -> None:
    sender, receiver = ends(replay_window=64)
    packets = [sender.insert(datagram(4)) for _ in range(100)]
    assert refusal(receiver, packets[80]) is None
    assert refusal(receiver, packets[80]) == Reason.REPLAYED
    assert refusal(receiver, packets[10]) == Reason.TOO_OLD
    assert [refusal(receiver, packet) for packet in packets[17:80]] == [None] * 63
    # A forged number far ahead must not move the window.
    forged = bytearray(packets[81])
    forged[20 + 8] = 0xF0
    assert refusal(receiver, bytes(forged)) == Reason.INTEGRITY
    assert refusal(receiver, packets[99]) is None


MUTABLE = {4: {1, 6, 7, 8, 10, 11}, 6: {1, 2, 3, 7}}  # and half of octet 0 in IPv6: tested by bits


@pytest.mark.parametrize("mode", ["tunnel", "transport"])
@pytest.mark.parametrize("version", [4, 6])
def test_every_bit_is_under_the_icv_but_those_of_mutable_fields(version: int, mode: str) -> None:
    """RFC 4302 3.3.3.1: what a router changes is not noticed, and everything else is."""
    sa = ah_child()
    sender = AhOut(sa)
    packet = sender.encapsulate(INNER, OUTER[version], 0) if mode == "tunnel" else sender.insert(datagram(version))
    unnoticed = set()
    for bit in range(8 * len(packet)):
        changed = bytearray(packet)
        changed[bit // 8] ^= 0x80 >> bit % 8
        why = refusal(AhIn(mirror(sa)), bytes(changed))
        if why is None:
            unnoticed.add(bit)
    wanted = {8 * octet + bit for octet in MUTABLE[version] for bit in range(8)}
    wanted |= {4, 5, 6, 7} if version == 6 else set()
    assert unnoticed == wanted


# Parts of a packet in transport mode: what they are, their octets, and those of them that routers change (RFC 4302 A1
# and A2: an IPv4 option that changes does so as a whole, of an IPv6 option only the data, where the third highest bit
# of its type says so). Worked out from the RFC by hand, not by the code that makes the ICV.
WHOLE, NONE = "all", ()
V4_PARTS = (
    (148, b"\x94\x04\0\0", NONE),  # router alert
    (7, b"\x07\x07\x04\0\0\0\0", WHOLE),  # record route
    (1, b"\x01", NONE),  # no operation
    (130, b"\x82\x0b" + bytes(range(1, 10)), NONE),  # security
    (68, b"\x44\x08\x05\0\0\0\0\0", WHOLE),  # time stamp
    (0, b"\0", NONE),  # end of the list
)
V6_PARTS = (
    # hop-by-hop: next header (destination options) and length, router alert, one whose data changes, padding
    (0, b"\x3c\x01" + b"\x05\x02\0\0" + b"\x3e\x04" + b"abcd" + b"\x01\x02\0\0", (8, 9, 10, 11)),
    # destination options, to every stop: next header (routing) and length, one that changes, one that does not
    (60, b"\x2b\0" + b"\x3f\x01" + b"x" + b"\x1e\x01" + b"y", (4,)),
    # routing header with no segments left, next header AH (set when AH is put in): all of it is as at the destination
    (43, b"\x11\x02\0\0" + bytes(4) + ip_address("2001:db8::7").packed, NONE),
)


def with_parts(version: int) -> tuple[bytes, set[int]]:
    """A datagram with options or extension headers, and the bits that routers may change before AH."""
    parts, front = (V4_PARTS, 20) if version == 4 else (V6_PARTS, 40)
    changing, at = {8 * octet + bit for octet in MUTABLE[version] for bit in range(8)}, front
    changing |= {4, 5, 6, 7} if version == 6 else set()
    for _, octets, mutable in parts:
        places = range(len(octets)) if mutable == WHOLE else mutable
        changing |= {8 * (at + place) + bit for place in places for bit in range(8)}
        at += len(octets)
    between = b"".join(octets for _, octets, _ in parts)
    packet = decode_ip(datagram(version))
    if isinstance(packet, IPv4):
        return replace(packet, options=between).encode(), changing
    return replace(packet, protocol=V6_PARTS[0][0], payload=between + packet.payload).encode(), changing


@pytest.mark.parametrize("version", [4, 6])
def test_every_bit_of_options_and_extension_headers(version: int) -> None:
    """The map of RFC 4302 3.3.3.1 over options and extension headers before AH, bit by bit."""
    whole, changing = with_parts(version)
    sa = ah_child()
    packet = AhOut(sa).insert(whole)
    front = len(whole) - len(decode_ip(datagram(version)).payload)
    assert AhIn(mirror(sa)).open(packet).next_header == 17
    noticed, unnoticed = set(), set()
    for bit in range(8 * len(packet)):
        changed = bytearray(packet)
        changed[bit // 8] ^= 0x80 >> bit % 8
        (unnoticed if refusal(AhIn(mirror(sa)), bytes(changed)) is None else noticed).add(bit)
    shaping = shape_bits(version)
    assert unnoticed - shaping == changing - shaping
    assert shaping <= {8 * octet + bit for octet in range(front) for bit in range(8)} & changing
    assert noticed >= set(range(8 * front, 8 * len(packet))), "what is behind the headers is all under the ICV"


def shape_bits(version: int) -> set[int]:
    """Bits of mutable IPv4 options that say what kind they are and how long: changed, another part is left out."""
    if version == 6:
        return set()
    found, at = set(), 20
    for _, octets, mutable in V4_PARTS:
        if mutable == WHOLE:
            found |= {8 * place + bit for place in (at, at + 1) for bit in range(8)}
        at += len(octets)
    return found


def test_a_nat_breaks_it() -> None:
    """RFC 3715 2.1 a: another source address with a right checksum is still another source address."""
    sender, receiver = ends()
    ip = decode_ip(sender.insert(datagram(4)))
    assert refusal(receiver, replace(ip, src=ip_address("203.0.113.9")).encode()) == Reason.INTEGRITY
    assert refusal(receiver, replace(ip, ttl=3, tos=1).encode()) is None


def test_a_packet_keeps_the_number_that_the_icv_covers() -> None:
    """The system numbers packets of number 0 itself, and that would be noticed."""
    sender, receiver = ends()
    numbers = [decode_ip(sender.insert(datagram(4))).ident for _ in range(3)]
    assert 0 not in numbers and len(set(numbers)) == 3
    last = AhOut(ah_child(), 0xFFFF)
    assert decode_ip(last.insert(datagram(4))).ident == 1
    own = decode_ip(datagram(4))
    assert decode_ip(last.insert(replace(own, ident=4711).encode())).ident == 4711
    assert receiver.open(last.insert(datagram(4))).next_header == 17


def test_linux_may_pad_to_eight_octets_in_ipv4() -> None:
    sender, receiver = ends("sha256")
    packet = sender.encapsulate(INNER, OUTER[4], 0)
    assert AHHeader.decode(decode_ip(packet).payload).size == 28
    for extra, wanted in ((4, None), (8, Reason.ICV_LENGTH), (-4, Reason.ICV_LENGTH)):
        assert refusal(receiver, padded(sender, extra)) == wanted


def padded(sender: AhOut, extra: int) -> bytes:
    """A packet whose header is longer or shorter than the RFC has it, with a right ICV where it fits."""
    shape, size = sender.shape, sender.shape.header(4) + extra

    class Other:
        mac, icv = shape.mac, shape.icv

        @staticmethod
        def header(version: int) -> int:
            return size

    sender.shape = Other()
    try:
        return sender.encapsulate(INNER, OUTER[4], 0)
    finally:
        sender.shape = shape


@pytest.mark.parametrize("version", [4, 6])
def test_cut_short_and_random_octets(version: int) -> None:
    sender, receiver = ends()
    packet, source = sender.encapsulate(INNER, OUTER[version], 0), random.Random(51)
    for size in range(len(packet)):
        assert refusal(receiver, packet[:size]) is not None
        with suppress(Dropped):
            assert spi_of(packet[:size]) == sender.spi
    for _ in range(2000):
        front = packet[: 20 if version == 4 else 40]
        assert refusal(receiver, front + source.randbytes(source.randrange(80))) is not None
    assert refusal(receiver, packet) is None


def test_gmac_carries_its_iv_and_never_repeats_it() -> None:
    sender, receiver = ends("aes256gmac")
    seen = set()
    for _ in range(5):
        packet = sender.encapsulate(INNER, OUTER[6], 0)
        seen.add(AHHeader.decode(decode_ip(packet).payload).icv[:8])
        receiver.open(packet)
    assert len(seen) == 5
