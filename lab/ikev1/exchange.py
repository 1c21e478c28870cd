"""The shapes of an exchange, shared by the engine and the files that hold one exchange each.

Either side may begin an exchange of phase 2 at any time; nobody has requests and responses as in IKEv2. So both roles
are generators of the same shape: each yields the message to send and is sent the authentic message that follows.
"""

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from lab.errors import LabError
from lab.wire.ids_v1 import ExchangeType1
from lab.wire.message_v1 import Message1, Payload1

if TYPE_CHECKING:
    from lab.ikev1.sa import Sa

__all__ = ["Check", "Exchange", "ExchangeTimeout", "Payloads", "Plan", "Sa", "Step", "no_check"]

Payloads: TypeAlias = tuple[Payload1, ...]
# Why the message that follows is not authentic or lacks something, in words; empty where it is all right.
Check: TypeAlias = Callable[[Message1], str]


class ExchangeTimeout(LabError):
    """Thrown into an exchange whose next message never came."""


def no_check(message: Message1) -> str:
    """For answers that nothing authenticates, as in the first messages of phase 1."""
    return ""


@dataclass(frozen=True, slots=True)
class Step:
    """A message to send, and what may follow it; header, message ID and encryption are the engine's business.

    `repeat` says that it is sent again until the next message is there: true only for the side that waits, and never
    for a first reply to a stranger. `sealed_next` says whether the message that follows is encrypted; None: either.
    """

    exchange: ExchangeType1
    payloads: Payloads
    encrypted: bool = True
    repeat: bool = True
    sealed_next: bool | None = True
    check: Check = no_check


# What a generator returns is sent as well: the last message, which nothing follows.
Exchange: TypeAlias = Generator[Step, Message1, Step | None]
# What waits for phase 1 to be over: an exchange under a message ID of its own.
Plan: TypeAlias = "Callable[[Sa, int], Exchange]"
