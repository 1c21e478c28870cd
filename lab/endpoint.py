"""The sans-IO IKE host: datagrams, commands and the time go in, actions come out.

- Every entry takes `now` and returns the actions of that call in the order in which they must be carried out.
- This is the one place where a ProtocolError of the packet path is caught.
- An SA that has gone lingers, so that a peer whose last request is answered by a lost response hears it again.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

from lab.errors import ProtocolError
from lab.ike.actions import Action, Send
from lab.ike.config import Child, Config, Connection
from lab.ike.host import Host, Resolve, no_names
from lab.ike.path import Path
from lab.ike.states import ChildState, IkeState
from lab.ike.table import Table
from lab.ikev1.commands import Commands as Commands1
from lab.ikev1.sa import Sa as Sa1
from lab.ikev1.service import Service
from lab.ikev2 import ike_sa_init, ike_session_resume, resumption, timers
from lab.ikev2.commands import Commands, Which
from lab.ikev2.engine import Engine
from lab.ikev2.gate import REFUSALS, Gate, is_initial, unprotected
from lab.ikev2.responders import RESPONDERS
from lab.ikev2.sa import Sa
from lab.ikev2.session import Session
from lab.trace import Trace
from lab.wire.gateway import Gateway
from lab.wire.header import NO_SPI, Header
from lab.wire.ids import ExchangeType, NotifyType
from lab.wire.message import Message
from lab.wire.packets import NON_ESP_MARKER
from lab.wire.payloads_v2 import Notify


def _ticket(message: Message) -> bytes:
    told = message.notify(NotifyType.TICKET_OPAQUE)
    return told.data if told else b""


class Endpoint:
    """One IKE host; two of them live happily in one process."""

    def __init__(
        self,
        config: Config,
        *,
        random: Callable[[int], bytes],
        trace: Trace,
        local: Sequence[str] = (),
        addresses: Sequence[str] = (),
        keylog: bool = False,
        epoch: float = 0.0,
        resolve: Resolve = no_names,
    ) -> None:
        found = tuple(addresses or local)
        self.host = Host(config, random, trace, keylog, epoch, tuple(local), found, resolve)
        self._gate = Gate(self.host)
        self.table: Table[Engine] = Table(self.host, timers.deadline)
        self._commands = Commands(self.host, self.table)
        self._v1 = Service(self.host)
        self._by_version: dict[int, Commands | Commands1] = {1: self._v1.commands, 2: self._commands}
        self._first_version = False
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
        if header.major == 1 and self._v1.wanted:
            self._first_version = True
            self._v1.receive(header, data, path)
        elif header.major != 2:
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
        """IKE_SA_INIT or IKE_SESSION_RESUME of somebody new: the gate first, then state."""
        if self.table.get(header.spi_i):
            raise ProtocolError("a message of our own came back")
        known = self.table.begun(data)
        if known is not None:
            self._concerned = known
            known.receive(header, data, path)
            return
        if header.message_id or header.spi_i == NO_SPI:
            raise ProtocolError(f"{header.exchange.name} request with a message ID or without SPI")
        demand = self._gate.demand(header, data, path)
        if demand is not None:
            self.host.act(Send(demand, path))
            self.host.trace.emit("refusal", "cookie demanded: many half-open SAs")
            return
        self._stranger = (header, path)
        message = self._gate.admit(data, path)
        if self.table.full:
            raise ProtocolError("the table of IKE SAs is full")
        connection, session = self._asked_for(message, path)
        sa = Sa(self.host, connection, path, initiator=False, number=self.host.new_number())
        sa.spi_i, sa.spi_r = header.spi_i, self.host.new_ike_spi()
        if session:
            sa.resumed, sa.ticket = session, _ticket(message)
        begin = ike_session_resume if session else ike_sa_init
        engine = Engine(sa, RESPONDERS)
        engine.converse(begin.responder(sa, message, path), message, path)
        self.table.add(engine, begun_by=data)
        self._gate.opened(sa.spi_r, path.remote_host)
        self._concerned = engine

    def _asked_for(self, message: Message, path: Path) -> tuple[Connection, Session | None]:
        """The connection for a stranger, and the session that it resumes; ProtocolError where it is not let in."""
        if message.header.exchange == ExchangeType.IKE_SESSION_RESUME:
            return resumption.readmit(self.host, _ticket(message), path)
        connections = [c for c in self._connections(2) if c.serves(path.local_host, path.remote_host)]
        return ike_sa_init.connection_for(connections, message, path), None

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
        if self._first_version:
            self._v1.violated(error)
        elif self._concerned:
            self._concerned.violated(error)
        elif self._stranger and error.notify in REFUSALS:
            header, path = self._stranger
            notify = Notify(NotifyType(error.notify), error.data)
            self.host.act(Send(unprotected(header, notify, path), path))
            self.host.trace.emit(
                "refusal", f"{header.exchange.name} refused with {notify.notify_type.name}: {error.reason}"
            )
            if notify.notify_type == NotifyType.NO_PROPOSAL_CHOSEN and self._gate.told():
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

    def initiate(self, child: str, now: float, *, anew: bool = False) -> list[Action]:
        """Bring a child up; the event `child-up` or `failed` tells the outcome.

        It is made under the IKE SA of its connection, or with a new one where there is none, or always with a new one
        (`anew`). A child that is up already is reported again.
        """
        found = self._commands.find(child)
        self._enter(now)
        self._initiate(*found, anew=anew)
        return self._leave()

    def _initiate(self, connection: Connection, child: Child, *, anew: bool = False) -> None:
        self._by_version[connection.version].initiate(connection, child, anew=anew)

    def acquire(self, child: str, now: float) -> list[Action]:
        """A packet wants this child; nothing happens where it is up or being made."""
        under_way = any(commands.under_way(child) for commands in self._by_version.values())
        return [] if under_way else self.initiate(child, now)

    def terminate(self, now: float, ike: Which = None, child: str | None = None) -> list[Action]:
        """Delete the IKE SAs of a connection, of a number, or all; with `child` only their children of that name."""
        self._enter(now)
        for commands in self._meant(ike, child):
            commands.terminate(ike, child)
        return self._leave()

    def rekey(self, now: float, ike: Which = None, child: str | None = None) -> list[Action]:
        """Rekey the IKE SAs of a connection, of a number, or all; with `child` their children of that name instead."""
        self._enter(now)
        for commands in self._meant(ike, child):
            commands.rekey(ike, child)
        return self._leave()

    def redirect(self, gateway: Gateway, now: float, ike: Which = None) -> list[Action]:
        """Send the peers of these IKE SAs to another gateway (RFC 5685); they must be clients of ours that follow."""
        self._enter(now)
        self._commands.redirect(ike, gateway)
        return self._leave()

    def liveness(self, now: float, ike: Which = None) -> list[Action]:
        """Ask the peers of these IKE SAs whether they live."""
        self._enter(now)
        for commands in self._by_version.values():
            commands.liveness(ike)
        return self._leave()

    def move(self, now: float, ike: Which = None, local: str | None = None) -> list[Action]:
        """Have peers update the addresses of these IKE SAs, whose path begins at `local` from now on (RFC 4555)."""
        self._enter(now)
        self._commands.move(ike, local)
        return self._leave()

    def _meant(self, ike: Which, child: str | None) -> list[Commands | Commands1]:
        """The commands of the versions that have what is named; where none has, those of version 2 say so."""
        return [commands for commands in self._by_version.values() if commands.has(ike, child)] or [self._commands]

    def _sas(self) -> Iterator[Sa | Sa1]:
        for commands in self._by_version.values():
            yield from commands.sas()

    def _connections(self, version: int) -> list[Connection]:
        return [c for c in self.host.config.connections if c.version == version]

    # -- what the system tells

    def peers(self) -> list[str]:
        """Addresses of peers; `roam` wants to know from where the system would send to them."""
        return list(dict.fromkeys(self._commands.peers()))

    def roam(self, addresses: Sequence[str], sources: Mapping[str, str], now: float) -> list[Action]:
        """Addresses or routes of this host have changed.

        `addresses` are all that it has now, `sources` those that the system would send from, by address of a peer; a
        peer that it cannot reach is not among them.
        """
        self._enter(now)
        self._commands.roam(addresses, sources)
        return self._leave()

    # -- what the data plane tells

    def moved(self, spi_in: bytes, path: Path, now: float) -> list[Action]:
        """An ESP packet that authenticated came along another path (RFC 7296 2.23)."""
        self._enter(now)
        sa = self._sa_of_child(spi_in)
        if sa is not None and sa.nat.remote and not sa.nat.local:
            sa.heard_along(path)
        return self._leave()

    def carried(self, spi_in: bytes, now: float, *, inbound: bool) -> list[Action]:
        """ESP flowed through a child: the peer lives (inbound), or the NAT saw a packet of ours (outbound)."""
        self._enter(now)
        sa = self._sa_of_child(spi_in)
        if sa is not None and inbound:
            sa.last_heard = now
            sa.peer_uses(sa.children[spi_in])
        elif sa is not None:
            sa.last_sent = now
        return self._leave()

    def aging(self, spi_in: bytes, now: float) -> list[Action]:
        """A child has reached a soft limit: it is rekeyed as if its time had come."""
        self._enter(now)
        sa = self._sa_of_child(spi_in)
        if sa is not None and sa.children[spi_in].state is ChildState.INSTALLED:
            sa.children[spi_in].rekey_at = now
        return self._leave()

    def expired(self, spi_in: bytes, now: float) -> list[Action]:
        """A child can carry nothing more: it is deleted, it alone."""
        self._enter(now)
        sa = self._sa_of_child(spi_in)
        if sa is not None:
            sa.children[spi_in].expire_at = now
        return self._leave()

    def _sa_of_child(self, spi_in: bytes) -> Sa | Sa1 | None:
        sa = next((sa for sa in self._sas() if spi_in in sa.children), None)
        if sa is not None:
            self.host.touch(sa.spi)
        return sa

    # -- time

    def next_deadline(self) -> float | None:
        """When `tick` must be called at the latest; None where nothing waits."""
        second, first = self.table.next_deadline(), self._v1.table.next_deadline()
        if second is None or (first is not None and first < second):
            return first
        return second

    def tick(self, now: float) -> list[Action]:
        """Do what is due; calling it early does nothing."""
        self._enter(now)
        for engine in self.table.due(now):
            self.host.touch(engine.sa.spi)
            timers.tick(engine)
        self._v1.tick()
        return self._leave()

    # -- views

    def sas(self, now: float | None = None) -> list[dict[str, object]]:
        """All IKE SAs with their children, in the shape of ikelab.sas/1, their ages as of `now`."""
        if now is not None:
            self.host.now = now
        return [sa.view() for sa in self._sas()]

    def stats(self) -> dict[str, int]:
        """Sizes of the tables; none of them grows without bound."""
        sas = list(self._sas())
        sizes = (self.table.sizes(), self._v1.table.sizes())
        return {
            "ike_sas": len(sas),
            "half_open": self._gate.half_open + self._v1.half_open,
            "children": sum(1 for sa in sas for c in sa.children.values() if c.state is ChildState.INSTALLED),
            "child_spis": len(self.host.child_spis),
            **{name: sum(size[name] for size in sizes) for name in sizes[0]},
            **self.host.mint.sizes,
        }

    # -- every call

    def _enter(self, now: float) -> None:
        self.host.now = self.host.trace.now = now
        self._concerned, self._stranger, self._first_version = None, None, False

    def _leave(self) -> list[Action]:
        """Bring the tables up to date with what the call did, and hand out its actions."""
        if self._concerned:
            self.host.touch(self._concerned.sa.spi)
        host = self.host
        while host.touched or host.restart or host.detours or host.born:
            born, host.born = host.born, []
            restart, host.restart = host.restart, []
            detours, host.detours = host.detours, []
            touched, host.touched = host.touched, []
            for sa in born:
                assert isinstance(sa, Sa)
                self.table.add(Engine(sa, RESPONDERS))
            for connection, child in restart:
                self._initiate(connection, child)
            for detour in detours:
                self._commands.detour(detour)
            for spi in touched:
                self._after(spi)
        return host.take()

    def _after(self, spi: bytes) -> None:
        """An SA may have more to do, another deadline, or have come to its end."""
        self._v1.after(spi)
        engine = self.table.get(spi)
        if engine is None:
            return
        engine.settle()
        self.table.schedule(engine)
        if engine.sa.state is not IkeState.CONNECTING:
            self._gate.settled(spi)
