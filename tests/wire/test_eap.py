"""EAP packets and those of EAP-MSCHAPv2: vectors, round trips, every cut, random octets."""

import random

import pytest

from lab.errors import ProtocolError
from lab.wire.eap import Chap, ChapChallenge, ChapCode, ChapResponse, EapCode, EapType, Packet

# Written by hand after RFC 3748 4 and 5.
VECTORS = {
    "0107000501": Packet(EapCode.REQUEST, 7, EapType.IDENTITY),
    "0207000a016361726f6c": Packet(EapCode.RESPONSE, 7, EapType.IDENTITY, b"carol"),
    "020800060304": Packet(EapCode.RESPONSE, 8, EapType.NAK, b"\x04"),
    "03080004": Packet(EapCode.SUCCESS, 8),
    "04ff0004": Packet(EapCode.FAILURE, 255),
    "01010006c800": Packet(EapCode.REQUEST, 1, EapType(200), b"\0"),
}
CHAPS = {
    "01050009" + "04" + "61626364": Chap(ChapCode.CHALLENGE, 5, b"\x04abcd"),
    "03": Chap(ChapCode.SUCCESS, bare=True),
    "04": Chap(ChapCode.FAILURE, bare=True),
    "03050007533d30": Chap(ChapCode.SUCCESS, 5, b"S=0"),
}


@pytest.mark.parametrize(("octets", "packet"), VECTORS.items())
def test_packets(octets: str, packet: Packet) -> None:
    assert Packet.decode(bytes.fromhex(octets)) == packet
    assert packet.encode().hex() == octets


@pytest.mark.parametrize(("octets", "chap"), CHAPS.items())
def test_chap_packets(octets: str, chap: Chap) -> None:
    assert Chap.decode(bytes.fromhex(octets)) == chap
    assert chap.encode().hex() == octets


def test_chap_bodies() -> None:
    challenge = ChapChallenge(bytes(range(16)), b"gateway")
    assert ChapChallenge.decode(challenge.encode()) == challenge
    response = ChapResponse(bytes(range(16)), bytes(range(24)), b"DOMAIN\\carol")
    assert ChapResponse.decode(response.encode()) == response
    assert response.encode()[0] == 49 and len(response.encode()) == 50 + len(b"DOMAIN\\carol")


@pytest.mark.parametrize(
    "octets",
    [
        pytest.param("010700060", id="no octets"),
        pytest.param("0107000601", id="too short for its length"),
        pytest.param("010700050101", id="too long for its length"),
        pytest.param("01070004", id="request without a type"),
        pytest.param("0308000500", id="success with data"),
        pytest.param("0508000501", id="unknown code"),
    ],
)
def test_malformed(octets: str) -> None:
    with pytest.raises(ProtocolError):
        Packet.decode(bytes.fromhex(octets if len(octets) % 2 == 0 else octets[:-1]))


@pytest.mark.parametrize(
    ("decode", "whole"),
    [
        (Packet.decode, bytes.fromhex("0207000a016361726f6c")),
        (Chap.decode, bytes.fromhex("01050009" + "04" + "61626364")),
        (ChapChallenge.decode, bytes([16]) + bytes(16)),
        (ChapResponse.decode, bytes([49]) + bytes(49)),
    ],
)
def test_every_cut_is_a_protocol_error(decode, whole: bytes) -> None:
    decode(whole)
    for length in range(len(whole)):
        with pytest.raises(ProtocolError):
            decode(whole[:length])


def test_sizes_that_are_not_those_of_mschapv2() -> None:
    with pytest.raises(ProtocolError, match="challenge of 8 octets"):
        ChapChallenge.decode(bytes([8]) + bytes(16))
    with pytest.raises(ProtocolError, match="response of 48 octets"):
        ChapResponse.decode(bytes([48]) + bytes(49))


def test_random_octets_raise_nothing_else() -> None:
    rng = random.Random(1)
    read = 0
    for _ in range(20000):
        octets = rng.randbytes(rng.randrange(12))
        if len(octets) >= 4 and rng.random() < 0.9:
            octets = bytes([rng.randrange(7)]) + octets[1:2] + len(octets).to_bytes(2, "big") + octets[4:]
        for decode in (Packet.decode, Chap.decode, ChapChallenge.decode, ChapResponse.decode):
            try:
                found = decode(octets)
            except ProtocolError:
                continue
            read += 1
            assert decode(found.encode()) == found
    assert read > 5000
