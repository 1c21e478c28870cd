"""Two endpoints over a virtual wire whose clock jumps to the next deadline.

    pair = Pair()                     left and right share a PSK and one child, "net"
    pair.initiate()                   left.initiate("net"), then run until nothing is under way
    pair.wire.drop(request(IKE_AUTH)) lose what a predicate says, `count` times
    pair.run(until=165.1)             let time pass

The wire delivers what an endpoint sends after `pair.delay` seconds; every datagram ever sent is in `pair.wire.sent`,
with what became of it. `pair.left.roam("192.0.2.77")` gives a side other addresses. A NAT box may sit before the left
side. Everything drawn at random comes from seeds, so every run is the same.
"""

import functools
import hashlib
import heapq
import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from lab.endpoint import Endpoint
from lab.ike.actions import (
    Action,
    AddAddress,
    Event,
    InstallChild,
    KeyLog,
    MoveChild,
    Path,
    RemoveAddress,
    RemoveChild,
    Send,
    UseChild,
)
from lab.ike.child import ChildSa
from lab.ike.config import Config, load
from lab.ike.swanctl import mirror, parse, render
from lab.ikev2.engine import Engine
from lab.trace import Record, Trace
from lab.wire.header import Header
from lab.wire.ids import ExchangeType, Flag, PayloadType
from lab.wire.message import Message
from lab.wire.packets import NON_ESP_MARKER
from lab.wire.payloads import Payload

LEFT, RIGHT, OUTSIDE = "192.0.2.1", "198.51.100.1", "203.0.113.1"
# When the pair's clock shows zero, in seconds since 1970.
EPOCH = 1_800_000_000.0

NET = """
connections {{
    gw {{
        version = 2
        local_addrs = {left}
        remote_addrs = {right}
        mobike = no
        {connection}
        local {{
            auth = psk
            id = left.example.org
        }}
        remote {{
            auth = psk
            id = right.example.org
        }}
        children {{
            net {{
                local_ts = 10.1.0.0/24
                remote_ts = 10.2.0.0/24
                {child}
            }}
        }}
    }}
}}
secrets {{
    ike-1 {{
        secret = "a shared secret"
    }}
}}
ikelab {{
    {settings}
}}
"""


def net(connection: str = "", child: str = "", settings: str = "", left: str = LEFT, right: str = RIGHT) -> str:
    """The configuration of the left side, with lines of your own."""
    return NET.format(connection=connection, child=child, settings=settings, left=left, right=right)


@functools.cache
def mirrored(text: str) -> str:
    """The configuration of the other side."""
    return render(mirror(parse(text)))


@functools.cache
def _config(text: str, file: str, files: tuple[tuple[str, bytes], ...]) -> Config:
    """What is written there, read once: it is frozen, and most tests share one. Who wants another puts it in place."""
    return load(text, file, dict(files).__getitem__)


def seeded(seed: str) -> Callable[[int], bytes]:
    """A random source that gives the same octets for the same seed in every run."""
    counter = itertools.count()

    def random(octets: int) -> bytes:
        out = b""
        while len(out) < octets:
            out += hashlib.sha256(f"{seed}/{next(counter)}".encode()).digest()
        return out[:octets]

    return random


@dataclass
class Datagram:
    """One UDP datagram on the wire; addresses as its sender wrote them, or as a NAT box rewrote them."""

    n: int
    at: float
    src: tuple[str, int]
    dst: tuple[str, int]
    data: bytes
    fate: str = "sent"

    @property
    def keepalive(self) -> bool:
        return self.data == b"\xff"

    @property
    def marked(self) -> bool:
        return self.data.startswith(NON_ESP_MARKER)

    @property
    def ike(self) -> bytes:
        """The IKE message without the non-ESP marker."""
        return self.data[4:] if self.marked else self.data

    @property
    def header(self) -> Header:
        return Header.decode(self.ike)

    def __str__(self) -> str:
        if self.keepalive:
            return "keepalive"
        header = self.header
        return f"{header.exchange.name} {'response' if header.response else 'request'} {header.message_id}"


Predicate = Callable[[Datagram], bool]


def is_request(exchange: ExchangeType | None = None, message_id: int | None = None) -> Predicate:
    return _is(False, exchange, message_id)


def is_response(exchange: ExchangeType | None = None, message_id: int | None = None) -> Predicate:
    return _is(True, exchange, message_id)


def _is(response: bool, exchange: ExchangeType | None, message_id: int | None) -> Predicate:
    def predicate(datagram: Datagram) -> bool:
        if datagram.keepalive:
            return False
        header = datagram.header
        return (
            header.response is response
            and (exchange is None or header.exchange == exchange)
            and (message_id is None or header.message_id == message_id)
        )

    return predicate


def sent_by(host: str) -> Predicate:
    return lambda datagram: datagram.src[0] == host


@dataclass
class Nat:
    """A NAT box in front of one host: the outside port follows the inside port by `shift` until `rebind` changes it."""

    inside: str
    outside: str
    shift: int = 20000
    known: dict[int, int] = field(default_factory=dict)

    def out(self, src: tuple[str, int]) -> tuple[str, int]:
        if src[0] != self.inside:
            return src
        outside = self.known.setdefault(src[1], src[1] + self.shift)
        return self.outside, outside

    def back(self, dst: tuple[str, int]) -> tuple[str, int] | None:
        """Where a datagram to this address goes; None where the box has no mapping."""
        if dst[0] != self.outside:
            return dst if dst[0] != self.inside else None
        inside = [port for port, outside in self.known.items() if outside == dst[1]]
        return (self.inside, inside[0]) if inside else None

    def forward(self, *ports: int) -> "Nat":
        """A port forward: these ports are the same inside and outside, from the start."""
        self.known |= {port: port for port in ports}
        return self

    def rebind(self, shift: int) -> None:
        self.shift = shift
        self.known.clear()


@dataclass
class Rule:
    """What to do with the next `count` datagrams that a predicate takes."""

    what: str
    predicate: Predicate
    count: int
    by: float = 0.0
    change: Callable[[bytes], bytes] | None = None


class Wire:
    """Carries datagrams; loses, doubles, delays and changes those it is told to."""

    def __init__(self) -> None:
        self.sent: list[Datagram] = []
        self.rules: list[Rule] = []

    def drop(self, predicate: Predicate, count: int = 1) -> None:
        self.rules.append(Rule("lost", predicate, count))

    def duplicate(self, predicate: Predicate, count: int = 1, by: float = 0.5) -> None:
        self.rules.append(Rule("doubled", predicate, count, by))

    def delay(self, predicate: Predicate, by: float, count: int = 1) -> None:
        self.rules.append(Rule("delayed", predicate, count, by))

    def change(self, predicate: Predicate, change: Callable[[bytes], bytes], count: int = 1) -> None:
        """Rewrite IKE messages (without the non-ESP marker)."""
        self.rules.append(Rule("changed", predicate, count, change=change))

    def rule(self, datagram: Datagram) -> Rule | None:
        for rule in self.rules:
            if rule.count and rule.predicate(datagram):
                rule.count -= 1
                datagram.fate = rule.what
                return rule
        return None

    def seen(self, predicate: Predicate = lambda datagram: True) -> list[Datagram]:
        return [datagram for datagram in self.sent if predicate(datagram)]

    @property
    def ladder(self) -> list[str]:
        """What was sent, in order: `left IKE_SA_INIT request 0`."""
        names = {LEFT: "left", OUTSIDE: "left"}
        return [f"{names.get(d.src[0], 'right')} {d}" for d in self.sent]


class Side:
    """One endpoint and all that came out of it."""

    def __init__(
        self, name: str, text: str, host: str, seed: str, pair: "Pair", files: Mapping[str, bytes] | None = None
    ) -> None:
        self.name, self.hosts, self.pair = name, [host], pair
        self.records: list[Record] = []
        self.endpoint = Endpoint(
            _config(text, f"{name}.conf", tuple((files or {}).items())),
            random=seeded(f"{seed}/{name}"),
            trace=Trace(self.records.append),
            local=(host,),
            keylog=True,
            epoch=EPOCH,
        )
        self.actions: list[Action] = []
        self.events: list[Event] = []
        self.keys: list[dict[str, object]] = []
        self.installed: dict[bytes, ChildSa] = {}
        self.ever: list[ChildSa] = []
        self.order: list[bytes] = []
        self.addresses: list[str] = []

    def take(self, actions: list[Action]) -> None:
        for action in actions:
            self.actions.append(action)
            if isinstance(action, Send):
                self.pair.send(self, action)
            elif isinstance(action, InstallChild):
                assert action.child.spi_in not in self.installed, "installed twice"
                self.installed[action.child.spi_in] = action.child
                self.ever.append(action.child)
                if action.outbound:
                    self.use(action.child.spi_in)
            elif isinstance(action, UseChild):
                self.use(action.spi_in)
            elif isinstance(action, RemoveChild):
                del self.installed[action.spi_in]
                self.order = [spi for spi in self.order if spi != action.spi_in]
            elif isinstance(action, MoveChild):
                assert action.spi_in in self.installed, "moved a child that is not installed"
                before = self.installed[action.spi_in]
                self.installed[action.spi_in] = replace(before, path=action.path, encap=action.encap)
            elif isinstance(action, AddAddress):
                self.addresses.append(str(action.address))
            elif isinstance(action, RemoveAddress):
                assert not any(self.uses(c, str(action.address)) for c in self.installed.values()), "a child needs it"
                self.addresses.remove(str(action.address))
            elif isinstance(action, Event):
                self.events.append(action)
            elif isinstance(action, KeyLog):
                self.keys.append(action.entry)

    @staticmethod
    def uses(child: ChildSa, address: str) -> bool:
        """Whether a child is for this one address of ours."""
        return any(str(s.start) == str(s.end) == address for s in child.ts_local)

    def use(self, spi_in: bytes) -> None:
        """What the data plane does: the child that came into use last carries the packets."""
        if spi_in not in self.order:
            self.order.insert(0, spi_in)

    @property
    def sending(self) -> ChildSa | None:
        """The child that packets leave through."""
        return self.installed[self.order[0]] if self.order else None

    def do(self, command: str, *args: object, **named: object) -> None:
        """Call a command of the endpoint at the time of now and carry out its actions."""
        self.take(getattr(self.endpoint, command)(*args, now=self.pair.now, **named))

    @property
    def host(self) -> str:
        """Its first address."""
        return self.hosts[0]

    def roam(self, *hosts: str, sources: Mapping[str, str] | None = None) -> None:
        """This side has these addresses from now on, and the system sends from the first of them unless told."""
        self.hosts = list(hosts)
        chosen = {peer: hosts[0] for peer in self.endpoint.peers() if hosts} if sources is None else sources
        self.do("roam", hosts, chosen)

    @property
    def names(self) -> list[str]:
        return [event.name for event in self.events]

    def told(self, name: str) -> list[dict[str, object]]:
        return [event.fields for event in self.events if event.name == name]

    @property
    def drops(self) -> list[str]:
        return [record.text for record in self.records if record.kind == "drop"]

    @property
    def sas(self) -> list[dict[str, object]]:
        return self.endpoint.sas(self.pair.now)

    @property
    def up(self) -> list[str]:
        """The states of the IKE SAs."""
        return [str(sa["state"]) for sa in self.sas]


class Pair:
    """Left and right, the wire between them, and one clock."""

    def __init__(
        self,
        left: str | None = None,
        right: str | None = None,
        *,
        nats: tuple[Nat, ...] = (),
        seed: str = "0",
        delay: float = 0.01,
        right_host: str = RIGHT,
        files: tuple[Mapping[str, bytes], Mapping[str, bytes]] = ({}, {}),
    ) -> None:
        left = left if left is not None else net()
        self.now, self.delay, self.nats = 0.0, delay, nats
        self.wire = Wire()
        self.left = Side("left", left, LEFT, seed, self, files[0])
        right = right if right is not None else mirrored(left)
        self.right = Side("right", right, right_host, seed, self, files[1])
        self._flight: list[tuple[float, int, Datagram]] = []
        self._order = itertools.count()
        self._esp: list[tuple[float, int, Side, bytes]] = []
        self.packets = 0
        self.lost: list[str] = []

    @property
    def sides(self) -> tuple[Side, Side]:
        return self.left, self.right

    def ends(self, by: str) -> tuple[Side, Side]:
        """The side of this name, and the other one."""
        return self.sides if by == "left" else (self.right, self.left)

    def send(self, side: Side, action: Send) -> None:
        path = action.path
        src, dst = (path.local_host or side.host, path.local_port), (path.remote_host, path.remote_port)
        if src[0] not in side.hosts:
            return  # the system refuses
        for nat in self.nats:
            src = nat.out(src)
        datagram = Datagram(len(self.wire.sent), self.now, src, dst, action.data)
        self.wire.sent.append(datagram)
        rule = self.wire.rule(datagram)
        if rule is None or rule.what != "lost":
            self.deliver(datagram, rule)

    def deliver(self, datagram: Datagram, rule: Rule | None = None) -> None:
        """Put a datagram in flight."""
        if rule and rule.change:
            marker = NON_ESP_MARKER if datagram.marked else b""
            datagram = Datagram(datagram.n, datagram.at, datagram.src, datagram.dst, marker + rule.change(datagram.ike))
        late = rule.by if rule and rule.what == "delayed" else 0.0
        self._fly(datagram, late)
        if rule and rule.what == "doubled":
            self._fly(datagram, rule.by)

    def _fly(self, datagram: Datagram, late: float = 0.0) -> None:
        heapq.heappush(self._flight, (self.now + self.delay + late, next(self._order), datagram))

    def inject(self, data: bytes, src: tuple[str, int], dst: tuple[str, int]) -> None:
        """A third party sends something; it arrives at once."""
        self._arrive(Datagram(-1, self.now, src, dst, data))

    def _arrive(self, datagram: Datagram) -> None:
        dst: tuple[str, int] | None = datagram.dst
        for nat in reversed(self.nats):
            if dst is not None:
                dst = nat.back(dst)
        side = next((side for side in self.sides if dst is not None and dst[0] in side.hosts), None)
        if side is None or dst is None:
            datagram.fate = "no host"
        elif not datagram.keepalive:
            side.take(side.endpoint.receive(datagram.data, Path(*dst, *datagram.src), self.now))

    def next_time(self) -> float | None:
        """When something happens next, on the wire or in an endpoint."""
        times = [self._flight[0][0]] if self._flight else []
        times += [t for side in self.sides if (t := side.endpoint.next_deadline()) is not None]
        return min(times, default=None)

    def step(self) -> None:
        """Let the next thing happen."""
        when = self.next_time()
        assert when is not None, "nothing is under way"
        assert when >= self.now - 1e-9, f"a deadline at {when} lies before {self.now}"
        self.now = max(when, self.now)
        if self._flight and self._flight[0][0] <= self.now:
            self._arrive(heapq.heappop(self._flight)[2])
        for side in self.sides:
            due = side.endpoint.next_deadline()
            if due is not None and due <= self.now:
                side.take(side.endpoint.tick(self.now))
                after = side.endpoint.next_deadline()
                assert after is None or after > self.now, "tick did not do what was due"

    def run(self, until: float) -> None:
        """Let time pass up to `until`."""
        while (when := self.next_time()) is not None and when <= until:
            self.step()
        self.now = max(self.now, until)

    def wait(self, seconds: float = 1.0) -> None:
        """Let some time pass."""
        self.run(self.now + seconds)

    def settle(self, limit: int = 1000) -> None:
        """Run until the wire is empty."""
        for _ in range(limit):
            if not self._flight:
                return
            self.step()
        raise AssertionError("the wire does not come to rest")

    def initiate(self, by: str = "left") -> "Pair":
        """Bring the child up from one side and wait until the wire is quiet."""
        side = self.left if by == "left" else self.right
        side.do("initiate", "net")
        self.settle()
        return self

    def ping(self, seconds: float, every: float = 0.02) -> None:
        """Let both sides send packets at this spacing for a while; `self.lost` counts those that found no child."""
        end = self.now + seconds
        while self.now < end:
            for here, there in (self.sides, self.sides[::-1]):
                self.packets += 1
                if here.sending is None:
                    self.lost.append(f"{self.now:.3f} {here.name} has nothing to send through")
                else:
                    heapq.heappush(self._esp, (self.now + self.delay, next(self._order), there, here.sending.spi_out))
            self._until(self.now + every)

    def _until(self, when: float) -> None:
        """Run the wire and deliver the ESP packets that are under way, in the order of their times."""
        due = self.next_time()
        while self._esp and self._esp[0][0] <= when:
            at, _, side, spi = self._esp[0]
            if due is not None and due <= at:
                self.run(at)
                due = self.next_time()
            self.now = max(self.now, at)
            heapq.heappop(self._esp)
            if spi in side.installed:
                side.use(spi)
            else:
                self.lost.append(f"{self.now:.3f} {side.name} knows no SPI {spi.hex()}")
        self.run(when)

    def check(self, children: int = 1) -> None:
        """Both sides have the same children with the same keys, one the mirror of the other."""
        left, right = (sorted(side.installed.values(), key=lambda c: min(c.spi_in, c.spi_out)) for side in self.sides)
        assert len(left) == len(right) == children, (left, right)
        for a, b in zip(left, right, strict=True):
            assert (a.spi_in, a.spi_out) == (b.spi_out, b.spi_in)
            assert (a.key_encr_in, a.key_integ_in) == (b.key_encr_out, b.key_integ_out)
            assert (a.key_encr_out, a.key_integ_out) == (b.key_encr_in, b.key_integ_in)
            assert (a.ts_local, a.ts_remote) == (b.ts_remote, b.ts_local)
            assert (a.protocol, a.encr, a.integ, a.esn, a.mode, a.encap) == (
                *(b.protocol, b.encr, b.integ, b.esn, b.mode, b.encap),
            )
            assert (a.key_encr_in + a.key_integ_in) != (a.key_encr_out + a.key_integ_out)


def engine_of(side: Side) -> Engine:
    """The engine of the only IKE SA of a side that is alive."""
    (engine,) = [engine for engine in side.endpoint.table.engines.values() if engine.sa.alive]
    return engine


def forged(side: Side, exchange: ExchangeType, message_id: int, *payloads: Payload, response: bool = False) -> bytes:
    """A message that a side could have sent, sealed with its keys, without its engine knowing."""
    sa = engine_of(side).sa
    flags = (Flag.INITIATOR if sa.initiator else 0) | (Flag.RESPONSE if response else 0)
    header = Header(sa.spi_i, sa.spi_r, PayloadType.NONE, exchange, flags, message_id)
    return Message(header, payloads).encode(sa.sealer)
