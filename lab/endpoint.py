"""The sans-IO IKE host: datagrams, commands and the time go in, actions come out.

- Every entry takes `now` and returns the actions of that call in the order in which they must be carried out.
- This is the one place where a ProtocolError of the packet path is caught.
- An SA that has gone lingers, so that a peer whose last request is answered by a lost response hears it again.
"""

from collections.abc import Callable, Sequence
from ipaddress import ip_address

from lab.errors import ConfigError, ProtocolError
from lab.ike.actions import Action, Send
from lab.ike.config import Child, Config, Connection
from lab.ike.host import Host
from lab.ike.path import Path
from lab.ike.sa import UP
from lab.ike.states import ChildState, IkeState
from lab.ikev2 import ike_sa_init, informational, timers
from lab.ikev2.engine import Engine, Responder
from lab.ikev2.gate import REFUSALS, Gate, is_initial, unprotected
from lab.ikev2.sa import Sa
from lab.ikev2.table import Table
from lab.trace import Trace
from lab.wire.header import NO_SPI, Header
from lab.wire.ids import ExchangeType, NotifyType
from lab.wire.packets import NON_ESP_MARKER
from lab.wire.payloads_v2 import Notify

RESPONDERS: dict[ExchangeType, Responder] = {
    ExchangeType.INFORMATIONAL: informational.responder,
}


class Endpoint:
    """One IKE host; two of them live happily in one process."""

    def __init__(
        self,
        config: Config,
        *,
        random: Callable[[int], bytes],
        trace: Trace,
        local: Sequence[str] = (),
        keylog: bool = False,
    ) -> None:
        self.host = Host(config, random, trace, keylog)
        self.local = tuple(local)
        self._gate = Gate(self.host)
        self.table = Table(self.host)
        self._numbers = 0
        self._concerned: Engine | None = None
        self._stranger: tuple[Header, Path] | None = None

    # -- the packet path

    def receive(self, data: bytes, path: Path, now: float) -> list[Action]:
        """Take one UDP payload as it came, non-ESP marker included."""
        self._enter(now)
        try:
            self._datagram(data, path)
        except ProtocolError as error:
            self._violated(error)
        return self._leave()

    def _datagram(self, data: bytes, path: Path) -> None:
        if path.marked:
            if not data.startswith(NON_ESP_MARKER):
                raise ProtocolError("no non-ESP marker in front of IKE")
            data = data[len(NON_ESP_MARKER) :]
        header = Header.decode(data)
        if header.major != 2:
            self._other_version(header, path)
        elif is_initial(header):
            self._initial(header, data, path)
        else:
            engine = self._find(header)
            if engine is None:
                self._unknown(header, path)
                return
            self._concerned = engine
            engine.receive(header, data, path)

    def _find(self, header: Header) -> Engine | None:
        """The SA that a header names; both SPIs and the roles must be right."""
        ours, theirs = (header.spi_r, header.spi_i) if header.initiator else (header.spi_i, header.spi_r)
        engine = self.table.get(ours)
        if engine is None:
            if self.table.get(theirs):
                raise ProtocolError("a message of our own came back")
            return None
        sa = engine.sa
        known = sa.spi_r if sa.initiator else sa.spi_i
        if sa.initiator == header.initiator or (known not in (theirs, NO_SPI)):
            raise ProtocolError("SPIs or roles that are not those of this IKE SA")
        return engine

    def _initial(self, header: Header, data: bytes, path: Path) -> None:
        """IKE_SA_INIT of somebody new: the gate first, then state."""
        if self.table.get(header.spi_i):
            raise ProtocolError("a message of our own came back")
        known = self.table.begun(data)
        if known is not None:
            self._concerned = known
            known.receive(header, data, path)
            return
        if header.message_id or header.spi_i == NO_SPI:
            raise ProtocolError("IKE_SA_INIT request with a message ID or without SPI")
        self._stranger = (header, path)
        message = self._gate.admit(data, path)
        if self.table.full:
            raise ProtocolError("the table of IKE SAs is full")
        connections = [c for c in self.host.config.connections if c.serves(path.local_host, path.remote_host)]
        sa = self._new_sa(ike_sa_init.connection_for(connections, message, path), path, initiator=False)
        sa.spi_i, sa.spi_r = header.spi_i, self.host.new_ike_spi()
        engine = Engine(sa, RESPONDERS)
        engine.converse(ike_sa_init.responder(sa, message, path), message, path)
        self.table.add(engine, begun_by=data)
        self._gate.opened(sa.spi_r, path.remote_host)
        self._concerned = engine

    def _unknown(self, header: Header, path: Path) -> None:
        """2.21.4: a request under SPIs that nobody has is answered in clear, seldom; a response never."""
        if not header.response and self._gate.notice():
            notify = Notify(NotifyType.INVALID_IKE_SPI)
            self.host.act(Send(unprotected(header, notify, path), path))
        raise ProtocolError(f"no IKE SA with SPIs {header.spi_i.hex()} and {header.spi_r.hex()}")

    def _other_version(self, header: Header, path: Path) -> None:
        """2.5: a higher version than ours is answered with ours."""
        if header.major > 2 and not header.response and self._gate.notice():
            notify = Notify(NotifyType.INVALID_MAJOR_VERSION)
            self.host.act(Send(unprotected(header, notify, path), path))
        raise ProtocolError(f"IKE version {header.major}")

    def _violated(self, error: ProtocolError) -> None:
        """Answer, end or drop, by what the message belonged to."""
        if self._concerned:
            self._concerned.violated(error)
        elif self._stranger and error.notify in REFUSALS:
            header, path = self._stranger
            notify = Notify(NotifyType(error.notify), error.data)
            self.host.act(Send(unprotected(header, notify, path), path))
            self.host.trace.emit("note", f"IKE_SA_INIT refused with {notify.notify_type.name}: {error.reason}")
            if notify.notify_type == NotifyType.NO_PROPOSAL_CHOSEN:
                peer = {"connection": "", "role": "responder", "path": str(path)}
                self.host.tell("failed", **peer, stage="IKE_SA_INIT", reason=error.reason)
        else:
            self.host.trace.drop(error.reason)

    # -- commands

    def start(self, now: float) -> list[Action]:
        """Begin what the configuration says is to be up from the start."""
        self._enter(now)
        for connection in self.host.config.connections:
            for child in connection.children.values():
                if "start" in child.start_action:
                    self._initiate(connection, child)
        return self._leave()

    def initiate(self, child: str, now: float) -> list[Action]:
        """Bring a child up, with an IKE SA where there is none; the event `child-up` or `failed` tells the outcome."""
        found = self.host.config.child(child)
        if found is None:
            names = ", ".join(name for c in self.host.config.connections for name in c.children)
            raise ConfigError(f"no child is called {child!r}; there are: {names or 'none'}")
        self._enter(now)
        self._initiate(*found)
        return self._leave()

    def acquire(self, child: str, now: float) -> list[Action]:
        """A packet wants this child; nothing happens while it is being made."""
        making = any(child == sa.goal for sa in self._sas() if sa.state is IkeState.CONNECTING)
        return [] if making else self.initiate(child, now)

    def _initiate(self, connection: Connection, child: Child) -> None:
        path = self._path(connection)
        sa = self._new_sa(connection, path, initiator=True)
        sa.goal = child.name
        sa.first_contact = not any(o.connection is connection and o.state in UP for o in self._sas())
        sa.spi_i = self.host.new_ike_spi()
        engine = Engine(sa, RESPONDERS)
        self.table.add(engine)
        self.host.touched.add(sa.spi)
        engine.begin(ike_sa_init.initiator(sa))

    def _path(self, connection: Connection) -> Path:
        """Where a connection begins: its first addresses, ours from those of this host where none is written."""
        remotes = [a for a in connection.remote_addrs if "/" not in a]
        if not remotes:
            raise ConfigError(f"connection {connection.name} names no remote address: it can only respond")
        family = ip_address(remotes[0]).version
        written = [a for a in connection.local_addrs if "/" not in a]
        ours = [a for a in (*written, *self.local) if ip_address(a).version == family]
        if not ours:
            raise ConfigError(f"connection {connection.name}: no local address of the family of {remotes[0]}")
        return Path(ours[0], connection.local_port, remotes[0], connection.remote_port)

    def terminate(self, now: float, ike: str | int | None = None, child: str | None = None) -> list[Action]:
        """Delete the IKE SAs of a connection, of a number, or all; with `child` only their children of that name."""
        self._enter(now)
        found = [sa for sa in self._sas() if ike in (None, sa.connection.name, sa.number)]
        if child is not None:
            children = [(sa, c) for sa in found for c in sa.children.values() if c.config.name == child and c.sa]
            if not children:
                raise ConfigError(f"no child SA {child!r} is up")
            for sa, one in children:
                sa.start(informational.delete_child(sa, one))
        else:
            if not found:
                raise ConfigError(f"no IKE SA {ike!r} is up" if ike is not None else "no IKE SA is up")
            for sa in found:
                self._delete(sa)
        return self._leave()

    def _delete(self, sa: Sa) -> None:
        if sa.state in (IkeState.CREATED, IkeState.CONNECTING):
            sa.fail("ended by us before it was up")
        else:
            sa.start(informational.delete_ike(sa))

    def liveness(self, now: float, ike: str | int | None = None) -> list[Action]:
        """Ask the peers of these IKE SAs whether they live."""
        self._enter(now)
        for sa in self._sas():
            if ike in (None, sa.connection.name, sa.number) and sa.state in UP:
                sa.start(informational.liveness(sa))
        return self._leave()

    # -- what the data plane tells

    def moved(self, spi_in: bytes, path: Path, now: float) -> list[Action]:
        """An ESP packet that authenticated came along another path (RFC 7296 2.23)."""
        self._enter(now)
        sa = self._sa_of_child(spi_in)
        if sa is not None and path != sa.path and sa.nat.remote and not sa.nat.local:
            sa.move(path)
        return self._leave()

    def carried(self, spi_in: bytes, now: float, *, inbound: bool) -> list[Action]:
        """ESP flowed through a child: the peer lives (inbound), or the NAT saw a packet of ours (outbound)."""
        self._enter(now)
        sa = self._sa_of_child(spi_in)
        if sa is not None and inbound:
            sa.last_heard = now
        elif sa is not None:
            sa.last_sent = now
        return self._leave()

    def _sa_of_child(self, spi_in: bytes) -> Sa | None:
        sa = next((sa for sa in self._sas() if spi_in in sa.children), None)
        if sa is not None:
            self.host.touched.add(sa.spi)
        return sa

    def _sas(self) -> list[Sa]:
        return [engine.sa for engine in self.table.engines.values() if engine.sa.alive]

    # -- time

    def next_deadline(self) -> float | None:
        """When `tick` must be called at the latest; None where nothing waits."""
        return self.table.next_deadline()

    def tick(self, now: float) -> list[Action]:
        """Do what is due; calling it early does nothing."""
        self._enter(now)
        for engine in self.table.due(now):
            self.host.touched.add(engine.sa.spi)
            timers.tick(engine)
        return self._leave()

    # -- views

    def sas(self, now: float | None = None) -> list[dict[str, object]]:
        """All IKE SAs with their children, in the shape of ikelab.sas/1, their ages as of `now`."""
        if now is not None:
            self.host.now = now
        return [sa.view() for sa in self._sas()]

    def stats(self) -> dict[str, int]:
        """Sizes of the tables; none of them grows without bound."""
        sas = self._sas()
        return {
            "ike_sas": len(sas),
            "half_open": self._gate.half_open,
            "children": sum(1 for sa in sas for c in sa.children.values() if c.state is ChildState.INSTALLED),
            "child_spis": len(self.host.child_spis),
            **self.table.sizes(),
        }

    # -- every call

    def _new_sa(self, connection: Connection, path: Path, *, initiator: bool) -> Sa:
        self._numbers += 1
        return Sa(self.host, connection, path, initiator=initiator, number=self._numbers)

    def _enter(self, now: float) -> None:
        self.host.now = self.host.trace.now = now
        self._concerned, self._stranger = None, None

    def _leave(self) -> list[Action]:
        """Bring the tables up to date with what the call did, and hand out its actions."""
        if self._concerned:
            self.host.touched.add(self._concerned.sa.spi)
        while self.host.touched:
            engine = self.table.get(self.host.touched.pop())
            if engine is None:
                continue
            engine.settle()
            self.table.schedule(engine)
            if engine.sa.state is not IkeState.CONNECTING:
                self._gate.settled(engine.sa.spi)
        return self.host.take()
