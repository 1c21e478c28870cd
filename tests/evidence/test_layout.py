"""The parts of protected packets, against packets whose parts are known because they were made here."""

from dataclasses import replace
from ipaddress import ip_address

import pytest

from lab.errors import ProtocolError
from lab.evidence.keyring import Keyring
from lab.evidence.keys import Keys
from lab.evidence.layout import layout, names
from lab.ipsec.ah import AhOut
from lab.ipsec.esp import EspOut
from lab.ipsec.transport import taken_out
from lab.wire.packets import IPv4, IPv6
from tests.evidence.test_ah_key import PING, keys
from tests.ipsec.children import LEFT, ah_child, child, predictable

HOST_PING = IPv4(ip_address(LEFT.local_host), ip_address(LEFT.remote_host), 1, PING[20:]).encode()
ESP_TUNNEL = ["new IP header", "ESP header", "IV", "IP header", "payload", "ESP trailer", "ESP auth"]
ESP_TRANSPORT = ["IP header", "ESP header", "IV", "payload", "ESP trailer", "ESP auth"]


def around(esp: bytes) -> bytes:
    return IPv4(ip_address(LEFT.local_host), ip_address(LEFT.remote_host), 50, esp).encode()


@pytest.mark.parametrize(
    ("proposal", "sizes"),
    [("aes128-sha256", [20, 8, 16, 20, 56, 4, 16]), ("aes128gcm16", [20, 8, 8, 20, 56, 4, 16])],
)
def test_esp_in_tunnel_mode(proposal: str, sizes: list[int]) -> None:
    sa = child(proposal)
    packet = around(EspOut(sa, predictable).encapsulate(PING))
    parts = layout(packet, Keyring(keys(sa)))
    assert names(parts) == ESP_TUNNEL and [part.octets for part in parts] == sizes
    assert [part.covered for part in parts] == [False] + [True] * 6
    assert [part.hidden for part in parts] == [False] * 3 + [True] * 3 + [False]
    assert parts[3].what == "10.1.0.5 \u2192 10.2.0.7, protocol 1" and parts[5].what.endswith("next header 4")
    assert sum(sizes) == len(packet) and [part.at for part in parts] == [sum(sizes[:n]) for n in range(7)]


def test_esp_in_transport_mode() -> None:
    sa = child("aes128-sha256")
    packet = around(EspOut(sa, predictable).seal(*taken_out(HOST_PING)))
    parts = layout(packet, Keyring(keys(sa)))
    assert names(parts) == ESP_TRANSPORT
    assert parts[3].octets == 56 and parts[4].what.endswith("next header 1")
    with pytest.raises(ProtocolError, match="no key opens"):
        layout(packet, Keyring(Keys()))


def test_ah_in_both_modes_and_versions() -> None:
    sa = ah_child("sha512")
    tunnel = layout(AhOut(sa).encapsulate(PING, LEFT, 0), Keyring(Keys()))
    assert names(tunnel) == ["new IP header", "AH", "ICV", "IP header", "payload"]
    assert [part.octets for part in tunnel] == [20, 12, 32, 20, 56] and not any(part.hidden for part in tunnel)
    transport = layout(AhOut(sa).insert(HOST_PING), Keyring(Keys()))
    assert names(transport) == ["IP header", "AH", "ICV", "payload"]
    assert transport[3].what.startswith("ICMP echo-request")
    path = replace(LEFT, local_host="2001:db8::1", remote_host="2001:db8::2")
    six = layout(AhOut(sa).encapsulate(PING, path, 0), Keyring(Keys()))
    assert [part.octets for part in six] == [40, 12, 36, 20, 56], "the ICV and 4 octets of padding"
    hop = IPv6(ip_address(path.local_host), ip_address(path.remote_host), 0, b"\x11\0\5\2\0\0\1\0" + bytes(8)).encode()
    assert [part.octets for part in layout(AhOut(sa).insert(hop), Keyring(Keys()))] == [48, 12, 36, 8]


def test_anything_else_has_no_such_parts() -> None:
    with pytest.raises(ProtocolError, match="neither ESP nor AH"):
        layout(HOST_PING, Keyring(Keys()))
