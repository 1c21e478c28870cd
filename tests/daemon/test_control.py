"""The control socket against clients that behave badly; the loop turns in this process, no clock is waited for."""

import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.daemon.control import LONGEST_LINE, MOST_CLIENTS, Connection, Control
from lab.daemon.loop import Loop
from lab.errors import UnfitError


class Bench:
    """A control socket whose handler answers `echo`, keeps `wait` waiting and streams on `events`."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "ctl"
        self.loop = Loop(lambda: 0.0)
        self.waiting: list[Connection] = []
        self.control = Control(self.path, self.loop.selector, self.handle)
        self.clients: list[socket.socket] = []

    def handle(self, client: Connection, request: dict[str, object]) -> None:
        if request["command"] == "wait":
            self.waiting.append(client)
        elif request["command"] == "events":
            client.streaming = True
        else:
            client.answer(request)

    def connect(self) -> socket.socket:
        client = socket.socket(socket.AF_UNIX)
        client.connect(str(self.path))
        client.setblocking(False)
        self.clients.append(client)
        return client

    def turn(self) -> None:
        """Do all that can be done at once."""
        self.loop._idle_turns = 0
        while not self.loop._idle_turns:
            self.loop.turn(0.0)

    def talk(self, client: socket.socket, data: bytes) -> list[dict[str, object]]:
        """Send octets and read the answers, until nothing moves any more; turns in between."""
        answers, moved = b"", True
        while moved:
            moved = False
            try:
                sent = client.send(data) if data else 0
                data, moved = data[sent:], sent > 0
            except BlockingIOError:
                pass
            except BrokenPipeError:
                data = b""
            self.turn()
            try:
                part = client.recv(1 << 20)
            except (BlockingIOError, ConnectionResetError):
                continue
            answers, moved = answers + part, moved or bool(part)
        return [json.loads(line) for line in answers.splitlines()]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.control.close()
    for client in made.clients:
        client.close()
    made.loop.close()


NONSENSE = [
    b"hello\n",
    b"{\n",
    b"[]\n",
    b"null\n",
    b"7\n",
    b'"echo"\n',
    b"{}\n",
    b'{"command": 7}\n',
    b'{"command": null}\n',
    b"\xff\xfe\x00\n",
    b"[" * 60000 + b"\n",
    b"1" * 60000 + b"\n",
    b'{"command": "echo"' * 100 + b"\n",
]


@pytest.mark.parametrize("line", NONSENSE, ids=lambda line: repr(line[:20]))
def test_nonsense_is_an_error_line_and_the_connection_lives_on(bench: Bench, line: bytes) -> None:
    client = bench.connect()
    (answer,) = bench.talk(client, line)
    assert answer["ok"] is False and isinstance(answer["error"], str)
    assert bench.talk(client, b'{"command": "echo"}\n') == [{"ok": True, "result": {"command": "echo"}}]


def test_empty_lines_are_nothing(bench: Bench) -> None:
    assert bench.talk(bench.connect(), b"\n  \n\r\n" + b'{"command": "echo"}\n')[0]["ok"] is True


def test_a_line_that_never_ends_is_cut_off(bench: Bench) -> None:
    client = bench.connect()
    (answer,) = bench.talk(client, b"x" * (LONGEST_LINE * 4))
    assert "at most" in answer["error"]
    assert not bench.control._connections


def test_a_request_in_pieces(bench: Bench) -> None:
    client = bench.connect()
    for octet in b'{"command": "ec':
        assert bench.talk(client, bytes((octet,))) == []
    assert bench.talk(client, b'ho"}\n')[0]["ok"] is True


def test_thousands_of_requests_at_once_are_answered_in_order(bench: Bench) -> None:
    """They must not nest: one call per request would end in a RecursionError."""
    requests = b"".join(b'{"command": "echo", "n": %d}\n' % n for n in range(5000))
    answers = bench.talk(bench.connect(), requests)
    assert [answer["result"]["n"] for answer in answers] == list(range(5000))


def test_one_command_at_a_time(bench: Bench) -> None:
    client = bench.connect()
    assert bench.talk(client, b'{"command": "wait"}\n{"command": "echo"}\n') == []
    (waiting,) = bench.waiting
    waiting.event({"event": "step"})
    waiting.answer("done")
    answers = bench.talk(client, b"")
    assert [answer.get("event") or answer["ok"] for answer in answers] == ["step", True, True]


def test_a_client_that_leaves_while_it_waits(bench: Bench) -> None:
    client = bench.connect()
    bench.talk(client, b'{"command": "wait"}\n')
    client.close()
    bench.turn()
    (waiting,) = bench.waiting
    assert waiting.closed and not bench.control._connections
    waiting.event({"event": "step"})
    waiting.answer("too late")
    waiting.refuse("too late")


def test_a_client_that_does_not_read_is_cut_off_and_costs_no_turns(bench: Bench) -> None:
    slow, good = bench.connect(), bench.connect()
    for client in (slow, good):
        bench.talk(client, b'{"command": "events"}\n')
    heard = b""
    for number in range(3000):
        bench.control.tell({"event": "x" * 2000, "n": number})
        if number % 50 == 0:
            bench.turn()
            while True:
                try:
                    heard += good.recv(1 << 20)
                except BlockingIOError:
                    break
    assert [connection.closed for connection in bench.control._connections] == [False], "only the good one is left"
    assert heard.count(b"\n") > 2900
    before = bench.loop.wakeups
    bench.loop.turn(0.0)
    assert bench.loop.wakeups == before + 1


def test_events_go_to_those_who_asked(bench: Bench) -> None:
    listener, other = bench.connect(), bench.connect()
    bench.talk(listener, b'{"command": "events"}\n')
    bench.talk(other, b'{"command": "echo"}\n')
    bench.control.tell({"event": "child-up", "odd": Path("/not json")})
    assert bench.talk(listener, b"") == [{"event": "child-up", "odd": "/not json"}]
    assert bench.talk(other, b"") == []


def test_the_socket_is_for_its_owner_only(bench: Bench) -> None:
    assert bench.path.stat().st_mode & 0o777 == 0o600
    bench.control.close()
    assert os.listdir(bench.path.parent) == []
    bench.control = Control(bench.path, bench.loop.selector, bench.handle)


def test_only_the_leftover_of_a_dead_daemon_is_replaced(tmp_path: Path) -> None:
    loop, path = Loop(lambda: 0.0), tmp_path / "deep" / "ctl"
    living = Control(path, loop.selector, lambda client, request: None)
    with pytest.raises(UnfitError, match="cannot listen"):
        Control(path, loop.selector, lambda client, request: None)
    assert path.exists()
    loop.selector.unregister(living._socket)
    living._socket.close()  # as kill -9 leaves it
    Control(path, loop.selector, lambda client, request: None).close()
    path.write_text("precious")
    with pytest.raises(UnfitError, match="not the leftover"):
        Control(path, loop.selector, lambda client, request: None)
    assert path.read_text() == "precious"
    loop.close()


@pytest.mark.parametrize("place", ["x" * 200, "file/ctl"])
def test_a_path_that_cannot_be(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_text("")
    loop = Loop(lambda: 0.0)
    with pytest.raises(UnfitError, match="name another --control"):
        Control(tmp_path / place, loop.selector, lambda client, request: None)
    loop.close()


def test_clients_are_bounded_and_those_that_were_first_are_served(bench: Bench) -> None:
    first = bench.connect()
    bench.turn()
    for _ in range(MOST_CLIENTS + 5):
        bench.connect()
        bench.turn()
    assert len(bench.control._connections) == MOST_CLIENTS
    assert bench.clients[-1].recv(1) == b"", "sent away"
    assert bench.talk(first, b'{"command": "echo"}\n')
    bench.clients[1].close()
    bench.turn()
    assert bench.talk(bench.connect(), b'{"command": "echo"}\n'), "room again"
