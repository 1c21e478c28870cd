"""An ordinary user with a readable image, for tests that root runs."""

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lab.guest import cache, image

SOURCE = Path(__file__).parents[2]
NOBODY = 65534


@contextmanager
def user_with_image() -> Iterator[tuple[list[str], dict[str, str], Path]]:
    """The command prefix and environment of an ordinary user who owns a copy of the image, and their directory."""
    home = Path(tempfile.mkdtemp(prefix="ikelab-test-", dir="/var/tmp"))
    try:
        place = home / "cache/ikelab"
        place.mkdir(parents=True)
        for layer in image.layers():
            shutil.copytree(layer.path, place / layer.path.name, symlinks=True, copy_function=_link)
        for folder in (home, home / "cache", place):
            os.chown(folder, NOBODY, NOBODY)
        environment = {
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": str(home), "XDG_CACHE_HOME": str(home / "cache"),
            "PYTHONPATH": str(SOURCE), "PYTHONDONTWRITEBYTECODE": "1",
        }  # fmt: skip
        become = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--no-new-privs", "--"]
        yield [*become, _python(become)], environment, home
    finally:
        cache.remove(home)


def _link(source: str, target: str) -> None:
    """A hard link where the file system allows it: the layers are never written."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def _python(become: list[str]) -> str:
    """An interpreter that the ordinary user can run: the test's own may lie in root's home."""
    for candidate in (sys.executable, "/usr/bin/python3"):
        if os.system(f"{' '.join(become)} {candidate} -c 'import tomllib' 2>/dev/null") == 0:
            return candidate
    raise AssertionError("no Python >= 3.11 that an ordinary user can run")
