"""Impairments of the Encrypted payload: IV, padding, ICV, what lies outside (RFC 7296 2.21.2, 3.14)."""

from lab.ike.impair.craft import Draft, padding, resized, set_at
from lab.ike.impair.row import Impairment, Outcome
from lab.wire.header import SIZE
from lab.wire.ids import ExchangeType, NotifyType
from lab.wire.payloads import GENERIC_HEADER

AUTH, INFO = ExchangeType.IKE_AUTH, ExchangeType.INFORMATIONAL
IGNORED, REFUSED, TOLERATED = Outcome
SYNTAX = NotifyType.INVALID_SYNTAX
# Where the body of an Encrypted payload begins, if nothing stands in front of it.
BODY = SIZE + GENERIC_HEADER
# A multiple of every block size, so that the content stays aligned.
MUCH = 240


def _icv_wrong(draft: Draft) -> bytes:
    data = draft.encode()
    return set_at(data, len(data) - 1, bytes([data[-1] ^ 1]))


def _icv_missing(draft: Draft) -> bytes:
    return _shortened(draft.encode(), draft.sealer.icv_octets)


def _shortened(data: bytes, by: int) -> bytes:
    """Cut, with lengths in the header and in the Encrypted payload that tell the truth."""
    size = len(data) - by - SIZE
    return resized(set_at(data[: SIZE + size], SIZE + 2, size.to_bytes(2, "big")))


def _emptied(draft: Draft) -> bytes:
    data = draft.encode()
    return _shortened(data, len(data) - BODY)


def _padded(draft: Draft, extra: int, fill: int) -> bytes:
    return draft.encode(pad=padding(draft.sealer.block, extra, fill))


def _pad_length(draft: Draft) -> bytes:
    """No payloads, and a pad length that is larger than all of the content."""
    pad = padding(draft.sealer.block)
    return draft.encode(payloads=(), pad=lambda chain: pad(chain)[:-1] + b"\xff")


def _iv_reused(draft: Draft) -> bytes:
    """The IV of the message that we sent before."""
    return draft.encode(iv=draft.last[BODY : BODY + draft.sealer.iv_octets])


ROWS = (
    Impairment("icv-wrong", "an ICV with one bit flipped", "7296#3.14", AUTH, IGNORED, _icv_wrong),
    Impairment("icv-missing", "an Encrypted payload cut before its ICV", "7296#3.14", AUTH, IGNORED, _icv_missing),
    Impairment("encrypted-empty", "an Encrypted payload of no octets", "7296#3.14", AUTH, IGNORED, _emptied),
    Impairment(
        "in-clear", "IKE_AUTH without an Encrypted payload", "7296#2.21.2", AUTH, IGNORED,
        lambda draft: draft.encode(clear=True), SYNTAX,
    ),
    Impairment(
        "behind-encrypted", "octets behind the Encrypted payload, which must be the last one", "7296#3.14", AUTH,
        IGNORED, lambda draft: resized(draft.encode() + b"\0\0\0\x08more"),
    ),
    Impairment(
        "identity-in-clear", "the identity in front of the Encrypted payload", "7296#3.14", AUTH, REFUSED,
        lambda draft: draft.encode(payloads=draft.payloads[1:], outside=draft.payloads[:1]), SYNTAX,
    ),
    Impairment(
        "padding-long", "240 octets of padding more than are needed", "7296#3.14", AUTH, TOLERATED,
        lambda draft: _padded(draft, MUCH, 0),
    ),
    Impairment(
        "padding-filled", "padding whose octets are not zero", "7296#3.14", AUTH, TOLERATED,
        lambda draft: _padded(draft, 16, 0xAA),
    ),
    Impairment(
        "pad-length-wrong", "a pad length larger than the content", "7296#3.14", AUTH, REFUSED, _pad_length, SYNTAX,
    ),
    Impairment(
        "iv-reused", "the IV of the message before", "7296#3.14", INFO, TOLERATED, _iv_reused,
    ),
)  # fmt: skip
