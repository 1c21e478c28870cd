"""Packet layouts from captured octets: the parts add up to the packet, or nothing is drawn."""

from struct import pack

import pytest

from lab.report import detail, ladder, layouts

ICMP = bytes([8, 0, 0, 0]) + bytes(4) + b"x" * 56
IP = pack(">BBHHHBBH", 0x45, 0, 84, 1, 0, 63, 1, 0) + bytes([10, 1, 0, 10, 10, 2, 0, 10]) + ICMP
GRE_KEY = bytes([0x20, 0, 8, 0]) + bytes(4)
KEYS = {"child": [{"spi": "aaaaaaaa", "encr": "ENCR_AES_GCM_16", "integ": None}]}


def only(raw: bytes, plain: bytes, keys: object = KEYS, **entry: object) -> list[layouts.Layout]:
    told = {"n": 0, "protocol": "ESP", "spi": "aaaaaaaa", "from": "left", "to": "right", "t_sent": 1.0} | entry
    opened = detail.read([{"n": 0, "raw": raw.hex(), "plain": plain.hex()}])
    return layouts.find(ladder.read([told]), opened, keys)


def esp(plain: bytes, iv: int = 8, icv: int = 16, padding: int = 2) -> bytes:
    return bytes(8 + iv + len(plain) + padding + 2 + icv)


def sizes(layout: layouts.Layout) -> list[tuple[str, int]]:
    return [(part.name, part.length) for part in layout.parts]


def test_esp_in_tunnel_mode_is_taken_apart_to_its_last_octet() -> None:
    raw = esp(IP)
    (found,) = only(raw, IP, udp=True)
    assert found.title == "ESP in tunnel mode, in UDP: IPv4, ICMP"
    assert sizes(found) == [
        ("ESP header", 8), ("IV", 8), ("IPv4", 20), ("ICMP", 8), ("Data", 56),
        ("Padding, its length, next header", 4), ("ICV", 16),
    ]  # fmt: skip
    assert sum(part.length for part in found.parts) == len(raw)
    assert [part.name for part in found.parts if part.sealed][0::3] == ["IPv4", "Padding, its length, next header"]


@pytest.mark.parametrize(
    ("encr", "integ", "iv", "icv"),
    [
        ("ENCR_AES_CBC", "AUTH_HMAC_SHA2_256_128", 16, 16),
        ("ENCR_AES_CBC", "AUTH_HMAC_SHA2_512_256", 16, 32),
        ("ENCR_AES_CBC", "AUTH_AES_XCBC_96", 16, 12),
        ("ENCR_AES_CCM_8", None, 8, 8),
        ("ENCR_CHACHA20_POLY1305", None, 8, 16),
        ("ENCR_NULL_AUTH_AES_GMAC", None, 8, 16),
        ("ENCR_NULL", "AUTH_HMAC_SHA1_96", 0, 12),
        ("ENCR_SOMETHING", None, -1, -1),
    ],
)
def test_sizes_of_iv_and_icv(encr: str, integ: str | None, iv: int, icv: int) -> None:
    assert layouts.sizes({"encr": encr, "integ": integ}) == (iv, icv)


def test_gre_in_transport_mode_shows_the_packet_inside() -> None:
    plain = GRE_KEY + IP
    (found,) = only(esp(plain), plain, inner="ICMP echo-request 10.1.0.10 -> 10.2.0.10 in GRE 1.2.3.4 -> 5.6.7.8")
    assert found.title == "ESP in transport mode: GRE, IPv4, ICMP"
    assert ("GRE", 8) in sizes(found)


def test_ah_shows_what_follows_in_the_clear() -> None:
    raw = bytes([4, 4]) + bytes(22) + IP
    (found,) = only(raw, b"", protocol="AH")
    assert found.title == "AH in tunnel mode: IPv4, ICMP"
    assert sizes(found)[:2] == [("AH", 12), ("ICV", 12)]
    assert not any(part.sealed for part in found.parts)


@pytest.mark.parametrize("raw", [b"", bytes(7), esp(IP)[:-40], esp(IP) + bytes(300)])
def test_what_does_not_add_up_is_not_drawn(raw: bytes) -> None:
    assert only(raw, IP) == []
    assert only(raw, IP, keys=None) == []


def test_one_packet_of_each_kind() -> None:
    told = [{"n": n, "protocol": "ESP", "spi": "aaaaaaaa", "t_sent": 1.0} for n in range(9)]
    opened = detail.read([{"n": n, "raw": esp(IP).hex(), "plain": IP.hex()} for n in range(9)])
    assert [one.number for one in layouts.find(ladder.read(told), opened, KEYS)] == [0]
