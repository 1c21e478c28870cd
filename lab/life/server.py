"""The server of a lab: unix socket in, one command per connection, any number of connections at once.

Rules: one thread, which never waits for a job or a client: what a command does at once is done here, everything else is
a job. A client that does not read holds up its own job only. One that leaves has its job killed.
"""

import contextlib
import os
import selectors
import socket
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from lab.errors import LabError
from lab.life import wire
from lab.life.job import Job
from lab.life.waiting import File, ready

_MOST_READS = 64
MOST_WAITING = 1 << 18  # octets of answers that a client has not read; its job is not read while there are more

Carry = Callable[[Mapping[str, Any], Callable[[], None]], Any]


class Session:
    """One connection: its request, its job, and what waits to be written to either."""

    def __init__(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        self.connection = connection
        self.lines = wire.Lines()
        self.begun = self.over = self.input_over = False
        self.job: Job | None = None
        self.answers = self.input = b""

    def say(self, **message: Any) -> None:
        """Answer something."""
        self.answers += wire.encode(message)

    def finish(self, **message: Any) -> None:
        """Answer the last thing."""
        self.say(**message)
        self.over = True


class Server:
    """Serves commands until it is told to stop. `carry` does a command: its result, or the job that it has begun."""

    def __init__(self, listener: socket.socket, carry: Carry, idle: Callable[[bool], None] = lambda _: None) -> None:
        """`idle` is told whether no job runs, before every wait."""
        listener.setblocking(False)
        self._listener, self._carry, self._idle = listener, carry, idle
        self._sessions: list[Session] = []
        self._stopping = False

    def stop(self) -> None:
        """End when the answers of now are written."""
        self._stopping = True

    def serve(self) -> None:
        """Serve until `stop`."""
        try:
            while not self._stopping or any(one.answers and one.over for one in self._sessions):
                self._idle(all(one.job is None for one in self._sessions))
                for act, events in self._ready():
                    act(events)
                self._bury()
        finally:
            for session in self._sessions:
                self._close(session)

    def leave(self) -> None:
        """In a forked child: hold no connection open that is not the child's."""
        self._listener.close()
        for session in self._sessions:
            session.connection.close()
            if session.job is not None:
                for descriptor in {session.job.inlet, *session.job.outlets.values()} - {-1}:
                    os.close(descriptor)

    def _ready(self) -> Iterator[tuple[Callable[[int], None], int]]:
        """Wait for what can go on; what to do then, and the events."""
        wanted: dict[File, tuple[int, Callable[[int], None]]] = {}
        wanted[self._listener] = (selectors.EVENT_READ, self._welcome)
        for session in self._sessions:
            wanted |= self._wishes(session)
        for file, events in ready({file: events for file, (events, _) in wanted.items()}).items():
            yield wanted[file][1], events

    def _wishes(self, session: Session) -> dict[File, tuple[int, Callable[[int], None]]]:
        read = 0 if session.over or len(session.input) > MOST_WAITING else selectors.EVENT_READ
        found: dict[File, tuple[int, Callable[[int], None]]] = {}
        if events := read | (selectors.EVENT_WRITE if session.answers else 0):
            found[session.connection] = (events, lambda events: self._talk(session, events))
        job = session.job
        if job is None:
            return found
        found[job.watch] = (selectors.EVENT_READ, lambda _: self._ended(session))
        if len(session.answers) < MOST_WAITING:
            for name, descriptor in job.outlets.items():
                found[descriptor] = (selectors.EVENT_READ, partial(self._passed_on, session, name))
        if session.input and job.inlet >= 0:
            before, act = found.get(job.inlet, (0, None))

            def both(events: int) -> None:
                if events & selectors.EVENT_WRITE:
                    self._feed(session)
                if events & selectors.EVENT_READ and act is not None:
                    act(events)

            found[job.inlet] = (before | selectors.EVENT_WRITE, both)
        return found

    def _welcome(self, _events: int) -> None:
        with contextlib.suppress(OSError):
            self._sessions.append(Session(self._listener.accept()[0]))

    # -- the client

    def _talk(self, session: Session, events: int) -> None:
        try:
            if events & selectors.EVENT_WRITE:
                session.answers = session.answers[session.connection.send(session.answers) :]
            if events & selectors.EVENT_READ and not session.over:
                self._listen(session)
        except BlockingIOError:
            pass
        except OSError:
            self._give_up(session)

    def _listen(self, session: Session) -> None:
        data = session.connection.recv(65536)
        if not data:  # half-closed is no way to say that there is no more input: the client is gone
            self._give_up(session)
            return
        try:
            for message in session.lines.feed(data):
                self._take(session, message)
        except wire.Garbled as error:
            self._drop_job(session)
            session.finish(ok=False, error=str(error), kind="broken")

    def _take(self, session: Session, message: dict[str, Any]) -> None:
        if session.over:
            return
        if not session.begun:
            session.begun = True
            self._begin(session, message)
        elif session.job is not None:
            if "in" in message:
                session.input += wire.plain(message, "in")
            elif "in_end" in message:
                session.input_over = True
            elif "size" in message:
                session.job.resize(*size(message["size"]))
            self._feed(session)

    def _begin(self, session: Session, message: dict[str, Any]) -> None:
        try:
            found = self._carry(message, self.leave)
        except LabError as error:
            session.finish(ok=False, error=str(error), kind=wire.kind(error, otherwise="failed"))
            return
        if isinstance(found, Job):
            session.job = found
        else:
            session.finish(ok=True, result=found)

    def _give_up(self, session: Session) -> None:
        session.over, session.answers = True, b""

    # -- the job

    def _feed(self, session: Session) -> None:
        assert session.job is not None
        session.input = session.input[session.job.write(session.input) :] if session.input else b""
        if session.input_over and not session.input:
            session.input_over = False
            session.job.end_input()

    def _passed_on(self, session: Session, name: str, _events: int) -> None:
        self._heard(session, name)

    def _heard(self, session: Session, name: str) -> bool:
        """Pass on some of what a job says; whether there may be more."""
        if session.job is None or name not in session.job.outlets:
            return False
        data = session.job.read(name)
        if data:
            session.say(**{name: wire.octets(data)})
        elif data is not None:
            session.job.close_outlet(name)
        return bool(data)

    def _ended(self, session: Session) -> None:
        if session.job is None:
            return
        for name in list(session.job.outlets):
            for _ in range(_MOST_READS):  # a process that it left behind may write for ever
                if not self._heard(session, name):
                    break
        code = session.job.reap()
        self._drop_job(session)
        session.finish(exit=code)

    def _drop_job(self, session: Session) -> None:
        if session.job is not None:
            session.job.close()
            session.job = None

    # -- the end

    def _bury(self) -> None:
        for session in [one for one in self._sessions if one.over and not one.answers]:
            self._sessions.remove(session)
            self._close(session)

    def _close(self, session: Session) -> None:
        self._drop_job(session)
        session.connection.close()


def size(value: Any) -> tuple[int, int]:
    """Rows and columns of a terminal, as a client says them."""
    match value:
        case [int(rows), int(columns)] if 0 < rows < 1 << 16 and 0 < columns < 1 << 16:
            return rows, columns
    raise wire.Garbled("a size is [rows, columns]")
