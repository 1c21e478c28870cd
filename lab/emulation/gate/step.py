"""A gate that tells of every IKE message, and holds it until somebody says so: for `ikelab run --step`.

    DIR/messages.jsonl    a line for each message that has come: {"token", "t", "from", "to", "payloads", "held",
                          "passed", ...Packet.facts()}; and one when it goes on: {"token", "waited_s", "did"},
                          how long it waited by the gate's clock, and what the rules did to it
    DIR/TOKEN             whoever watches makes this file to let the message with this token go on
    DIR/all               ... or this one, to let everything go on from now

Rules of this file: the directory is the host's, the gate is in a guest, and only the names of files count, since a file
that has been read once may come from the guest's memory. A message waits by turning round and round, which all but
stops a virtual clock until the host stops the guest itself. With a real clock timers would go on, so there messages are
told of and not held.
"""

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lab.emulation.gate.packet import Packet
from lab.evidence.files import append_line

MESSAGES, ALL = "messages.jsonl", "all"


class Stepper:
    """Tells of messages in `directory`; `sides` has for each node the gate's interface behind which it lies."""

    _told = 0  # of this process, whose gates share a directory

    def __init__(self, directory: Path, sides: Mapping[str, str], *, hold: bool) -> None:
        self._directory, self._hold = directory, hold
        first = {interface: node for node, interface in reversed(list(sides.items()))}
        self._behind = first | {sides[node]: node for node in ("left", "right") if node in sides}
        self._passed: Counter[str] = Counter()

    def meet(self, packet: Packet, payloads: Sequence[str] | None, now: float) -> str:
        """Tell of a packet and hold it; what names it in `goes_on`, or an empty string if it is no message of IKE."""
        if packet.kind != "IKE":
            self._passed[packet.kind] += packet.kind != "other"
            return ""
        type(self)._told += 1
        token = f"{os.getpid()}-{self._told}"
        told = {"token": token, "t": round(now, 6), "from": self._end(packet.came), "to": self._end(packet.leaves)}
        inside = {"payloads": list(payloads) if payloads is not None else None}
        self._say({**told, **packet.facts(), **inside, "held": self._hold, "passed": dict(+self._passed)})
        self._passed.clear()
        self._wait(self._directory / token)
        return token

    def goes_on(self, token: str, waited_s: float, events: Sequence[Mapping[str, Any]], packet: Packet) -> None:
        """Tell that it went on, and what the rules did to it; `events` are those of the record since it came."""
        actions = [event["action"] for event in events if event["content"] == packet.fingerprint]
        if token:
            self._say({"token": token, "waited_s": round(waited_s, 6), "did": actions})

    def _say(self, line: dict[str, Any]) -> None:
        append_line(self._directory / MESSAGES, line)

    def _wait(self, go: Path) -> None:
        every = self._directory / ALL
        while self._hold and not (go.exists() or every.exists()):
            os.sched_yield()

    def _end(self, interface: str) -> str:
        """`left` or `right` where one of them lies there, else the node that the topology names first."""
        return self._behind.get(interface, interface)
