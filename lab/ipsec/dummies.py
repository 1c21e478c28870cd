"""Dummy packets at a steady rate: who watches cannot tell when there is something to carry (RFC 4303 2.6).

A dummy packet is an ESP packet with the next header 59, its content is nothing, and the receiver drops it without a
word. It is as long as other packets are filled up to, or else of a length that nobody can guess.
"""

from collections.abc import Callable

SHORTEST, LONGEST = 20, 1400


class Pace:
    """When the next dummy packet is due."""

    def __init__(self, rate: float) -> None:
        self._rate, self._next = rate, 0.0

    def next_deadline(self) -> float | None:
        """When one is due; None for never."""
        return self._next if self._rate else None

    def due(self, now: float) -> bool:
        """Whether one is due; the next is a whole period later, however late this one is."""
        if not self._rate or now < self._next:
            return False
        self._next = now + 1 / self._rate
        return True


def length(random: Callable[[int], bytes], fill: int, room: int) -> int:
    """Octets inside a dummy packet, of which at most `room` fit; `fill` is what all packets are filled up to."""
    longest = max(SHORTEST, min(room, LONGEST))
    return fill or SHORTEST + int.from_bytes(random(2), "big") % (longest - SHORTEST + 1)
