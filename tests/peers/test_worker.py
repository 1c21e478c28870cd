"""A process that is our daemon more than once: what it may keep, and what ends it. The daemon here is a stand-in."""

import contextlib
import gc
import os
import select
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lab.peers import worker
from lab.peers.nursery import Daemon, Nursery

NODE = 3  # descriptors of a node

Serve = Callable[..., int]


def patient(config: str, *, run_dir: Path, until: int, **_rest: object) -> int:
    """A daemon that writes what it was told, and serves until it is to end."""
    os.write(2, f"{config} in process {os.getpid()}\n".encode())
    (run_dir / "up").touch()
    select.select([until], [], [])
    return 0


def careless(config: str, **rest: object) -> int:
    """The same, and it leaves something open."""
    os.open(os.devnull, os.O_RDONLY)
    return patient(config, **rest)  # type: ignore[arg-type]


def in_a_circle(config: str, **rest: object) -> int:
    """The same, and what it leaves open goes with what the collector finds."""
    holder: dict[str, object] = {"socket": socket.socket(socket.AF_UNIX)}
    holder["itself"] = holder
    gc.disable()
    return patient(config, **rest)  # type: ignore[arg-type]


def brief(_config: str, **_rest: object) -> int:
    """A daemon that cannot start."""
    return 3


def broken(_config: str, **_rest: object) -> int:
    """A daemon with a bug."""
    raise RuntimeError("nobody expected this")


class Lab:
    """Starts workers around a stand-in, and daemons in them."""

    def __init__(self, home: Path) -> None:
        self.home, self.daemons, self.started = home, list[Daemon](), 0

    def worker(self, serve: Serve) -> Daemon:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        pid = os.fork()
        if pid == 0:
            ours.close()
            worker.live(serve, theirs)
        theirs.close()
        self.daemons.append(Daemon(pid, ours))
        return self.daemons[-1]

    def request(self) -> tuple[Path, dict[str, object]]:
        self.started += 1
        run_dir = self.home / str(self.started)
        run_dir.mkdir()
        names = {"config": f"config {self.started}", "backend": "none", "control": "c", "seed": None}
        return run_dir, {**names, "run_dir": str(run_dir)}

    def serve(self, daemon: Daemon) -> Path:
        """Begin a daemon; its directory."""
        run_dir, request = self.request()
        daemon.serve(request, [0] * NODE)
        return run_dir

    def up(self, daemon: Daemon) -> Path:
        """Begin a daemon and wait until it serves."""
        run_dir = self.serve(daemon)
        while not (run_dir / "up").exists():
            assert daemon.alive()
            select.select([], [], [], 0.001)
        return run_dir


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    """A lab whose nodes are this process's own namespaces; what enters a node or comes home writes it down."""
    moves = os.open(tmp_path / "moves", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    home = [(ns.st_dev, ns.st_ino) for ns in map(os.stat, ("/proc/self/ns/net", "/proc/self/ns/mnt", "/"))]

    def enter(*descriptors: int) -> None:
        at_home = [(ns.st_dev, ns.st_ino) for ns in map(os.fstat, descriptors)] == home
        os.write(moves, b"home\n" if at_home else b"node\n")

    monkeypatch.setattr(worker, "enter", enter)
    lab = Lab(tmp_path)
    yield lab
    os.close(moves)
    for daemon in lab.daemons:
        with contextlib.suppress(OSError):  # the test has seen its end
            daemon.kill()


def ended(daemon: Daemon) -> int:
    """Wait for the end of a process; its exit code."""
    _, status = os.waitpid(daemon.pid, 0)
    return os.waitstatus_to_exitcode(status)


def test_a_process_is_one_daemon_after_the_other(lab: Lab) -> None:
    daemon = lab.worker(patient)
    for number in (1, 2, 3):
        run_dir = lab.up(daemon)
        assert (run_dir / worker.STDERR).read_text() == f"config {number} in process {daemon.pid}\n"
        assert daemon.end()
        assert daemon.alive()
    assert (lab.home / "moves").read_text().split() == ["node", "home"] * 3


@pytest.mark.parametrize(("serve", "again"), [(careless, False), (in_a_circle, True)])
def test_what_leaves_a_descriptor_open_is_used_no_more(lab: Lab, serve: Serve, *, again: bool) -> None:
    daemon = lab.worker(serve)
    lab.up(daemon)
    assert daemon.end() is again


@pytest.mark.parametrize(("serve", "code", "says"), [(brief, 3, ""), (broken, 70, "nobody expected this")])
def test_a_daemon_that_ends_by_itself_ends_its_process(lab: Lab, serve: Serve, code: int, says: str) -> None:
    daemon = lab.worker(serve)
    run_dir = lab.serve(daemon)
    assert ended(daemon) == code
    assert not daemon.alive()
    assert says in (run_dir / worker.STDERR).read_text()
    assert not daemon.end()


def test_a_killed_daemon_is_gone(lab: Lab) -> None:
    daemon = lab.worker(patient)
    lab.up(daemon)
    daemon.kill()
    assert ended(daemon) == -9


@pytest.mark.parametrize("serving", [False, True])
def test_a_worker_ends_when_its_lab_hangs_up(lab: Lab, *, serving: bool) -> None:
    daemon = lab.worker(patient)
    if serving:
        lab.up(daemon)
    daemon._control.close()
    assert ended(daemon) == 0


def test_the_nursery_uses_what_has_ended_well_and_nothing_else(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    nursery = Nursery.__new__(Nursery)
    nursery._idle = []
    monkeypatch.setattr(nursery, "_fork", lambda: lab.worker(patient))
    first = nursery.start(lab.request()[1], [0] * NODE)
    nursery.end(first)
    assert nursery.start(lab.request()[1], [0] * NODE) is first
    beside = nursery.start(lab.request()[1], [0] * NODE)
    assert beside.pid != first.pid
    first.kill()
    assert nursery.start(lab.request()[1], [0] * NODE) not in (first, beside)
