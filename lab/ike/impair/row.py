"""One impairment: what our endpoint sends wrongly, which clause says so, and what its receiver makes of it."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from lab.ike.impair.craft import Craft, Draft
from lab.wire.header import Header
from lab.wire.ids import ExchangeType, NotifyType, PayloadType


class Outcome(Enum):
    """What the receiver has to do."""

    IGNORED = "ignored"  # dropped; nothing changes, and nothing protected is said about it
    REFUSED = "refused"  # what was asked for does not come about: a request is answered with the notify
    TOLERATED = "tolerated"  # it goes on as if the message were right


class Side(Enum):
    """Which messages an impairment is made for."""

    REQUEST = "requests"
    RESPONSE = "responses"
    BOTH = "requests and responses"


@dataclass(frozen=True, slots=True)
class Impairment:
    """A row of the table.

    `notify` is what a request is REFUSED with; of one that is IGNORED it is what may be said in clear (2.21), at most.
    A response that is not TOLERATED makes the requester wait on (IGNORED) or give up and say why (REFUSED); it is
    `response` that holds for it where that differs. The row is made in a message of `exchange` that holds a payload of
    type `holds`; with `in_fragments` only where both sides announced fragmentation.
    """

    name: str
    about: str
    clause: str
    exchange: ExchangeType
    outcome: Outcome
    craft: Craft
    notify: NotifyType | None = None
    side: Side = Side.BOTH
    holds: PayloadType | None = None
    response: Outcome | None = None
    in_fragments: bool = False

    def fits(self, draft: Draft) -> bool:
        """Whether it can be made in this message."""
        return (
            draft.header.exchange == self.exchange
            and self.on(response=draft.header.response)
            and (self.holds is None or any(payload.type == self.holds for payload in draft.payloads))
            and (draft.fragments or not self.in_fragments)
        )

    def on(self, *, response: bool) -> bool:
        """Whether it is made in responses, or else in requests."""
        return self.side is Side.BOTH or (self.side is Side.RESPONSE) == response

    def expected(self, *, response: bool) -> Outcome:
        """What the receiver of a response, or else of a request, has to do."""
        return self.response or self.outcome if response else self.outcome

    @property
    def receiver(self) -> str:
        """The outcome in words, first that of a request."""
        asked = self.outcome.value
        if self.notify is not None:
            asked += f" with {self.notify.name}" if self.outcome is Outcome.REFUSED else f", perhaps {self.notify.name}"
        return asked if self.response is None else f"{asked}; a response {self.response.value}"


def headed(change: Callable[[Header], Header]) -> Craft:
    """A craft that changes the header, under an ICV that covers the change."""
    return lambda draft: draft.encode(header=change(draft.header))
