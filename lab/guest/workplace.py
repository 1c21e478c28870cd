"""Directories on the host that a guest works with besides its image: the one of this boot, and compiled Python.

A launcher that was killed leaves its directory behind; the next boot of the same user removes it. A lock on the
directory says whether its launcher lives.
"""

import contextlib
import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from lab.errors import UnfitError
from lab.guest import cache
from lab.guest.image import Image

PREFIX = "ikelab-guest-"
COMPILED = "compiled-"
KEPT = 6  # of these directories
LEAST_FREE = 256 << 20  # what a guest with a few daemons touches of its memory, with a margin
UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


@contextlib.contextmanager
def directory(memory: str) -> Iterator[Path]:
    """A private directory for one boot, for its files and for the file that is the guest's memory."""
    place = place_for(min(LEAST_FREE, octets(memory)))
    sweep(place)
    boot = Path(tempfile.mkdtemp(prefix=PREFIX, dir=place))
    lock = os.open(boot, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield boot
    finally:
        os.close(lock)
        shutil.rmtree(boot, ignore_errors=True)


def octets(memory: str) -> int:
    """Bytes of a size as the kernel's command line has it: 512M, 1G."""
    number, unit = (memory[:-1], memory[-1:].upper()) if memory[-1:].upper() in UNITS else (memory, "")
    if not number.isdigit():
        raise UnfitError(f"{memory!r} is no memory size", fix="write it like 512M or 1G")
    return int(number) * UNITS.get(unit, 1)


def place_for(size: int) -> Path:
    """In memory if there is room, else in the temporary directory: the guest's memory is a file there."""
    places = [Path("/dev/shm"), Path(tempfile.gettempdir())]
    for place in places:
        if os.access(place, os.W_OK | os.X_OK) and _executable(place) and shutil.disk_usage(place).free >= size:
            return place
    raise UnfitError(f"neither {places[0]} nor {places[1]} has {size >> 20} MB free for a guest", fix="make room there")


def _executable(place: Path) -> bool:
    """Whether programs may run from files there; the guest's memory holds programs."""
    return not os.statvfs(place).f_flag & os.ST_NOEXEC


def sweep(place: Path) -> None:
    """Remove what killed launchers of this user left behind."""
    for left in place.glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):
            if left.lstat().st_uid != os.getuid():
                continue
            handle = os.open(left, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(left, ignore_errors=True)
            finally:
                os.close(handle)


def compiled_python(source: Path, image: Image) -> Path | None:
    """Where guests keep the compiled Python of this source between boots; None if the cache cannot be written."""
    key = hashlib.sha256(f"{source}:{image.root}:{image.mounts}".encode()).hexdigest()[:12]
    place = cache.directory() / f"{COMPILED}{key}"
    try:
        place.mkdir(exist_ok=True)
        os.utime(place)
    except OSError:
        return None
    _forget_compiled(cache.directory())
    return place if os.access(place, os.W_OK) else None


def _forget_compiled(place: Path) -> None:
    """Keep what the sources used last have compiled: every clone and every new image begins another directory."""
    with contextlib.suppress(FileNotFoundError):  # another launcher was quicker
        by_use = sorted(place.glob(f"{COMPILED}*"), key=lambda path: path.stat().st_mtime)
        for old in by_use[:-KEPT]:
            shutil.rmtree(old, ignore_errors=True)
