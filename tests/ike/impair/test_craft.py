"""What crafts are made of: a message with nothing wrong, padding, and places in a chain."""

from random import Random

import pytest

from lab.crypto import registry
from lab.crypto.sk import IkeCipher
from lab.ike.impair.craft import Draft, body_at, padding, place
from lab.wire.header import Header
from lab.wire.ids import ExchangeType, Flag, PayloadType
from lab.wire.message import Message
from lab.wire.payloads_v2 import Nonce, VendorId

PAYLOADS = (VendorId(b"vendor"), Nonce(b"n" * 32))


def header(exchange: ExchangeType) -> Header:
    return Header(b"i" * 8, b"r" * 8, PayloadType.NONE, exchange, Flag.INITIATOR, 1)


def cipher(encr: str = "aes128", integ: str = "sha256") -> IkeCipher:
    """The same cipher at every call, its IVs included."""
    return IkeCipher(registry.KEYWORDS[encr], registry.KEYWORDS[integ], bytes(16), bytes(32), Random(1).randbytes)


def test_with_nothing_wrong_a_draft_is_the_message_in_clear() -> None:
    head = header(ExchangeType.IKE_SA_INIT)
    assert Draft(head, PAYLOADS).encode() == Message(head, PAYLOADS).encode()


def test_with_nothing_wrong_a_draft_is_the_message_sealed() -> None:
    head = header(ExchangeType.IKE_AUTH)
    assert Draft(head, PAYLOADS, cipher()).encode() == Message(head, PAYLOADS).encode(cipher())


def test_what_stands_outside_is_covered_by_the_icv() -> None:
    head = header(ExchangeType.IKE_AUTH)
    sealed = Draft(head, PAYLOADS[1:], cipher()).encode(outside=PAYLOADS[:1])
    assert sealed == Message(head, PAYLOADS, outside=1).encode(cipher())
    assert Message.decode(sealed, cipher()).payloads == PAYLOADS


def test_places_in_a_chain() -> None:
    draft = Draft(header(ExchangeType.IKE_SA_INIT), PAYLOADS)
    assert place(draft, PayloadType.V) == 0
    assert body_at(draft, PayloadType.NONCE) == 4 + len(b"vendor") + 4
    with pytest.raises(LookupError, match="no KE in the message"):
        place(draft, PayloadType.KE)


@pytest.mark.parametrize("block", [1, 4, 16])
def test_padding_keeps_to_the_block(block: int) -> None:
    for length in range(40):
        for extra in (0, 16, 240 - block):
            padded = padding(block, extra, 0xAA)(b"c" * length)
            assert len(padded) % block == extra % block
            assert padded[:length] == b"c" * length and padded[-1] == len(padded) - length - 1
