"""The command line's end of a connection to a lab."""

import os
import selectors
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from lab.errors import BrokenError
from lab.life import wire
from lab.life.waiting import File, ready

Say = Callable[[bytes], object]


class Client:
    """One connection, for one command."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        self._lines = wire.Lines()
        self._waiting = b""
        try:
            self._socket.connect(str(path))
        except OSError as error:
            self._socket.close()
            raise BrokenError(f"the lab does not answer at {path}: {error.strerror or error}") from error

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_exc: object) -> None:
        self._socket.close()

    def ask(self, command: str, **arguments: Any) -> Any:
        """The result of a command that gives it at once; what is wrong is raised as the server's kind of error."""
        try:
            self._socket.sendall(wire.encode({"command": command, **arguments}))
        except OSError as error:
            raise _broken(error) from error
        for message in self._messages():
            if "ok" in message:
                return _result(message)
        raise BrokenError("the lab ended in the middle of a command")

    def run(
        self, command: str, arguments: dict[str, Any], *, out: Say, err: Say, input_from: int = -1,
        resized: Callable[[], tuple[int, int] | None] = lambda: None, wake: int = -1,
    ) -> int:  # fmt: skip
        """Run a job to its end: its output to `out` and `err`, its input from a descriptor; its exit code.

        `wake` becomes readable when `resized` may have a new size of the terminal.
        """
        self._waiting = wire.encode({"command": command, **arguments})
        self._socket.setblocking(False)
        while True:
            write = selectors.EVENT_WRITE if self._waiting else 0
            wanted: dict[File, int] = {self._socket: selectors.EVENT_READ | write}
            # What waits is written before more input is read: no file is taken into memory as a whole.
            wanted |= {one: selectors.EVENT_READ for one in (wake, -1 if write else input_from) if one >= 0}
            found = ready(wanted)
            if wake in found:
                os.read(wake, 64)
                self._waiting += wire.encode({"size": size}) if (size := resized()) else b""
            if input_from in found and not self._pass_on(input_from):
                input_from = -1
            if found.get(self._socket, 0) & selectors.EVENT_WRITE:
                self._waiting = self._waiting[self._send() :]
            for message in self._received() if found.get(self._socket, 0) & selectors.EVENT_READ else ():
                code = _told(message, out, err)
                if code is not None:
                    return code

    def _pass_on(self, descriptor: int) -> bool:
        """Send some input; False when there is no more."""
        data = os.read(descriptor, 16384)
        self._waiting += wire.encode({"in": wire.octets(data)} if data else {"in_end": True})
        return bool(data)

    def _send(self) -> int:
        try:
            return self._socket.send(self._waiting)
        except BlockingIOError:
            return 0
        except OSError as error:
            raise _broken(error) from error

    def _messages(self) -> Iterator[dict[str, Any]]:
        while True:
            found = self._received()
            yield from found

    def _received(self) -> list[dict[str, Any]]:
        try:
            data = self._socket.recv(65536)
            if not data:
                raise BrokenError("the lab ended in the middle of a command")
            return self._lines.feed(data)
        except BlockingIOError:
            return []
        except (OSError, wire.Garbled) as error:
            raise _broken(error) from error


def _broken(error: Exception) -> BrokenError:
    return BrokenError(f"the connection to the lab broke: {getattr(error, 'strerror', None) or error}")


def _result(message: dict[str, Any]) -> Any:
    if message["ok"]:
        return message.get("result")
    raise wire.error(str(message.get("kind")), str(message.get("error")))


def _told(message: dict[str, Any], out: Say, err: Say) -> int | None:
    """Pass output on; the exit code if the job has ended."""
    if "ok" in message:
        _result(message)
    if "out" in message:
        out(wire.plain(message, "out"))
    if "err" in message:
        err(wire.plain(message, "err"))
    return int(message["exit"]) if "exit" in message else None
