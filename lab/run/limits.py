"""How long a guest may be at one thing: so much computing, and several times that by the clock on the wall.

Rules: a process that spins stops virtual time for ever, and is told by what it computes; one that waits for what never
comes is told by the clock. On a machine that others keep busy the clock alone would end guests that are well, which
get on slowly: there the guest's own processor time decides. Where nobody can say how much that is, the clock does.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lab.run.kernels import Attached

# By the clock a guest may take so many times what it may compute.
PATIENCE = 3.0
# A guest's processor time is read when so much of the limit has passed: nearly all scenarios end before.
_FROM = 0.25
_SESSION, _TIMES = 3, slice(11, 15)


@dataclass(slots=True)
class Meter:
    """Attached to a guest, whoever else is: reads the processor time of its processes."""

    other: Attached | None = None
    session: int | None = None

    @property
    def line(self) -> int | None:
        """The line of who else is attached."""
        return self.other.line if self.other else None

    def begun(self, process: int, directory: Path, /) -> None:
        """The guest's processes are those of this session."""
        self.session = process
        if self.other is not None:
            self.other.begun(process, directory)

    def cpu_s(self) -> float | None:
        """Seconds that the guest has computed so far; None where there is none to ask."""
        return None if self.session is None else session_cpu_s(self.session)


def session_cpu_s(session: int, proc: Path = Path("/proc")) -> float | None:
    """Processor time, in seconds, of all processes of a session and of those that they waited for."""
    ticks, found = 0, False
    for name in os.listdir(proc):
        if not name.isdigit():
            continue
        try:
            # The command stands in brackets and may hold anything.
            fields = (proc / name / "stat").read_text(errors="replace").rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if fields[_SESSION] == str(session):
            found = True
            ticks += sum(int(field) for field in fields[_TIMES])
    return ticks / os.sysconf("SC_CLK_TCK") if found else None


class Limit:
    """Watches one guest: `passed` says why it is to be ended, if it is."""

    def __init__(self, cpu_s: Callable[[], float | None]) -> None:
        self._cpu_s = cpu_s
        self._before: tuple[object, float] | None = None

    def passed(self, what: object, busy_s: float, limit_s: float) -> str:
        """Whether it has been at `what` too long, by the clock for `busy_s`; the reason, or nothing."""
        if busy_s <= limit_s * _FROM:
            self._before = None
            return ""
        if self._before is None or self._before[0] != what:
            self._before = (what, cpu) if (cpu := self._cpu_s()) is not None else None
        if busy_s <= limit_s:
            return ""
        if self._before is None or (cpu := self._cpu_s()) is None:
            return f"it took more than {limit_s:.0f} s of real time"
        if cpu - self._before[1] > limit_s * (1 - _FROM):
            return f"it computed for more than {limit_s:.0f} s"
        return f"it took more than {limit_s * PATIENCE:.0f} s of real time" if busy_s > limit_s * PATIENCE else ""
