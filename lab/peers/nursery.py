"""A small process that forks our daemons, so that the lab, which is large, need not.

Rules: it is started with exec and imports the daemon and little else. In the guest forking a large process costs more
than a handshake, and then every page that either touches costs again; so a daemon that has ended is used anew, as long
as it left nothing behind (worker.py). A daemon that was killed is replaced. All of them die with the nursery, and the
nursery ends with the lab.

    -> one octet, with a descriptor: the worker's end of its socket
    <- the number of the process that became the worker
"""

import contextlib
import gc
import os
import select
import signal
import socket
from collections.abc import Mapping, Sequence

from lab.emulation import companion, linux
from lab.errors import BrokenError
from lab.peers import worker

_MESSAGE = 1 << 16
END_S, KEPT = 10.0, 6


class Daemon:
    """A process that is our daemon, or was and may be again: the lab's view of one worker."""

    def __init__(self, pid: int, control: socket.socket) -> None:
        self.pid, self._control = pid, control
        self._process = os.pidfd_open(pid)

    def serve(self, request: Mapping[str, object], descriptors: Sequence[int]) -> None:
        """Have it be the daemon of a node; returns at once."""
        try:
            worker.tell(self._control, request, descriptors)
        except OSError as error:
            raise BrokenError(f"a process for our daemon is gone: {error.strerror}") from error

    def alive(self) -> bool:
        """Whether the process runs; its descriptor becomes readable when it ends."""
        return not select.select([self._process], [], [], 0)[0]

    def end(self) -> bool:
        """Have the daemon end and send nothing; whether the process is ready to be another."""
        with contextlib.suppress(OSError):
            self._control.send(worker.END)
            if select.select([self._control], [], [], END_S)[0] and self._control.recv(_MESSAGE) == worker.ENDED:
                return True
        self.kill()
        return False

    def kill(self) -> None:
        """As when the power is cut: it tells nobody; returns when the process is gone."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._process, signal.SIGKILL)
        select.select([self._process], [], [])
        os.close(self._process)
        self._control.close()


class Nursery:
    """The nursery of this lab, seen from it; started when it is first needed."""

    _running: "Nursery | None" = None

    def __init__(self) -> None:
        self._idle: list[Daemon] = []
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.process = companion.start("lab.peers.nursery", theirs)

    @classmethod
    def shared(cls) -> "Nursery":
        """The one that runs, or a new one."""
        if cls._running is None or cls._running.process.poll() is not None:
            cls._running = cls()
        return cls._running

    def start(self, request: Mapping[str, object], descriptors: Sequence[int]) -> Daemon:
        """Start a daemon, in a process that has been one before if there is such a one."""
        daemon = self._idle.pop() if self._idle else self._fork()
        daemon.serve(request, descriptors)
        return daemon

    def end(self, daemon: Daemon) -> None:
        """End a daemon without a word to its peer, and keep its process for the next one if it is fit for that.

        A few are kept: after a scenario with many, the others would only hold memory, of which a guest has little.
        """
        if not daemon.end():
            return
        if len(self._idle) < KEPT:
            self._idle.append(daemon)
        else:
            daemon.kill()

    def _fork(self) -> Daemon:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            with theirs:
                socket.send_fds(self._control, [b"+"], [theirs.fileno()])
                answer = self._control.recv(_MESSAGE)
        except OSError as error:
            raise BrokenError(f"the nursery of our daemons is gone: {error.strerror}") from error
        if not answer:
            raise BrokenError("the nursery of our daemons died")
        return Daemon(int(answer), ours)


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
        data, descriptors, _, _ = socket.recv_fds(control, _MESSAGE, 1)
        if not data:
            return
        pid = os.fork()
        if pid == 0:
            control.close()
            worker.live(serve, socket.socket(fileno=descriptors[0]))
        control.send(str(pid).encode())
        os.close(descriptors[0])


if __name__ == "__main__":
    main()
