"""Which CPU a guest runs on.

A User Mode Linux kernel has one processor; unpinned, each of its system calls pays for a wake-up across CPUs. Guests
that run at once should not share one, so each holds a lock on its CPU's file while it runs.
"""

import contextlib
import fcntl
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def claimed(wanted: int | None) -> Iterator[int]:
    """A CPU of this process's set that no other guest of this user holds, or any one if all are held."""
    if wanted is not None:
        yield wanted
        return
    allowed = sorted(os.sched_getaffinity(0))
    place = Path(tempfile.gettempdir()) / f"ikelab-cpus-{os.getuid()}"
    place.mkdir(mode=0o700, exist_ok=True)
    with contextlib.ExitStack() as stack:
        yield next((cpu for cpu in allowed if _take(stack, place / str(cpu))), allowed[os.getpid() % len(allowed)])


def _take(stack: contextlib.ExitStack, path: Path) -> bool:
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return False
    stack.callback(os.close, handle)
    return True
