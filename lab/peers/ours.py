"""Our own stack as a peer: a daemon out of the nursery, inside the node's namespaces.

Rules: the daemon is forked, not started, because a fresh interpreter costs more than the whole handshake. Everything is
asked over its control socket, as `ikelab ctl` would ask.
"""

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lab import __version__
from lab.daemon.client import Client, Refused
from lab.errors import BrokenError, UnfitError
from lab.ike.swanctl import Section, render
from lab.peers.base import INITIATE_S, NO_FILES, READY_S, Event, KeyLog, Node, Outcome, PeerFault
from lab.peers.nursery import Daemon, Nursery
from lab.peers.worker import STDERR

CONFIG, CONTROL, KEYS, EVENTS, LOG = "swanctl.conf", "control", "keys.jsonl", "events.jsonl", "daemon.log"
POLL_S = 0.005


class Ours:
    """Our daemon in a node; see `base.PeerDriver` for what the methods promise."""

    name = "ours"
    abilities: frozenset[str] = frozenset()
    version = __version__
    tells_keys = True

    def __init__(self, node: Node, run_dir: Path, *, seed: int | None = None, backend: str = "userspace") -> None:
        self.node, self.run_dir, self.seed, self.backend = node, run_dir, seed, backend
        self.source = f"{self.name}:{node.name}"
        self._tree = Section()
        self._files = NO_FILES
        self._daemon: Daemon | None = None
        self._read_events = 0
        self._client: Client | None = None

    def configure(self, tree: Section, files: Mapping[str, bytes] = NO_FILES) -> None:
        """Take the connections, secrets and `ikelab` settings to use, and the files they name; before `start`."""
        self._tree, self._files = tree, files

    def start(self) -> None:
        """Write swanctl.conf and have the daemon started; returns at once."""
        self.run_dir.mkdir(parents=True, exist_ok=True)
        for name, text in self.configs().items():
            (self.run_dir / name).write_text(text)
        request = {
            "config": str(self.run_dir / CONFIG),
            "backend": self.backend,
            "control": str(self.run_dir / CONTROL),
            "run_dir": str(self.run_dir),
            "seed": None if self.seed is None else str(self.seed),
        }
        self._daemon = Nursery.shared().start(request, self.node.descriptors)

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

    def reconnect(self) -> None:
        """Talk over a connection of this process's own, in a forked child: its parent's is not its to use."""
        self._client = Client(self.run_dir / CONTROL)

    def call(self, command: str, **arguments: Any) -> Any:
        """Any command of the control socket, as `ikelab ctl` would give it; Refused says why there is no result."""
        return self._call(command, **arguments)

    def _alive(self) -> bool:
        """Whether the daemon runs."""
        return self._daemon is not None and self._daemon.alive()

    def _last_words(self) -> str:
        path = self.run_dir / STDERR
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

    def rekey(self, *, ike: str = "", child: str = "", wait: bool = True) -> Outcome:
        """Rekey an IKE SA or a CHILD SA by its name; without `wait` only begin."""
        named = {"child": child} if child else {"ike": ike}
        return self._outcome("rekey", **named, **({} if wait else {"timeout": 0}))

    def redirect(self, gateway: str, *, ike: str = "") -> Outcome:
        """Tell the peer of an IKE SA (of all without a name) to go to another gateway (RFC 5685)."""
        return self._outcome("redirect", gateway=gateway, **({"ike": ike} if ike else {}))

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
            known = out[entry.pop("kind")]
            if known and _renewed(known[-1], entry):
                known.pop()
            known.append({**entry, "source": self.source})
        return out

    @property
    def key_log(self) -> KeyLog:
        """Where the daemon writes keys as they arise."""
        return KeyLog("jsonl", self.run_dir / KEYS, self.source)

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

    def half_open(self) -> int:
        """How many IKE SAs it holds of peers that have not proven who they are."""
        return int(self._call("stats")["endpoint"]["half_open"])

    def logs(self) -> list[Path]:
        """The log files written so far."""
        return [path for name in (LOG, STDERR) if (path := self.run_dir / name).exists() and path.stat().st_size]

    def configs(self) -> dict[str, str]:
        """The configuration as given to the daemon: file name -> text."""
        return {CONFIG: render(self._tree), **{name: data.decode() for name, data in self._files.items()}}

    def stop(self) -> None:
        """End the daemon; never raises when it is gone already."""
        self._hang_up()
        if self._daemon is not None:
            # When asked over the control socket it would delete its SAs, which no scenario meant.
            Nursery.shared().end(self._daemon)
            self._daemon = None

    def kill(self) -> None:
        """End the daemon as when the power is cut; never raises when it is gone already."""
        self._hang_up()
        if self._daemon is not None:
            self._daemon.kill()
            self._daemon = None

    def _hang_up(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None


def _renewed(before: Mapping[str, Any], entry: Mapping[str, Any]) -> bool:
    """Whether an IKE SA was logged again because a PPK came into its secrets: what seals its messages stays."""
    same = ("spi_i", "spi_r", "SK_ei", "SK_er")
    return "SK_ei" in entry and all(before[key] == entry[key] for key in same)


class OursOnXfrm(Ours):
    """The same daemon, which leaves ESP to the kernel of its node."""

    name = "ours-xfrm"

    def __init__(self, node: Node, run_dir: Path, *, seed: int | None = None) -> None:
        super().__init__(node, run_dir, seed=seed, backend="xfrm")
