"""One vici connection to charon for commands, a second one for events.

Rules: a command blocks until charon answers; events are read only when the socket has some, so nothing here needs a
thread. vici's values are bytes: they become str at this door, and nothing behind it sees vici's own types.
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


class Commands:
    """Commands to charon; every answer is plain dicts, every refusal a string."""

    def __init__(self, link: socket.socket) -> None:
        self._session = Session(link)

    def request(self, command: str, message: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """One command, one answer; a refusal is a PeerFault with charon's words."""
        try:
            answer: dict[str, Any] = plain(self._session.request(command, dict(message or {})))
        except (OSError, SessionException, CommandException) as error:
            raise PeerFault(f"vici {command}: {error}") from error
        return answer

    def streamed(self, command: str, event: str, message: Mapping[str, Any] | None = None) -> tuple[list[Any], str]:
        """A command with a stream of answers: what came, and charon's words if it refused in the end."""
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
        self._link, self._transport = link, Transport(link)
        self._early: list[tuple[str, dict[str, Any]]] = []
        self.known = [name for name in names if self._register(name)]

    def _register(self, name: str) -> bool:
        """Ask for one kind of event; False where this release does not know it."""
        self._transport.send(Packet.register_event(name))
        while True:
            packet = Packet.parse(self._transport.receive())
            if packet.response_type != Packet.EVENT:
                return bool(packet.response_type == Packet.EVENT_CONFIRM)
            self._early.append(_event(packet))

    def read(self, timeout: float) -> Sequence[tuple[str, dict[str, Any]]]:
        """All events at hand; waits up to `timeout` seconds for the first."""
        found, self._early = self._early, []
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
