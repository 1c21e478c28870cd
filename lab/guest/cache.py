"""Where the layers of the image live, and how one is published.

A layer is built in a temporary directory beside its place and renamed when it is complete: what has the right name is
whole. One lock keeps two builds apart. Nothing else in the lab writes below this directory.
"""

import contextlib
import fcntl
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from lab.errors import UnfitError

UNFINISHED = ".unfinished"


def directory() -> Path:
    """The user's cache directory for the lab, by the XDG rules; it need not exist yet."""
    home = os.environ.get("XDG_CACHE_HOME", "")
    base = Path(home) if home.startswith("/") else Path.home() / ".cache"
    return base / "ikelab"


@contextlib.contextmanager
def locked(waiting: Callable[[], None]) -> Iterator[Path]:
    """Hold the build lock of the cache; call `waiting` once if another process has it."""
    place = directory()
    try:
        place.mkdir(parents=True, exist_ok=True)
        handle = os.open(place / "build.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise UnfitError(f"cannot write the cache {place}: {error.strerror}", fix="set XDG_CACHE_HOME") from error
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waiting()
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield place
    finally:
        os.close(handle)


def fresh(target: Path) -> Path:
    """An empty directory to build `target` in; what an interrupted build left there is removed."""
    unfinished = target.with_name(target.name + UNFINISHED)
    remove(unfinished)
    unfinished.mkdir(parents=True)
    return unfinished


def publish(unfinished: Path, target: Path) -> None:
    """Give a complete layer its name; everything in it becomes readable to the user who built it."""
    remove(target)
    unfinished.rename(target)


def remove(path: Path) -> None:
    """Remove a tree, including directories that their package made read-only."""
    if not path.exists():
        return
    os.chmod(path, stat.S_IRWXU)
    for folder, names, _ in os.walk(path):  # which looks into them only after this
        for inside in (os.path.join(folder, name) for name in names):
            if not os.path.islink(inside):
                os.chmod(inside, stat.S_IRWXU)
    shutil.rmtree(path)


def size(path: Path) -> int:
    """Bytes that a tree holds."""
    return sum(
        os.lstat(os.path.join(folder, name)).st_size for folder, _, names in os.walk(path) for name in names
    )  # fmt: skip
