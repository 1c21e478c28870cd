"""The other end of the control socket."""

import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

from lab.errors import LabError, UnfitError


class Refused(LabError):
    """The daemon could not do what it was asked; the text says why."""


class Client:
    """A connection to a daemon, also usable in `with`."""

    def __init__(self, path: Path | str, *, timeout: float | None = None) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        self._socket.settimeout(timeout)
        try:
            self._socket.connect(str(path))
        except OSError as error:
            self._socket.close()
            why = error.strerror or str(error)
            fix = f"start one: ikelab daemon --control {path}"
            raise UnfitError(f"no daemon answers at {path}: {why}", fix=fix) from error
        self._buffer = b""

    def call(
        self, command: str, /, *, on_event: Callable[[dict[str, object]], None] | None = None, **args: object
    ) -> object:
        """Give a command and wait for its result; Refused says why there is none."""
        for answer in self._ask(command, args):
            if "ok" not in answer:
                if on_event:
                    on_event(answer)
            elif answer["ok"]:
                return answer.get("result")
            else:
                raise Refused(str(answer.get("error")))
        raise Refused("the daemon ended the connection")

    def events(self) -> Iterator[dict[str, object]]:
        """Events from now on, as they arise, until the daemon ends."""
        answers = self._ask("events", {})
        next(answers, None)  # `listening`: what happens after this is told
        return answers

    def _ask(self, command: str, args: dict[str, object]) -> Iterator[dict[str, object]]:
        request = {"command": command, **args}
        try:
            self._socket.sendall(json.dumps(request).encode() + b"\n")
            while line := self._line():
                yield json.loads(line)
        except TimeoutError:
            raise Refused(f"the daemon gave no answer to {command} in {self._socket.gettimeout():g} s") from None
        except OSError as error:
            raise Refused(f"the connection to the daemon broke: {error.strerror}") from error

    def _line(self) -> bytes:
        while b"\n" not in self._buffer:
            data = self._socket.recv(65536)
            if not data:
                return b""
            self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line

    def close(self) -> None:
        """End the connection."""
        self._socket.close()

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()
