"""Impairments of an IKE SA that is up: deletions, rekeyings, further children (RFC 7296 1.3, 1.4, 2.8)."""

from dataclasses import replace

from lab.ike.impair.craft import Craft, Draft, changed, set_at, without
from lab.ike.impair.row import Impairment, Outcome, Side
from lab.wire.ids import ExchangeType, NotifyType, PayloadType, ProtocolId
from lab.wire.payloads import GENERIC_HEADER, Payload
from lab.wire.payloads_v2 import Delete, Notify, Unknown

CHILD, INFO = ExchangeType.CREATE_CHILD_SA, ExchangeType.INFORMATIONAL
IGNORED, REFUSED, TOLERATED = Outcome
SYNTAX, NOT_FOUND = NotifyType.INVALID_SYNTAX, NotifyType.CHILD_SA_NOT_FOUND
NOBODYS = b"\xde\xad\xbe\xef"
DELETE = Delete(ProtocolId.ESP, (NOBODYS,))


def _instead(*payloads: Payload) -> Craft:
    return lambda draft: draft.encode(payloads=payloads)


def _deletes(offset: int, octets: bytes) -> Craft:
    """A craft that writes into a Delete of one SPI: protocol(1) SPI size(1) count(2) SPI(4)."""
    body = set_at(DELETE.encode(), offset, octets)
    return lambda draft: draft.encode(payloads=(DELETE,), chain=lambda chain: chain[:GENERIC_HEADER] + body)


def _rekeys_nobody(draft: Draft) -> bytes:
    def other(notify: Notify) -> Notify:
        return replace(notify, spi=NOBODYS) if notify.notify_type == NotifyType.REKEY_SA else notify

    return draft.encode(payloads=changed(draft.payloads, Notify, other))


def _rekeys_twice(draft: Draft) -> tuple[bytes, ...]:
    """The rekeying of the same child once more, under the next message ID, before the first is answered."""
    again = replace(draft.header, message_id=draft.header.message_id + 1)
    return draft.encode(), draft.encode(header=again)


ROWS = (
    Impairment(
        "delete-unknown", "a Delete of a child that nobody has", "7296#1.4.1", INFO, TOLERATED,
        _instead(DELETE), side=Side.REQUEST,
    ),
    Impairment(
        "delete-count-wrong", "a Delete with a count of 256 and one SPI", "7296#3.11", INFO, REFUSED,
        _deletes(2, b"\x01\x00"), SYNTAX, Side.REQUEST,
    ),
    Impairment(
        "delete-spi-size-zero", "a Delete of one SPI of no octets", "7296#3.11", INFO, REFUSED,
        _deletes(1, b"\x00"), SYNTAX, Side.REQUEST,
    ),
    Impairment(
        "informational-critical", "an INFORMATIONAL with a critical payload of unknown type", "7296#2.5", INFO, REFUSED,
        _instead(Unknown(PayloadType(200), True, b"unheard of")), NotifyType.UNSUPPORTED_CRITICAL_PAYLOAD,
        Side.REQUEST,
    ),
    Impairment(
        "rekey-unknown", "the rekeying of a child that nobody has", "7296#2.25", CHILD, REFUSED, _rekeys_nobody,
        NOT_FOUND, Side.REQUEST, PayloadType.N,
    ),
    Impairment(
        "rekey-doubled", "the same rekeying under two message IDs in a row", "7296#2.25.1", CHILD, REFUSED,
        _rekeys_twice, NotifyType.TEMPORARY_FAILURE, Side.REQUEST, PayloadType.N,
    ),
    Impairment(
        "rekey-nonce-missing", "a rekeying without a nonce", "7296#1.3.3", CHILD, REFUSED,
        lambda draft: draft.encode(payloads=without(draft.payloads, PayloadType.NONCE)), SYNTAX, Side.REQUEST,
        PayloadType.N,
    ),
)  # fmt: skip
