"""What a scenario may ask of a peer, whoever wrote it.

Rules: a driver never judges. It answers with facts (`Outcome`, SAs, keys, events); a peer that died or stopped
answering is a `PeerFault` (a verdict on the peer), anything else that goes wrong is a BrokenError (the lab).
Waiting is always blocking: under virtual time a loop that spins on the clock stops it for ever.
"""

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from lab.errors import LabError
from lab.ike.swanctl import Section

NO_FILES: Mapping[str, bytes] = {}
READY_S = 30.0
INITIATE_S = 30.0


class PeerFault(LabError):
    """The peer died or stopped answering: the scenario has failed, and this is its reason."""


class Unsupported(LabError):
    """The peer cannot do what was asked for: the scenario is `unsupported`, and this is its reason."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an initiation ended: `up`, or the peer's own words why not."""

    up: bool
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Event:
    """Something a peer reported by itself: `ike-up`, `ike-down`, `child-up`, `child-down`, `ike-rekey`, `failed` ..."""

    name: str
    fields: Mapping[str, Any] = field(default_factory=dict)


class Node(Protocol):
    """The part of an emulated node that a driver uses."""

    @property
    def name(self) -> str:
        """The node's name in the topology."""
        ...

    def popen(self, argv: Sequence[str], **kwargs: Any) -> "subprocess.Popen[bytes]":
        """Start a process in the node."""
        ...

    @property
    def descriptors(self) -> tuple[int, int, int]:
        """The descriptors by which another process can enter the node: network, mounts, root."""
        ...


KeyLogKind = Literal["jsonl", "charon"]


@dataclass(frozen=True, slots=True)
class KeyLog:
    """Where a peer writes the keys of its SAs as they arise, how, and under which name they go into keys.json."""

    kind: KeyLogKind
    path: Path
    source: str

    def as_dict(self) -> dict[str, str]:
        """For the packet gate, which reads it in a process of its own."""
        return {"kind": self.kind, "path": str(self.path), "source": self.source}


class PeerDriver(Protocol):
    """One peer in one node. `name` is the implementation, `abilities` what it can do, `version` what answered."""

    name: str
    abilities: frozenset[str]
    version: str

    @property
    def tells_keys(self) -> bool:
        """Whether `keys` knows the keys of CHILD SAs; where it does, it must know those of each one."""
        ...

    def configure(self, tree: Section, files: Mapping[str, bytes] = NO_FILES) -> None:
        """Take the connections, secrets and `ikelab` settings to use, and the files they name; before `start`."""
        ...

    def start(self) -> None:
        """Start the daemon; returns at once."""
        ...

    def ready(self, timeout: float = READY_S) -> None:
        """Wait until the daemon takes commands and has its connections."""
        ...

    def reconnect(self) -> None:
        """In a forked child: ask over a connection of its own from now on, since its parent's is not its to use."""
        ...

    def initiate(self, child: str, timeout: float = INITIATE_S) -> Outcome:
        """Set up a CHILD SA (and the IKE SA it needs); wait for the outcome, `timeout` in seconds."""
        ...

    def rekey(self, *, ike: str = "", child: str = "", wait: bool = True) -> Outcome:
        """Rekey an IKE SA or a CHILD SA by its name; without `wait` only begin (some peers' drivers never wait)."""
        ...

    def redirect(self, gateway: str, *, ike: str = "") -> Outcome:
        """Tell the peer of an IKE SA (of all without a name) to go to another gateway (RFC 5685)."""
        ...

    def terminate(self, *, ike: str = "", child: str = "", timeout: float = INITIATE_S) -> Outcome:
        """Delete an IKE SA or a CHILD SA by its name, and wait until the other side has agreed; with 0 only begin."""
        ...

    def sas(self) -> list[dict[str, Any]]:
        """The SAs in the shape of sas.json."""
        ...

    def keys(self) -> dict[str, list[dict[str, Any]]]:
        """The keys of every SA so far, `{"ike": [...], "child": [...]}` in the shape of keys.json."""
        ...

    @property
    def key_log(self) -> KeyLog:
        """Where the keys are written as they arise."""
        ...

    def events(self, timeout: float = 0.0) -> list[Event]:
        """Events since the last call; waits up to `timeout` seconds for the first."""
        ...

    def counters(self) -> dict[str, int]:
        """The daemon's own counters."""
        ...

    def half_open(self) -> int:
        """How many IKE SAs it holds of peers that have not proven who they are."""
        ...

    def logs(self) -> list[Path]:
        """The log files written so far."""
        ...

    def configs(self) -> dict[str, str]:
        """The configuration as given to the daemon: file name -> text."""
        ...

    def stop(self) -> None:
        """End the daemon, which sends nothing; never raises when it is gone already."""
        ...

    def kill(self) -> None:
        """The same in the midst of a scenario, as when the power is cut: the process dies, its kernel's SAs stay."""
        ...
