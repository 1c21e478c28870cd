"""Several things at one time, by threads that are gone for good when it is over.

Entering a node's namespaces needs a process of one thread, and a thread that was joined is still the kernel's for a
moment.
"""

import os
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from lab.errors import BrokenError

GONE_S, POLL_S = 10.0, 0.001
Thing = TypeVar("Thing")
Outcome = TypeVar("Outcome")


def at_once(act: Callable[[Thing], Outcome], things: Iterable[Thing]) -> list[Outcome]:
    """What `act` gives for each of them, all begun before any is over; BrokenError if a thread does not end."""
    listed, before = list(things), _threads()
    with ThreadPoolExecutor(len(listed)) as pool:
        found = list(pool.map(act, listed))
    deadline = time.monotonic() + GONE_S
    while _threads() > before:
        if time.monotonic() > deadline:
            raise BrokenError(f"a thread of the lab did not end within {GONE_S:g} s")
        time.sleep(POLL_S)
    return found


def _threads() -> int:
    return len(os.listdir("/proc/self/task"))
