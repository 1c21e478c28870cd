"""The gate as scenarios see it.

    gate = network.gate()                  the router between left and right; or a router, a NAT box, a link by name
    gate.drop("2nd IKE_AUTH response")
    held = gate.hold("CREATE_CHILD_SA request from left", until="CREATE_CHILD_SA request from right")
    held.seen(), held.acted(), held.held(), held.release(), held.remove()

A drop runs in nftables where its words can be said there exactly and no rule of the gate runs in user space yet, so
that all counts agree; everything else runs in user space, and `ran` of what comes back says which. Filters are those
of filter.py, actions those of rule.py.
"""

import itertools
import json
import os
import signal
import socket
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol

from lab.daemon.client import Client, Refused
from lab.emulation import companion
from lab.emulation.gate import filter as filters
from lab.emulation.gate.nftables import Rule as KernelRule
from lab.emulation.gate.nftables import sayable
from lab.errors import BrokenError, ConfigError

PROGRAM = "lab.peers.gatekeeper"  # by name: it stands on what peers log, and this stands below the peers
PATIENCE_S = 60.0
Ran = Literal["nftables", "user space"]
KeyLogs = Sequence[Mapping[str, str]]


class Process:
    """The process of this lab's gates, started when it is first needed."""

    _running: "Process | None" = None

    def __init__(self) -> None:
        self._lab, theirs = socket.socketpair()
        self._lab.settimeout(PATIENCE_S)
        self.process = companion.start(PROGRAM, theirs, (signal.SIGINT, signal.SIGTERM, signal.SIGHUP))

    @classmethod
    def shared(cls) -> "Process":
        """The one that runs, or a new one."""
        if cls._running is None or cls._running.process.poll() is not None:
            cls._running = cls()
        return cls._running

    def ask(self, request: Mapping[str, Any], descriptors: Sequence[int] = ()) -> Any:
        """Send a request and wait for its result; BrokenError if the process is gone or refuses."""
        try:
            socket.send_fds(self._lab, [json.dumps(request).encode()], list(descriptors))
            answer = b""
            while not answer.endswith(b"\n"):
                data = self._lab.recv(1 << 20)
                if not data:
                    raise ConnectionError("it hung up")
                answer += data
        except OSError as error:
            self.process.kill()
            self.process.wait()
            raise BrokenError(f"the gate's process died: {error}") from error
        found = json.loads(answer)
        if not found["ok"]:
            raise BrokenError(f"the gate could not be opened: {found['error']}")
        return found["result"]


class Opened:
    """One gate in user space: its number in the process, and a connection to its control socket."""

    _numbers = itertools.count()

    def __init__(self, request: Mapping[str, Any], tap: int, link: socket.socket) -> None:
        self._number, self.control = next(self._numbers), Path(str(request["control"]))
        self._process = Process.shared()
        with link:
            try:
                self._process.ask({"open": self._number, **request}, [tap, link.fileno()])
            finally:
                os.close(tap)
        self._client = Client(self.control, timeout=PATIENCE_S)

    def ask(self, command: str, **fields: Any) -> Any:
        """A command on the control socket; a refusal is the caller's mistake."""
        try:
            return self._client.call(command, **fields)
        except Refused as error:
            raise ConfigError(str(error)) from error

    def close(self) -> dict[str, Any]:
        """End it: what it recorded. Held packets are gone, and recorded as kept."""
        self._client.close()
        found: dict[str, Any] = self._process.ask({"close": self._number})
        return found


class Placed(Protocol):
    """A rule in force, wherever it runs."""

    ran: Ran

    def seen(self) -> int:
        """How many packets its (first) filter described."""
        ...

    def acted(self) -> int:
        """To how many it did something."""
        ...

    def held(self) -> int:
        """How many wait now."""
        ...

    def release(self) -> int:
        """Let go what waits, and hold nothing more; how many packets went on."""
        ...

    def remove(self) -> None:
        """Take the rule away; what it holds goes on."""
        ...


class InUserSpace:
    """A rule of a gate's process."""

    ran: Ran = "user space"

    def __init__(self, opened: Opened, number: int) -> None:
        self._opened, self.number = opened, number

    def _state(self) -> dict[str, Any]:
        rules: list[dict[str, Any]] = self._opened.ask("status")["rules"]
        return next(rule for rule in rules if rule["rule"] == self.number)

    def seen(self) -> int:
        """See Placed."""
        return int(self._state()["seen"])

    def acted(self) -> int:
        """See Placed."""
        return int(self._state()["acted"])

    def held(self) -> int:
        """See Placed."""
        return int(self._state()["held"])

    def release(self) -> int:
        """See Placed."""
        return int(self._opened.ask("release", rule=self.number)["released"])

    def remove(self) -> None:
        """See Placed."""
        self._opened.ask("remove", rule=self.number)


class InKernel:
    """A drop in nftables."""

    ran: Ran = "nftables"

    def __init__(self, node: str, words: str, rule: KernelRule) -> None:
        self.node, self.words, self._rule = node, words, rule
        self._last: tuple[int, int] | None = None

    def _counts(self) -> tuple[int, int]:
        return self._last or (self._rule.seen(), self._rule.dropped())

    def seen(self) -> int:
        """See Placed."""
        return self._counts()[0]

    def acted(self) -> int:
        """See Placed."""
        return self._counts()[1]

    dropped = acted

    def held(self) -> int:
        """See Placed: nftables holds nothing."""
        return 0

    def release(self) -> int:
        """See Placed: nothing waits."""
        return 0

    def remove(self) -> None:
        """See Placed."""
        if self._last is None:
            self._last = self._counts()
            self._rule.remove()

    def state(self) -> dict[str, Any]:
        """For gate.json."""
        return {"words": self.words, "action": "drop", "seen": self.seen(), "acted": self.acted(), "ran": self.ran}


Drop = Callable[[filters.Filter], InKernel | None]


class Gate:
    """Places rules at one node, or one link next to it."""

    def __init__(self, node: str, through: str, open_it: Callable[[], Opened], drop: Drop) -> None:
        """`open_it` gives the node's gate in user space; `drop` drops in its kernel, at this place, or gives None."""
        self.node, self._through, self._open, self._drop = node, through, open_it, drop

    @property
    def control(self) -> Path:
        """The socket on which others command this gate."""
        return self._open().control

    def drop(self, what: str) -> Placed:
        """Drop what a filter means."""
        found = filters.parse(what)
        return (self._drop(found) if sayable(found) else None) or self.place(action="drop", filter=what)

    def hold(self, what: str, *, until: str = "", seconds: float | str | None = None) -> InUserSpace:
        """Hold packets until one that matches `until` comes, for so long, or until they are released."""
        return self.place(action="hold", filter=what, until=until or None, **{"for": seconds})

    def delay(self, what: str, seconds: float | str) -> InUserSpace:
        """Let packets go on so much later."""
        return self.place(action="delay", filter=what, **{"for": seconds})

    def duplicate(self, what: str) -> InUserSpace:
        """Send packets on twice."""
        return self.place(action="duplicate", filter=what)

    def swap(self, what: str, *, seconds: float | str | None = None) -> InUserSpace:
        """Let a packet go on right behind its successor: the next of its kind from the same side."""
        return self.place(action="swap", filter=what, **{"for": seconds})

    def corrupt(self, what: str, octet: int, mask: int = 0xFF) -> InUserSpace:
        """Change an octet, counted from 0, of the IKE message, ESP or AH packet."""
        return self.place(action="corrupt", filter=what, octet=octet, mask=mask)

    def record(self, what: str) -> InUserSpace:
        """Keep the octets of packets in the record, and let them pass."""
        return self.place(action="record", filter=what)

    def order(self, *whats: str, gather: int = 0, seconds: float | str | None = None) -> InUserSpace:
        """Let the first packet of each filter go on in this order, none before `gather` of them are there."""
        return self.place(action="order", filters=list(whats), gather=gather, **{"for": seconds})

    def place(self, **request: Any) -> InUserSpace:
        """Put a rule in force in user space, by its fields (rule.py)."""
        fields = {key: value for key, value in request.items() if value is not None}
        opened = self._open()
        return InUserSpace(
            opened, opened.ask("add", **fields, **({"through": self._through} if self._through else {}))["rule"]
        )

    def release(self) -> int:
        """Let go everything that waits; how many packets went on."""
        return int(self._open().ask("release")["released"])

    def events(self) -> list[dict[str, Any]]:
        """The record until now."""
        found: list[dict[str, Any]] = self._open().ask("events")
        return found
