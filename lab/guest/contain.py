"""A guest that root starts may write to nothing on the host but the directories it was given.

The kernel runs in its own mount and process namespaces: every other mount is made read-only there, and when the
launcher dies the process namespace takes all of the guest's processes with it. An ordinary user needs neither: the
guest can do no more than the user, and its processes die with the kernel process.
"""

import functools
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

# $1: number of writable directories that follow, then the kernel's command line. A shell stays process 1 of the
# namespace, because a kernel in that place would hang on a panic.
SCRIPT = r"""
count=$1; shift; keep=:
while [ "$count" -gt 0 ]; do
  mount --bind "$1" "$1" || exit 125
  keep="$keep$1:"; shift; count=$((count - 1))
done
while read -r _ _ _ _ point _; do
  point=$(printf %b "$point")
  case "$keep" in *":$point:"*) ;; *) mount -o remount,bind,ro "$point" 2>/dev/null || failed="$failed $point" ;; esac
done </proc/self/mountinfo
case " $failed " in *" / "*) echo "guest: cannot make / read-only"; exit 125 ;; esac
"$@"
"""


def command(kernel: Sequence[str], *, writable: Sequence[Path]) -> list[str]:
    """The command that starts `kernel`, contained if root starts it."""
    if os.geteuid() != 0 or not possible():
        return list(kernel)
    namespaces = ["unshare", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child=KILL", "--"]
    return [*namespaces, "/bin/sh", "-c", SCRIPT, "sh", str(len(writable)), *map(str, writable), *kernel]


@functools.cache
def possible() -> bool:
    """Whether root may make namespaces here; in most containers it may not."""
    tried = subprocess.run(
        ["unshare", "--mount", "--pid", "--fork", "--mount-proc", "true"], capture_output=True, check=False
    )
    return tried.returncode == 0
