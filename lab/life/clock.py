"""A virtual clock that stands still while nobody commands the lab.

The clock of such a guest leaps to the next timer whenever all its processes wait, so a lab that is left alone would run
through its lifetimes in seconds. A process that never waits stops it. It is of the lowest class, and gives way with
every turn: a guest meets what comes from outside only in its kernel. While a job runs, the clock goes on.
"""

import os
import signal

from lab.emulation import linux


class Clock:
    """Holds the clock, and lets it go; a real one cannot be held."""

    def __init__(self, *, virtual: bool) -> None:
        self._holder, self._held = (_holder() if virtual else 0), virtual

    def hold(self, held: bool) -> None:
        """Let it stand still, or go on."""
        if self._holder and held != self._held:
            os.kill(self._holder, signal.SIGCONT if held else signal.SIGSTOP)
            self._held = held

    def close(self) -> None:
        """Let it go on for good."""
        if self._holder:
            os.kill(self._holder, signal.SIGKILL)
            os.waitpid(self._holder, 0)
            self._holder = 0


def _holder() -> int:
    pid = os.fork()
    if pid:
        return pid
    try:
        linux.die_with_parent()
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
        while True:
            os.sched_yield()
    finally:
        os._exit(0)
