"""A process of ours that stands beside the lab for as long as it runs, and talks to it over its standard input.

It is found where this package lies, whatever the directory; a session of its own keeps the terminal's signals from it.
"""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import lab


def start(module: str, theirs: socket.socket, blocked: Iterable[signal.Signals] = ()) -> subprocess.Popen[bytes]:
    """Run a module with this end of a socket, which is closed here; it begins with those signals blocked."""
    root = str(Path(lab.__file__).parent.parent)
    search = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
    before = signal.pthread_sigmask(signal.SIG_BLOCK, blocked)
    try:
        with theirs:
            return subprocess.Popen(
                [sys.executable, "-m", module],
                stdin=theirs.fileno(),
                cwd="/",
                env=os.environ | {"PYTHONPATH": search},
                start_new_session=True,
            )
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
