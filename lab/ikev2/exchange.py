"""The shapes of an exchange, shared by the engine and the files that hold one exchange each."""

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, TypeAlias

from lab.errors import LabError
from lab.wire.ids import ExchangeType, KeMethod
from lab.wire.message import Message
from lab.wire.payloads import Payload

if TYPE_CHECKING:
    from lab.ikev2.sa import Sa

__all__ = [
    "Callable",
    "Conversation",
    "Exchange",
    "ExchangeTimeout",
    "Payloads",
    "Plan",
    "Request",
    "Sa",
    "Sequel",
    "Series",
]

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


class Sequel(Protocol):
    """What a responder does once all key exchanges that CREATE_CHILD_SA agreed on are done (RFC 9370 2.2.4)."""

    @property
    def made(self) -> object:
        """The child or IKE SA that is to come of it."""

    @property
    def wanted(self) -> bool:
        """Whether what it was asked for can still be."""

    def finish(self, further: bytes) -> None:
        """Bring it up; `further` is SK(1) | ... SK(n)."""

    def abandon(self, reason: str) -> None:
        """The initiator does not go on."""


@dataclass(frozen=True, slots=True)
class Series:
    """Additional key exchanges that a responder waits for: which, until when, and what those so far have made."""

    sequel: Sequel
    groups: tuple[KeMethod, ...]
    due: float
    further: bytes = field(default=b"", repr=False)
