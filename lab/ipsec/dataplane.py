"""The data plane of one endpoint: plain packets in, ESP or AH out, and back.

    outbound    flow -> policy -> DISCARD | Acquire, once | seal -> EspPacket | AhPacket
    inbound     protocol and SPI -> window, ICV, window moves, padding -> selectors -> ECN -> Deliver; Moved where the
                path is new

Rules of this file:
- Pure: the caller has the sockets. `now` only stamps the trace.
- A packet ends as an action or as one counted drop. Dropped and ProtocolError are caught here and nowhere else.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from lab.errors import ProtocolError
from lab.ike.child import ChildSa
from lab.ike.path import Path
from lab.ipsec.ah import spi_of
from lab.ipsec.association import Association
from lab.ipsec.drops import Dropped, Drops, Reason
from lab.ipsec.dummies import Pace
from lab.ipsec.esp import HEADER
from lab.ipsec.flow import Flow, flow_of
from lab.ipsec.outer import traffic_class
from lab.ipsec.path_mtu import PathMtus
from lab.ipsec.policy import Discard, Policies, Protect, Trap
from lab.trace import Trace
from lab.wire.icmp import TooBig
from lab.wire.ids import ProtocolId
from lab.wire.payloads_v2 import TrafficSelector

MOST_OCTETS = 65535 - 20 - 8  # what fits into UDP over IPv4


@dataclass(frozen=True, slots=True)
class EspPacket:
    """Send this ESP packet along the path: in UDP if `encap`, else as IP protocol 50; with this outer traffic class.

    `dont_fragment` asks for the DF bit of IPv4. A `mtu` that is not 0 asks for IPv6 in pieces no longer than that.
    """

    data: bytes
    path: Path
    encap: bool
    traffic_class: int = 0
    dont_fragment: bool = False
    mtu: int = 0


@dataclass(frozen=True, slots=True)
class AhPacket:
    """Send this IP packet as it is: its headers are under the ICV. `path` says where it goes, `mtu` is as above."""

    data: bytes
    path: Path
    mtu: int = 0


@dataclass(frozen=True, slots=True)
class Acquire:
    """A packet wants this child, ask IKE for it (RFC 4301 4.4.1); said once until it is installed or given up."""

    child: str
    flow: Flow


@dataclass(frozen=True, slots=True)
class Deliver:
    """An inner packet that passed every check."""

    packet: bytes


@dataclass(frozen=True, slots=True)
class Moved:
    """An authentic packet came along a path that is not the child's (RFC 7296 2.23)."""

    spi_in: bytes
    path: Path


@dataclass(frozen=True, slots=True)
class Aging:
    """A child has carried what its soft limits allow: it wants a successor (RFC 4301 4.4.2.1); said once."""

    spi_in: bytes


@dataclass(frozen=True, slots=True)
class Expired:
    """A child has no sequence numbers left (RFC 4303 3.3.3) or is past its hard limits: it must go; said once."""

    spi_in: bytes


@dataclass(frozen=True, slots=True)
class Widened:
    """What routers have said of paths is too old: ask `fit` again for every child (RFC 4301 8.2.2)."""


Outbound = EspPacket | AhPacket | Acquire | Aging | Expired
Inbound = Deliver | Moved | Aging | Expired


class Dataplane:
    """Children in effect, by SPI and by policy."""

    def __init__(self, trace: Trace, random: Callable[[int], bytes], *, dummy_rate: float = 0.0) -> None:
        """`dummy_rate` is how many dummy packets each child sends in a second."""
        self._trace, self._random = trace, random
        self._by_spi: dict[bytes, Association] = {}
        self._asked: set[str] = set()
        self._expired: set[bytes] = set()
        self._standby: set[bytes] = set()
        self._mtus, self._pace = PathMtus(), Pace(dummy_rate)
        self.policies, self.drops = Policies(), Drops(trace)

    def install(self, child: ChildSa, *, outbound: bool = True) -> Association:
        """Put a child into effect; with `outbound` False it stands by until it is used by the peer or by `use`."""
        association = Association(child, self._random)
        self.remove(child.spi_in)
        self._by_spi[child.spi_in] = association
        self._standby.add(child.spi_in)
        if outbound:
            self.use(child.spi_in)
        self._asked.discard(child.name)
        return association

    def use(self, spi_in: bytes) -> None:
        """Send what its selectors take through this child from now on."""
        association = self._by_spi.get(spi_in)
        if association is not None and spi_in in self._standby:
            self._standby.remove(spi_in)
            self.policies.protect(association)

    def remove(self, spi_in: bytes) -> ChildSa | None:
        """Take a child out, both directions; None where there was none."""
        association = self._by_spi.pop(spi_in, None)
        self._expired.discard(spi_in)
        self._standby.discard(spi_in)
        if association is None:
            return None
        self.policies.forget(association)
        return association.child

    def move(self, spi_in: bytes, path: Path, *, encap: bool) -> None:
        """Let a child's packets go along another path, in UDP or not."""
        if association := self._by_spi.get(spi_in):
            association.move(path, encap=encap)

    def trap(self, child: str, local: Sequence[TrafficSelector], remote: Sequence[TrafficSelector]) -> None:
        """Ask for this child as soon as a packet wants it."""
        self.policies.trap(child, local, remote)

    def untrap(self, child: str) -> None:
        """Ask for this child no more."""
        self.policies.untrap(child)
        self._asked.discard(child)

    def give_up(self, child: str) -> None:
        """IKE could not make this child; the next packet may ask again."""
        self._asked.discard(child)

    def outbound(self, packet: bytes, now: float) -> list[Outbound]:
        """What becomes of a packet that came out of the tunnel device."""
        self._trace.now = now
        try:
            return self._protect(packet)
        except Dropped as drop:
            self.drops.add(drop.why, direction="out", detail=drop.detail)
        except ProtocolError as error:
            self.drops.add(Reason.INNER_HEADER, direction="out", detail=error.reason)
        return []

    def _protect(self, packet: bytes) -> list[Outbound]:
        policy = self.policies.of(packet)
        if isinstance(policy, Protect):
            return self._send(policy.association, packet)
        flow = flow_of(packet)
        match policy:
            case None:
                raise Dropped(Reason.NO_POLICY, str(flow))
            case Discard(name=name):
                raise Dropped(Reason.DISCARD, f"{name}: {flow}")
            case Trap(child=child):
                self.drops.add(Reason.NO_SA, direction="out", child=child, detail=str(flow))
                return self._acquire(child, flow)

    def _acquire(self, child: str, flow: Flow) -> list[Outbound]:
        if child in self._asked:
            return []
        self._asked.add(child)
        return [Acquire(child, flow)]

    def _send(self, association: Association, packet: bytes) -> list[Outbound]:
        child = association.child
        try:
            data = association.seal(packet, self._trace.now)
        except Dropped as drop:
            self.drops.add(drop.why, direction="out", spi=child.spi_out.hex(), detail=drop.detail)
            return [*self._ended(child, drop.why)]
        if len(data) > MOST_OCTETS:
            raise Dropped(Reason.TOO_BIG, f"{len(packet)} octets inside")
        aging = [Aging(child.spi_in)] if association.aging() else []
        if child.protocol == ProtocolId.AH:
            return [AhPacket(data, association.path, association.cut_at(len(data))), *aging]
        whole, mtu = association.whole(packet, len(packet), len(data)), association.cut_at(len(data))
        sent = EspPacket(data, association.path, child.encap, traffic_class(packet), dont_fragment=whole, mtu=mtu)
        return [sent, *aging]

    def _ended(self, child: ChildSa, why: Reason) -> list[Expired]:
        """What is said, once, of a child that a packet was too much for."""
        if why not in (Reason.EXHAUSTED, Reason.LIFETIME) or child.spi_in in self._expired:
            return []
        self._expired.add(child.spi_in)
        return [Expired(child.spi_in)]

    def inbound(self, packet: bytes, path: Path, now: float, outer_class: int = 0) -> list[Inbound]:
        """What becomes of an ESP packet (behind its UDP header if it had one) that came along `path`."""
        self._trace.now = now
        return self._arrive(packet[:4], partial(self._esp, packet, path, outer_class))

    def inbound_ah(self, packet: bytes, path: Path, now: float) -> list[Inbound]:
        """What becomes of an IP packet with AH, all its headers included, that came along `path`."""
        self._trace.now = now
        return self._arrive(b"", partial(self._ah, packet, path))

    def _arrive(self, spi: bytes, work: Callable[[], list[Inbound]]) -> list[Inbound]:
        """The one place where a packet that came in may be dropped."""
        at = {"spi": spi.hex()} if spi else {}
        try:
            return work()
        except Dropped as drop:
            self.drops.add(drop.why, direction="in", **at, detail=drop.detail)
        except ProtocolError as error:
            self.drops.add(Reason.INNER_HEADER, direction="in", **at, detail=error.reason)
        return []

    def _esp(self, packet: bytes, path: Path, outer_class: int) -> list[Inbound]:
        if len(packet) < HEADER:
            raise Dropped(Reason.TOO_SHORT, f"{len(packet)} octets")
        return self._open(self._of(ProtocolId.ESP, packet[:4]), packet, path, outer_class)

    def _ah(self, packet: bytes, path: Path) -> list[Inbound]:
        return self._open(self._of(ProtocolId.AH, spi_of(packet)), packet, path, traffic_class(packet))

    def _of(self, protocol: ProtocolId, spi: bytes) -> Association:
        association = self._by_spi.get(spi)
        if association is None or association.child.protocol != protocol:
            raise Dropped(Reason.UNKNOWN_SPI, f"{protocol.name} {spi.hex()}")
        return association

    def _open(self, association: Association, packet: bytes, path: Path, outer_class: int) -> list[Inbound]:
        try:
            inner = association.open(packet, path, outer_class, self._trace.now)
        except Dropped as drop:
            if not (ended := self._ended(association.child, drop.why)):
                raise
            self.drops.add(drop.why, direction="in", spi=association.child.spi_in.hex())
            return [*ended]
        # A peer that sends through a new child also receives on it (RFC 7296 2.8).
        self.use(association.child.spi_in)
        # Before the packet: its answer may already want the new path.
        moved = [Moved(association.child.spi_in, path)] if association.strayed(path) else []
        aging = [Aging(association.child.spi_in)] if association.aging() else []
        return [*moved, Deliver(inner), *aging]

    def fit(self, spi_in: bytes, mtu: int, headers: int) -> int:
        """The longest inner packet of a child whose path begins with a link of this MTU.

        `headers` are the octets before ESP or AH. What routers have said of the path counts (RFC 4301 8.2).
        """
        association = self._by_spi[spi_in]
        return association.fit(self._mtus.of(association.path, mtu), headers)

    def too_big(self, message: bytes, version: int, now: float) -> bool:
        """Take an ICMP message; whether it says that packets of ours are too big for their path."""
        self._trace.now = now
        try:
            found = TooBig.decode(message, version)
            if found is None:
                return False
            mtu = self._mtus.learn(found, self._by_spi.values(), now)
        except Dropped as drop:
            self.drops.add(drop.why, direction="in", detail=drop.detail)
            return False
        except ProtocolError:
            return False  # it may be about anything that this host sends
        self._trace.emit("note", f"path MTU to {found.dst} is {mtu}", spi=found.spi.hex())
        return True

    def next_deadline(self) -> float | None:
        """When `tick` has something to do."""
        times = (self._mtus.next_deadline(), self._pace.next_deadline() if self._by_spi else None)
        return min((time for time in times if time is not None), default=None)

    def tick(self, now: float) -> list[Outbound | Widened]:
        """What time alone brings: paths that are tried anew, and dummy packets."""
        self._trace.now = now
        widened = [Widened()] if self._mtus.forget(now) else []
        return [*widened, *(self._dummies(now) if self._by_spi and self._pace.due(now) else ())]

    def _dummies(self, now: float) -> Iterator[Outbound]:
        """One for each child that is sent through: of those of one name the newest."""
        sending = {one.child.name: one for spi, one in self._by_spi.items() if spi not in self._standby}
        for association in sending.values():
            child = association.child
            with suppress(Dropped):  # the next packet that is wanted says so
                if data := association.dummy(self._random, now):
                    yield EspPacket(data, association.path, child.encap)
            if association.aging():
                yield Aging(child.spi_in)

    def association(self, spi_in: bytes) -> Association | None:
        """What is in effect under this SPI of ours."""
        return self._by_spi.get(spi_in)

    def child(self, spi_in: bytes) -> ChildSa | None:
        """The child in effect that we receive under this SPI."""
        association = self._by_spi.get(spi_in)
        return association.child if association else None

    def children(self) -> list[ChildSa]:
        """The children in effect, the oldest first."""
        return [association.child for association in self._by_spi.values()]

    def usage(self) -> dict[str, dict[str, int]]:
        """Packets and octets by inbound SPI in hexadecimal digits."""
        return {spi.hex(): association.usage() for spi, association in self._by_spi.items()}

    def carried(self) -> dict[bytes, tuple[float, float]]:
        """When a packet last came in and went out (0.0 for never), by inbound SPI."""
        return {spi: (association.last_in, association.last_out) for spi, association in self._by_spi.items()}
