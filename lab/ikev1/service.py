"""IKEv1 of one endpoint: finds the SA of a datagram, lets strangers begin one, and keeps the deadlines.

Off unless a connection says `version = 1` (RFC 9395). Strangers cost state from their first message on, since IKEv1 has
no cookie that would prove an address before: so half-open SAs are few, and each datagram is answered by at most one.
"""

from lab.errors import ProtocolError
from lab.ike.actions import Send
from lab.ike.half_open import HalfOpen, Limit
from lab.ike.host import Host
from lab.ike.path import Path
from lab.ike.states import IkeState
from lab.ike.table import Table
from lab.ikev1 import aggressive_mode, informational, main_mode, phase1, succession, timers
from lab.ikev1.commands import Commands
from lab.ikev1.engine import Engine
from lab.ikev1.sa import Sa
from lab.wire.header import NO_SPI, Header
from lab.wire.ids_v1 import ExchangeType1, NotifyType1
from lab.wire.message_v1 import Message1, encode_chain, header
from lab.wire.packets import NON_ESP_MARKER
from lab.wire.payloads_v1 import Notify1

REFUSALS = (
    NotifyType1.NO_PROPOSAL_CHOSEN,
    NotifyType1.DOI_NOT_SUPPORTED,
    NotifyType1.SITUATION_NOT_SUPPORTED,
    NotifyType1.INVALID_EXCHANGE_TYPE,
)


class Service:
    """What an endpoint has of IKEv1."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self.table: Table[Engine] = Table(host, timers.deadline)
        self.commands = Commands(host, self.table)
        self._half_open = HalfOpen(host)
        self._notices, self._refusals = Limit(), Limit()
        self._concerned: Engine | None = None
        self._stranger: tuple[Header, Path] | None = None
        self._connections = [c for c in host.config.connections if c.version == Sa.version]

    @property
    def wanted(self) -> bool:
        """Whether any connection speaks IKEv1."""
        return bool(self._connections)

    @property
    def half_open(self) -> int:
        """How many SAs wait for the end of their phase 1."""
        return len(self._half_open)

    # -- the packet path

    def receive(self, front: Header, data: bytes, path: Path) -> None:
        """Take one message without non-ESP marker; raises ProtocolError, which goes to `violated`."""
        self._concerned, self._stranger = None, None
        engine = self._find(front, data)
        if engine is not None:
            self._concerned = engine
            self._host.touch(engine.sa.spi)
            engine.receive(front, data, path)
        elif front.spi_r == NO_SPI and ExchangeType1(front.exchange) in (
            ExchangeType1.MAIN_MODE,
            ExchangeType1.AGGRESSIVE_MODE,
        ):
            self._stranger_comes(front, data, path)
        else:
            raise ProtocolError(f"no ISAKMP SA with cookies {front.spi_i.hex()} and {front.spi_r.hex()}")

    def _find(self, front: Header, data: bytes) -> Engine | None:
        """The SA of both cookies, or the one that this very datagram began before."""
        if front.spi_r == NO_SPI:
            if self.table.get(front.spi_i):
                # An informational to an initiator that has no cookie of ours yet comes so; anything else is our own.
                if ExchangeType1(front.exchange) == ExchangeType1.INFORMATIONAL:
                    return self.table.get(front.spi_i)
                raise ProtocolError("a message of our own came back")
            return self.table.begun(data)
        for ours, theirs in ((front.spi_r, front.spi_i), (front.spi_i, front.spi_r)):
            engine = self.table.get(ours)
            if engine is not None:
                sa = engine.sa
                known = sa.spi_r if sa.initiator else sa.spi_i
                if (ours == front.spi_i) != sa.initiator or known not in (theirs, NO_SPI):
                    raise ProtocolError("cookies that are not those of this ISAKMP SA")
                return engine
        return None

    def _stranger_comes(self, front: Header, data: bytes, path: Path) -> None:
        """The first message of somebody new: looked at before any state is made."""
        if front.message_id or front.spi_i == NO_SPI:
            raise ProtocolError("phase 1 that begins with a message ID or without a cookie")
        if reason := self._half_open.full(path):
            raise ProtocolError(reason)
        if self.table.full:
            raise ProtocolError("the table of ISAKMP SAs is full")
        message = Message1.decode(data)
        if message.sealed:
            raise ProtocolError("phase 1 that begins encrypted")
        self._stranger = (front, path)
        aggressive = message.exchange == ExchangeType1.AGGRESSIVE_MODE
        served = [
            c for c in self._connections if c.serves(path.local_host, path.remote_host) and c.aggressive == aggressive
        ]
        connection = phase1.connection_for(served, message, path)
        sa = Sa(self._host, connection, path, initiator=False, number=self._host.new_number())
        sa.spi_i, sa.spi_r = front.spi_i, self._host.new_ike_spi()
        engine = Engine(sa)
        mode = aggressive_mode if aggressive else main_mode
        engine.serve(mode.responder(sa, message), data, path)
        self.table.add(engine, begun_by=data)
        self._half_open.opened(sa.spi, path.remote_host)
        self._host.touch(sa.spi)

    def violated(self, error: ProtocolError) -> None:
        """Answer, end or drop, by what the message belonged to."""
        if self._concerned:
            self._concerned.violated(error)
        elif self._stranger and error.notify in REFUSALS:
            self._refuse(*self._stranger, error)
        else:
            self._host.trace.drop(error.reason)

    def _refuse(self, front: Header, path: Path, error: ProtocolError) -> None:
        """Tell a stranger in clear why it gets no SA: one notice for one message, and only so many in a second."""
        kind = NotifyType1(error.notify)
        self._host.trace.emit("refusal", f"phase 1 refused with {kind.name}: {error.reason}")
        if self._notices.room(self._host.now):
            self._host.act(Send(_notice(front, kind, path), path))
        if self._refusals.room(self._host.now):
            peer = {"connection": "", "role": "responder", "path": str(path)}
            self._host.tell("failed", **peer, stage=ExchangeType1(front.exchange).name, reason=error.reason)

    # -- time, and every call

    def tick(self) -> None:
        """Do what is due."""
        for engine in self.table.due(self._host.now):
            self._host.touch(engine.sa.spi)
            timers.tick(engine)

    def after(self, spi: bytes) -> None:
        """An SA may have more to do, another deadline, or have come to its end."""
        engine = self.table.get(spi)
        if engine is None:
            return
        sa = engine.sa
        if sa.wants_heir:
            sa.wants_heir = False
            self.commands.reauthenticate(sa)
        if sa.state is IkeState.REKEYED and not sa.queue and not sa.quick_modes and self._served(sa):
            informational.end(sa, "rekeyed")
        engine.settle()
        self.table.schedule(engine)
        if sa.state is not IkeState.CONNECTING:
            self._half_open.settled(spi)

    def _served(self, sa: Sa) -> bool:
        """Whether an SA that was replaced is ours to delete, now that its heir does all that it did."""
        heir = sa.heir
        if heir is None or not heir.initiator:
            return False
        return not heir.alive or (not heir.configuring and succession.lingers_until(sa) <= self._host.now)


def _notice(front: Header, kind: NotifyType1, path: Path) -> bytes:
    """An Informational in clear under the cookies of the message that it is about."""
    payloads, cookies = (Notify1(kind),), (front.spi_i, front.spi_r)
    chain = encode_chain(payloads)
    answer = header(cookies, ExchangeType1.INFORMATIONAL, payloads, message_id=1, length=len(chain))
    data = answer.encode() + chain
    return NON_ESP_MARKER + data if path.marked else data
