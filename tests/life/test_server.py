"""The server and its client over real sockets, with jobs that are real processes: no network, no guest."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from lab.errors import BrokenError, ConfigError
from lab.life import job, records, wire
from lab.life.client import Client
from lab.life.porter import Porter
from lab.life.server import Server

DEADLINE_S = 20.0


class Bare:
    """A node that starts programs right here."""

    name = "here"

    def popen(self, argv: list[str], **options: Any) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(argv, **options)


def carry(request: Mapping[str, Any], leave: Callable[[], None]) -> Any:
    match request:
        case {"command": "echo", "text": text}:
            return text
        case {"command": "exec", "argv": argv}:
            return job.program(Bare(), argv, size=request.get("size"), term="dumb")  # type: ignore[arg-type]
        case {"command": "child"}:
            return job.child(lambda: os.write(1, b"from a child") and 4, leave)
    raise ConfigError("no such command")


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    """A server's socket."""
    found = tmp_path / "server"

    def with_stop(request: Mapping[str, Any], leave: Callable[[], None]) -> Any:
        return server.stop() if request.get("command") == "stop" else carry(request, leave)

    server = Server(records.listen(found), with_stop)
    thread = threading.Thread(target=server.serve)
    thread.start()
    yield found
    with Client(found) as client:
        assert client.ask("stop") is None
    thread.join(DEADLINE_S)
    assert not thread.is_alive()


@pytest.fixture
def far(path: Path, tmp_path: Path) -> Iterator[Path]:
    """A socket that reaches the server over a line with a porter at each end."""
    one, two = socket.socketpair()
    over = threading.Event()

    def connect() -> socket.socket:
        made = socket.socket(socket.AF_UNIX)
        made.connect(str(path))
        return made

    listener = records.listen(tmp_path / "far")
    ends = [Porter(os.dup(one.fileno()), listener=listener), Porter(os.dup(two.fileno()), connect=connect)]
    threads = [threading.Thread(target=ends[0].serve, args=(over.is_set,)), threading.Thread(target=ends[1].serve)]
    for thread in threads:
        thread.start()
    yield tmp_path / "far"
    over.set()
    one.shutdown(socket.SHUT_RDWR)
    for thread in threads:
        thread.join(DEADLINE_S)
        assert not thread.is_alive()
    listener.close()


@pytest.fixture(params=["near", "over a line"])
def place(request: pytest.FixtureRequest) -> Path:
    found: Path = request.getfixturevalue("path" if request.param == "near" else "far")
    return found


def ran(place: Path, argv: list[str], data: bytes | None = None) -> tuple[int, bytes, bytes]:
    out, err = bytearray(), bytearray()
    reader, writer = os.pipe()
    feeder = threading.Thread(target=_feed, args=(writer, data or b""))
    feeder.start()
    with Client(place) as client:
        code = client.run("exec", {"argv": argv}, out=out.extend, err=err.extend, input_from=reader)
    feeder.join()
    os.close(reader)
    return code, bytes(out), bytes(err)


def _feed(writer: int, data: bytes) -> None:
    with open(writer, "wb") as file:
        file.write(data)


def test_an_answer_and_a_refusal(place: Path) -> None:
    with Client(place) as client:
        assert client.ask("echo", text="hello") == "hello"
    with Client(place) as client, pytest.raises(ConfigError, match="no such command"):
        client.ask("nothing")


def test_a_program_with_its_output_errors_and_exit_code(place: Path) -> None:
    assert ran(place, ["sh", "-c", "echo out; echo err >&2; exit 7"]) == (7, b"out\n", b"err\n")
    assert ran(place, ["sh", "-c", "kill -9 $$"])[0] == 128 + signal.SIGKILL


def test_much_goes_in_and_comes_back(place: Path) -> None:
    data = os.urandom(300_000)
    assert ran(place, ["cat"], data) == (0, data, b"")


def test_a_forked_child_is_a_job_too(place: Path) -> None:
    out = bytearray()
    with Client(place) as client:
        assert client.run("child", {}, out=out.extend, err=out.extend) == 4
    assert out == b"from a child"


def test_a_program_at_a_terminal(place: Path) -> None:
    out = bytearray()
    with Client(place) as client:
        argv = ["sh", "-c", "stty size; tty | grep -c /dev/pts"]
        assert client.run("exec", {"argv": argv, "size": [33, 77]}, out=out.extend, err=out.extend) == 0
    assert bytes(out).split() == [b"33", b"77", b"1"]


def test_a_client_that_leaves_has_its_job_killed(place: Path, tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    client = Client(place)
    argv = ["sh", "-c", f"sleep 99 & echo $$ $! >{pids}; wait"]
    client._socket.sendall(wire.encode({"command": "exec", "argv": argv}))
    _until(lambda: pids.exists() and len(pids.read_text().split()) == 2)
    client.__exit__()
    for pid in map(int, pids.read_text().split()):
        _until(lambda pid=pid: _ended(pid))  # type: ignore[misc]


def test_what_a_program_leaves_behind_does_not_hold_it_up(place: Path) -> None:
    code, out, _ = ran(place, ["sh", "-c", "sleep 60 & echo $!"])
    sleeper = int(out)
    assert code == 0 and not _ended(sleeper), "it waited for the sleeper"
    os.kill(sleeper, signal.SIGKILL)


def test_commands_run_side_by_side(place: Path) -> None:
    with Client(place) as slow, Client(place) as quick:
        slow._socket.sendall(wire.encode({"command": "exec", "argv": [sys.executable, "-c", "input()"]}))
        assert quick.ask("echo", text="meanwhile") == "meanwhile"


@pytest.mark.parametrize(
    "data",
    [
        b"\n", b"[]\n", b"{\n", b'"x"\n', b"\xff\xfe\n", b"[" * 100_000 + b"\n", b"{}\n", b'{"command": {}}\n',
        b'{"command": "exec", "argv": ["cat"]}\n{"in": 5}\n', b'{"command": "exec", "argv": ["cat"]}\n{"in": "%"}\n',
        b'{"command": "exec", "argv": ["cat"]}\n{"size": [0, "x"]}\n', b"x" * (wire.LONGEST + 1),
    ],
    ids=range(12),
)  # fmt: skip
def test_garbage_costs_its_own_connection_only(path: Path, data: bytes) -> None:
    with socket.socket(socket.AF_UNIX) as hostile:
        hostile.settimeout(DEADLINE_S)
        hostile.connect(str(path))
        hostile.sendall(data)
        answer = b""
        while chunk := hostile.recv(65536):
            answer += chunk
    assert b'"ok": false' in answer
    with Client(path) as client:
        assert client.ask("echo", text="still here") == "still here"


def test_nobody_there(tmp_path: Path) -> None:
    with pytest.raises(BrokenError, match="the lab does not answer"):
        Client(tmp_path / "nothing")


def _ended(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):  # it may go at any moment
        return True


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)
