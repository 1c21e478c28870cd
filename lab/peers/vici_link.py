"""One vici connection to charon for commands, a second one for events.

Rules: a command blocks until charon answers, but no longer than it is given: a charon that is stuck is a PeerFault that
names what was waited for, and its connection is of no use any more, since the answer might still come. The seconds are
of the clock that charon has too, virtual where that is. Events are read only when the socket has some, so nothing here
needs a thread. vici's values are bytes: they become str at this door, and nothing behind it sees vici's own types.

Before each packet of ours charon gets a breath to end what it is at. That of 5.9.8 spins while a callback for one
descriptor is under way and another one is readable; where the clock is virtual such a loop, which reads no clock, is
never interrupted, and the guest stands still for ever.
"""

import select
import socket
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from vici import Session
from vici.exception import CommandException, SessionException
from vici.protocol import Message, Packet, Transport

from lab.peers.base import PeerFault

POLL_S = 0.005
# Seconds that charon has for a command that waits for no peer.
ANSWER_S = 10.0
# Seconds. Where the clock is virtual they pass when nobody in the guest has anything to do.
BREATH_S = 0.005


def plain(value: Any) -> Any:
    """bytes -> str, all the way down."""
    if isinstance(value, Mapping):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(inner) for inner in value]
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def connect(path: Path, deadline: float) -> socket.socket:
    """A socket connected to charon, tried again (with a blocking pause) until the monotonic deadline."""
    while True:
        link = socket.socket(socket.AF_UNIX)
        try:
            link.connect(str(path))
        except (FileNotFoundError, ConnectionRefusedError):
            link.close()
            if time.monotonic() > deadline:
                raise PeerFault(f"nothing answers on {path.name}") from None
            time.sleep(POLL_S)
        else:
            return link


class Patience(Transport):  # type: ignore[misc]  # vici has no types
    """vici's transport, in which all that answers one command must come in time."""

    def __init__(self, link: socket.socket) -> None:
        super().__init__(link)
        self._what, self._limit, self._until, self._stuck = "", 0.0, 0.0, ""

    def expect(self, what: str, limit: float) -> None:
        """From now on `limit` seconds for all answers to `what`; PeerFault where one has stayed out already."""
        if self._stuck:
            raise PeerFault(f"vici {what} was not tried: {self._stuck}")
        self._what, self._limit, self._until = what, limit, time.monotonic() + limit

    def send(self, packet: bytes) -> None:
        """Send a packet, once charon has had its breath (a blocking pause)."""
        time.sleep(BREATH_S)
        super().send(packet)

    def receive(self, *_: object) -> bytes:
        """The next packet; PeerFault that says what was waited for where it does not come."""
        left = self._until - time.monotonic()
        if self._stuck or not select.select([self.socket], [], [], max(0.0, left))[0]:
            self._stuck = f"charon did not answer vici {self._what} within {self._limit:g} s"
            raise PeerFault(self._stuck)
        packet: bytes = super().receive()
        return packet


class Commands:
    """Commands to charon; every answer is plain dicts, every refusal a string."""

    def __init__(self, link: socket.socket) -> None:
        self._session = Session(link)
        self._transport = self._session.transport = Patience(link)

    def request(
        self, command: str, message: Mapping[str, Any] | None = None, limit: float = ANSWER_S
    ) -> dict[str, Any]:
        """One command, one answer within `limit` seconds; a refusal is a PeerFault with charon's words."""
        self._transport.expect(command, limit)
        try:
            answer: dict[str, Any] = plain(self._session.request(command, dict(message or {})))
        except (OSError, SessionException, CommandException) as error:
            raise PeerFault(f"vici {command}: {error}") from error
        return answer

    def streamed(
        self, command: str, event: str, message: Mapping[str, Any] | None = None, limit: float = ANSWER_S
    ) -> tuple[list[Any], str]:
        """A command with a stream of answers, within `limit` seconds: what came, and charon's words if it refused."""
        self._transport.expect(command, limit)
        answers: list[Any] = []
        try:
            for answer in self._session.streamed_request(command, event, dict(message or {})):
                answers.append(plain(answer))
        except CommandException as error:
            return answers, str(error).removeprefix("Command failed: ")
        except (OSError, SessionException) as error:
            raise PeerFault(f"vici {command}: {error}") from error
        return answers, ""

    def close(self) -> None:
        """Hang up."""
        self._session.transport.socket.close()


class Events:
    """The second connection: events charon sends by itself."""

    def __init__(self, link: socket.socket, names: Iterable[str]) -> None:
        self._link, self._transport = link, Patience(link)
        self._early: list[tuple[str, dict[str, Any]]] = []
        self.known = [name for name in names if self._register(name)]

    def _register(self, name: str) -> bool:
        """Ask for one kind of event; False where this release does not know it."""
        self._transport.expect(f"register {name}", ANSWER_S)
        self._transport.send(Packet.register_event(name))
        while True:
            packet = Packet.parse(self._transport.receive())
            if packet.response_type != Packet.EVENT:
                return bool(packet.response_type == Packet.EVENT_CONFIRM)
            self._early.append(_event(packet))

    def read(self, timeout: float) -> Sequence[tuple[str, dict[str, Any]]]:
        """All events at hand; waits up to `timeout` seconds for the first."""
        found, self._early = self._early, []
        self._transport.expect("events", timeout + ANSWER_S)
        wait = 0.0 if found else timeout
        try:
            while select.select([self._link], [], [], wait)[0]:
                found.append(_event(Packet.parse(self._transport.receive())))
                wait = 0.0
        except OSError as error:
            if not found:
                raise PeerFault(f"vici events: {error}") from error
        return found

    def close(self) -> None:
        """Hang up."""
        self._link.close()


def _event(packet: Any) -> tuple[str, dict[str, Any]]:
    return packet.event_type.decode(), plain(Message.deserialize(packet.payload))
