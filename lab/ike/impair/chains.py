"""Impairments of the payload chain: generic headers, order, number, criticality (RFC 7296 2.5, 3.2)."""

from lab.ike.impair.craft import Draft, set_at, without
from lab.ike.impair.row import Impairment, Outcome, Side
from lab.wire.ids import ExchangeType, NotifyType, PayloadType
from lab.wire.payloads import GENERIC_HEADER
from lab.wire.payloads_v2 import Notify, Unknown

INIT, AUTH = ExchangeType.IKE_SA_INIT, ExchangeType.IKE_AUTH
IGNORED, REFUSED, TOLERATED = Outcome
SYNTAX, CRITICAL = NotifyType.INVALID_SYNTAX, NotifyType.UNSUPPORTED_CRITICAL_PAYLOAD
STATUS = Notify(NotifyType(50000))
MANY = 1000


def _first_length(draft: Draft, length: int) -> bytes:
    """The first payload with another length in its generic header."""
    return draft.encode(chain=lambda chain: set_at(chain, 2, length.to_bytes(2, "big")))


def _first_flags(draft: Draft, flags: int) -> bytes:
    return draft.encode(chain=lambda chain: set_at(chain, 1, bytes([flags])))


def _unknown(draft: Draft, *, critical: bool) -> bytes:
    unheard = Unknown(PayloadType(200), critical, b"unheard of")
    return draft.encode(payloads=(*draft.payloads, unheard))


def _endless(draft: Draft) -> bytes:
    """The last payload announces another one of its own type."""
    last = draft.payloads[-1]
    back = GENERIC_HEADER + len(last.encode())
    return draft.encode(chain=lambda chain: set_at(chain, len(chain) - back, bytes([last.type])))


ROWS = (
    Impairment(
        "payload-length-zero", "a payload of length 0", "7296#3.2", AUTH, REFUSED,
        lambda draft: _first_length(draft, 0), SYNTAX,
    ),
    Impairment(
        "payload-length-zero-in-clear", "a payload of length 0 in IKE_SA_INIT", "7296#2.21.1", INIT, IGNORED,
        lambda draft: _first_length(draft, 0), SYNTAX,
    ),
    Impairment(
        "payload-length-too-long", "a payload that reaches beyond the message", "7296#3.2", AUTH, REFUSED,
        lambda draft: _first_length(draft, 0xFFFF), SYNTAX,
    ),
    Impairment(
        "next-payload-endless", "a last payload that announces another one", "7296#3.2", AUTH, REFUSED, _endless,
        SYNTAX,
    ),
    Impairment(
        "encrypted-in-encrypted", "an Encrypted payload inside another", "7296#3.14", AUTH, REFUSED,
        lambda draft: draft.encode(first=PayloadType.SK), SYNTAX,
    ),
    Impairment(
        "payload-doubled", "the identity twice", "7296#1.2", AUTH, REFUSED,
        lambda draft: draft.encode(payloads=(draft.payloads[0], *draft.payloads)), SYNTAX,
    ),
    Impairment(
        "payloads-reversed", "all payloads in the reverse order", "7296#2.5", AUTH, TOLERATED,
        lambda draft: draft.encode(payloads=draft.payloads[::-1]),
    ),
    Impairment(
        "payloads-too-many", "a thousand status notifies of unknown type", "7296#3.10.1", AUTH, REFUSED,
        lambda draft: draft.encode(payloads=(*draft.payloads, *(STATUS,) * MANY)), SYNTAX,
    ),
    Impairment(
        "critical-unknown", "a payload of unknown type with the critical bit", "7296#2.5", INIT, REFUSED,
        lambda draft: _unknown(draft, critical=True), CRITICAL, response=IGNORED,
    ),
    Impairment(
        "critical-unknown-sealed", "a critical payload of unknown type inside the Encrypted payload", "7296#2.5", AUTH,
        REFUSED, lambda draft: _unknown(draft, critical=True), CRITICAL,
    ),
    Impairment(
        "uncritical-unknown", "a payload of unknown type without the critical bit", "7296#2.5", AUTH, TOLERATED,
        lambda draft: _unknown(draft, critical=False),
    ),
    Impairment(
        "critical-known", "the critical bit at a payload that everybody knows", "7296#3.2", AUTH, TOLERATED,
        lambda draft: _first_flags(draft, 0x80),
    ),
    Impairment(
        "reserved-bits", "the reserved bits of a generic payload header set", "7296#3.2", AUTH, TOLERATED,
        lambda draft: _first_flags(draft, 0x7F),
    ),
    Impairment(
        "ke-missing", "IKE_SA_INIT without KE", "7296#2.21.1", INIT, IGNORED,
        lambda draft: draft.encode(payloads=without(draft.payloads, PayloadType.KE)), SYNTAX,
    ),
    Impairment(
        "identity-missing", "IKE_AUTH without IDi or IDr", "7296#1.2", AUTH, REFUSED,
        lambda draft: draft.encode(payloads=draft.payloads[1:]), SYNTAX,
    ),
    Impairment(
        "selectors-missing", "a child without TSr", "7296#1.2", AUTH, REFUSED,
        lambda draft: draft.encode(payloads=without(draft.payloads, PayloadType.TSr)), SYNTAX,
        Side.REQUEST, PayloadType.TSr,
    ),
)  # fmt: skip
