import random
from ipaddress import IPv4Address, IPv6Address

import pytest

from lab.errors import ProtocolError
from lab.wire.packets import UDP, ESPHeader, IPv4, IPv6, checksum, classify_4500, decode_ip

PACKETS = [
    IPv4(IPv4Address("192.0.2.1"), IPv4Address("198.51.100.2"), 17, b"payload", 61, 184, 7, 0x4000),
    IPv4(IPv4Address("192.0.2.1"), IPv4Address("198.51.100.2"), 50, b"", options=b"\x94\x04\0\0"),
    IPv6(IPv6Address("2001:db8::1"), IPv6Address("2001:db8::2"), 17, b"payload", ttl=3, tos=0xB8, flow=0x12345),
]


@pytest.mark.parametrize("packet", PACKETS)
def test_round_trip_and_truncation(packet: IPv4 | IPv6) -> None:
    data = packet.encode()
    assert decode_ip(data) == packet and decode_ip(data + b"\0\0") == packet
    for size in range(len(data)):
        with pytest.raises(ProtocolError):
            decode_ip(data[:size])


@pytest.mark.parametrize("packet", PACKETS)
def test_scapy_reads_the_same(packet: IPv4 | IPv6) -> None:
    from scapy.layers.inet import IP  # noqa: PLC0415
    from scapy.layers.inet6 import IPv6 as ScapyIPv6  # noqa: PLC0415

    parsed = (IP if isinstance(packet, IPv4) else ScapyIPv6)(packet.encode())
    assert (parsed.src, parsed.dst) == (str(packet.src), str(packet.dst))
    if isinstance(packet, IPv4):
        wanted = parsed.chksum
        del parsed.chksum
        assert IP(bytes(parsed)).chksum == wanted


def test_checksum_of_rfc_1071() -> None:
    # RFC 1071 section 3: the words 0001 f203 f4f5 f6f7 sum to ddf2
    assert checksum(bytes.fromhex("0001f203f4f5f6f7")) == ~0xDDF2 & 0xFFFF
    generator = random.Random(1)
    for size in range(1, 64):
        data = generator.randbytes(size)
        padded = data + b"\0" * (size % 2)
        total = sum(int.from_bytes(padded[i : i + 2], "big") for i in range(0, len(padded), 2))
        while total >> 16:
            total = (total & 0xFFFF) + (total >> 16)
        assert checksum(data) == ~total & 0xFFFF


def test_a_wrong_header_checksum_is_refused() -> None:
    data = bytearray(PACKETS[0].encode())
    data[8] -= 1
    with pytest.raises(ProtocolError, match="checksum"):
        decode_ip(bytes(data))


def test_udp_and_esp_headers() -> None:
    assert UDP.decode(UDP(500, 4500, b"ike").encode() + b"pad") == UDP(500, 4500, b"ike")
    assert ESPHeader.decode(ESPHeader(b"spi1", 9).encode() + b"rest") == ESPHeader(b"spi1", 9)


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"\xff", "keepalive"),
        (b"\0\0\0\0" + bytes(28), "ike"),
        (b"\0\0\1\0" + bytes(28), "esp"),
        (b"", "bad"),
        (b"\xff\xff", "bad"),
        (b"\0\0\0\0", "bad"),
    ],
)
def test_what_arrives_on_4500(data: bytes, kind: str) -> None:
    assert classify_4500(data) == kind
