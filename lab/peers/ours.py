"""Our own stack as a peer: the daemon in a forked child of this process, inside the node's namespaces.

Rules: the process is forked, not started, because everything is imported already (a fresh interpreter costs more than
the whole handshake). The child never returns into the code of its parent: it ends with `os._exit`. Everything is asked
over the daemon's control socket, as `ikelab ctl` would ask.
"""

import json
import os
import signal
import sys
import time
import traceback
from pathlib import Path
from typing import Any

from lab import __version__
from lab.daemon.client import Client, Refused
from lab.daemon.main import main as serve
from lab.errors import BrokenError, UnfitError
from lab.ike.swanctl import Section, render
from lab.peers.base import INITIATE_S, READY_S, Event, Node, Outcome, PeerFault

CONFIG, CONTROL, KEYS, EVENTS, LOG = "swanctl.conf", "control", "keys.jsonl", "events.jsonl", "daemon.log"
POLL_S = 0.005


class Ours:
    """Our daemon in a node; see `base.PeerDriver` for what the methods promise."""

    name = "ours"
    abilities: frozenset[str] = frozenset()
    version = __version__

    def __init__(self, node: Node, run_dir: Path, *, seed: int | None = None, backend: str = "userspace") -> None:
        self.node, self.run_dir, self.seed, self.backend = node, run_dir, seed, backend
        self.source = f"{self.name}:{node.name}"
        self._tree = Section()
        self._pid = 0
        self._status: int | None = None
        self._read_events = 0
        self._client: Client | None = None

    def configure(self, tree: Section) -> None:
        """Take the connections, secrets and `ikelab` settings to use; before `start`."""
        self._tree = tree

    def start(self) -> None:
        """Write swanctl.conf and fork the daemon; returns at once."""
        self.run_dir.mkdir(parents=True, exist_ok=True)
        (self.run_dir / CONFIG).write_text(self.configs()[CONFIG])
        self._pid = os.fork()
        if self._pid == 0:
            self._child()

    def _child(self) -> None:
        """In the forked child: enter the node, redirect output, be the daemon, and never come back."""
        status = 70
        try:
            os.setsid()
            signal.set_wakeup_fd(-1)
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, signal.SIG_DFL)
            output = os.open(self.run_dir / "stderr", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
            os.dup2(output, 1)
            os.dup2(output, 2)
            self.node.enter()
            status = serve(
                self.run_dir / CONFIG,
                backend=self.backend,
                control=self.run_dir / CONTROL,
                run_dir=self.run_dir,
                keylog=self.run_dir,
                seed=None if self.seed is None else str(self.seed),
            )
        except BaseException:  # noqa: BLE001  (a forked child must end here, whatever happened; its parent reads why)
            os.write(2, traceback.format_exc().encode())
        finally:
            sys.stdout.flush()
            os._exit(status)

    def ready(self, timeout: float = READY_S) -> None:
        """Wait until the control socket takes connections."""
        deadline = time.monotonic() + timeout
        while True:
            if not self._alive():
                raise PeerFault(f"our daemon in {self.node.name} died: {self._last_words()}")
            try:
                self._client = Client(self.run_dir / CONTROL)
            except UnfitError:
                if time.monotonic() > deadline:
                    raise BrokenError(f"our daemon in {self.node.name} did not start: {self._last_words()}") from None
                time.sleep(POLL_S)
            else:
                return

    def _alive(self) -> bool:
        if self._pid and self._status is None:
            pid, status = os.waitpid(self._pid, os.WNOHANG)
            self._status = os.waitstatus_to_exitcode(status) if pid else None
        return self._pid != 0 and self._status is None

    def _last_words(self) -> str:
        path = self.run_dir / "stderr"
        text = path.read_text(errors="replace").strip() if path.exists() else ""
        return text.splitlines()[-1] if text else "it said nothing"

    def _call(self, command: str, **arguments: Any) -> Any:
        """Ask the daemon; a dead daemon is a PeerFault, a refusal is passed on."""
        if self._client is None:
            raise BrokenError(f"our daemon in {self.node.name} was not made ready")
        try:
            return self._client.call(command, **arguments)
        except Refused as error:
            if self._alive():
                raise
            raise PeerFault(f"our daemon in {self.node.name} died: {self._last_words()} ({error})") from error

    def _outcome(self, command: str, **arguments: Any) -> Outcome:
        try:
            self._call(command, **arguments)
        except Refused as error:
            return Outcome(False, str(error))
        return Outcome(True)

    def initiate(self, child: str, timeout: float = INITIATE_S) -> Outcome:
        """Set up a CHILD SA (and the IKE SA it needs); wait for the outcome, `timeout` in seconds."""
        return self._outcome("initiate", child=child, timeout=timeout)

    def rekey(self, *, ike: str = "", child: str = "") -> Outcome:
        """Rekey an IKE SA or a CHILD SA by its name."""
        return self._outcome("rekey", **({"child": child} if child else {"ike": ike}))

    def terminate(self, *, ike: str = "", child: str = "", timeout: float = INITIATE_S) -> Outcome:
        """Delete an IKE SA or a CHILD SA by its name, and wait until the other side has agreed."""
        return self._outcome("terminate", **({"child": child} if child else {"ike": ike}), timeout=timeout)

    def sas(self) -> list[dict[str, Any]]:
        """The SAs in the shape of sas.json."""
        found: list[dict[str, Any]] = self._call("list-sas")
        return found

    def keys(self) -> dict[str, list[dict[str, Any]]]:
        """The keys of every SA so far, from the daemon's key log."""
        out: dict[str, list[dict[str, Any]]] = {"ike": [], "child": []}
        for entry in self._lines(KEYS):
            out[entry.pop("kind")].append({**entry, "source": self.source})
        return out

    def _lines(self, name: str) -> list[dict[str, Any]]:
        """The complete lines of a JSON-lines file."""
        path = self.run_dir / name
        if not path.exists():
            return []
        return [json.loads(line) for line in path.read_text().split("\n")[:-1]]

    def events(self, timeout: float = 0.0) -> list[Event]:
        """Events since the last call; waits up to `timeout` seconds for the first."""
        deadline = time.monotonic() + timeout
        while True:
            lines = self._lines(EVENTS)
            found, self._read_events = lines[self._read_events :], len(lines)
            if found or time.monotonic() >= deadline:
                return [Event(str(fields.pop("event")), fields) for fields in found]
            time.sleep(min(0.05, max(0.0, deadline - time.monotonic())))

    def counters(self) -> dict[str, int]:
        """The daemon's counters that are numbers."""
        stats = self._call("stats")
        groups = {group: values for group, values in stats.items() if isinstance(values, dict)}
        return {f"{group}.{name}": value for group, values in groups.items() for name, value in values.items()}

    def logs(self) -> list[Path]:
        """The log files written so far."""
        return [path for name in (LOG, "stderr") if (path := self.run_dir / name).exists() and path.stat().st_size]

    def configs(self) -> dict[str, str]:
        """The configuration as given to the daemon: file name -> text."""
        return {CONFIG: render(self._tree)}

    def stop(self) -> None:
        """End the daemon; never raises when it is gone already."""
        if self._client is not None:
            self._client.close()
            self._client = None
        if self._alive():
            # Killed, not asked: when asked it would delete its SAs, which no scenario meant.
            os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)
        self._pid = 0
