"""Pings through the tunnel while something else happens, and what a host's tap says of them.

Rules: ping runs by itself in the node and is only ever waited for; how many it sends is fixed when it starts, so that
its last echo has all the time it needs. Whether each echo was answered is read from the capture (`all_answered`).
"""

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from lab.emulation.node import Node
from lab.evidence.capture import Frame
from lab.evidence.network import packet
from lab.wire.packets import ICMP

_REQUEST, _REPLY = 8, 0
GRACE_S = 30.0


@dataclass(frozen=True, slots=True)
class Echo:
    """One echo request or reply at a tap: when, which, and between whom."""

    t: float
    ident: int
    number: int
    reply: bool
    source: str
    target: str

    @property
    def name(self) -> tuple[int, int]:
        """What a reply has in common with its request (RFC 792): identifier and sequence number."""
        return self.ident, self.number


def requests(count: int) -> str:
    """`3 echo requests`."""
    return f"{count} echo request{'' if count == 1 else 's'}"


class Pinging:
    """A ping under way in a node: `count` echo requests, one every `every` seconds."""

    def __init__(self, node: Node, target: str, count: int, every: float) -> None:
        self.count, self.every = count, every
        argv = ["ping", "-n", "-c", str(count), "-i", f"{every:g}", "-W", "2", target]
        self._process = node.popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self._lines: list[str] = []

    def begun(self, least: int) -> None:
        """Wait until so many echoes are back; AssertionError where ping ends before that."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.append(line)
            least -= "icmp_seq" in line
            if least <= 0:
                return
        raise AssertionError(f"the ping ended too early: {self.said}")

    def over(self) -> None:
        """Wait until the last echo is back or given up."""
        rest, _ = self._process.communicate(timeout=self.count * self.every + GRACE_S)
        self._lines += rest.splitlines()

    def ended(self, *, whole: bool = True) -> None:
        """Wait for the last echo; AssertionError unless ping says that all of them came back (any, if not `whole`)."""
        self.over()
        sent = f"{self.count} packets transmitted, "
        found = [line for line in self._lines if "packets transmitted" in line]
        wanted = f"{sent}{self.count} received," if whole else sent
        assert found and found[0].startswith(wanted), f"the tunnel lost pings: {(found or [self.said])[0].strip()}"

    @property
    def said(self) -> str:
        """The last line of ping."""
        return next((line.strip() for line in reversed(self._lines) if line.strip()), "ping said nothing")


def echoes(frames: Sequence[Frame], node: str) -> list[Echo]:
    """The echo requests and replies that a node's taps saw, in the order seen."""
    found = []
    for frame in frames:
        ip = packet(frame) if frame.node == node else None
        if ip is None or ip.protocol != ICMP or len(ip.payload) < 8 or ip.payload[0] not in (_REQUEST, _REPLY):
            continue
        ident, number = (int.from_bytes(ip.payload[at : at + 2], "big") for at in (4, 6))
        found.append(Echo(frame.t, ident, number, ip.payload[0] == _REPLY, str(ip.src), str(ip.dst)))
    return found


def all_answered(seen: Sequence[Echo], source: str, target: str, count: int) -> list[float]:
    """Each of `count` echo requests at the tap of its sender has its reply there; the times of the requests."""
    asked = [echo for echo in seen if not echo.reply and (echo.source, echo.target) == (source, target)]
    answered = {echo.name for echo in seen if echo.reply and (echo.source, echo.target) == (target, source)}
    assert len(asked) == count, f"{len(asked)} echo requests left {source}, not {count}"
    lost = [echo.number for echo in asked if echo.name not in answered]
    assert not lost, f"{len(lost)} of {count} echo requests have no reply, the first is number {lost[0]}"
    return [echo.t for echo in asked]


def outage(seen: Sequence[Echo], source: str, target: str) -> tuple[int, float]:
    """Of the last ping at its sender's tap: how many requests have no reply there, and the longest time without one."""
    asked = [echo for echo in seen if not echo.reply and (echo.source, echo.target) == (source, target)]
    assert asked, f"no echo request left {source}"
    last = asked[-1].ident
    back = [e for e in seen if e.reply and (e.source, e.target, e.ident) == (target, source, last)]
    lost = {echo.name for echo in asked if echo.ident == last} - {echo.name for echo in back}
    return len(lost), max((later.t - earlier.t for earlier, later in pairwise(back)), default=0.0)


def in_the_midst(asked: Sequence[float], first: float, last: float, least: int) -> None:
    """What lasted from `first` to `last` had so many echo requests before it and behind it, and some within."""
    before, behind = sum(t < first for t in asked), sum(t > last for t in asked)
    assert min(before, behind) >= least, f"{before} echo requests before and {behind} behind it, {least} wanted of each"
    assert before + behind < len(asked), "no echo request left while it lasted"
