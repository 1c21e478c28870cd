"""The wait of the daemon: one selector, and a guard against spinning.

In a guest whose clock stands still while anything runs, a loop that spins stops time for ever. So a deadline that has
passed and does not move on, turn after turn, is a bug that ends the daemon.
"""

import selectors
from collections.abc import Callable

from lab.errors import BrokenError

MOST_IDLE_TURNS = 1000
# The kernel lets select come late by a thousandth of a long wait (to save power). So a long wait ends a little early,
# and the short one that follows is exact.
LONG_S, EARLY = 0.02, 0.998
# The system takes no wait beyond some weeks; an early turn does nothing.
LONGEST_S = 86400.0
Ready = Callable[[int], None]


class Loop:
    """Calls what is readable, or comes back at a deadline."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock, self.wakeups = clock, 0
        self.selector = selectors.DefaultSelector()
        self._idle_turns = 0

    def watch(self, source: int, ready: Ready) -> None:
        """Call `ready` when a file descriptor becomes readable."""
        self.selector.register(source, selectors.EVENT_READ, ready)

    def turn(self, deadline: float | None) -> None:
        """Wait until something is readable or the deadline has come; None waits as long as it takes."""
        timeout = None if deadline is None else min(max(0.0, deadline - self.clock()), LONGEST_S)
        early = timeout * EARLY if timeout is not None and timeout > LONG_S else timeout
        ready = self.selector.select(early)
        self.wakeups += 1
        for key, mask in ready:
            # A source may have gone by what an earlier one of this turn did.
            if self.selector.get_map().get(key.fd) == key:
                key.data(mask)
        self._idle_turns = self._idle_turns + 1 if timeout == 0.0 and not ready else 0
        if self._idle_turns > MOST_IDLE_TURNS:
            raise BrokenError(f"the timer at {deadline} does not move on: the loop would spin for ever")

    def close(self) -> None:
        """Give the selector back."""
        self.selector.close()
