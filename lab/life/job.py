"""What a command runs: a program in a node, or a forked child of the server; with pipes, or at a terminal.

Rules: a job is watched by a descriptor of its process, so it is over when the process is, whatever still holds its
output. What has been written by then is passed on. When its client leaves, its whole process group is killed.
"""

import contextlib
import fcntl
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Callable, Sequence
from typing import Any

from lab.emulation.node import Node
from lab.errors import LabError

_AT_ONCE = 65536


class Job:
    """A running job: `inlet` takes its input, `outlets` (name -> descriptor) give its output."""

    def __init__(
        self, pid: int, inlet: int, outlets: dict[str, int], reap: Callable[[], int], terminal: int = -1
    ) -> None:
        self.pid, self.inlet, self.outlets, self._reap = pid, inlet, outlets, reap
        self._over = False
        self.watch = os.pidfd_open(pid)
        self._terminal = terminal
        for descriptor in {inlet, *outlets.values()} - {-1}:
            os.set_blocking(descriptor, False)

    def read(self, name: str) -> bytes | None:
        """Some of its output; None when nothing waits, and nothing at all when it has ended."""
        try:
            return os.read(self.outlets[name], _AT_ONCE)
        except BlockingIOError:
            return None
        except OSError:  # a terminal that nobody holds any more
            return b""

    def write(self, data: bytes) -> int:
        """Give it input; how much of it was taken. All of it where nobody reads."""
        try:
            return os.write(self.inlet, data) if self.inlet >= 0 else len(data)
        except BlockingIOError:
            return 0
        except OSError:
            return len(data)

    def close_outlet(self, name: str) -> None:
        """It says nothing more there."""
        descriptor = self.outlets.pop(name)
        if descriptor != self._terminal:
            os.close(descriptor)

    def end_input(self) -> None:
        """No more input: at a terminal that is a character, elsewhere the end of the file."""
        if self._terminal >= 0:
            self.write(b"\x04")
        elif self.inlet >= 0:
            os.close(self.inlet)
            self.inlet = -1

    def resize(self, rows: int, columns: int) -> None:
        """Its terminal has another size."""
        if self._terminal >= 0:
            fcntl.ioctl(self._terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def reap(self) -> int:
        """Its exit code, once it has ended; that of a shell (128 and the number) where a signal ended it."""
        code, self._over = self._reap(), True
        return 128 - code if code < 0 else code

    def close(self) -> None:
        """Kill it with its group if it runs, and let go; what it left behind when it ended may go on."""
        if not self._over:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self.watch, signal.SIGKILL)
            self.reap()
        for descriptor in {self.watch, self.inlet, self._terminal, *self.outlets.values()} - {-1}:
            os.close(descriptor)
        self.outlets.clear()
        self.inlet = self._terminal = -1


def program(node: Node, argv: Sequence[str], *, size: tuple[int, int] | None, term: str) -> Job:
    """Start a program in a node: at a terminal of that many rows and columns, or with pipes."""
    environment = {**os.environ, "TERM": term} if size else None
    if size is None:
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        process = node.popen(argv, **pipes, bufsize=0, start_new_session=True, cwd="/")
        descriptors = [_taken(stream) for stream in (process.stdin, process.stdout, process.stderr)]
        return Job(process.pid, descriptors[0], dict(zip(("out", "err"), descriptors[1:], strict=True)), process.wait)
    master, slave = pty.openpty()
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", *size, 0, 0))
    try:
        process = node.popen(
            argv, stdin=slave, stdout=slave, stderr=slave, start_new_session=True, cwd="/", env=environment,
            preexec_fn=_own_terminal,
        )  # fmt: skip
    except OSError:
        os.close(master)
        raise
    finally:
        os.close(slave)
    return Job(process.pid, master, {"out": master}, process.wait, terminal=master)


def _taken(stream: Any) -> int:
    """The descriptor of a stream, ours from now on."""
    descriptor = os.dup(stream.fileno())
    stream.close()
    return descriptor


def _own_terminal() -> None:
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def child(work: Callable[[], int], leave: Callable[[], None]) -> Job:
    """Fork a child that does `work` and writes to its standard output; `leave` closes what it must not hold."""
    (out, their_out), (err, their_err) = os.pipe(), os.pipe()
    pid = os.fork()
    if pid == 0:
        _become(work, leave, their_out, their_err)
    os.close(their_out)
    os.close(their_err)

    return Job(pid, -1, {"out": out, "err": err}, lambda: os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))


def _become(work: Callable[[], int], leave: Callable[[], None], out: int, err: int) -> None:
    """In the forked child: do the work, and never come back."""
    code = 70
    try:
        os.setsid()
        leave()
        nothing = os.open(os.devnull, os.O_RDONLY)
        for descriptor, target in ((nothing, 0), (out, 1), (err, 2)):
            os.dup2(descriptor, target)
        # Whoever forked may have put others in their places, as pytest does.
        sys.stdout, sys.stderr = open(1, "w", closefd=False), open(2, "w", closefd=False)  # noqa: SIM115
        code = work()
        sys.stdout.flush()
        sys.stderr.flush()
    except LabError as error:
        os.write(2, f"ikelab: {error}\n".encode())
        code = 1
    except BrokenPipeError:
        code = 0
    except BaseException as error:  # noqa: BLE001  (a forked child must end here, whatever happened)
        os.write(2, f"ikelab: {type(error).__name__}: {error}\n".encode())
    finally:
        os._exit(code)
