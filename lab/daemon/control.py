"""The control socket: commands in, answers out, one JSON object per line.

    -> {"command": "initiate", "child": "net", "timeout": 30}
    <- {"event": "child-up", ...}            zero or more, while the command runs
    <- {"ok": true, "result": {...}}         or {"ok": false, "error": "in words"}

Rules of this file:
- Whoever may open the socket owns the daemon: its mode is 0600.
- One command at a time per connection; lines behind it wait. What is no command gets an error line, never an exception.
- Nobody can make the daemon grow or wait: lines are bounded, and who does not read is cut off.
"""

import errno
import json
import selectors
import socket
import stat
from collections.abc import Callable
from pathlib import Path

from lab.errors import UnfitError

LONGEST_LINE = 65536
MOST_UNREAD = 1 << 20  # what a client may leave unread before it is cut off
BACKLOG = 16
MOST_CLIENTS = 64  # file descriptors that clients may take; a further one is sent away at once

Handler = Callable[["Connection", dict[str, object]], None]
Ready = Callable[[int], None]


class Connection:
    """One client of the control socket."""

    def __init__(self, opened: socket.socket, control: "Control") -> None:
        self._socket, self._control = opened, control
        self._input, self._output = b"", bytearray()
        self._blocked = False
        self.busy = self.streaming = self.closed = self._taking = False

    def ready(self, mask: int) -> None:
        """Read and write what can be read and written now."""
        if mask & selectors.EVENT_WRITE:
            self._flush()
        if mask & selectors.EVENT_READ and not self.closed:
            self._read()

    def _read(self) -> None:
        try:
            data = self._socket.recv(LONGEST_LINE)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.close()
            return
        self._input += data
        self._next()

    def _next(self) -> None:
        """Handle the lines that are there, until a command wants time."""
        if self._taking:  # a command was answered at once: the loop below goes on, it must not nest
            return
        self._taking = True
        while not self.busy and not self.closed and b"\n" in self._input:
            line, _, self._input = self._input.partition(b"\n")
            if line.strip():
                self._handle(line)
        self._taking = False
        if len(self._input) > LONGEST_LINE:
            self.refuse(f"a line has at most {LONGEST_LINE} octets")
            self.close()

    def _handle(self, line: bytes) -> None:
        try:
            request = json.loads(line)
        except (ValueError, RecursionError):
            self.refuse("not a line of JSON")
            return
        if not isinstance(request, dict) or not isinstance(request.get("command"), str):
            self.refuse('a request is an object with "command"')
            return
        self.busy = True
        self._control.handler(self, request)

    def event(self, fields: dict[str, object]) -> None:
        """Tell something on the way to the answer."""
        self._write(fields)

    def answer(self, result: object) -> None:
        """The end of a command that did what it should."""
        self._end({"ok": True, "result": result})

    def refuse(self, error: str) -> None:
        """The end of a command that did not."""
        self._end({"ok": False, "error": error})

    def _end(self, fields: dict[str, object]) -> None:
        self._write(fields)
        if self.busy:
            self.busy = False
            self._next()

    def _write(self, fields: dict[str, object]) -> None:
        if self.closed:
            return
        self._output += json.dumps(fields, default=str).encode() + b"\n"
        if not self._blocked:
            self._flush()
        elif len(self._output) > MOST_UNREAD:
            self.close()

    def _flush(self) -> None:
        try:
            while self._output:
                del self._output[: self._socket.send(self._output)]
        except BlockingIOError:
            pass
        except OSError:
            self.close()
            return
        self._blocked = bool(self._output)
        self._control.watch(self, writing=self._blocked)

    def fileno(self) -> int:
        """For the selector."""
        return self._socket.fileno()

    def close(self) -> None:
        """End the connection; a command in progress goes on without a listener."""
        if not self.closed:
            self.closed = True
            self._control.forget(self)
            self._socket.close()


class Control:
    """The listening socket and its clients."""

    def __init__(self, path: Path, selector: selectors.BaseSelector, handler: Handler) -> None:
        self.path, self.handler = path, handler
        self._selector, self._connections = selector, set[Connection]()
        self._writing = set[Connection]()
        self._socket = _listen(path)
        selector.register(self._socket, selectors.EVENT_READ, self._accept)

    def _accept(self, _mask: int) -> None:
        try:
            opened, _ = self._socket.accept()
        except OSError:  # gone again, or no file descriptor left: the client sees it
            return
        if len(self._connections) >= MOST_CLIENTS:
            opened.close()
            return
        opened.setblocking(False)
        connection = Connection(opened, self)
        self._connections.add(connection)
        ready: Ready = connection.ready
        self._selector.register(opened, selectors.EVENT_READ, ready)

    def watch(self, connection: Connection, *, writing: bool) -> None:
        """Wake up for a client that can be written to, only as long as something waits for it."""
        if writing == (connection in self._writing):
            return
        (self._writing.add if writing else self._writing.discard)(connection)
        mask = selectors.EVENT_READ | (selectors.EVENT_WRITE if writing else 0)
        ready: Ready = connection.ready
        self._selector.modify(connection, mask, ready)

    def forget(self, connection: Connection) -> None:
        """A client has gone."""
        self._selector.unregister(connection)
        self._connections.discard(connection)
        self._writing.discard(connection)

    def tell(self, fields: dict[str, object]) -> None:
        """An event for all who asked for events."""
        for connection in list(self._connections):
            if connection.streaming:
                connection.event(fields)

    def close(self) -> None:
        """Send everybody away and remove the socket."""
        for connection in list(self._connections):
            connection.close()
        self._selector.unregister(self._socket)
        self._socket.close()
        self.path.unlink(missing_ok=True)


def _listen(path: Path) -> socket.socket:
    """A listening socket at this path; the leftover of a dead daemon is replaced, nothing else is."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    birthplace = path.with_name(f".{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and not _is_leftover(path):
            raise OSError(errno.EADDRINUSE, "something is there that is not the leftover of a daemon")
        birthplace.unlink(missing_ok=True)
        listener.bind(str(birthplace))
        birthplace.chmod(0o600)
        listener.listen(BACKLOG)
        birthplace.rename(path)  # whoever sees the socket can connect to it
    except OSError as error:
        listener.close()
        why = error.strerror or str(error)
        raise UnfitError(
            f"cannot listen at {path}: {why}", fix="name another --control (at most 107 octets)"
        ) from error
    return listener


def _is_leftover(path: Path) -> bool:
    if not stat.S_ISSOCK(path.stat().st_mode):
        return False
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            return True
    return False
