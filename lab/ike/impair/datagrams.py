"""Impairments of what travels beside a message or in its place: repeats, reflections, early exchanges, stubs."""

from dataclasses import replace

from lab.ike.impair.craft import Craft, Draft, resized
from lab.ike.impair.row import Impairment, Outcome, Side
from lab.wire.header import SIZE
from lab.wire.ids import ExchangeType, Flag, NotifyType, ProtocolId
from lab.wire.packets import NON_ESP_MARKER
from lab.wire.payloads import Payload
from lab.wire.payloads_v2 import Delete, Nonce, Notify

INIT, AUTH = ExchangeType.IKE_SA_INIT, ExchangeType.IKE_AUTH
CHILD, INFO = ExchangeType.CREATE_CHILD_SA, ExchangeType.INFORMATIONAL
IGNORED, _, TOLERATED = Outcome


def _doubled(draft: Draft) -> tuple[bytes, ...]:
    return (draft.encode(),) * 2


def _other_under_same_id(draft: Draft) -> tuple[bytes, ...]:
    """The true request, and a different one behind it under the same message ID."""
    return draft.encode(), draft.encode(payloads=draft.payloads[::-1])


def _early(exchange: ExchangeType, *payloads: Payload) -> Craft:
    """A request, rightly sealed, that runs ahead of IKE_AUTH or follows the IKE_SA_INIT response."""

    def craft(draft: Draft) -> tuple[bytes, ...]:
        header = replace(draft.header, exchange=exchange, flags=draft.header.flags & ~Flag.RESPONSE)
        request, data = draft.encode(header=header, payloads=payloads), draft.encode()
        return (data, request) if draft.header.response else (request, data)

    return craft


_GONE = (Delete(ProtocolId.IKE),)
_REKEY = (Notify(NotifyType.REKEY_SA, b"", ProtocolId.ESP, b"\x01\x02\x03\x04"), Nonce(b"n" * 32))

ROWS = (
    Impairment(
        "request-doubled", "a request twice, bit for bit", "7296#2.1", AUTH, TOLERATED, _doubled, side=Side.REQUEST,
    ),
    Impairment(
        "response-doubled", "a response twice, bit for bit", "7296#2.1", AUTH, TOLERATED, _doubled, side=Side.RESPONSE,
    ),
    Impairment(
        "request-replayed", "the message before once more, in front of a request", "7296#2.2", INFO, TOLERATED,
        lambda draft: (draft.last, draft.encode()), side=Side.REQUEST,
    ),
    Impairment(
        "message-id-reused", "another request under a message ID that was used", "7296#2.2", AUTH, TOLERATED,
        _other_under_same_id, side=Side.REQUEST,
    ),
    Impairment(
        "reflected", "the peer's own IKE_SA_INIT message back to it, in front of ours", "7296#2.21", AUTH, TOLERATED,
        lambda draft: (draft.theirs, draft.encode()),
    ),
    Impairment(
        "early-create-child-sa", "CREATE_CHILD_SA in front of IKE_AUTH", "7296#1.2", AUTH, TOLERATED,
        _early(CHILD, *_REKEY), side=Side.REQUEST,
    ),
    Impairment(
        "early-create-child-sa-of-responder", "CREATE_CHILD_SA behind the IKE_SA_INIT response", "7296#1.2", INIT,
        TOLERATED, _early(CHILD, *_REKEY), side=Side.RESPONSE,
    ),
    Impairment(
        "early-delete", "a Delete of the IKE SA in front of IKE_AUTH", "7296#1.4", AUTH, TOLERATED,
        _early(INFO, *_GONE), side=Side.REQUEST,
    ),
    Impairment(
        "early-delete-of-responder", "a Delete of the IKE SA behind the IKE_SA_INIT response", "7296#1.4", INIT,
        TOLERATED, _early(INFO, *_GONE), side=Side.RESPONSE,
    ),
    Impairment(
        "marker-misplaced", "a non-ESP marker more than the port wants", "3948#2.2", AUTH, IGNORED,
        lambda draft: NON_ESP_MARKER + draft.encode(),
    ),
    Impairment("datagram-empty", "a datagram of no octets", "7296#3.1", AUTH, IGNORED, lambda _: (b"",)),
    Impairment(
        "datagram-tiny", "a datagram shorter than the IKE header", "7296#3.1", AUTH, IGNORED,
        lambda draft: draft.encode()[: SIZE - 1],
    ),
    Impairment(
        "header-alone", "an IKE header that announces payloads and has none", "7296#3.1", AUTH, IGNORED,
        lambda draft: resized(draft.encode()[:SIZE]),
    ),
)  # fmt: skip
