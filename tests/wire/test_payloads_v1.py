"""Every payload of IKEv1: round trips, truncation, fuzz, and two readers that are not ours."""

import json
import random
import shutil
import subprocess
from pathlib import Path

import pytest
from scapy.layers import isakmp

from lab.errors import ProtocolError
from lab.wire.ids_v1 import ExchangeType1, NotifyType1, PayloadType1, Phase1
from lab.wire.message_v1 import MAX_PAYLOADS, Message1, Payload1, decode_chain, encode_chain
from lab.wire.payloads_v1 import KE1, SA1, Attribute, Hash1, Nonce1, VendorId1
from tests.wire.samples_v1 import COOKIES, PAYLOADS, PHASE1, decoded, message


@pytest.mark.parametrize("payload", PAYLOADS, ids=lambda payload: payload.type.name)
def test_each_payload_round_trips(payload: Payload1) -> None:
    chain = encode_chain([payload])
    assert decode_chain(payload.type, chain) == ((payload,), len(chain))


def test_a_message_of_all_payloads_round_trips_and_padding_is_left_aside() -> None:
    found = decoded(*PAYLOADS)
    assert found.payloads == PAYLOADS
    assert (found.header.major, found.header.minor, found.exchange) == (1, 0, ExchangeType1.MAIN_MODE)
    padded = found.opened(found.chain + bytes(7))
    assert padded.payloads == PAYLOADS and padded.chain == found.chain


@pytest.mark.parametrize("payload", PAYLOADS, ids=lambda payload: payload.type.name)
def test_truncation_at_each_octet_is_a_protocol_error(payload: Payload1) -> None:
    data = encode_chain([payload])
    for size in range(len(data)):
        with pytest.raises(ProtocolError):
            decode_chain(payload.type, data[:size])


@pytest.mark.parametrize("payload", PAYLOADS, ids=lambda payload: payload.type.name)
def test_a_shorter_body_is_read_or_refused_and_never_a_traceback(payload: Payload1) -> None:
    body = payload.encode()
    for size in range(len(body)):
        short = bytes(2) + (size + 4).to_bytes(2, "big") + body[:size]
        try:
            decode_chain(payload.type, short)
        except ProtocolError:
            continue


def test_fuzz() -> None:
    """Random damage to messages of everything: a message or a ProtocolError, and the same octets back."""
    draw = random.Random(4)
    whole = bytearray(message(*PAYLOADS))
    for _ in range(5000):
        data = bytearray(whole)
        for _ in range(draw.randrange(1, 6)):
            data[draw.randrange(28, len(data))] = draw.randrange(256)
        try:
            found = Message1.decode(bytes(data))
        except ProtocolError:
            continue
        assert len(found.payloads) <= MAX_PAYLOADS


def test_the_number_of_payloads_is_capped() -> None:
    with pytest.raises(ProtocolError, match="more than"):
        decode_chain(PayloadType1.VID, encode_chain([VendorId1(b"")] * (MAX_PAYLOADS + 1)))


def test_lifetimes_in_both_forms() -> None:
    """RFC 2407 4.5: durations come as basic or as variable attributes."""
    assert Attribute.of(Phase1.LIFE_DURATION, 3600).encode().hex() == "800c0e10"
    assert Attribute.of(Phase1.LIFE_DURATION, 86400).encode().hex() == "000c000400015180"
    first, second = SA1.decode(SA1((PHASE1,)).encode()).proposals[0].transforms
    assert (first.get(Phase1.LIFE_DURATION), second.get(Phase1.LIFE_DURATION)) == (86400, 3600)


@pytest.mark.parametrize(
    ("at", "octet", "notify"),
    [(3, 9, NotifyType1.DOI_NOT_SUPPORTED), (7, 2, NotifyType1.SITUATION_NOT_SUPPORTED)],
    ids=["DOI", "situation"],
)
def test_another_doi_or_situation_is_refused_by_name(at: int, octet: int, notify: NotifyType1) -> None:
    body = bytearray(SA1((PHASE1,)).encode())
    body[at] = octet
    with pytest.raises(ProtocolError) as refused:
        SA1.decode(bytes(body))
    assert refused.value.notify == notify


@pytest.mark.parametrize("size", [7, 257])
def test_a_nonce_outside_8_to_256_octets_is_refused(size: int) -> None:
    with pytest.raises(ProtocolError):
        Nonce1.decode(bytes(size))


def test_what_a_hash_covers() -> None:
    found = decoded(Hash1(bytes(20)), Nonce1(bytes(16)), VendorId1(b"x"))
    assert found.behind_hash() == encode_chain([Nonce1(bytes(16)), VendorId1(b"x")])
    with pytest.raises(ProtocolError, match="no HASH"):
        decoded(Nonce1(bytes(16))).behind_hash()


def test_need_counts() -> None:
    with pytest.raises(ProtocolError, match="0 KE payloads"):
        decoded(Nonce1(bytes(16))).need(KE1)
    with pytest.raises(ProtocolError, match="2 Nonce payloads"):
        decoded(Nonce1(bytes(16)), Nonce1(bytes(16))).need(Nonce1)


# -- independent readers


def test_scapy_reads_what_we_send() -> None:
    sent = [p for p in PAYLOADS if p.type < PayloadType1.ATTR]
    packet = isakmp.ISAKMP(message(*sent))
    assert (packet.init_cookie, packet.resp_cookie, packet.version, packet.exch_type) == (*COOKIES, 0x10, 2)
    seen, layer = [], packet.payload
    following = packet.next_payload
    while layer and type(layer).__name__ != "NoPayload":
        seen.append(int(following))
        following, layer = layer.next_payload, layer.payload
    assert seen == [int(p.type) for p in sent]
    transforms = dict(packet[isakmp.ISAKMP_payload_SA].prop.trans.transforms)
    assert (transforms["Encryption"], transforms["KeyLength"], transforms["Hash"]) == ("AES-CBC", 256, "SHA2-256")
    assert (transforms["Authentication"], transforms["LifeDuration"]) == ("PSK", 86400)


@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")
def test_tshark_reads_what_we_send(tmp_path: Path) -> None:
    # The certificates of the samples are none; tshark looks inside, and ours is not what is tested.
    sent = [p for p in PAYLOADS[:-1] if p.type not in (PayloadType1.CERT, PayloadType1.CR)]
    data = message(*sent)
    fields = tshark(
        tmp_path, data, "isakmp.typepayload", "isakmp.exchangetype", "isakmp.notify.msgtype", "_ws.malformed"
    )
    assert fields["isakmp.exchangetype"] == ["2"]
    wanted = [str(int(p.type)) for p in sent]
    outer = [number for number in fields["isakmp.typepayload"] if number not in ("2", "3")]
    assert outer == wanted
    assert fields["isakmp.notify.msgtype"] == [str(int(NotifyType1.R_U_THERE))]
    assert "_ws.malformed" not in fields


def tshark(directory: Path, data: bytes, *names: str) -> dict[str, list[str]]:
    """The values of these fields in an ISAKMP message on port 500."""
    from scapy.layers.inet import IP  # noqa: PLC0415
    from scapy.layers.inet import UDP as Udp  # noqa: PLC0415
    from scapy.packet import Raw  # noqa: PLC0415
    from scapy.utils import wrpcap  # noqa: PLC0415

    path = directory / "one.pcap"
    wrpcap(str(path), [IP(src="192.0.2.1", dst="198.51.100.1") / Udp(sport=500, dport=500) / Raw(data)])
    chosen = [part for name in names for part in ("-e", name)]
    run = subprocess.run(
        ["tshark", "-r", str(path), "-T", "json", *chosen], capture_output=True, text=True, check=True, timeout=120
    )
    layers: dict[str, list[str]] = json.loads(run.stdout)[0]["_source"]["layers"]
    return layers
