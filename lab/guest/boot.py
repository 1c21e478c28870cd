"""Run one command in a fresh guest and say how it ended.

Rules: the guest sees the image and the project source read-only and writes to memory and to the results directory
only; it ends with its command, at its real-time limit, or when the process that started it dies - whatever comes
first. Its exit status comes back through a file in a private directory, its output line by line through the console.
"""

import contextlib
import ctypes
import os
import selectors
import shlex
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from lab.errors import UnfitError
from lab.guest import contain, workplace
from lab.guest import cpu as cpus
from lab.guest.image import Image, locate

INIT = Path(__file__).with_name("init.sh")
PYTHON_CACHE = "/var/cache/python"
STOP_POLL_S = 0.2
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True)
class GuestResult:
    """How a guest ended: `exit_code` of its command, or None with the reason why there is none."""

    exit_code: int | None
    reason: str
    duration_s: float


def run(
    argv: Sequence[str], *, source: Path, results: Path, output: Callable[[str], None], limit_s: float,
    env: Mapping[str, str] | None = None, virtual_time: bool = False, cpu: int | None = None, memory: str = "1G",
    image: Image | None = None, stop: threading.Event | None = None, also: Mapping[Path, Path] = MappingProxyType({}),
    line: int | None = None, begun: Callable[[int, Path], None] | None = None, counts: bool = False,
) -> GuestResult:  # fmt: skip
    """Run `argv` at /src with `results` writable at /results; `output` gets each line without its end.

    `source` is a checkout, or the directory in which an installed `lab` stands. `also` are further directories of the
    host, by the place where the guest may read them. `stop`, set by another thread, ends the guest early. `line` is a
    descriptor (of a socket pair) that becomes the guest's second console, /dev/tty1. `begun` is told the guest's
    process and its private directory on the host. With `counts` virtual time passes while somebody computes, too.
    """
    image = image or locate()
    source, results = _directory(source, "project source"), _directory(results, "results directory")
    if not os.access(results, os.W_OK):
        raise UnfitError(f"cannot write the results directory {results}", fix="choose another with --out")
    began = time.monotonic()
    with workplace.directory(memory) as boot, cpus.claimed(cpu) as pinned:
        mounts = [("ro", _directory(host, "image layer"), guest) for guest, host in image.mounts.items()]
        mounts += [("ro", *_shown(source)), ("rw", results, "/results")]
        mounts += [("ro", _directory(host, "directory"), str(guest)) for guest, host in also.items()]
        if compiled := workplace.compiled_python(source, image):
            mounts.append(("rw", compiled, PYTHON_CACHE))
        _write_job(boot, argv, {**_environment(virtual_time, compiled is not None), **(env or {})})
        _write_mounts(boot, mounts)
        writable = [boot, *(host for mode, host, _ in mounts if mode == "rw")]
        kernel = [
            *_kernel(image, boot, memory, _clock(virtual_time, counts)),
            *([] if line is None else [f"con1=fd:{line}"]),
        ]
        start = _Start(contain.command(kernel, writable=writable), boot, pinned, line, begun)
        last, ended = _watch(start, output, _Limits(began + limit_s, stop))
        code = _status(boot)
    took = time.monotonic() - began
    if code is not None:
        return GuestResult(code, f"exit code {code}", took)
    if ended:
        why = f"stopped at its limit of {limit_s:g} s real time" if ended == "limit" else "stopped on request"
        return GuestResult(None, why, took)
    return GuestResult(None, f"the guest ended without an exit status{_why(last, results)}", took)


def _shown(source: Path) -> tuple[Path, str]:
    """What of the source a guest sees, and where: of site-packages our package alone.

    What stands beside it there is compiled for the host's Python, and would hide what the image has of it.
    """
    return (source / "lab", "/src/lab") if (source / "lab" / "data").is_dir() else (source, "/src")


def _directory(path: Path, what: str) -> Path:
    path = path.resolve()
    if not path.is_dir():
        raise UnfitError(f"the {what} {path} does not exist", fix="create it or name another")
    if set("\t\n,\\") & set(str(path)):
        raise UnfitError(f"the {what} {path} has a comma, tab or backslash in its name", fix="choose another place")
    return path


def _environment(virtual_time: bool, compiled: bool) -> dict[str, str]:
    cache = {"PYTHONPYCACHEPREFIX": PYTHON_CACHE} if compiled else {"PYTHONDONTWRITEBYTECODE": "1"}
    return cache | {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/opt/python/bin",
        "HOME": "/root",
        "LANG": "C.UTF-8",
        "TERM": "dumb",
        "NO_COLOR": "1",
        "PYTHONPATH": "/src",
        "PYTHONUNBUFFERED": "1",
        "IKELAB_GUEST": "1",
        "IKELAB_CLOCK": "virtual" if virtual_time else "real",
    }


def _write_job(boot: Path, argv: Sequence[str], env: Mapping[str, str]) -> None:
    shutil.copy(INIT, boot / "init")
    (boot / "environment").write_text("".join(f"export {name}={shlex.quote(value)}\n" for name, value in env.items()))
    (boot / "job").write_text(f"cd /src && exec -- {shlex.join(argv)}\n")


def _write_mounts(boot: Path, mounts: Sequence[tuple[str, Path, str]]) -> None:
    (boot / "mounts").write_text("".join(f"{mode}\t{host}\t{guest}\n" for mode, host, guest in mounts))


def _clock(virtual_time: bool, counts: bool) -> list[str]:
    """How time passes: virtual time skips waiting, and stands still while somebody computes unless that `counts`."""
    return ["time-travel" if counts else "time-travel=inf-cpu"] if virtual_time else []


def _kernel(image: Image, boot: Path, memory: str, clock: Sequence[str]) -> list[str]:
    """The kernel's command line."""
    return [
        str(image.kernel), "seccomp=on", *clock, f"mem={memory}", "rootfstype=hostfs", f'rootflags="{image.root}"',
        "ro", "init=/usr/sbin/ikelab-init", "con=null", "con0=null,fd:1", f"uml_dir={boot}", "umid=guest", "panic=1",
        "quiet", "dummy.numdummies=0", "ifb.numifbs=0",
        f"ikelab_boot={boot}",
    ]  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Limits:
    """What ends a guest early: a deadline on the monotonic clock, another thread's wish."""

    deadline: float
    stop: threading.Event | None

    def reached(self) -> str:
        """`limit`, `stop` or nothing."""
        if self.stop is not None and self.stop.is_set():
            return "stop"
        return "limit" if time.monotonic() >= self.deadline else ""

    @property
    def wait_s(self) -> float:
        """How long to wait for output before looking again."""
        left = max(0.0, self.deadline - time.monotonic())
        return left if self.stop is None else min(left, STOP_POLL_S)


@dataclass(frozen=True, slots=True)
class _Start:
    """How the kernel's process is started, and who is told of it."""

    command: list[str]
    boot: Path
    cpu: int
    line: int | None
    begun: Callable[[int, Path], None] | None


def _watch(start: _Start, output: Callable[[str], None], limits: _Limits) -> tuple[str, str]:
    """Run the kernel until it ends or a limit is reached; its last line, and which limit."""
    parent = os.getpid()

    def begin() -> None:
        # In the child: die with the launcher, and stay on one CPU.
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)
        os.sched_setaffinity(0, {start.cpu})

    environment = {"PATH": os.environ.get("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"), "TMPDIR": str(start.boot)}
    process = subprocess.Popen(
        start.command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment,
        preexec_fn=begin, start_new_session=True, cwd="/", pass_fds=() if start.line is None else (start.line,),
    )  # fmt: skip
    try:
        if start.begun is not None:
            start.begun(process.pid, start.boot)
        return _pump(process, b"\x04%s\x04" % os.fsencode(start.boot), output, limits)
    finally:
        # Also on an error in `output` and on Ctrl-C. The whole session: a guest's processes are processes of the host.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def _pump(
    process: subprocess.Popen[bytes], end: bytes, output: Callable[[str], None], limits: _Limits
) -> tuple[str, str]:
    """Pass on the output line by line until `end` or the end; the last line, and the limit that was reached before."""
    assert process.stdout is not None
    rest, last, said = b"", "", True
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while not (reached := limits.reached()):
            if not selector.select(limits.wait_s):
                continue
            data = os.read(process.stdout.fileno(), 65536)
            *lines, rest = (rest + data).split(b"\n")
            if not data and rest:
                lines.append(rest)
            for line in lines if said else ():
                line, marker, _ = line.partition(end)
                if line or not marker:
                    last = line.decode(errors="replace").rstrip("\r")
                    output(last)
                if marker:
                    said = False
                    break
            if not data:
                return last, ""
    return last, reached


def _status(boot: Path) -> int | None:
    try:
        return int((boot / "status").read_text())
    except (FileNotFoundError, ValueError):
        return None


def _why(last: str, results: Path) -> str:
    """What is known about a guest that vanished."""
    full = [str(place) for place in (Path("/dev/shm"), results) if shutil.disk_usage(place).free < 1 << 20]
    if full:
        return f": {' and '.join(full)} is full"
    return f"; its last line: {last}" if last else ""
