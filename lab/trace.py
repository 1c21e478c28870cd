"""Structured trace: one record per packet, transition and drop reason. The sink is injected, the core keeps nothing."""

from collections.abc import Callable
from dataclasses import dataclass, field

PROVOKED = ("drop", "refusal", "repeat")
Sink = Callable[["Record"], None]


@dataclass(frozen=True, slots=True)
class Record:
    """One traced fact: `now` in seconds, `kind` a short noun, `text` in words.

    `drop`, `refusal` (of a stranger) and `repeat` (of a message that was answered) are those that anybody can have us
    write as often as he sends (`PROVOKED`); the others are `state`, `message`, `failed` and `note`.
    """

    now: float
    kind: str
    text: str
    fields: dict[str, object] = field(default_factory=dict)


class Trace:
    """Writes records to a sink; the default sink forgets them."""

    def __init__(self, sink: Sink = lambda record: None) -> None:
        self._sink = sink
        self.now = 0.0

    def emit(self, kind: str, text: str, **fields: object) -> None:
        """Write one record stamped with the time of the call in progress."""
        self._sink(Record(self.now, kind, text, fields))

    def drop(self, reason: str, **fields: object) -> None:
        """Say why a packet was dropped."""
        self.emit("drop", reason, **fields)
