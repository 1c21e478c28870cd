"""Where scenarios run: in a guest kernel of our own, or in namespaces of the host's kernel.

Rules: a runner blocks until its batch has ended, passes on every line of output, and ends early when `stop` is set; it
never judges. The host's kernel is used only on request, as root, and inside namespaces that take everything with them.
"""

import contextlib
import os
import platform
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from lab.errors import UnfitError
from lab.guest import boot, image
from lab.run import brought
from lab.run.catalogue import scenarios_directory, source_directory

CONTAINED = ("unshare", "--net", "--mount", "--pid", "--fork", "--mount-proc", "--uts", "--ipc", "--kill-child")
MODULE = "lab.run.inside"
# Where a guest finds the suite of somebody else; it may only read it.
SUITE = Path("/suite")
STOP_POLL_S = 0.2


@dataclass(frozen=True, slots=True)
class Ended:
    """How a batch ended: pytest's exit code, or None with the reason why there is none."""

    exit_code: int | None
    reason: str


class Attached(Protocol):
    """What looks into a guest while it runs: by a line that becomes its second console, or by its processes."""

    @property
    def line(self) -> int | None:
        """The guest's end of the line, if it wants one."""
        ...

    def begun(self, process: int, directory: Path, /) -> None:
        """The guest runs: its process, which leads a group of its own, and its private directory on the host."""
        ...


class Runner(Protocol):
    """A kernel to run batches on."""

    kind: Literal["guest", "host"]
    release: str
    virtual: bool

    def run(
        self, out: Path, arguments: list[str], *, virtual: bool, limit_s: float, output: Callable[[str], None],
        stop: threading.Event, attached: Attached | None = None, counts: bool = False,
    ) -> Ended:  # fmt: skip
        """Run `lab.run.inside` with the run directory `out`; arguments name paths relative to it with OUT/.

        `attached` is what looks into it while it runs; with `counts` computing takes virtual time as well.
        """
        ...


class GuestKernel:
    """Every batch in a fresh guest: no root needed, and virtual time on request."""

    kind: Literal["guest", "host"] = "guest"
    virtual = True

    def __init__(self, suite: Path | None = None) -> None:
        self._suite, self._brought = suite, brought.for_guest()
        self._image = image.locate()
        self.release = self._image.release

    def run(
        self, out: Path, arguments: list[str], *, virtual: bool, limit_s: float, output: Callable[[str], None],
        stop: threading.Event, attached: Attached | None = None, counts: bool = False,
    ) -> Ended:  # fmt: skip
        """Boot a guest for one batch."""
        own = Path("/src") / scenarios_directory().relative_to(source_directory())
        words = [word.replace("OUT", "/results", 1) for word in arguments]
        argv = ["python3", "-m", MODULE, *words, *_place(SUITE if self._suite else None, own)]
        result = boot.run(
            argv,
            source=source_directory(),
            results=out,
            also=self._brought.mounts | ({SUITE: self._suite} if self._suite else {}),
            virtual_time=virtual,
            counts=counts,
            limit_s=limit_s,
            output=output,
            image=self._image,
            env=self._brought.environment,
            stop=stop,
            line=attached.line if attached else None,
            begun=attached.begun if attached else None,
        )
        return Ended(result.exit_code, result.reason)


class HostKernel:
    """Batches in private namespaces of the running kernel: needs root, and time is real."""

    kind: Literal["guest", "host"] = "host"
    virtual = False

    def __init__(self, suite: Path | None = None) -> None:
        self._suite = suite.resolve() if suite else None
        if os.geteuid() != 0:
            raise UnfitError("--kernel host needs root", fix="run it with sudo, or use --kernel guest")
        self.release = platform.release()

    def run(
        self, out: Path, arguments: list[str], *, virtual: bool, limit_s: float, output: Callable[[str], None],
        stop: threading.Event, attached: Attached | None = None, counts: bool = False,
    ) -> Ended:  # fmt: skip
        """Start one contained process for one batch."""
        words = [word.replace("OUT", str(out), 1) for word in arguments]
        command = [*CONTAINED, sys.executable, "-m", MODULE, *words, *_place(self._suite, scenarios_directory())]
        environment = {**os.environ, "PYTHONPATH": str(source_directory()), "IKELAB_CLOCK": "real"} | brought.for_host()
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env=environment, cwd=source_directory(), start_new_session=True,
        )  # fmt: skip
        watch = threading.Thread(target=_end, args=(process, limit_s, stop), daemon=True)
        watch.start()
        assert process.stdout is not None
        for line in process.stdout:
            output(line.rstrip("\n"))
        code = process.wait()
        return Ended(code if code >= 0 else None, f"exit code {code}" if code >= 0 else f"ended by signal {-code}")


def _end(process: "subprocess.Popen[str]", limit_s: float, stop: threading.Event) -> None:
    """End the process when it is told to stop or its time is up."""
    deadline = time.monotonic() + limit_s
    while process.poll() is None:
        if stop.wait(STOP_POLL_S) or time.monotonic() > deadline:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            return


def _place(suite: Path | None, own: Path) -> list[str]:
    """Where the scenarios are, as `lab.run.inside` takes it: somebody else's suite, or the lab's own."""
    return ["--suite", str(suite)] if suite else [str(own)]


def runner(kind: str, suite: Path | None = None) -> Runner:
    """The kernel a run uses: the guest unless the host's was asked for; UnfitError says what is missing."""
    return HostKernel(suite) if kind == "host" else GuestKernel(suite)
