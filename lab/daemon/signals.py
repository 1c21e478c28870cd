"""Signals as something readable: the loop hears of them like of a datagram, not in the middle of something else."""

import os
import signal
from collections.abc import Callable
from types import FrameType

HEARD = (signal.SIGTERM, signal.SIGINT)


class Signals:
    """SIGTERM and SIGINT between `__enter__` and `__exit__`; in the main thread only."""

    def __enter__(self) -> "Signals":
        self._read, self._write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._wakeup = signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        self._before = {number: signal.signal(number, _nothing) for number in HEARD}
        return self

    def __exit__(self, *_exc: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._wakeup)
        os.close(self._read)
        os.close(self._write)

    def fileno(self) -> int:
        """For the selector."""
        return self._read

    def take(self, heard: Callable[[signal.Signals], None]) -> None:
        """Tell every signal that came since the last call."""
        for number in os.read(self._read, 64):
            if number in HEARD:
                heard(signal.Signals(number))


def _nothing(_number: int, _frame: FrameType | None) -> None:
    """The octet in the pipe is all we need."""
