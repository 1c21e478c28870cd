"""ICMP "too big": scapy makes the messages, every truncation is refused, random octets never raise anything else."""

import random
from ipaddress import ip_address

import pytest

from lab.errors import ProtocolError
from lab.wire.icmp import TooBig
from lab.wire.packets import AH_NUMBER, ESP_NUMBER, UDP_NUMBER, IPv4, IPv6

FOUR = ip_address("192.0.2.1"), ip_address("198.51.100.1")
SIX = ip_address("2001:db8::1"), ip_address("2001:db8::2")
NAMED = b"\xc2\0\0\2" + (7).to_bytes(4, "big")
UDP_HEADER = b"\x11\x94\x11\x94" + bytes(4)
# What is behind the IP header of the packet that was too big, by protocol, and the ports that are read.
BEHIND = {
    ESP_NUMBER: (NAMED, None),
    UDP_NUMBER: (UDP_HEADER + NAMED, (4500, 4500)),
    AH_NUMBER: (b"\x04\x04\0\0" + NAMED, None),
}


def message(version: int, mtu: int, front: bytes) -> bytes:
    """The ICMP message as scapy makes it."""
    from scapy.layers.inet import ICMP  # noqa: PLC0415
    from scapy.layers.inet6 import ICMPv6PacketTooBig  # noqa: PLC0415

    if version == 6:
        return bytes(ICMPv6PacketTooBig(mtu=mtu) / front)
    return bytes(ICMP(type=3, code=4, nexthopmtu=mtu) / front)


def quoted(version: int, protocol: int, behind: bytes, **fields: object) -> bytes:
    """The packet that it speaks of, cut behind what is read of it."""
    made = IPv6(*SIX, protocol, behind + bytes(900)) if version == 6 else IPv4(*FOUR, protocol, behind + bytes(900))
    return made.encode()[: (40 if version == 6 else 20) + len(behind)]


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("protocol", BEHIND)
def test_what_it_says_of_a_packet(version: int, protocol: int) -> None:
    behind, ports = BEHIND[protocol]
    data = message(version, 1280, quoted(version, protocol, behind))
    found = TooBig.decode(data, version)
    src, dst = map(str, SIX if version == 6 else FOUR)
    length = (40 if version == 6 else 20) + len(behind) + 900
    assert found == TooBig(1280, src, dst, length, protocol, ports, NAMED[:4], 7)
    for size in range(len(data)):
        with pytest.raises(ProtocolError):
            TooBig.decode(data[:size], version)


@pytest.mark.parametrize("version", [4, 6])
def test_what_speaks_of_something_else_is_none(version: int) -> None:
    assert TooBig.decode(message(version, 1280, quoted(version, 6, bytes(20))), version) is None
    assert TooBig.decode(b"\3\1" + bytes(40), version) is None
    assert TooBig.decode(b"\x80\0" + bytes(40), version) is None


def test_a_fragment_is_known_by_its_first_piece_alone() -> None:
    for offset, wanted in ((0, True), (8, False)):
        header = bytes((ESP_NUMBER, 0)) + (offset | 1).to_bytes(2, "big") + bytes(4)
        assert (TooBig.decode(message(6, 1280, quoted(6, 44, header + NAMED)), 6) is not None) is wanted
    late = IPv4(*FOUR, ESP_NUMBER, NAMED, fragment=9).encode()
    assert TooBig.decode(message(4, 1280, late), 4) is None


def test_options_and_extension_headers_are_passed_over() -> None:
    four = IPv4(*FOUR, ESP_NUMBER, NAMED, options=b"\x94\4\0\0").encode()
    six = quoted(6, 0, bytes((60, 0)) + bytes(6) + bytes((ESP_NUMBER, 1)) + bytes(14) + NAMED)
    for version, front in ((4, four), (6, six)):
        found = TooBig.decode(message(version, 1280, front), version)
        assert found is not None and (found.spi, found.sequence) == (NAMED[:4], 7)


def test_the_checksum_must_be_right() -> None:
    data = bytearray(message(4, 1280, quoted(4, ESP_NUMBER, NAMED)))
    data[7] ^= 1
    with pytest.raises(ProtocolError, match="checksum"):
        TooBig.decode(bytes(data), 4)


def test_random_octets() -> None:
    draw = random.Random(5)
    for _ in range(20000):
        version = draw.choice((4, 6))
        data = (b"\2\0" if version == 6 else b"\3\4") + draw.randbytes(draw.randrange(80))
        try:
            TooBig.decode(data, version)
        except ProtocolError:
            continue
