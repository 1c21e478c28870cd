from ipaddress import IPv4Address

import pytest

from lab.errors import ProtocolError
from lab.wire.ids import PayloadType, TsType
from lab.wire.payloads import MAX_PAYLOADS, Payload, decode_chain, encode_chain, first_type
from lab.wire.payloads_v2 import Nonce, TrafficSelector, VendorId
from tests.wire.samples import PAYLOADS


@pytest.mark.parametrize("payload", PAYLOADS, ids=lambda payload: payload.type.name)
def test_each_payload_round_trips(payload: Payload) -> None:
    assert decode_chain(payload.type, encode_chain([payload])) == (payload,)


def test_a_chain_of_all_payloads_round_trips() -> None:
    assert decode_chain(first_type(PAYLOADS), encode_chain(PAYLOADS)) == PAYLOADS


@pytest.mark.parametrize("payload", PAYLOADS, ids=lambda payload: payload.type.name)
def test_truncation_at_each_octet_is_a_protocol_error(payload: Payload) -> None:
    data = encode_chain([payload])
    for size in range(len(data)):
        with pytest.raises(ProtocolError):
            decode_chain(payload.type, data[:size])


@pytest.mark.parametrize("length", [0, 1, 3])
def test_a_payload_length_below_its_own_header_is_refused(length: int) -> None:
    with pytest.raises(ProtocolError):
        decode_chain(PayloadType.V, bytes([0, 0, 0, length]) + b"data")


def test_the_number_of_payloads_is_capped() -> None:
    chain = encode_chain([VendorId(b"")] * (MAX_PAYLOADS + 1))
    with pytest.raises(ProtocolError, match="more than"):
        decode_chain(PayloadType.V, chain)


def test_octets_behind_the_last_payload_are_ignored() -> None:
    """OpenIKED 7.2 sends such liveness checks."""
    assert decode_chain(PayloadType.V, encode_chain([VendorId(b"x")]) + b"\0\0\0\4") == (VendorId(b"x"),)


@pytest.mark.parametrize("size", [15, 257])
def test_a_nonce_outside_16_to_256_octets_is_refused(size: int) -> None:
    with pytest.raises(ProtocolError):
        Nonce.decode(bytes(size))


def test_selector_text() -> None:
    assert str(TrafficSelector.of_network("10.1.0.0/24")) == "10.1.0.0/24"
    assert str(TrafficSelector.of_network("10.1.0.5/32", 17, 500, 500)) == "10.1.0.5/32[17/500]"
    assert str(TrafficSelector.of_network("10.1.0.5/32", 47)) == "10.1.0.5/32[47]"
    odd = TrafficSelector(6, 1, 2, IPv4Address("10.0.0.9"), IPv4Address("10.0.0.1"))
    assert str(odd) == "10.0.0.9-10.0.0.1[6/1-2]"
    assert odd.ts_type == TsType.IPV4_ADDR_RANGE
