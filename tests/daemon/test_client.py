"""The client against a daemon that plays its part badly."""

import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from lab.daemon.client import Client, Refused
from lab.errors import UnfitError


def answering(path: Path, say: bytes) -> Callable[[], bytes]:
    """A daemon that takes one line, says something and hangs up; gives back what it was told."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()
    told: list[bytes] = []

    def serve() -> None:
        with listener, listener.accept()[0] as client:
            told.append(client.recv(4096))
            client.sendall(say)

    server = threading.Thread(target=serve)
    server.start()

    def finish() -> bytes:
        server.join(10)
        return b"".join(told)

    return finish


def test_a_result_and_the_events_on_the_way(tmp_path: Path) -> None:
    finish = answering(tmp_path / "ctl", b'{"event": "ike-up"}\n{"event": "child-up"}\n{"ok": true, "result": [1]}\n')
    seen: list[dict[str, object]] = []
    with Client(tmp_path / "ctl") as client:
        assert client.call("initiate", child="net", on_event=seen.append) == [1]
    assert [event["event"] for event in seen] == ["ike-up", "child-up"]
    assert finish() == b'{"command": "initiate", "child": "net"}\n'


def test_a_refusal_says_why(tmp_path: Path) -> None:
    finish = answering(tmp_path / "ctl", b'{"ok": false, "error": "IKE_AUTH: AUTHENTICATION_FAILED"}\n')
    with Client(tmp_path / "ctl") as client, pytest.raises(Refused, match=r"^IKE_AUTH: AUTHENTICATION_FAILED$"):
        client.call("initiate", child="net")
    finish()


@pytest.mark.parametrize("said", [b"", b'{"event": "ike-up"}\n', b'{"ok": tr'])
def test_a_daemon_that_dies_in_between(tmp_path: Path, said: bytes) -> None:
    finish = answering(tmp_path / "ctl", said)
    with Client(tmp_path / "ctl") as client, pytest.raises(Refused, match="ended the connection"):
        client.call("initiate", child="net")
    finish()


def test_events_begin_when_the_daemon_listens(tmp_path: Path) -> None:
    finish = answering(tmp_path / "ctl", b'{"event": "listening"}\n{"event": "ike-up"}\n')
    with Client(tmp_path / "ctl") as client:
        assert [event["event"] for event in client.events()] == ["ike-up"]
    finish()


def test_no_daemon_there(tmp_path: Path) -> None:
    with pytest.raises(UnfitError, match=r"no daemon answers at .*; start one: ikelab daemon --control"):
        Client(tmp_path / "ctl")
    with pytest.raises(UnfitError, match="no daemon answers"):
        Client(tmp_path / ("x" * 200))


def test_a_daemon_that_says_nothing(tmp_path: Path) -> None:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(tmp_path / "ctl"))
    listener.listen()
    with (
        listener,
        Client(tmp_path / "ctl", timeout=0.05) as client,
        pytest.raises(Refused, match=r"no answer to stats in 0.05 s"),
    ):
        client.call("stats")
