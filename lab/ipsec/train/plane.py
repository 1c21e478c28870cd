"""The data plane for trains: beside `Dataplane`, which keeps the children and takes whatever is unusual.

    outbound    super-packets, or packets of one flow and length -> one policy -> seal all of full size -> EspTrain
    inbound     trains -> one SA -> open all -> a look at the selectors for each flow -> join -> Deliver | DeliverTrain

Rules of this file:
- A train ends as the plain functions would have ended it, or it is given to them before anything was changed.
- The last segment, if it is shorter, goes the plain way behind the others.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

from lab.errors import ProtocolError
from lab.ike.path import Path
from lab.ipsec.association import Association
from lab.ipsec.batch import DeliverTrain, EspTrain
from lab.ipsec.carrier import EspCarrier
from lab.ipsec.dataplane import Dataplane, Deliver, EspPacket, Inbound, Moved, Outbound
from lab.ipsec.drops import Dropped, Reason
from lab.ipsec.esp import EspIn, EspOut
from lab.ipsec.outer import CE, ECT_1, traffic_class
from lab.ipsec.policy import Policy, Protect
from lab.ipsec.superpacket import Superpacket, completed
from lab.ipsec.train.cut import cut
from lab.ipsec.train.flows import Flows
from lab.ipsec.train.join import Layout, joined
from lab.ipsec.train.load import Load
from lab.ipsec.train.open import accept, sizes_in, unseal
from lab.ipsec.train.room import COUNT, Octets, Room
from lab.ipsec.train.rooms import Rooms
from lab.ipsec.train.run import Run, runs
from lab.ipsec.train.seal import seal, sizes_out
from lab.wire.virtio import GSO_NONE, SIZE, VirtioHeader

LEAST_OUT, LEAST_IN = 4, 8  # packets from which on a train is cheaper, as measured
_LAST_NUMBER = 1 << 62  # beyond it numbers are rare enough for the plain way


class Trains:
    """Fast ways through a data plane; `udp` says whether the system takes super-packets of UDP."""

    def __init__(self, plane: Dataplane, *, udp: bool = True) -> None:
        self._plane = plane
        self._out, self._in, self._flows = Rooms(), Rooms(), Flows(udp=udp)
        self.counts: Counter[str] = Counter()

    # -- out

    def from_device(self, read: Sequence[bytes], now: float) -> list[Outbound | EspTrain]:
        """What becomes of what was read from the tunnel device, a virtio header in front of each."""
        actions: list[Outbound | EspTrain] = []
        load: Load | None = None
        alone: list[bytes] = []
        for packet in self._understood(read):
            if isinstance(packet, bytes):
                alone.append(packet)
                continue
            if load is not None and not alone and self._together(load, packet):
                load.put(packet)
                continue
            actions += self._ended(load, alone, now)
            load, alone = Load(packet), []
        return [*actions, *self._ended(load, alone, now)]

    def _ended(self, load: Load | None, alone: list[bytes], now: float) -> Iterator[Outbound | EspTrain]:
        """What becomes of super-packets and of the packets behind them."""
        if load is not None:
            yield from self.outbound(load, now)
        for run in runs(alone) if len(alone) >= LEAST_OUT else ([packet] for packet in alone):
            if len(run) >= LEAST_OUT:
                yield from self.outbound(Run(run), now)
            else:
                for packet in run:
                    yield from self._plane.outbound(packet, now)

    def _understood(self, read: Sequence[bytes]) -> Iterator[Superpacket | bytes]:
        for data in read:
            try:
                virtio = VirtioHeader.decode(data)
                if virtio.gso_type == GSO_NONE:
                    yield completed(virtio, data[SIZE:])
                else:
                    yield Superpacket.of(virtio, memoryview(data)[SIZE:])
            except ProtocolError as error:
                detail = error.detail if isinstance(error, Dropped) else error.reason
                self._plane.drops.add(Reason.SUPERPACKET, direction="out", detail=detail)

    def _together(self, load: Load, packet: Superpacket) -> bool:
        """Whether a super-packet may be sealed in one pass with those before it."""
        return load.takes(packet, len(COUNT)) and self._policy(load) is self._policy(packet)

    def _policy(self, packet: Superpacket | Load | Run) -> Policy | None:
        try:
            return self._plane.policies.of(packet.headers)
        except ProtocolError:
            return None

    def outbound(self, load: Load | Run, now: float) -> list[Outbound | EspTrain]:
        """What becomes of super-packets, or of packets as like as their segments, that the tunnel device gave."""
        association = self._eligible(load)
        carrier = association.carrier if association else None
        sizes = sizes_out(carrier.outgoing, load.inner) if isinstance(carrier, EspCarrier) else None
        # What goes out in fragments (IPv6) is rare.
        if sizes and association and association.cut_at(sizes.packet):
            sizes = None
        if association is None or not isinstance(carrier, EspCarrier) or sizes is None:
            self.counts["super-packets cut one by one"] += len(load.packets) if isinstance(load, Load) else 0
            return [action for segment in load.segments() for action in self._plane.outbound(segment, now)]
        room, full = self._out.get(sizes), load.full
        trains: list[Outbound | EspTrain] = []
        for start in range(0, full, room.rows):
            trains += self._sealed(association, carrier.outgoing, room, load, start, now)
        if full == load.count or isinstance(load, Run):
            return trains
        return _coupled(trains, self._plane.outbound(load.rest(), now))

    def _eligible(self, load: Load | Run) -> Association | None:
        """The SA of what has nothing unusual: ESP in tunnel mode, no limit near."""
        policy = self._policy(load) if load.full >= LEAST_OUT else None
        if not isinstance(policy, Protect):
            return None
        association, count = policy.association, load.count
        carrier = association.carrier
        if not isinstance(carrier, EspCarrier) or association.transport:
            return None
        newest, last = carrier.outgoing.sequence, carrier.outgoing.sequence + count
        if last >= min(carrier.outgoing.last, _LAST_NUMBER) or (newest + 1) >> 32 != last >> 32:
            return None
        return association if association.roomy(load.octets, count, inbound=False) else None

    def _sealed(
        self, association: Association, out: EspOut, room: Room, load: Load | Run, start: int, now: float
    ) -> Iterator[EspTrain]:
        """The trains of one pass."""
        count, inner, size = min(room.rows, load.full - start), load.inner, room.sizes.packet
        if isinstance(load, Run):
            load.fill(room.plain[:count], start)
        else:
            cut(load, room, start, count)
        data = seal(out, room, load.headers[0] >> 4, inner, count)
        association.sealed(count * inner, count, now)
        outer, whole = traffic_class(load.headers), association.whole(load.headers, inner, size)
        self.counts["passes out"] += 1
        longest = room.sizes.together * size
        for at in range(0, len(data), longest):
            self.counts["trains out"] += 1
            train = bytes(data[at : at + longest])
            yield EspTrain(train, size, association.path, association.child.encap, outer, dont_fragment=whole)
        self.counts["packets in trains out"] += count

    # -- in

    def inbound(
        self, data: bytes, size: int, path: Path, now: float, outer_class: int = 0
    ) -> list[Inbound | DeliverTrain]:
        """What becomes of ESP packets of `size` octets each, the last one maybe shorter, that came along `path`."""
        whole = len(data) - len(data) % size
        at, actions = 0, []
        while whole - at >= LEAST_IN * size:
            association = self._plane.association(bytes(data[at : at + 4]))
            found = self._room(association, size, outer_class) if association else None
            if association is None or found is None:
                break
            end = min(whole, at + found[1].rows * size)
            opened = self._opened(association, *found, memoryview(data)[at:end], path, now)
            if opened is None:
                break
            actions += opened
            at = end
        for start in range(at, len(data), size):
            actions += self._plane.inbound(data[start : start + size], path, now, outer_class)
        return actions

    def _room(self, association: Association, size: int, outer_class: int) -> tuple[EspIn, Room] | None:
        """Where packets of this size can be opened together; None where the plain way is the only one."""
        incoming = association.carrier.incoming
        if association.transport or outer_class & 3 in (CE, ECT_1) or not isinstance(incoming, EspIn):
            return None
        sizes = sizes_in(incoming, size)
        return (incoming, self._in.get(sizes)) if sizes else None

    def _opened(
        self, association: Association, incoming: EspIn, room: Room, data: memoryview, path: Path, now: float
    ) -> list[Inbound | DeliverTrain] | None:
        found = unseal(incoming, room, data)
        if found is None:
            return None
        inner, numbers = found
        count = len(numbers)
        parts = self._flows.parts(association, room, count, inner)
        if parts is None or not association.roomy(count * inner, count, inbound=True):
            return None
        accept(incoming, numbers)
        association.opened(count * inner, count, path, now)
        spi = association.child.spi_in
        self._plane.use(spi)
        self.counts["passes in"] += 1
        self.counts["trains in"] += -(-count // room.sizes.together)
        self.counts["packets in trains in"] += count
        moved = [Moved(spi, path)] if association.strayed(path) else []
        return [*moved, *(self._delivered(room.plain[start:end], inner, layout) for start, end, layout in parts)]

    def _delivered(self, rows: Octets, inner: int, layout: Layout | None) -> Deliver | DeliverTrain:
        if layout is None or len(rows) == 1:
            return Deliver(rows[0, :inner].tobytes())
        return DeliverTrain(*joined(rows, layout), len(rows))


def _coupled(trains: list[Outbound | EspTrain], behind: list[Outbound]) -> list[Outbound | EspTrain]:
    """The trains, the last one with the shorter packet behind it that came out the plain way."""
    last, rest = trains[-1], behind[0] if len(behind) == 1 else None
    if not isinstance(last, EspTrain) or not isinstance(rest, EspPacket) or not last.takes(rest):
        return [*trains, *behind]
    return [*trains[:-1], replace(last, data=last.data + rest.data)]
