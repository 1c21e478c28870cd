"""The gate's process: frames in from TAPs, frames out by packet sockets, commands on a socket of each gate.

One process serves all gates of a lab, as the recorder does for captures. The lab speaks to it over its standard input:

    {"open": ID, "control": PATH, "sides": {NODE: INTERFACE}, "macs": {MAC: INTERFACE},
     "networks": [[PREFIX, INTERFACE]]}   with "step": PATH, "hold": true it steps (step.py)
        with descriptors: the TAP, a packet socket in the node      -> {"ok": true} or {"ok": false, "error": "..."}
    {"close": ID}                                                   -> {"ok": true, "result": everything recorded}

Whoever may open a gate's control socket (the lab's scenarios, `ikelab gate`) commands it in lines of JSON:

    {"command": "add", "action": "hold", "filter": "...", ...}      -> {"rule": 1}; the fields are those of rule.py
    {"command": "release"}  or with "rule"                          -> {"released": 2}
    {"command": "remove", "rule": 1}                                -> {"released": 0}
    {"command": "status"}                                           -> {"node", "rules": [...], "unopened": 0, ...}
    {"command": "events", "since": 0}                               -> the record from that index on
    {"command": "keys", "logs": [{"kind", "path", "source"}]}       -> the peers' key logs from now on
"""

import json
import os
import signal
import socket
import time
from collections.abc import Callable, Mapping
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any

from lab.daemon.control import Connection, Control
from lab.daemon.loop import Loop
from lab.emulation.gate import rule as rules
from lab.emulation.gate.engine import Engine
from lab.emulation.gate.opener import KeyLog, LogReader, Opener
from lab.emulation.gate.packet import Packet, decode
from lab.emulation.gate.step import Stepper
from lab.errors import ConfigError, LabError

IGNORED = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
LARGEST_FRAME = 1 << 17
_MESSAGE, _DESCRIPTORS = 1 << 20, 2
_AT_ONCE = 256
Readers = Callable[[str, str], LogReader]


class Gatekeeper:
    """One gate: its TAP, its packet socket, its engine."""

    def __init__(self, request: Mapping[str, Any], tap: int, link: socket.socket, loop: Loop, readers: Readers) -> None:
        self.node, self._tap, self._link, self._readers = str(request["node"]), tap, link, readers
        self._macs: dict[bytes, str] = {
            bytes.fromhex(mac.replace(":", "")): name for mac, name in request["macs"].items()
        }
        self._networks: list[tuple[IPv4Network | IPv6Network, str]] = [
            (ip_network(prefix), name) for prefix, name in request["networks"]
        ]
        self._opener = Opener()
        self.engine = Engine(request["sides"], self._opener.names)
        self._clock, self._epoch, self._loop = loop.clock, time.time() - loop.clock(), loop
        self.refused = 0
        self._stepper = (
            Stepper(Path(request["step"]), request["sides"], hold=bool(request["hold"])) if "step" in request else None
        )
        self._control = Control(Path(request["control"]), loop.selector, self._command)
        loop.watch(tap, self._frames)

    @property
    def now(self) -> float:
        """Seconds since 1970, in steps of the loop's clock."""
        return self._clock() + self._epoch

    # -- frames

    def _frames(self, _mask: int) -> None:
        for _ in range(_AT_ONCE):
            try:
                frame = os.read(self._tap, LARGEST_FRAME)
            except OSError:  # none waits, or the node is gone
                return
            leaves = self._macs.get(frame[6:12])
            if leaves is not None:  # what the TAP itself says has another address
                self._meet(decode(frame, self._came(frame, leaves), leaves))

    def _meet(self, packet: Packet) -> None:
        if self._stepper is None:
            self._send(self.engine.take(packet, self.now))
            return
        came, before = self.now, len(self.engine.events)
        token = self._stepper.meet(packet, self._opener.names(packet), came)
        waited_s = self.now - came
        self._send(self.engine.take(packet, self.now))
        self._stepper.goes_on(token, waited_s, self.engine.events[before:], packet)

    def _came(self, frame: bytes, leaves: str) -> str:
        """By which interface a packet came in: of two the other one, of more the one that leads to its source."""
        others = [name for name in dict.fromkeys(self._macs.values()) if name != leaves]
        if len(others) == 1:
            return others[0]
        packet = decode(frame, "", leaves)
        if packet.ip is None:
            return ""
        return next((name for network, name in self._networks if _within(packet, network)), "")

    def _send(self, frames: list[bytes]) -> None:
        for frame in frames:
            try:
                self._link.sendto(frame, (self._macs[frame[6:12]], 0))
            except OSError:
                self.refused += 1

    def tick(self) -> None:
        """Send what has waited long enough."""
        self._send(self.engine.tick(self.now))

    def deadline(self) -> float | None:
        """When to tick, by the loop's clock."""
        due = self.engine.next_deadline()
        return None if due is None else due - self._epoch

    # -- commands

    def _command(self, client: Connection, request: dict[str, object]) -> None:
        name = request.pop("command")
        commands = {
            "add": self._add, "release": self._release, "remove": self._remove,
            "status": self._status, "events": self._events, "keys": self._keys,
        }  # fmt: skip
        try:
            if name not in commands:
                raise ConfigError(f"no command {name!r}; there are: {', '.join(commands)}")
            answer = commands[str(name)](request)
        except LabError as error:
            client.refuse(str(error))
        else:
            client.answer(answer)

    def _add(self, request: Mapping[str, Any]) -> dict[str, Any]:
        return {"rule": self.engine.add(rules.read(request))}

    def _release(self, request: Mapping[str, Any]) -> dict[str, Any]:
        number = _number(request, "rule", None)
        frames = self.engine.release(number, self.now)
        self._send(frames)
        return {"released": len(frames)}

    def _remove(self, request: Mapping[str, Any]) -> dict[str, Any]:
        number = _number(request, "rule", None)
        if number is None:
            raise ConfigError("remove wants the number of a rule")
        frames = self.engine.remove(number, self.now)
        self._send(frames)
        return {"released": len(frames)}

    def _status(self, _request: Mapping[str, Any]) -> dict[str, Any]:
        counted = {"events": len(self.engine.events), "unrecorded": self.engine.unrecorded}
        counted |= {"unopened": self._opener.unopened, "refused": self.refused}
        return {"node": self.node, "rules": self.engine.states(), **counted}

    def _events(self, request: Mapping[str, Any]) -> list[dict[str, Any]]:
        return self.engine.events[_number(request, "since", 0) or 0 :]

    def _keys(self, request: Mapping[str, Any]) -> dict[str, Any]:
        logs = request.get("logs")
        if not isinstance(logs, list):
            raise ConfigError("keys wants `logs`")
        try:
            found = [KeyLog(Path(log["path"]), self._readers(log["kind"], str(log["source"]))) for log in logs]
        except (KeyError, TypeError) as error:
            raise ConfigError("a key log has a known `kind`, a `path` and a `source`") from error
        self._opener.follow(found)
        return {"logs": len(found)}

    def close(self) -> dict[str, Any]:
        """End it; everything recorded."""
        self.engine.close(self.now)
        self._control.close()
        self._loop.selector.unregister(self._tap)
        os.close(self._tap)
        self._link.close()
        return {**self._status({}), "events": self.engine.events}


def _within(packet: Packet, network: IPv4Network | IPv6Network) -> bool:
    return packet.ip is not None and packet.ip.src in network


def _number(request: Mapping[str, Any], key: str, otherwise: int | None) -> int | None:
    value = request.get(key, otherwise)
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 0):
        raise ConfigError(f"{key} is a whole number")
    return value


class Server:
    """Keeps gates for the lab at the other end of a socket, until it hangs up."""

    def __init__(self, lab: socket.socket, readers: Readers) -> None:
        self._lab, self._readers = lab, readers
        self._loop = Loop(time.monotonic)
        self._gates: dict[int, Gatekeeper] = {}
        self._running = True
        self._loop.watch(lab.fileno(), self._request)

    def serve(self) -> None:
        """Wait for frames, commands and deadlines; returns when the lab hangs up."""
        while self._running:
            deadlines = [due for gate in self._gates.values() if (due := gate.deadline()) is not None]
            self._loop.turn(min(deadlines, default=None))
            for gate in self._gates.values():
                gate.tick()

    def _request(self, _mask: int) -> None:
        message, descriptors, _, _ = socket.recv_fds(self._lab, _MESSAGE, _DESCRIPTORS)
        if not message:
            self._running = False
            return
        request = json.loads(message)
        try:
            result = self._begin(request, descriptors) if "open" in request else self._close(request["close"])
        except LabError as error:
            answer: dict[str, Any] = {"ok": False, "error": str(error)}
        else:
            answer = {"ok": True, "result": result}
        self._lab.sendall(json.dumps(answer).encode() + b"\n")

    def _begin(self, request: Mapping[str, Any], descriptors: list[int]) -> dict[str, Any]:
        tap, link = descriptors
        os.set_blocking(tap, False)
        self._gates[request["open"]] = Gatekeeper(request, tap, socket.socket(fileno=link), self._loop, self._readers)
        return {}

    def _close(self, number: int) -> dict[str, Any]:
        return self._gates.pop(number).close()
