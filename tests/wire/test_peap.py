"""Inner packets of PEAP version 0: compressed headers and the Result TLV, by hand."""

import random

import pytest

from lab.errors import ProtocolError
from lab.wire import peap
from lab.wire.eap import EapCode, EapType, Packet
from lab.wire.peap import Tlv

# [MS-PEAP] 2.2.8.1: Extensions packet of 11 octets, Result TLV (mandatory, type 3, 2 octets), 1 is success, 2 failure.
RESULTS = {"0109000b21800300020001": (EapCode.REQUEST, True), "0209000b21800300020002": (EapCode.RESPONSE, False)}


@pytest.mark.parametrize(("octets", "meaning"), RESULTS.items())
def test_results(octets: str, meaning: tuple[EapCode, bool]) -> None:
    code, success = meaning
    packet = peap.unwrap(bytes.fromhex(octets), code, 77)
    assert packet.identifier == 9, "Extensions keeps its header"
    assert peap.succeeded(packet) is success
    assert peap.wrap(packet).hex() == octets == peap.wrap(peap.result(code, 9, success=success)).hex()


def test_other_packets_have_no_header() -> None:
    packet = Packet(EapCode.RESPONSE, 7, EapType.IDENTITY, b"carol")
    assert peap.wrap(packet) == b"\x01carol"
    assert peap.unwrap(b"\x01carol", EapCode.RESPONSE, 7) == packet
    # A message of the identity request that looks like a header of EAP, but for the type behind it.
    assert peap.unwrap(b"\x01\x00\x00\x05hello", EapCode.REQUEST, 3).type == EapType.IDENTITY


@pytest.mark.parametrize("octets", ["", "21", "2180030002", "0109000c21800300020001", "0109000a21800300020001"])
def test_malformed_packets(octets: str) -> None:
    with pytest.raises(ProtocolError):
        peap.unwrap(bytes.fromhex(octets), EapCode.REQUEST, 1)


@pytest.mark.parametrize(
    ("tlvs", "words"),
    [
        ((), "without one Result TLV"),
        ((Tlv(3, b"\0\1"), Tlv(3, b"\0\2")), "without one Result TLV"),
        ((Tlv(3, b"\0\3"),), "without one Result TLV"),
        ((Tlv(3, b"\1"),), "without one Result TLV"),
        ((Tlv(12, bytes(56)), Tlv(3, b"\0\1")), "12 is mandatory"),
    ],
)
def test_results_that_are_none(tlvs: tuple[Tlv, ...], words: str) -> None:
    data = b"".join(tlv.encode() for tlv in tlvs)
    with pytest.raises(ProtocolError, match=words):
        peap.succeeded(Packet(EapCode.REQUEST, 1, EapType.EXTENSIONS, data))


def test_a_tlv_that_is_not_mandatory_is_passed_over() -> None:
    data = Tlv(12, bytes(56), mandatory=False).encode() + Tlv(3, b"\0\1").encode()
    assert peap.succeeded(Packet(EapCode.REQUEST, 1, EapType.EXTENSIONS, data))


def test_truncation_and_fuzz() -> None:
    octets = Tlv(3, b"\0\1").encode() + Tlv(12, b"abc", mandatory=False).encode()
    for length in range(1, len(octets)):
        if length != 6:
            with pytest.raises(ProtocolError):
                Tlv.decode_all(octets[:length])
    rng = random.Random(1)
    for _ in range(5000):
        data = rng.randbytes(rng.randrange(24))
        try:
            found = Tlv.decode_all(data)
        except ProtocolError:
            continue
        assert Tlv.decode_all(b"".join(tlv.encode() for tlv in found)) == found
