"""A small process that forks our daemons, one for each node that asks.

Rules: it is started with exec and imports the daemon and little else. The process that runs scenarios is large, and in
the guest forking a large process costs more than a handshake - and then every page that either touches costs again. A
daemon enters its node by the descriptors it is given, dies with the nursery, and the nursery ends with the lab.

    -> {"config": PATH, "backend": NAME, "control": PATH, "run_dir": PATH, "seed": TEXT or null}
       with descriptors: network namespace, mount namespace, root directory
    <- the number of the process that became the daemon
"""

import gc
import json
import os
import signal
import socket
import subprocess
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

import lab
from lab.emulation import linux
from lab.emulation.namespace import enter
from lab.errors import BrokenError

_MESSAGE, _DESCRIPTORS = 1 << 16, 3
STDERR = "stderr"


class Nursery:
    """The nursery of this lab, seen from it; started when it is first needed."""

    _running: "Nursery | None" = None

    def __init__(self) -> None:
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        root = str(Path(lab.__file__).parent.parent)
        search = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "lab.peers.nursery"],
                stdin=theirs.fileno(),
                cwd="/",
                env=os.environ | {"PYTHONPATH": search},
                start_new_session=True,
            )

    @classmethod
    def shared(cls) -> "Nursery":
        """The one that runs, or a new one."""
        if cls._running is None or cls._running.process.poll() is not None:
            cls._running = cls()
        return cls._running

    def fork(self, request: Mapping[str, object], descriptors: list[int]) -> int:
        """Have a daemon started; the number of its process."""
        try:
            socket.send_fds(self._control, [json.dumps(request).encode()], descriptors)
            answer = self._control.recv(_MESSAGE)
        except OSError as error:
            raise BrokenError(f"the nursery of our daemons is gone: {error.strerror}") from error
        if not answer:
            raise BrokenError("the nursery of our daemons died")
        return int(answer)


# -- in the nursery


def main() -> None:
    """Serve requests until the lab has closed its end."""
    # Imported here: the lab itself imports this module and needs no daemon.
    from lab.daemon.main import main as serve  # noqa: PLC0415

    linux.die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the lab, which ends us by hanging up
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits here: the lab watches the daemons itself
    control = socket.socket(fileno=os.dup(0))
    gc.freeze()
    while True:
        data, descriptors, _, _ = socket.recv_fds(control, _MESSAGE, _DESCRIPTORS)
        if not data:
            return
        pid = os.fork()
        if pid == 0:
            control.close()
            _become(serve, json.loads(data), descriptors)
        control.send(str(pid).encode())
        for descriptor in descriptors:
            os.close(descriptor)


def _become(serve: Any, request: dict[str, Any], descriptors: list[int]) -> NoReturn:
    """In a forked child: enter the node, redirect output, be the daemon, and never come back."""
    status = 70
    try:
        linux.die_with_parent()
        os.setsid()
        for number in (signal.SIGINT, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        run_dir = Path(request["run_dir"])
        output = os.open(run_dir / STDERR, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        nothing = os.open(os.devnull, os.O_RDONLY)
        for descriptor, target in ((nothing, 0), (output, 1), (output, 2)):
            os.dup2(descriptor, target)
        enter(*descriptors)
        status = serve(
            request["config"],
            backend=request["backend"],
            control=request["control"],
            run_dir=run_dir,
            keylog=run_dir,
            seed=request["seed"],
        )
    except BaseException:  # noqa: BLE001  (a forked child must end here, whatever happened; the lab reads why)
        os.write(2, traceback.format_exc().encode())
    finally:
        os._exit(status)


if __name__ == "__main__":
    main()
