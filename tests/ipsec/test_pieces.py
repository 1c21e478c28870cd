"""IPv6 fragments: scapy puts them together again, and none is longer than the path takes."""

from ipaddress import IPv6Address

import pytest

from lab.ipsec.pieces import pieces
from lab.wire.packets import ESP_NUMBER, IPv6

ENDS = IPv6Address("2001:db8::1"), IPv6Address("2001:db8::2")
ROUTING = bytes((ESP_NUMBER, 0)) + bytes(6)
DATA = bytes(n % 251 for n in range(4000))


def together(parts: list[bytes]) -> bytes:
    """The packet, as scapy defragments it."""
    from scapy.layers.inet6 import IPv6 as ScapyIPv6  # noqa: PLC0415
    from scapy.layers.inet6 import defragment6  # noqa: PLC0415

    return bytes(defragment6([ScapyIPv6(part) for part in parts]))


@pytest.mark.parametrize("mtu", [1280, 1281, 1287, 1500])
@pytest.mark.parametrize("octets", [1240, 1241, 1300, 2464, 2465, 4000])
def test_together_again(mtu: int, octets: int) -> None:
    packet = IPv6(*ENDS, ESP_NUMBER, DATA[:octets], tos=0xB8).encode()
    parts = pieces(packet, mtu, 77)
    assert all(len(part) <= mtu for part in parts)
    if len(packet) <= mtu:
        assert parts == [packet]
    else:
        assert together(parts) == packet and len(parts) == -(-octets // ((mtu - 48) // 8 * 8))


def test_headers_for_routers_stand_in_every_piece() -> None:
    packet = IPv6(*ENDS, 43, ROUTING + DATA).encode()
    parts = pieces(packet, 1280, 5)
    assert all(part[6] == 43 and part[40] == 44 and part[48] == ESP_NUMBER for part in parts)
    assert {part[52:56] for part in parts} == {(5).to_bytes(4, "big")}
    assert b"".join(part[56:] for part in parts) == DATA
    assert [part[51] & 1 for part in parts] == [1] * (len(parts) - 1) + [0]
