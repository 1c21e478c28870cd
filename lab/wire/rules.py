"""Which payloads an exchange may and must carry: legality is data (RFC 7296 sections 1.2 to 1.4 and appendix C)."""

from dataclasses import dataclass

from lab.errors import ProtocolError
from lab.wire.ids import ExchangeType, NotifyType, PayloadType
from lab.wire.message import Message
from lab.wire.payloads_v2 import Unknown

_ANY = 1 << 16
T = PayloadType
_ALONE = (NotifyType.COOKIE, NotifyType.REDIRECT, NotifyType.TICKET_NACK)
_INITIAL = (ExchangeType.IKE_SA_INIT, ExchangeType.IKE_SESSION_RESUME)


@dataclass(frozen=True, slots=True)
class Rule:
    """For each payload type the least and the largest number allowed; other types are skipped, not refused.

    A message that carries an error notify answers the request without the mandatory payloads (`least` is not applied).
    """

    protected: bool
    counts: dict[PayloadType, tuple[int, int]]


_FREE = {T.N: (0, _ANY), T.V: (0, _ANY)}
_INIT_REQUEST = Rule(False, {T.SA: (1, 1), T.KE: (1, 1), T.NONCE: (1, 1), **_FREE})
_INIT_RESPONSE = Rule(False, {**_INIT_REQUEST.counts, T.CERTREQ: (0, _ANY)})
# EAP spreads these over several IKE_AUTH exchanges, so the table only knows the largest number (RFC 7296 2.16).
_AUTH_COUNTS = {
    T.IDi: (0, 1), T.IDr: (0, 1), T.CERT: (0, _ANY), T.CERTREQ: (0, _ANY), T.AUTH: (0, 1), T.CP: (0, 1), T.SA: (0, 1),
    T.TSi: (0, 1), T.TSr: (0, 1), T.EAP: (0, 1), **_FREE,
}  # fmt: skip
_AUTH = Rule(True, _AUTH_COUNTS)
_CHILD = Rule(True, {T.SA: (1, 1), T.NONCE: (1, 1), T.KE: (0, 1), T.TSi: (0, 1), T.TSr: (0, 1), T.CP: (0, 1), **_FREE})
_INFORMATIONAL = Rule(True, {T.D: (0, _ANY), T.CP: (0, 1), **_FREE})
_KE_ONLY = Rule(True, {T.KE: (0, 1), **_FREE})

_RESUME = Rule(False, {T.NONCE: (1, 1), **_FREE})

RULES: dict[tuple[ExchangeType, bool], Rule] = {
    (ExchangeType.IKE_SA_INIT, False): _INIT_REQUEST,
    (ExchangeType.IKE_SA_INIT, True): _INIT_RESPONSE,
    (ExchangeType.IKE_SESSION_RESUME, False): _RESUME,
    (ExchangeType.IKE_SESSION_RESUME, True): _RESUME,
    (ExchangeType.IKE_AUTH, False): _AUTH,
    (ExchangeType.IKE_AUTH, True): _AUTH,
    (ExchangeType.CREATE_CHILD_SA, False): _CHILD,
    (ExchangeType.CREATE_CHILD_SA, True): _CHILD,
    (ExchangeType.INFORMATIONAL, False): _INFORMATIONAL,
    (ExchangeType.INFORMATIONAL, True): _INFORMATIONAL,
    (ExchangeType.IKE_INTERMEDIATE, False): _KE_ONLY,
    (ExchangeType.IKE_INTERMEDIATE, True): _KE_ONLY,
    (ExchangeType.IKE_FOLLOWUP_KE, False): _KE_ONLY,
    (ExchangeType.IKE_FOLLOWUP_KE, True): _KE_ONLY,
}


def check(message: Message) -> None:
    """Raise ProtocolError where an opened message breaks the table of its exchange.

    UNSUPPORTED_CRITICAL_PAYLOAD carries the type of the payload (RFC 7296 2.5); anything else is INVALID_SYNTAX.
    """
    for payload in message.payloads:
        if isinstance(payload, Unknown) and payload.critical:
            reason = f"critical payload of unknown type {payload.type.value}"
            raise ProtocolError(reason, NotifyType.UNSUPPORTED_CRITICAL_PAYLOAD, bytes([payload.type]))
    header = message.header
    rule = RULES.get((header.exchange, header.response))
    if rule is None:
        raise ProtocolError(f"unknown exchange type {header.exchange.value}", NotifyType.INVALID_SYNTAX)
    _check_protection(message, rule)
    excused = header.response and _excused(message)
    for kind, (least, most) in rule.counts.items():
        count = sum(1 for payload in message.payloads if payload.type == kind)
        if count > most or (count < least and not excused):
            wanted = f"{least}" if least == most else f"{least} to {most}"
            reason = f"{count} {kind.name} payloads in {header.exchange.name}, {wanted} allowed"
            raise ProtocolError(reason, NotifyType.INVALID_SYNTAX)


def _check_protection(message: Message, rule: Rule) -> None:
    if message.encrypted != rule.protected:
        state = "is not encrypted" if rule.protected else "is encrypted"
        raise ProtocolError(f"{message.header.exchange.name} {state}", NotifyType.INVALID_SYNTAX)
    if rule.protected and any(payload.type in rule.counts for payload in message.payloads[: message.outside]):
        raise ProtocolError("payload outside the Encrypted payload", NotifyType.INVALID_SYNTAX)


def _excused(message: Message) -> bool:
    """An error stands alone; so do, in clear, COOKIE, REDIRECT and TICKET_NACK, which are none."""
    if message.header.exchange in _INITIAL and any(map(message.notify, _ALONE)):
        return True
    return message.error is not None
