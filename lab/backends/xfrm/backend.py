"""ESP and AH in the kernel: children become states and policies, notifications become reports.

    InstallChild   inbound state, policies in and fwd; unless it stands by: outbound state, policy out
    UseChild       outbound state, policy out
    EXPIRE         soft: the first packet came to a child that stands by, or stood by until the peer's Delete was faster
                   than its packets, or a soft limit is reached (once per state: of one that stood by the sending one
                   tells); hard: a hard limit, or sequence numbers are used up
    ACQUIRE        a packet met a trap;     MAPPING   an authentic packet came from another address or port

Rules of this file:
- What the kernel refuses costs the child, not the daemon: it is taken out, noted, and reported as expired.
- No routes, but for a virtual address (`sources`): the system must have one to the peer's networks, as a gateway has;
  policies are asked after it.
- Nothing is ever flushed. Notifications about others' states are left alone, known by their reqid and SPI.
"""

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path as File

from lab.backends.base import Report
from lab.backends.xfrm.counters import Counters
from lab.backends.xfrm.link import Link, Notes
from lab.backends.xfrm.messages import (
    OUT,
    Expiry,
    Mapping_,
    Wanted,
    XfrmMessage,
)
from lab.backends.xfrm.policies import Policies
from lab.backends.xfrm.record import NAME, Entry, Record
from lab.backends.xfrm.selectors import selectors
from lab.backends.xfrm.sources import Sources
from lab.backends.xfrm.states import REQID, Key, States, key, probe, reqid
from lab.backends.xfrm.structs import Template
from lab.ike.child import ChildSa
from lab.ike.config import Child
from lab.ike.path import Path
from lab.ike.virtual import Address
from lab.ipsec.dataplane import Acquire, Aging, Expired, Moved
from lab.ipsec.drops import Reason
from lab.ipsec.flow import Flow
from lab.trace import Trace
from lab.wire.payloads_v2 import TrafficSelector

BATCH = 64
TRAPS = REQID | 0x8000  # reqids of traps; those of children stay below


class Xfrm:
    """The kernel's data plane, as far as it is ours."""

    name = "xfrm"

    def __init__(self, trace: Trace, run_dir: File | None, *, since_1970: Callable[[], float] = time.time) -> None:
        self._trace, self._wall = trace, since_1970
        self._link, self._record = Link(), Record(run_dir)
        probe(self._link)
        self._states, self._policies = States(self._link, self._record), Policies(self._link, self._record)
        self._sources = Sources(self._record, trace)
        self._tidy()
        self._notes, self._wake = Notes(), os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._children: dict[bytes, tuple[ChildSa, Path]] = {}
        self._standby: set[bytes] = set()
        self._stood_by: set[bytes] = set()
        self._pending: list[Report] = []
        self._traps: dict[int, str] = {}
        self._asked: dict[str, int] = {}
        self._counters = Counters(self._states, self._policies, trace)

    def _tidy(self) -> None:
        """Take out what a daemon that was killed left in the kernel."""
        left = self._record.left_over()
        for entry in left:
            try:
                self._take_out(entry)
            except (ValueError, TypeError, IndexError) as error:
                self._trace.emit("note", f"{NAME} holds an entry that says nothing to us, {list(entry)}: {error}")
        if left:
            self._trace.emit("note", f"took out {len(left)} entries of an earlier daemon")
        self._record.begin()

    def _take_out(self, entry: Entry) -> None:
        if entry[0] == "state":
            self._states.remove(Key.of_entry(entry))
        elif entry[0] == "policy":
            self._policies.remove_entry(entry)
        else:
            self._sources.remove_entry(entry)

    def sources(self) -> Sequence[int]:
        """The kernel's notifications, and what we have to say ourselves."""
        return (self._notes.fileno(), self._wake)

    def read(self, source: int, now: float) -> list[Report]:
        """Take up to a batch of notifications."""
        if source == self._wake:
            os.eventfd_read(self._wake)
            reports, self._pending = self._pending, []
            return reports
        found: list[Report] = []
        for _ in range(BATCH):
            messages = self._notes.read()
            if messages is None:
                break
            found += [report for message in messages for report in self._report(message)]
        return found

    def _report(self, message: XfrmMessage) -> list[Report]:
        match message:
            case Wanted():
                return self._wanted(message)
            case Mapping_():
                return self._moved(message)
            case Expiry():
                return self._expired(message)
        return []

    def _wanted(self, message: Wanted) -> list[Report]:
        template = message.get_attr("XFRMA_TMPL")
        name = self._traps.get(Template.read(template)["reqid"]) if template else None
        if name is None or name in self._asked:
            return []
        self._asked[name] = message["seq"]
        sel = message["sel"]
        size = 4 if sel["family"] == 2 else 16
        return [Acquire(name, Flow(sel["saddr"][:size], sel["daddr"][:size], sel["proto"], sel["sport"], sel["dport"]))]

    def _moved(self, message: Mapping_) -> list[Report]:
        spi = message["id"]["spi"]
        child, path = self._children.get(spi, (None, None))
        if child is None or path is None or message["reqid"] != reqid(child):
            return []
        size = len(ip_address(path.remote_host).packed)
        host = str(ip_address(message["new_saddr"][:size]))
        new = Path(path.local_host, path.local_port, host, message["new_sport"])
        return [Moved(spi, new)] if new != path else []

    def _expired(self, message: Expiry) -> list[Report]:
        spi, number = message["state"]["id"]["spi"], message["state"]["reqid"]
        for spi_in, (child, _) in list(self._children.items()):
            if spi in (spi_in, child.spi_out) and number == reqid(child):
                if message["hard"]:
                    return [Expired(spi_in)]
                if spi == child.spi_out or spi_in not in self._stood_by:
                    return [Aging(spi_in)]
                self.use(spi_in)
        return []

    def esp_in_udp(self, data: bytes, path: Path, now: float, traffic_class: int, segment: int = 0) -> list[Report]:
        """The kernel takes these itself; what comes here was too short for it."""
        self._counters.drops.add(Reason.TOO_SHORT, direction="in", spi=data[:4].hex())
        return []

    def next_deadline(self) -> float | None:
        """Never: the kernel has timers of its own."""
        return None

    def tick(self, now: float) -> list[Report]:
        """Nothing to do."""
        return []

    def install(self, child: ChildSa, *, outbound: bool = True) -> None:
        """Put a child into effect, the inbound half first."""
        self.remove(child.spi_in)
        self._children[child.spi_in] = child, child.path
        self._standby.add(child.spi_in)
        if not outbound:
            self._stood_by.add(child.spi_in)
        if self._done(child, lambda: self._receive(child, child.path, standby=not outbound)) and outbound:
            self.use(child.spi_in)

    def _receive(self, child: ChildSa, path: Path, *, standby: bool) -> None:
        self._states.add(child, path, inbound=True, standby=standby)
        self._policies.receive(child, path)

    def _send(self, child: ChildSa, path: Path) -> None:
        self._states.add(child, path, inbound=False, question=self._asked.pop(child.name, 0))
        self._policies.send(child, path)
        self._sources.install(child, path)

    def _done(self, child: ChildSa, work: Callable[[], None]) -> bool:
        """Whether the kernel did it; where not, the child is taken out and reported."""
        try:
            work()
        except (OSError, ValueError) as error:
            words = error.strerror if isinstance(error, OSError) else str(error)
            self._trace.emit("note", f"the kernel does not take child {child.name}: {words}", spi=child.spi_in.hex())
            self._pending.append(Expired(child.spi_in))
            os.eventfd_write(self._wake, 1)
            self.remove(child.spi_in)
            return False
        return True

    def use(self, spi_in: bytes) -> None:
        """Send through this child from now on."""
        if spi_in in self._standby:
            self._standby.remove(spi_in)
            child, path = self._children[spi_in]
            self._done(child, lambda: self._send(child, path))

    def remove(self, spi_in: bytes) -> None:
        """Take a child out, both directions; policies first, so that nothing waits for an SA."""
        if spi_in not in self._children:
            return
        child, path = self._children.pop(spi_in)
        self._asked.pop(child.name, None)
        self._standby.discard(spi_in)
        self._stood_by.discard(spi_in)
        self._counters.forget(spi_in)
        self._sources.remove(spi_in)
        self._policies.forget(spi_in)
        for inbound in (False, True):
            self._states.remove(key(child, path, inbound=inbound))

    def move(self, spi_in: bytes, path: Path, *, encap: bool) -> None:
        """Send and expect a child's packets along another path, in UDP or not."""
        if spi_in not in self._children:
            return
        before, old = self._children[spi_in]
        child = replace(before, path=path, encap=encap)
        if (path, encap) != (old, before.encap):
            self._children[spi_in] = child, path
            self._done(child, lambda: self._go(child, old, path))

    def _go(self, child: ChildSa, old: Path, new: Path) -> None:
        for inbound in (True, False):
            self._states.move(child, old, new, inbound=inbound)
        self._policies.receive(child, new)
        if child.spi_in not in self._standby:
            self._policies.send(child, new)

    def roamed(self) -> None:
        """The kernel knows its routes."""

    def add_address(self, address: Address) -> None:
        """A virtual address is on `lo`, which never goes down."""
        self._sources.add_address(address)

    def remove_address(self, address: Address) -> None:
        """Take a virtual address away."""
        self._sources.remove_address(address)

    def trap(
        self, child: Child, path: Path, local: Sequence[TrafficSelector], remote: Sequence[TrafficSelector]
    ) -> None:
        """Ask for this child as soon as a packet wants it."""
        number = TRAPS | len(self._traps)
        self._traps[number] = child.name
        try:
            for selector in selectors(local, remote):
                self._policies.trap(child, path, selector, number)
        except (OSError, ValueError) as error:
            self._trace.emit("note", f"the kernel takes no trap for child {child.name}: {error}")
            self._policies.forget(child.name, directions=(OUT,))

    def give_up(self, child: str) -> None:
        """A packet may ask again, once the kernel has forgotten its question (net.core.xfrm_acq_expires)."""
        self._asked.pop(child, None)

    def interface_to(self, host: str) -> int:
        """Routing decides; the sockets of IKE are exempt from policies."""
        return 0

    def usage(self) -> dict[str, dict[str, int]]:
        """Packets and octets of each child, as the kernel counts: octets of tunnel packets inside ESP and out."""
        return {spi.hex(): self._counters.usage(child, path) for spi, (child, path) in self._children.items()}

    def carried(self) -> dict[bytes, tuple[float, float]]:
        """When a packet last came in and went out, to the second below."""
        offset = self._wall() - self._trace.now
        times = {s: self._counters.carried(c, p, offset) for s, (c, p) in self._children.items()}
        return {spi: pair for spi, pair in times.items() if any(pair)}

    def drops(self) -> dict[str, int]:
        """What the kernel's XFRM dropped in this network namespace since we began, by reason."""
        return self._counters.dropped()

    def offload(self) -> dict[str, object]:
        """Nothing to choose."""
        return {}

    def close(self) -> None:
        """Take out what is ours, and only that."""
        self._sources.clear()
        self._policies.clear()
        self._states.clear()
        self._record.close()
        self._notes.close()
        self._link.close()
        os.close(self._wake)
