"""Payload names as the arrows of RFC 7296 write them: SAi1, KEi, Ni in a request of IKE_SA_INIT, SAr2 in a response of
IKE_AUTH, plain SA in CREATE_CHILD_SA; notifies with their type, N(COOKIE)."""

from collections.abc import Iterable

from lab.wire.header import Header
from lab.wire.ids import ExchangeType, PayloadType
from lab.wire.payloads import Payload
from lab.wire.payloads_v2 import CP, Notify
from lab.wire.sealed import EncryptedFragment

# The number that RFC 7296 1.2 gives the SA payloads of the first two exchanges.
_SA_NUMBER = {ExchangeType.IKE_SA_INIT: "1", ExchangeType.IKE_AUTH: "2"}


def payload_names(header: Header, payloads: Iterable[Payload]) -> list[str]:
    """The names of these payloads in a message with this header."""
    return [_name(header, payload) for payload in payloads]


def _name(header: Header, payload: Payload) -> str:
    side = "r" if header.response else "i"
    if isinstance(payload, Notify):
        return f"N({payload.notify_type.name})"
    if isinstance(payload, EncryptedFragment):
        return f"SKF({payload.number}/{payload.total})"
    if isinstance(payload, CP):
        return f"CP({payload.cfg_type.name})"
    if payload.type == PayloadType.SA:
        number = _SA_NUMBER.get(header.exchange)
        return f"SA{side}{number}" if number else "SA"
    if payload.type == PayloadType.KE:
        return f"KE{side}"
    if payload.type == PayloadType.NONCE:
        return f"N{side}"
    return payload.type.name
