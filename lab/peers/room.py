"""A root of its own for a peer that is driven by commands: every command of one peer sees the same files.

Rules: the base system, with the peer's own tree laid over it where the image has one; /run is the peer's own; what is
written elsewhere stays in memory and goes with the room. A sleeping process holds it, as long as the peer lives.
"""

import os
import re
import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from lab.errors import BrokenError
from lab.peers.base import Node

PEERS = Path("/opt/peers")
OPEN_S, POLL_S = 30.0, 0.005
_READY = "room"
# $1 the directory that becomes /run, $2 the tree or nothing, then the directories that are seen at their own place.
_HOLD = f"""set -e
run=$1 tree=$2; shift 2
if [ -n "$tree" ]; then
  mount -t tmpfs tmpfs /mnt
  mkdir /mnt/upper /mnt/work /mnt/root
  mount -t overlay -o "lowerdir=$tree:/,upperdir=/mnt/upper,workdir=/mnt/work" overlay /mnt/root
  for shared in dev proc sys; do mount --rbind /$shared /mnt/root/$shared; done
  for shared in "$@"; do mkdir -p "/mnt/root$shared"; mount --bind "$shared" "/mnt/root$shared"; done
  mount --bind "$run" /mnt/root/run
  : >"$run/{_READY}"
  exec chroot /mnt/root sleep infinity
fi
mount --bind "$run" /run
: >/run/{_READY}
exec sleep infinity
"""


def tree(name: str) -> Path | None:
    """The tree of a peer in the image, the newest if there are several."""
    found = {path: re.fullmatch(re.escape(name) + r"-(\d.*)", path.name) for path in PEERS.glob(f"{name}-*")}
    versions = {path: _numbers(match[1]) for path, match in found.items() if match}
    return max(versions, key=lambda path: versions[path], default=None)


def _numbers(version: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", version)]


class Room:
    """The held root, and the processes started in it."""

    def __init__(self, node: Node, run: Path, tree: Path | None, shared: Sequence[Path]) -> None:
        self._node, self._run, self._tree, self._shared = node, run, tree, shared
        self._holder: subprocess.Popen[bytes] | None = None
        self._started: list[subprocess.Popen[bytes]] = []

    def open(self) -> None:
        """Make the root and hold it; BrokenError where it cannot be made."""
        words = [str(self._run), str(self._tree or ""), *map(str, self._shared)]
        argv = ["unshare", "--mount", "sh", "-c", _HOLD, "sh", *words]
        self._holder = self._node.popen(argv, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
        deadline = time.monotonic() + OPEN_S
        while not (self._run / _READY).exists():
            if self._holder.poll() is not None or time.monotonic() > deadline:
                raise BrokenError(f"no root could be made for the peer in {self._node.name}: {self._why()}")
            time.sleep(POLL_S)

    def _why(self) -> str:
        if self._holder is None or self._holder.poll() is None or self._holder.stderr is None:
            return "it takes too long"
        return self._holder.stderr.read().decode(errors="replace").strip() or "it ended without a word"

    def popen(self, argv: Sequence[str], **options: object) -> "subprocess.Popen[bytes]":
        """Start a process in the room; it ends with the room at the latest, and so does what it starts."""
        if self._holder is None:
            raise BrokenError(f"the peer in {self._node.name} was asked before it was started")
        enter = ["nsenter", f"--target={self._holder.pid}", "--mount", "--root", "--", *argv]
        process = self._node.popen(enter, start_new_session=True, **options)
        self._started.append(process)
        return process

    def close(self) -> None:
        """Kill what was started here, and let the root go."""
        for process in (*self._started, *filter(None, [self._holder])):
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL) if process is not self._holder else process.kill()
            process.wait()
            for stream in (process.stdout, process.stderr):
                if stream is not None:
                    stream.close()
        self._started, self._holder = [], None
