"""Impairments of what IKE_AUTH says: identity, proof, the first child, notifies (RFC 7296 2.9, 2.15, 3.5 to 3.13)."""

from collections.abc import Callable
from dataclasses import replace

from lab.ike.impair.craft import Craft, Draft, body_at, changed, set_at, without
from lab.ike.impair.row import Impairment, Outcome, Side
from lab.wire.ids import AuthMethod, ExchangeType, IdType, NotifyType, PayloadType
from lab.wire.payloads_v2 import ID, SA, TS, Auth, Notify, TrafficSelector

AUTH = ExchangeType.IKE_AUTH
IGNORED, REFUSED, TOLERATED = Outcome
SYNTAX, FAILED = NotifyType.INVALID_SYNTAX, NotifyType.AUTHENTICATION_FAILED
NO_PROPOSAL, NO_SELECTORS = NotifyType.NO_PROPOSAL_CHOSEN, NotifyType.TS_UNACCEPTABLE
A, T = PayloadType.AUTH, PayloadType.TSi
MOST = 255


def _auth(change: Callable[[Auth], Auth]) -> Craft:
    return lambda draft: draft.encode(payloads=changed(draft.payloads, Auth, change))


def _identity(change: Callable[[ID], ID]) -> Craft:
    """A craft that changes our own identity, the first one, after AUTH was made over the true one."""

    def craft(draft: Draft) -> bytes:
        own = next(payload for payload in draft.payloads if isinstance(payload, ID))
        return draft.encode(payloads=tuple(change(own) if p is own else p for p in draft.payloads))

    return craft


def _selectors(change: Callable[[TS], TS]) -> Craft:
    return lambda draft: draft.encode(payloads=changed(draft.payloads, TS, change))


def _turned(one: TrafficSelector) -> TrafficSelector:
    return replace(one, start=one.end, end=one.start)


def _child_spi(spi: bytes) -> Craft:
    return lambda draft: draft.encode(
        payloads=changed(draft.payloads, SA, lambda sa: SA(tuple(replace(p, spi=spi) for p in sa.proposals)))
    )


def _notified(notify: NotifyType) -> Craft:
    return lambda draft: draft.encode(payloads=(*draft.payloads, Notify(notify)))


def _spi_size(draft: Draft) -> bytes:
    """A notify whose SPI would be longer than the payload."""
    body = Notify(NotifyType(50000)).encode()
    draft = replace(draft, payloads=(*draft.payloads, Notify(NotifyType(50000))))
    return draft.encode(chain=lambda chain: chain[: len(chain) - len(body)] + set_at(body, 1, b"\xff"))


def _in_selectors(offset: int, octets: bytes) -> Craft:
    """A craft that writes into the body of TSi: count(1) reserved(3), then type(1) protocol(1) length(2) ..."""

    def craft(draft: Draft) -> bytes:
        at = body_at(draft, T) + offset
        return draft.encode(chain=lambda chain: set_at(chain, at, octets))

    return craft


ROWS = (
    Impairment(
        "auth-wrong", "AUTH with one bit flipped", "7296#2.15", AUTH, REFUSED,
        _auth(lambda a: replace(a, data=a.data[:-1] + bytes([a.data[-1] ^ 1]))), FAILED, holds=A,
    ),
    Impairment(
        "auth-method-wrong", "AUTH under the number of another method", "7296#3.8", AUTH, REFUSED,
        _auth(lambda a: replace(a, method=AuthMethod.RSA_SIGNATURE)), FAILED, holds=A,
    ),
    Impairment(
        "auth-missing", "IKE_AUTH without AUTH, though no EAP is configured", "7296#2.16", AUTH, REFUSED,
        lambda draft: draft.encode(payloads=without(draft.payloads, A)), FAILED, holds=A,
    ),
    Impairment(
        "identity-reserved", "reserved octets of the identity that are not zero and not signed", "7296#2.15", AUTH,
        REFUSED, _identity(lambda own: replace(own, reserved=b"\x01\x02\x03")), FAILED, holds=A,
    ),
    Impairment(
        "identity-empty", "an identity of no octets", "7296#3.5", AUTH, REFUSED,
        _identity(lambda own: replace(own, data=b"")), FAILED, holds=A,
    ),
    Impairment(
        "identity-type-unknown", "an identity of a type that nobody knows", "7296#3.5", AUTH, REFUSED,
        _identity(lambda own: replace(own, id_type=IdType(99))), FAILED, holds=A,
    ),
    Impairment(
        "selector-turned", "traffic selectors whose end lies below their start", "7296#3.13.1", AUTH, REFUSED,
        _selectors(lambda ts: replace(ts, selectors=tuple(map(_turned, ts.selectors)))), NO_SELECTORS, holds=T,
    ),
    Impairment(
        "selector-length", "a traffic selector of length 4", "7296#3.13.1", AUTH, REFUSED,
        _in_selectors(6, b"\0\4"), SYNTAX, holds=T,
    ),
    Impairment(
        "selector-count", "a count of 200 in front of one traffic selector", "7296#3.13", AUTH, REFUSED,
        _in_selectors(0, b"\xc8"), SYNTAX, holds=T,
    ),
    Impairment(
        "selector-type-unknown", "traffic selectors of a type that nobody knows", "7296#3.13.1", AUTH, REFUSED,
        _in_selectors(4, b"\xc8"), NO_SELECTORS, holds=T,
    ),
    Impairment(
        "selectors-none", "TS payloads without traffic selectors", "7296#3.13", AUTH, REFUSED,
        _selectors(lambda ts: TS(ts.kind, ())), NO_SELECTORS, holds=T,
    ),
    Impairment(
        "selectors-many", "the same traffic selectors 255 times", "7296#2.9", AUTH, TOLERATED,
        _selectors(lambda ts: replace(ts, selectors=ts.selectors[:1] * MOST)), side=Side.REQUEST, holds=T,
    ),
    Impairment(
        "child-spi-zero", "a child under SPI 0", "4303#2.1", AUTH, REFUSED, _child_spi(bytes(4)), NO_PROPOSAL, holds=T,
    ),
    Impairment(
        "child-spi-long", "a child under an SPI of 8 octets", "7296#3.3.1", AUTH, REFUSED, _child_spi(b"\x01" * 8),
        NO_PROPOSAL, holds=T,
    ),
    Impairment(
        "notify-error-unknown", "a request with an error notify of unknown type", "7296#3.10.1", AUTH, TOLERATED,
        _notified(NotifyType(8191)), side=Side.REQUEST, holds=T,
    ),
    Impairment(
        "notify-status-unknown", "a status notify of unknown type", "7296#3.10.1", AUTH, TOLERATED,
        _notified(NotifyType(50000)), holds=T,
    ),
    Impairment(
        "notify-spi-size", "a notify with an SPI longer than itself", "7296#3.10", AUTH, REFUSED, _spi_size, SYNTAX,
        holds=T,
    ),
)  # fmt: skip
