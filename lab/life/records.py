"""What belongs to a lab: a directory by its name, in it `lab.json`, its socket and the keeper's log.

Rules: a process is known by its pid, its start time and the boot of the machine, and is signalled through a descriptor
that was checked after it was opened, so a number that was given to somebody else in the meantime is never met. Nothing
is found by patterns: what is not in a record is not ours.
"""

import contextlib
import json
import os
import re
import select
import shutil
import signal
import socket
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from lab.errors import ConfigError

SCHEMA = "ikelab.lab/1"
RECORD, SOCKET, LOG, TOPOLOGY = "lab.json", "socket", "keeper.log", "topology.yaml"
NAME = re.compile(r"^[a-z0-9][a-z0-9.-]{0,30}$")
LONGEST_SOCKET = 107
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, slots=True)
class Process:
    """A process of a lab; `began` is its start time in ticks since the boot `boot`."""

    role: str
    pid: int
    began: int
    boot: str

    @classmethod
    def of(cls, role: str, pid: int) -> "Process":
        """A process that runs now."""
        return cls(role, pid, start_time(pid), boot_id())

    @contextlib.contextmanager
    def held(self) -> Iterator[int | None]:
        """A descriptor of it, or None where it has ended (and its number perhaps been given away)."""
        try:
            descriptor = os.pidfd_open(self.pid)
        except OSError:
            yield None
            return
        try:
            same = self.boot == boot_id() and self.began == start_time(self.pid)
            yield descriptor if same and not _over(descriptor, 0) else None
        finally:
            os.close(descriptor)

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        with self.held() as descriptor:
            return descriptor is not None

    def end(self, patience_s: float) -> None:
        """Ask it to end, and kill it when it has not after so long; nothing if it is gone."""
        with self.held() as descriptor:
            if descriptor is None:
                return
            for number in (signal.SIGTERM, signal.SIGKILL):
                with contextlib.suppress(ProcessLookupError):
                    signal.pidfd_send_signal(descriptor, number)
                if _over(descriptor, patience_s):
                    return


def _over(descriptor: int, patience_s: float) -> bool:
    return bool(select.select([descriptor], [], [], patience_s)[0])


def boot_id() -> str:
    """This boot of the machine."""
    return _BOOT_ID.read_text().strip()


def start_time(pid: int) -> int:
    """When a process began, in ticks since the boot (proc(5), field 22); -1 if there is none."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
        return int(text.rpartition(")")[2].split()[19])
    except (OSError, ValueError, IndexError):
        return -1


@dataclass(frozen=True, slots=True)
class Record:
    """A lab as its keeper knows it. `ended` says why it is no more; `owner` is `keeper`, or `run` where paused."""

    name: str
    topology: str
    peers: Mapping[str, str]
    kernel: str
    clock: str
    owner: str = "keeper"
    started: str = ""
    ready: bool = False
    ended: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    processes: tuple[Process, ...] = ()
    directories: tuple[str, ...] = ()

    @property
    def directory(self) -> Path:
        """Where it lies."""
        return place() / self.name

    @property
    def socket(self) -> Path:
        """Where its commands go."""
        return self.directory / SOCKET

    @property
    def topology_file(self) -> Path:
        """The topology that it was made from, as it was then."""
        return self.directory / TOPOLOGY

    @property
    def alive(self) -> bool:
        """Whether the process that owns it runs."""
        return any(one.role == self.owner and one.alive for one in self.processes)

    @property
    def state(self) -> str:
        """`up`, `starting`, or `gone` with the reason."""
        if self.alive and not self.ended:
            return "up" if self.ready else "starting"
        return f"gone: {self.ended or f'its {self.owner} ended without a word'}"

    def changed(self, **changes: Any) -> "Record":
        """The same with changes, written."""
        after = replace(self, **changes)
        after.write()
        return after

    def write(self) -> None:
        """Write lab.json as a whole."""
        facts = {"schema": SCHEMA, **{name: getattr(self, name) for name in _FIELDS}}
        facts["peers"], facts["versions"] = dict(self.peers), dict(self.versions)
        facts["processes"] = [{name: getattr(one, name) for name in Process.__slots__} for one in self.processes]
        unfinished = self.directory / f"{RECORD}.new"
        unfinished.write_text(json.dumps(facts, indent=1) + "\n")
        unfinished.replace(self.directory / RECORD)

    def remove(self) -> None:
        """End what is left of it, and remove its directories."""
        for process in self.processes:
            if not (process.role == "run" or process.pid == os.getpid()):
                process.end(5.0)
        for directory in self.directories:
            shutil.rmtree(directory, ignore_errors=True)
        shutil.rmtree(self.directory, ignore_errors=True)


_FIELDS = [name for name in Record.__slots__ if name != "processes"]


def place() -> Path:
    """Where the labs of this user lie; mode 0700."""
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    if not runtime or not os.access(runtime, os.W_OK | os.X_OK):
        runtime = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local/state")
    labs = Path(runtime) / "ikelab" / "labs"
    labs.mkdir(parents=True, exist_ok=True, mode=0o700)
    labs.chmod(0o700)
    return labs


def new(name: str) -> Path:
    """Make the directory of a new lab; ConfigError where the name is taken or cannot be one."""
    if not NAME.match(name):
        raise ConfigError(f"`{name}` is no name for a lab: up to 31 of a-z, 0-9, `.` and `-`, give one with --name")
    directory = place() / name
    longest = len(os.fsencode(directory / SOCKET))
    if longest > LONGEST_SOCKET:
        raise ConfigError(f"{directory} is too long for a socket; point XDG_RUNTIME_DIR to a shorter place")
    try:
        directory.mkdir(mode=0o700)
    except FileExistsError:
        found = read(name)
        if found is None or found.state.startswith("gone"):
            step = f"take away what is left of it with `ikelab down {name}`"
        else:
            step = f"use it, end it with `ikelab down {name}`, or choose another name with --name"
        raise ConfigError(f"there is a lab called `{name}` already; {step}") from None
    return directory


def read(name: str) -> Record | None:
    """The record of a lab; None where there is none that can be read."""
    try:
        facts = json.loads((place() / name / RECORD).read_text())
        processes = tuple(Process(**one) for one in facts["processes"])
        values = {key: facts[key] for key in _FIELDS}
        values["directories"] = tuple(map(str, values["directories"]))
        found = Record(**values, processes=processes)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return found if found.name == name else None


def forget(name: str) -> None:
    """Take away a directory that has no record: its keeper was killed before it wrote one."""
    if NAME.match(name):
        shutil.rmtree(place() / name, ignore_errors=True)


def names() -> list[str]:
    """The names of all labs of this user, whatever state they are in."""
    return sorted(path.name for path in place().iterdir() if path.is_dir() and NAME.match(path.name))


def choose(name: str = "") -> Record:
    """The lab that a command means: by its name, by IKELAB_LAB, or the only one; ConfigError in words."""
    name = name or os.environ.get("IKELAB_LAB", "")
    known = names()
    if not known:
        raise ConfigError("no lab is up; start one with `ikelab up nat-both` (`ikelab list topologies` shows which)")
    if not name and len(known) > 1:
        raise ConfigError(f"several labs are up ({', '.join(known)}): name one with --lab")
    name = name or known[0]
    if name not in known:
        raise ConfigError(f"no lab is called `{name}`; there are {', '.join(known)}")
    found = read(name)
    if found is None or found.state.startswith("gone"):
        why = found.state if found else "it has no record"
        raise ConfigError(f"the lab `{name}` is {why}; take away what is left of it with `ikelab down {name}`")
    return found


def listen(path: Path) -> socket.socket:
    """A listening unix socket, for this user alone."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    before = os.umask(0o077)
    try:
        listener.bind(str(path))
    finally:
        os.umask(before)
    listener.listen(64)
    return listener


def scratch() -> Path:
    """A short directory in memory or in the temporary one, for sockets and logs of a lab."""
    return Path(tempfile.mkdtemp(prefix="lab-"))
