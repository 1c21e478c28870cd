"""The gateway identity of REDIRECT and REDIRECTED_FROM: vectors by hand, round trips, truncation, noise."""

import random

import pytest

from lab.errors import ProtocolError
from lab.wire.gateway import Gateway
from lab.wire.ids import GatewayType

NONCE = bytes(range(32))
# RFC 5685 9.2: type, length, identity, nonce.
VECTORS = {
    "192.0.2.7": bytes([1, 4, 192, 0, 2, 7]),
    "2001:db8::7": bytes([2, 16]) + bytes.fromhex("20010db8000000000000000000000007"),
    "gw-2.example.org": bytes([3, 16]) + b"gw-2.example.org",
}


@pytest.mark.parametrize("text", VECTORS)
def test_vectors(text: str) -> None:
    gateway = Gateway.parse(text)
    assert gateway.encode() == VECTORS[text]
    assert Gateway.decode(VECTORS[text]) == gateway
    assert str(gateway) == text
    assert Gateway.decode(VECTORS[text] + NONCE).nonce == NONCE
    assert Gateway.decode(VECTORS[text] + NONCE).encode() == VECTORS[text] + NONCE
    assert bool(gateway.name) == (gateway.kind == GatewayType.FQDN)


@pytest.mark.parametrize("text", VECTORS)
def test_truncation_at_each_octet(text: str) -> None:
    for size in range(len(VECTORS[text])):
        with pytest.raises(ProtocolError):
            Gateway.decode(VECTORS[text][:size])


@pytest.mark.parametrize(
    "data",
    [
        bytes([0, 4, 192, 0, 2, 7]),
        bytes([4, 4, 192, 0, 2, 7]),
        bytes([1, 3, 192, 0, 2]),
        bytes([1, 16]) + bytes(16),
        bytes([2, 4, 192, 0, 2, 7]),
        bytes([3, 0]),
        bytes([3, 5]) + b"a b.c",
        bytes([3, 3]) + b"a\0b",
        bytes([3, 3]) + b"-ab",
        bytes([3, 4]) + b"a..b",
        bytes([3, 5]) + "größ".encode()[:5],
        bytes([3, 254]) + b"a." * 127,
    ],
)
def test_what_names_no_gateway(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        Gateway.decode(data)


@pytest.mark.parametrize("text", ["", "a b", "192.0.2.", "gw..org", "-gw", "gw/24", "größe"])
def test_what_nobody_is_called(text: str) -> None:
    if text == "192.0.2.":
        assert Gateway.parse(text).kind == GatewayType.FQDN  # a name with its final dot, odd as it is
        return
    with pytest.raises(ValueError, match="neither an address nor the name"):
        Gateway.parse(text)


def test_noise() -> None:
    draw = random.Random(5685)
    for _ in range(3000):
        data = bytes([draw.randrange(5), draw.randrange(20)]) + draw.randbytes(draw.randrange(24))
        try:
            gateway = Gateway.decode(data)
        except ProtocolError:
            continue
        assert gateway.encode() == data
        assert str(gateway)
