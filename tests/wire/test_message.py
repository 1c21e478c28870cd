import hashlib
import hmac
import random

import pytest

from lab.errors import ProtocolError
from lab.wire.header import SIZE, Header
from lab.wire.ids import ExchangeType, NotifyType, PayloadType
from lab.wire.message import Message
from lab.wire.payloads_v2 import KE, Notify, VendorId
from lab.wire.sealed import Encrypted
from tests.wire.samples import PAYLOADS, header, init_request, message


class Masked:
    """A stand-in for a cipher with the shape of one: 8 octets of IV, a mask, padding and 12 octets of ICV."""

    def overhead(self, length: int) -> int:
        return 8 + self._padding(length) + 1 + 12

    def _padding(self, length: int) -> int:
        return -(length + 1) % 4

    def seal(self, aad: bytes, plaintext: bytes) -> bytes:
        padding = self._padding(len(plaintext))
        body = b"iviviviv" + bytes(b ^ 0x55 for b in plaintext + bytes(padding) + bytes([padding]))
        return body + hmac.digest(b"key", aad + body, hashlib.sha256)[:12]

    def open(self, aad: bytes, body: bytes) -> bytes:
        if len(body) < 21 or hmac.digest(b"key", aad + body[:-12], hashlib.sha256)[:12] != body[-12:]:
            raise ProtocolError("wrong ICV")
        plain = bytes(b ^ 0x55 for b in body[8:-12])
        return plain[: len(plain) - 1 - plain[-1]]


def test_header_is_28_octets_in_rfc_order() -> None:
    data = init_request().encode()
    # SPIs, next payload SA (33), version 2.0, IKE_SA_INIT (34), flag Initiator, message ID 0, length
    assert data[:20] == b"initiatoresponde"[:8] + b"responde" + bytes([33, 0x20, 34, 0x08])
    assert data[20:28] == bytes(4) + len(data).to_bytes(4, "big")


def test_a_clear_message_round_trips() -> None:
    sent = init_request()
    data = sent.encode()
    received = Message.decode(data)
    assert received.payloads == sent.payloads and received.raw == data and not received.encrypted
    assert received.encode() == data
    assert received.names == ("SA", "KE", "NONCE", "N(NAT_DETECTION_SOURCE_IP)")


@pytest.mark.parametrize("outside", [0, 1])
def test_a_sealed_message_round_trips(outside: int) -> None:
    payloads = (VendorId(b"clear"), *PAYLOADS)
    sent = Message(header(), payloads, encrypted=True, outside=outside)
    data = sent.encode(Masked())
    sealed = Message.decode(data)
    assert isinstance(sealed.sealed, Encrypted) and sealed.encrypted and sealed.outside == outside
    opened = sealed.opened(Masked())
    assert opened.payloads == payloads and opened.sealed is None and opened.encrypted
    assert Message.decode(data, Masked()) == opened


def test_an_empty_sealed_message_is_legal() -> None:
    data = message(exchange=ExchangeType.INFORMATIONAL).encode(Masked())
    assert Message.decode(data, Masked()).payloads == ()


def test_every_bit_of_a_sealed_message_is_guarded() -> None:
    data = message(*PAYLOADS[2:7]).encode(Masked())
    for index in range(len(data)):
        for bit in range(8):
            forged = bytearray(data)
            forged[index] ^= 1 << bit
            try:
                received = Message.decode(bytes(forged), Masked())
            except ProtocolError:
                continue
            # only the next-payload field of the header can turn SK into something else, which then is not encrypted
            assert index == 16 and not received.encrypted


def test_truncation_at_each_octet_is_a_protocol_error() -> None:
    for data in (init_request().encode(), message(*PAYLOADS[2:]).encode(Masked())):
        for size in range(len(data)):
            with pytest.raises(ProtocolError):
                Message.decode(data[:size], Masked())
            # with a header that tells the truth about the length, too
            if size >= SIZE:
                with pytest.raises(ProtocolError):
                    Message.decode(data[:24] + size.to_bytes(4, "big") + data[28:size], Masked())


def test_random_mutations_raise_protocol_errors_only() -> None:
    generator = random.Random(20)
    originals = [init_request().encode(), Message(header(), PAYLOADS).encode()]
    survivors = 0
    for _ in range(5_000):
        data = bytearray(generator.choice(originals))
        for _ in range(generator.randint(1, 4)):
            data[generator.randrange(len(data))] = generator.randrange(256)
        try:
            decoded = Message.decode(bytes(data))
        except ProtocolError:
            continue
        survivors += 1
        Message.decode(decoded.encode())
    assert survivors > 500, "the mutations must also produce messages that are legal"


def test_unknown_exchanges_and_payloads_are_kept() -> None:
    odd = Message(Header(bytes(8), bytes(8), PayloadType.NONE, ExchangeType(77), 0, 5), (VendorId(b"x"),))
    assert Message.decode(odd.encode()).header.exchange == 77


def test_lookups() -> None:
    received = init_request()
    assert received.get(KE) is received.payloads[1] and received.get(VendorId) is None
    assert received.of(PayloadType.NONCE) is received.payloads[2]
    assert received.notify(NotifyType.NAT_DETECTION_SOURCE_IP) is received.payloads[3] and received.error is None
    refusal = message(Notify(NotifyType.COOKIE), Notify(NotifyType.NO_PROPOSAL_CHOSEN))
    assert refusal.error is refusal.payloads[1]


def test_scapy_reads_what_we_write() -> None:
    """An independent decoder sees the same payload types, groups, notifies and transforms."""
    from scapy.contrib.ikev2 import IKEv2, IKEv2_KE, IKEv2_Notify, IKEv2_SA, IKEv2_Transform  # noqa: PLC0415

    parsed = IKEv2(init_request().encode())
    assert (parsed.exch_type, parsed.init_SPI, parsed.id) == (34, b"initiato", 0)
    assert parsed[IKEv2_KE].group == 31 and bytes(parsed[IKEv2_KE].ke) == bytes(range(32))
    assert parsed[IKEv2_Notify].type == 16388
    transform, found = parsed[IKEv2_SA].prop.trans, []
    while isinstance(transform, IKEv2_Transform):
        found.append((transform.transform_type, transform.transform_id))
        transform = transform.payload
    assert found == [(1, 12), (3, 12), (2, 5), (4, 31)]
