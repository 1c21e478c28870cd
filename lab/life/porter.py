"""Joins the channels of a line to unix sockets, at both ends of it.

On the host a connection to the lab's socket opens a channel; in the guest an opened channel becomes a connection to the
server's socket. Half-closed connections stay so: the end of one way is passed on as such.
"""

import contextlib
import os
import selectors
import socket
import tty
from collections.abc import Callable
from pathlib import Path

from lab.errors import BrokenError
from lab.life.mux import WINDOW, Event, Kind, Mux
from lab.life.waiting import File, ready

LINE_DEVICE = "/dev/tty1"  # what the kernel calls its console 1
_AT_ONCE = 65536


class Port:
    """One connection and its channel: what waits to be written to it, and which ways have ended."""

    def __init__(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        self.connection = connection
        self.waiting = b""
        self.ending = self.wrote_end = self.read_ended = False


class Porter:
    """Carries octets until the line ends."""

    def __init__(
        self, line: int, *, listener: socket.socket | None = None, connect: Callable[[], socket.socket] | None = None
    ) -> None:
        """The host's end has a `listener`, the guest's end knows how to `connect` to the server."""
        self._line, self._listener, self._connect = line, listener, connect
        self.mux = Mux(opens=listener is not None)
        self._ports: dict[int, Port] = {}
        os.set_blocking(line, False)

    def serve(self, until: Callable[[], bool] = lambda: False) -> None:
        """Carry until the line ends, or `until` says so (asked at least every half second)."""
        try:
            while not until():
                for which, events in self._ready():
                    if not self._handle(which, events):
                        return
        finally:
            for port in self._ports.values():
                port.connection.close()
            self._ports.clear()

    def _ready(self) -> list[tuple[object, int]]:
        """Wait for what can go on: a port is read only while its channel has room."""
        wanted: dict[File, tuple[int, object]] = {}
        write = selectors.EVENT_WRITE if self.mux.waiting else 0
        wanted[self._line] = (selectors.EVENT_READ | write, "line")
        if self._listener is not None and self.mux.ready:
            wanted[self._listener] = (selectors.EVENT_READ, "listener")
        for number, port in self._ports.items():
            read = selectors.EVENT_READ if not port.read_ended and self.mux.room(number) else 0
            if events := read | (selectors.EVENT_WRITE if port.waiting or port.ending else 0):
                wanted[port.connection] = (events, number)
        found = ready(
            {file: events for file, (events, _) in wanted.items()}, 0.5 if self._listener is not None else None
        )
        return [(wanted[file][1], events) for file, events in found.items()]

    def _handle(self, which: object, events: int) -> bool:
        """Carry what is ready; False when the line has ended."""
        if which == "line":
            return self._handle_line(events)
        if which == "listener":
            assert self._listener is not None
            self._welcome(self._listener.accept()[0])
        elif isinstance(which, int) and which in self._ports:
            if events & selectors.EVENT_WRITE:
                self._write(which)
            if events & selectors.EVENT_READ and which in self._ports:
                self._read(which)
        return True

    def _handle_line(self, events: int) -> bool:
        try:
            if events & selectors.EVENT_WRITE:
                self.mux.wrote(os.write(self._line, self.mux.waiting))
            if events & selectors.EVENT_READ:
                data = os.read(self._line, _AT_ONCE)
                if not data:
                    return False
                for event in self.mux.receive(data):
                    self._came(event)
        except BlockingIOError:
            pass
        except (OSError, BrokenError):
            return False
        return True

    # -- from the line

    def _came(self, event: Event) -> None:
        if event.kind == Kind.OPEN:
            self._opened(event.channel)
        port = self._ports.get(event.channel)
        if port is None:
            return
        if event.kind == Kind.DATA:
            port.waiting += event.data
        elif event.kind == Kind.END:
            port.ending = True
        elif event.kind == Kind.RESET:
            self._drop(event.channel)

    def _opened(self, number: int) -> None:
        assert self._connect is not None
        try:
            self._ports[number] = Port(self._connect())
        except OSError:
            self.mux.reset(number)

    def _write(self, number: int) -> None:
        port = self._ports[number]
        try:
            sent = port.connection.send(port.waiting) if port.waiting else 0
            port.waiting = port.waiting[sent:]
            self.mux.taken(number, sent)
            if port.ending and not port.waiting:
                port.ending = False
                port.connection.shutdown(socket.SHUT_WR)
                self._close_if_over(number, port, wrote_all=True)
        except BlockingIOError:
            pass
        except OSError:
            self._drop(number)

    # -- to the line

    def _welcome(self, connection: socket.socket) -> None:
        try:
            self._ports[self.mux.open()] = Port(connection)
        except BrokenError:
            connection.close()

    def _read(self, number: int) -> None:
        port = self._ports[number]
        try:
            data = port.connection.recv(min(self.mux.room(number), WINDOW))
        except BlockingIOError:
            return
        except OSError:
            self._drop(number)
            return
        if data:
            self.mux.send(number, data)
            return
        port.read_ended = True
        self.mux.end(number)
        self._close_if_over(number, port)

    def _close_if_over(self, number: int, port: Port, *, wrote_all: bool = False) -> None:
        port.wrote_end = wrote_all or port.wrote_end
        if port.wrote_end and port.read_ended:
            self._ports.pop(number).connection.close()

    def _drop(self, number: int) -> None:
        self.mux.reset(number)
        self._ports.pop(number).connection.close()


def carry_in_guest(server: Path) -> None:
    """The guest's end: have the line for octets alone, and join it to the server's socket."""
    line = os.open(LINE_DEVICE, os.O_RDWR | os.O_NOCTTY)
    tty.setraw(line)

    def connect() -> socket.socket:
        made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        with contextlib.ExitStack() as undo:
            undo.callback(made.close)
            made.connect(str(server))
            undo.pop_all()
        return made

    Porter(line, connect=connect).serve()
