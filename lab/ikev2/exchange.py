"""The shapes of an exchange, shared by the engine and the files that hold one exchange each."""

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from lab.errors import LabError
from lab.wire.ids import ExchangeType
from lab.wire.message import Message
from lab.wire.payloads import Payload

if TYPE_CHECKING:
    from lab.ikev2.sa import Sa

__all__ = ["Callable", "Conversation", "Exchange", "ExchangeTimeout", "Payloads", "Plan", "Request", "Sa"]

# What begins an IKE SA: number 0, and unprotected since there are no keys yet.
IN_CLEAR = (ExchangeType.IKE_SA_INIT, ExchangeType.IKE_SESSION_RESUME)

Payloads: TypeAlias = tuple[Payload, ...]


class ExchangeTimeout(LabError):
    """Thrown into an exchange whose request was never answered."""


@dataclass(frozen=True, slots=True)
class Request:
    """What an initiator yields; header, message ID and protection are the engine's business."""

    exchange: ExchangeType
    payloads: Payloads


# An initiator yields a Request, or None for "that was no answer, keep waiting"; it is sent the verified response.
Exchange: TypeAlias = Generator[Request | None, Message, None]
# What waits for room in the window: an exchange that begins when its turn comes, on the IKE SA that is then the one.
Plan: TypeAlias = "Callable[[Sa], Exchange]"
# A responder to several requests in a row yields each response and returns the last one.
Conversation: TypeAlias = Generator[Payloads, Message, Payloads]
