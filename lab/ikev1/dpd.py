"""Dead peer detection (RFC 3706): R-U-THERE asks, R-U-THERE-ACK answers, each in an Informational of its own.

Informationals are not acknowledged, so the question itself is what is repeated: with a higher sequence number each
time, when other messages would be repeated, until any of the answers is there.
"""

from dataclasses import dataclass

from lab.ike.config import Settings


@dataclass(slots=True)
class Dpd:
    """The questions of one side. `announced`: the peer answers them at all; `due` None where none is open."""

    announced: bool = False
    number: int = 0
    first: int = 0
    asked: int = 0
    due: float | None = None

    def ask(self, now: float, settings: Settings, first_number: int) -> int:
        """The sequence number of the next question; `first_number` is where a peer's questions begin (RFC 3706 5.4)."""
        self.number = self.number + 1 if self.number else first_number
        if self.due is None:
            self.first, self.asked = self.number, 0
        self.due = now + settings.retransmit_timeout * settings.retransmit_base**self.asked
        self.asked += 1
        return self.number

    def answered(self, number: int) -> bool:
        """Whether this answers an open question, which is closed then."""
        if self.due is None or not self.first <= number <= self.number:
            return False
        self.due = None
        return True

    def hopeless(self, settings: Settings) -> bool:
        """Whether the last question has gone out."""
        return self.asked > settings.retransmit_tries
