"""Carries actions out and brings in what comes: datagrams, packets of the backend, commands, signals, time.

Rules of this file:
- Actions are carried out in the order given: the inbound SA exists before the reply leaves that lets the peer use it.
- What one datagram does wrong (refused by the system, dropped by a filter) is noted and forgotten.
- What the lab refuses on purpose is an answer to whoever asked; with nobody asking it is a note.
"""

import signal
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path as File

from lab.backends.base import Backend, Report
from lab.backends.datagrams import Datagram
from lab.daemon import commands
from lab.daemon.addresses import Addresses
from lab.daemon.control import Connection, Control
from lab.daemon.gather import gathered
from lab.daemon.journal import Journal
from lab.daemon.loop import Loop
from lab.daemon.ports import Ports, source_towards
from lab.daemon.signals import Signals
from lab.daemon.waits import Waits
from lab.endpoint import Endpoint
from lab.errors import ConfigError
from lab.ike.actions import (
    Action,
    AddAddress,
    Event,
    InstallChild,
    KeyLog,
    MoveChild,
    RemoveAddress,
    RemoveChild,
    Send,
    UseChild,
)
from lab.ike.config import Child, Config
from lab.ike.config import Connection as Configured
from lab.ike.path import PORT, Path
from lab.ipsec.dataplane import Acquire, Aging, Expired, Moved
from lab.ipsec.drops import Drops, Reason
from lab.trace import Trace
from lab.wire.gateway import Gateway
from lab.wire.packets import all_esp, classify_4500

BATCH = 64  # datagrams taken from one socket before the others get their turn
GRACE = 5.0  # seconds in which peers may answer our deletes before the daemon ends
ENDED, INTERRUPTED = 0, 130
STATS_SCHEMA = "ikelab.stats/1"


class Server:
    """An endpoint, a backend and the sockets between them and the world."""

    def __init__(
        self,
        endpoint: Endpoint,
        backend: Backend,
        ports: Ports,
        journal: Journal,
        *,
        trace: Trace,
        config: Config,
        addresses: Addresses | None = None,
    ) -> None:
        self.endpoint, self.backend, self.ports, self.journal, self.config = endpoint, backend, ports, journal, config
        self._trace, self._drops, self.waits = trace, Drops(trace), Waits()
        self._addresses = addresses
        self.exit_code: int | None = None
        self._ending: float | None = None
        self._end_code = ENDED
        self._control: Control | None = None
        self._told: dict[bytes, tuple[float, float]] = {}

    def run(
        self, loop: Loop, *, control: File | None = None, signals: Signals | None = None, until: int | None = None
    ) -> int:
        """Serve until somebody ends it, or the descriptor `until` is readable; the exit code."""
        if until is not None:
            loop.watch(until, self._abandon)
        self.begin(loop, control=control, signals=signals)
        while self.exit_code is None:
            loop.turn(self._next_deadline())
            if self.exit_code is None:
                self._due(self._now())
        return self.exit_code

    def begin(self, loop: Loop, *, control: File | None = None, signals: Signals | None = None) -> None:
        """Watch all sources and do what the configuration wants from the start."""
        self._loop, self._clock = loop, loop.clock
        for source in self.ports.sources():
            loop.watch(source, partial(self._datagrams, source))
        for source in self.backend.sources():
            loop.watch(source, partial(self._packets, source))
        if self._addresses:
            loop.watch(self._addresses.fileno(), self._roamed)
        if signals:
            loop.watch(signals.fileno(), lambda _mask: signals.take(self._signal))
        if control:
            self._control = Control(control, loop.selector, self._command)
        self._start(self._now())

    def _now(self) -> float:
        """The time of what begins now, also for the trace."""
        now = self._trace.now = self._clock()
        return now

    def _next_deadline(self) -> float | None:
        parts = (self.endpoint, self.backend, self.waits)
        times = (*(part.next_deadline() for part in parts), self._ending)
        return min((time for time in times if time is not None), default=None)

    def _due(self, now: float) -> None:
        deadline = self.endpoint.next_deadline()
        if deadline is not None and deadline <= now:
            self._carried()
            self.perform(self.endpoint.tick(now), now)
        deadline = self.backend.next_deadline()
        if deadline is not None and deadline <= now:
            self._reports(self.backend.tick(now), now)
        self.waits.tick(now)
        if self._ending is not None and (now >= self._ending or not self.endpoint.sas()):
            self.exit_code = self._end_code

    def _carried(self) -> None:
        """Tell the endpoint what the data plane carried: a peer that sends lives, and a NAT that forwards remembers."""
        for spi, times in self.backend.carried().items():
            told = self._told.get(spi, (0.0, 0.0))
            for time, before, inbound in zip(times, told, (True, False), strict=True):
                if time > before:
                    self.perform(self.endpoint.carried(spi, time, inbound=inbound), time)
            self._told[spi] = times

    # -- what comes in

    def _datagrams(self, source: int, _mask: int) -> None:
        for datagram, path in gathered(self._received(source)):
            if 0 < datagram.segment < len(datagram.data):
                self._train(datagram, path)
            else:
                self._datagram(datagram.data, path, datagram.traffic_class)

    def _received(self, source: int) -> Iterator[tuple[Datagram, Path]]:
        for _ in range(BATCH):
            try:
                found = self.ports.receive(source)
            except OSError as error:  # an ICMP error of an earlier datagram
                self._trace.emit("note", f"receiving failed: {error.strerror}")
                continue
            if found is None:
                return
            yield found

    def _train(self, datagram: Datagram, path: Path) -> None:
        """Several datagrams of one length that the system gave us in one piece."""
        data, size, outer = datagram.data, datagram.segment, datagram.traffic_class
        if path.local_port != PORT and all_esp(data, size):
            now = self._now()
            self._reports(self.backend.esp_in_udp(data, path, now, outer, size), now)
            return
        for at in range(0, len(data), size):
            self._datagram(data[at : at + size], path, outer)

    def _datagram(self, data: bytes, path: Path, traffic_class: int) -> None:
        now = self._now()
        kind = "ike" if path.local_port == PORT else classify_4500(data)
        if kind == "ike":
            self.perform(self.endpoint.receive(data, path, now), now)
        elif kind == "esp":
            self._reports(self.backend.esp_in_udp(data, path, now, traffic_class), now)
        elif kind == "bad":
            self._drops.add(Reason.NO_PROTOCOL, path=str(path), octets=len(data))

    def _packets(self, source: int, _mask: int) -> None:
        now = self._now()
        self._reports(self.backend.read(source, now), now)

    def _roamed(self, _mask: int) -> None:
        """Addresses or routes of the system have changed."""
        if self._addresses and self._addresses.changed():
            now = self._now()
            self.backend.roamed()
            sources = {host: source_towards(host, self.backend.interface_to(host)) for host in self.endpoint.peers()}
            known = {host: source for host, source in sources.items() if source}
            self.perform(self.endpoint.roam(self._addresses.own(), known, now), now)

    def _reports(self, reports: Iterable[Report], now: float) -> None:
        for report in reports:
            try:
                self.perform(self._report(report, now), now)
            except ConfigError as error:
                self._trace.emit("note", f"{type(report).__name__}: {error}")
                if isinstance(report, Acquire):
                    self.backend.give_up(report.child)

    def _report(self, report: Report, now: float) -> list[Action]:
        match report:
            case Acquire(child=child):
                self._trace.emit("note", f"a packet wants child {child}", flow=str(report.flow))
                return self.endpoint.acquire(child, now)
            case Moved(spi_in=spi, path=path):
                return self.endpoint.moved(spi, path, now)
            case Aging(spi_in=spi):
                return self.endpoint.aging(spi, now)
            case Expired(spi_in=spi):
                return self.endpoint.expired(spi, now)

    # -- what goes out

    def perform(self, actions: Iterable[Action], now: float) -> None:
        """Carry out actions in their order."""
        for action in actions:
            match action:
                case Send(data=data, path=path):
                    self._send(data, path)
                case InstallChild(child=child, outbound=outbound):
                    self.backend.install(child, outbound=outbound)
                case UseChild(spi_in=spi):
                    self.backend.use(spi)
                case RemoveChild(spi_in=spi):
                    self.backend.remove(spi)
                    self._told.pop(spi, None)
                case MoveChild(spi_in=spi, path=path, encap=encap):
                    self.backend.move(spi, path, encap=encap)
                case AddAddress(address=address):
                    self.backend.add_address(address)
                case RemoveAddress(address=address):
                    self.backend.remove_address(address)
                case KeyLog():
                    self.journal.keys(action)
                case Event():
                    self._event(action, now)

    def _send(self, data: bytes, path: Path) -> None:
        try:
            self.ports.send(data, path, interface=self.backend.interface_to(path.remote_host))
        except OSError as error:
            self._trace.emit("note", f"not sent: {error.strerror}", path=str(path))

    def _event(self, event: Event, now: float) -> None:
        self.journal.event(event, now)
        if event.name == "failed":
            self._give_up(event)
        self.waits.tell(event)
        if self._control:
            self._control.tell({"event": event.name, **event.fields})

    def _give_up(self, event: Event) -> None:
        """A child that could not be made may be asked for again."""
        for connection in self.config.connections:
            if connection.name == event.fields.get("connection"):
                for child in connection.children:
                    if event.fields.get("child", child) == child:
                        self.backend.give_up(child)

    # -- commands

    def _command(self, client: Connection, request: dict[str, object]) -> None:
        commands.run(self, client, request, self._now())

    def _start(self, now: float) -> None:
        """Do what the configuration wants from the start."""
        for connection in self.config.connections:
            for child in connection.children.values():
                if "trap" in child.start_action:
                    self._trap(connection, child)
        try:
            self.perform(self.endpoint.start(now), now)
        except ConfigError as error:
            self._trace.emit("note", f"start: {error}")

    def _trap(self, connection: Configured, child: Child) -> None:
        ends = (connection.local_addrs, connection.remote_addrs)
        local, remote = (next((host for host in hosts if "/" not in host), None) for hosts in ends)
        if local is None or remote is None:
            self._trace.emit("note", f"no trap for child {child.name}: its connection names no addresses")
            return
        here, there = [s.at(local) for s in child.local_ts], [s.at(remote) for s in child.remote_ts]
        self.backend.trap(child, Path(local, connection.local_port, remote, connection.remote_port), here, there)

    def initiate(self, child: str, now: float) -> None:
        """Bring a child up."""
        self.perform(self.endpoint.initiate(child, now), now)

    def terminate(self, now: float, ike: str | int | None, child: str | None) -> None:
        """Delete IKE SAs, or children of this name."""
        self.perform(self.endpoint.terminate(now, ike=ike, child=child), now)

    def rekey(self, now: float, ike: str | int | None, child: str | None) -> None:
        """Replace the keys of IKE SAs, or of children of this name."""
        self.perform(self.endpoint.rekey(now, ike=ike, child=child), now)

    def liveness(self, now: float, ike: str | int | None) -> None:
        """Ask peers whether they live."""
        self.perform(self.endpoint.liveness(now, ike), now)

    def move(self, now: float, ike: str | int | None, local: str | None) -> None:
        """Have peers update the addresses of IKE SAs."""
        self.perform(self.endpoint.move(now, ike, local), now)

    def redirect(self, gateway: Gateway, now: float, ike: str | int | None) -> None:
        """Send peers to another gateway."""
        self.perform(self.endpoint.redirect(gateway, now, ike), now)

    def targets(self, ike: str | int | None, child: str | None) -> set[str]:
        """Names (SPIs) of the SAs that a command means."""
        sas = [sa for sa in self.endpoint.sas() if ike in (None, sa["name"], sa.get("number"))]
        if child is None:
            return {f"{sa['spi_i']}/{sa['spi_r']}" for sa in sas}
        return {str(c["spi_in"]) for sa in sas for c in _children_of(sa) if c["name"] == child}

    def sas(self) -> list[dict[str, object]]:
        """The view of the endpoint with what the data plane counted."""
        usage = self.backend.usage()
        views = self.endpoint.sas(self._now())
        for child in (child for sa in views for child in _children_of(sa)):
            child.update(usage.get(str(child["spi_in"]), {}))
        return views

    def stats(self) -> dict[str, object]:
        """Counters of all parts."""
        return {
            "schema": STATS_SCHEMA,
            "backend": self.backend.name,
            "endpoint": self.endpoint.stats(),
            "drops": {**self.backend.drops(), **self._drops.counts},
            "offload": self.backend.offload(),
            "loop": {"wakeups": self._loop.wakeups},
        }

    # -- the end

    def _abandon(self, _mask: int) -> None:
        self.exit_code = ENDED

    def _signal(self, number: signal.Signals) -> None:
        now = self._now()
        self._trace.emit("note", f"{number.name}: ending")
        self.stop(now, INTERRUPTED if number == signal.SIGINT else ENDED)

    def stop(self, now: float, code: int = ENDED) -> None:
        """Delete all SAs, then end with this exit code; asked again, end at once."""
        self._end_code = code
        if self._ending is not None:
            self.exit_code = code
            return
        self._ending = now + GRACE
        if self.endpoint.sas():
            self.terminate(now, None, None)

    def close(self) -> None:
        """Give everything back to the system."""
        self.waits.close()
        if self._control:
            self._control.close()
        self.backend.close()
        self.ports.close()
        if self._addresses:
            self._addresses.close()


def _children_of(sa: dict[str, object]) -> list[dict[str, object]]:
    children = sa.get("children", [])
    assert isinstance(children, list)
    return children
