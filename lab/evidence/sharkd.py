"""sharkd: the dissectors of tshark, started once for a whole run instead of once for every capture.

Registering its thousands of protocols takes tshark longer than decrypting a scenario's capture. sharkd, of the same
package, does it once and forks for each session, so that no session sees another one's keys.

    -> {"jsonrpc": "2.0", "id": 1, "method": "setconf", "params": {"name": "uat:esp_sa", "value": ROW}}
    <- {"jsonrpc": "2.0", "id": 1, "result": {"status": "OK"}}

Rules: it is told the rows of the profile's own files, in which Wireshark's parser must find nothing wrong. Whatever it
refuses or cannot tell is `Unable`, and then tshark itself is asked. It ends with the lab, even with a killed one: a
shell waits for the end of its standard input, and takes the whole process group with it.
"""

import atexit
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

# $1 sharkd, $2 the address it listens on. It puts itself into the background, and the shell keeps watch.
_WATCHED = '"$1" -a "$2" </dev/null >/dev/null 2>&1; read -r _; kill -KILL 0'
_START_S = 20.0
_POLL_S = 0.01
TABLES = ("ikev1_decryption_table", "ikev2_decryption_table", "esp_sa")


def whole(pcapng: Path) -> bool:
    """Whether a capture ends with a whole block: sharkd dies of a torn one and leaves its caller waiting."""
    with pcapng.open("rb") as file:
        size, at = file.seek(0, 2), 0
        while at + 12 <= size:
            file.seek(at + 4)
            at += max(12, int(struct.unpack("<I", file.read(4))[0]))
    return at == size


class Unable(Exception):
    """sharkd could not tell; what it was asked must be asked of tshark."""


class Server:
    """A sharkd that listens, and the sessions with it."""

    _lock = threading.Lock()
    _running: "Server | None" = None

    def __init__(self, program: str) -> None:
        self._place = TemporaryDirectory(prefix="ikelab-sharkd-")
        self._address = Path(self._place.name) / "socket"
        # A directory of its own: the settings of whoever runs the lab must not count.
        environment = {**os.environ, "WIRESHARK_CONFIG_DIR": self._place.name, "LC_ALL": "C.UTF-8"}
        command = ["sh", "-c", _WATCHED, "sh", program, f"unix:{self._address}"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, env=environment, start_new_session=True)
        atexit.register(self.close)

    @classmethod
    def shared(cls) -> "Server":
        """The one that runs, or a new one; Unable where there is no sharkd."""
        with cls._lock:
            if cls._running is None or cls._running.ended:
                program = shutil.which("sharkd")
                if program is None:
                    raise Unable("sharkd is not installed")
                cls._running = cls(program)
            return cls._running

    @property
    def ended(self) -> bool:
        """Whether it was closed or has died."""
        return self._process.poll() is not None

    def close(self) -> None:
        """End it and all its sessions."""
        if not self.ended:
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.communicate()
        self._place.cleanup()

    def session(self, limit_s: float) -> "Session":
        """A process of its own that knows nothing yet."""
        deadline = time.monotonic() + _START_S
        while True:
            link = socket.socket(socket.AF_UNIX)
            try:
                link.connect(str(self._address))
            except OSError as error:
                link.close()
                if self.ended or time.monotonic() > deadline:
                    raise Unable(f"sharkd does not listen: {error}") from error
                time.sleep(_POLL_S)
            else:
                link.settimeout(limit_s)
                return Session(link)


class Session:
    """One conversation; a context manager."""

    def __init__(self, link: socket.socket) -> None:
        self._link, self._lines, self._number = link, link.makefile("rb"), 0

    def __enter__(self) -> "Session":
        return self

    def __exit__(self, *_: object) -> None:
        self._lines.close()
        self._link.close()

    def ask(self, method: str, **params: object) -> Any:
        """The result of one request; Unable where it is refused."""
        return next(self.ask_all(method, [params]))

    def ask_all(self, method: str, wishes: Sequence[Mapping[str, object]]) -> Iterator[Any]:
        """The results of many requests, which are sent before the first answer is read where they are few."""
        for start in range(0, len(wishes), 16):
            some = wishes[start : start + 16]
            self._send(method, some)
            for _ in some:
                yield self._answer(method)

    def _send(self, method: str, wishes: Sequence[Mapping[str, object]]) -> None:
        first = self._number + 1
        self._number += len(wishes)
        requests = [
            {"jsonrpc": "2.0", "id": number, "method": method, "params": dict(params)}
            for number, params in enumerate(wishes, first)
        ]
        try:
            self._link.sendall(b"".join(json.dumps(request).encode() + b"\n" for request in requests))
        except OSError as error:
            raise Unable(f"sharkd hung up: {error}") from error

    def _answer(self, method: str) -> Any:
        try:
            line = self._lines.readline()
        except OSError as error:
            raise Unable(f"sharkd does not answer to {method}: {error}") from error
        try:
            answer = json.loads(line)
        except ValueError as error:
            raise Unable(f"sharkd does not answer to {method}") from error
        if "error" in answer:
            raise Unable(f"sharkd refuses {method}: {answer['error'].get('message')}")
        return answer["result"]

    def configure(self, profile: Path) -> None:
        """Take the settings and tables of a profile directory; Unable where Wireshark refuses one."""
        wishes = [{"name": name, "value": value} for name, value in _settings(profile)]
        for _ in self.ask_all("setconf", wishes):
            pass


def _settings(profile: Path) -> Iterator[tuple[str, str]]:
    """(setting, value) for all that the files of a profile say, but for what only a window shows."""
    for line in lines(profile / "preferences"):
        name, colon, value = line.partition(":")
        if colon and not name.startswith(("gui.", "\t")):
            yield name, value.strip()
    for table in TABLES:
        for row in lines(profile / table):
            yield f"uat:{table}", row


def lines(path: Path) -> list[str]:
    """The lines of a file of a profile that say something; none where there is no file."""
    found = path.read_text().splitlines() if path.exists() else []
    return [line for line in found if line.strip() and not line.startswith("#")]


def values(tree: Sequence[Mapping[str, Any]], field: str) -> Iterator[str]:
    """All values of a field in the tree of a frame, in the order shown."""
    for node in tree:
        name, equals, value = str(node.get("f", "")).partition(" == ")
        if equals and name == field:
            yield value
        yield from values(node.get("n", ()), field)
