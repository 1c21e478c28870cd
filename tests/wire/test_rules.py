import pytest

from lab.errors import ProtocolError
from lab.wire.header import Header
from lab.wire.ids import ExchangeType, Flag, NotifyType, PayloadType, ProtocolId
from lab.wire.message import Message
from lab.wire.payloads import Payload
from lab.wire.payloads_v2 import Delete, Notify, Unknown, VendorId
from lab.wire.rules import RULES, check
from tests.wire.samples import PAYLOADS

SAMPLE = {payload.type: payload for payload in PAYLOADS}


def build(kind: tuple[ExchangeType, bool], payloads: list[Payload], **fields: object) -> Message:
    exchange, response = kind
    header = Header(b"i" * 8, b"r" * 8, PayloadType.NONE, exchange, Flag.RESPONSE if response else 0, 1)
    return Message(header, tuple(payloads), **{"encrypted": RULES[kind].protected, **fields})  # type: ignore[arg-type]


def least(kind: tuple[ExchangeType, bool]) -> list[Payload]:
    return [SAMPLE[t] for t, (low, _) in RULES[kind].counts.items() for _ in range(low)]


@pytest.mark.parametrize("kind", RULES, ids=str)
def test_the_table(kind: tuple[ExchangeType, bool]) -> None:
    check(build(kind, least(kind)))
    for wanted, (low, high) in RULES[kind].counts.items():
        without = [payload for payload in least(kind) if payload.type != wanted]
        if low:
            with pytest.raises(ProtocolError, match=wanted.name):
                check(build(kind, without))
        if high < 100:
            with pytest.raises(ProtocolError, match=wanted.name):
                check(build(kind, without + [SAMPLE[wanted]] * (high + 1)))


@pytest.mark.parametrize("kind", RULES, ids=str)
def test_protection_is_demanded_and_not_exceeded(kind: tuple[ExchangeType, bool]) -> None:
    with pytest.raises(ProtocolError, match="encrypted"):
        check(build(kind, least(kind), encrypted=not RULES[kind].protected))


def test_a_payload_outside_of_sk_is_refused() -> None:
    kind = (ExchangeType.INFORMATIONAL, False)
    with pytest.raises(ProtocolError, match="outside"):
        check(build(kind, [Delete(ProtocolId.IKE)], outside=1))


def test_an_error_notify_excuses_missing_payloads_in_a_response_only() -> None:
    refusal: list[Payload] = [Notify(NotifyType.NO_PROPOSAL_CHOSEN)]
    check(build((ExchangeType.CREATE_CHILD_SA, True), refusal))
    for alone in (NotifyType.COOKIE, NotifyType.REDIRECT):
        check(build((ExchangeType.IKE_SA_INIT, True), [Notify(alone, b"c")]))
        with pytest.raises(ProtocolError):
            check(build((ExchangeType.CREATE_CHILD_SA, True), [Notify(alone, b"c")]))
    check(build((ExchangeType.IKE_SESSION_RESUME, True), [Notify(NotifyType.TICKET_NACK)]))
    with pytest.raises(ProtocolError):
        check(build((ExchangeType.CREATE_CHILD_SA, False), refusal))
    with pytest.raises(ProtocolError):
        check(build((ExchangeType.IKE_SA_INIT, True), [Notify(NotifyType.CHILDLESS_IKEV2_SUPPORTED)]))


def test_an_unknown_critical_payload_is_named_and_an_uncritical_one_skipped() -> None:
    kind = (ExchangeType.INFORMATIONAL, False)
    check(build(kind, [Unknown(PayloadType(99), False, b""), VendorId(b"x")]))
    with pytest.raises(ProtocolError) as caught:
        check(build(kind, [Unknown(PayloadType(99), True, b"")]))
    assert caught.value.notify == NotifyType.UNSUPPORTED_CRITICAL_PAYLOAD and caught.value.data == b"\x63"


def test_an_unknown_exchange_is_refused() -> None:
    with pytest.raises(ProtocolError, match="unknown exchange"):
        check(Message(Header(bytes(8), bytes(8), PayloadType.NONE, ExchangeType(99), 0, 1), ()))
