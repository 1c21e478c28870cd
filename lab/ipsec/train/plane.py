"""The data plane for trains: beside `Dataplane`, which keeps the children and takes whatever is unusual.

    outbound    super-packet, or packets of one flow and length -> one policy -> seal all of full size -> EspTrain
    inbound     train -> one SA -> open all -> one look at the selectors for each flow -> join -> Deliver | DeliverTrain

Rules of this file:
- A train ends as the plain functions would have ended it, or it is given to them before anything was changed.
- The last segment, if it is shorter, goes the plain way behind the others.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from lab.errors import ProtocolError
from lab.ike.path import Path
from lab.ipsec.association import Association
from lab.ipsec.batch import LONGEST, MOST, DeliverTrain, EspTrain
from lab.ipsec.carrier import EspCarrier
from lab.ipsec.dataplane import Dataplane, Deliver, EspPacket, Inbound, Moved, Outbound
from lab.ipsec.drops import Dropped, Reason
from lab.ipsec.esp import EspIn, EspOut
from lab.ipsec.flow import flow_of
from lab.ipsec.outer import CE, ECT_1, traffic_class
from lab.ipsec.policy import Protect
from lab.ipsec.selector import Selectors
from lab.ipsec.superpacket import Superpacket, completed
from lab.ipsec.train.cut import cut
from lab.ipsec.train.join import Layout, alike, joined, pieces
from lab.ipsec.train.open import accept, sizes_in, unseal
from lab.ipsec.train.room import Octets, Room
from lab.ipsec.train.rooms import Rooms
from lab.ipsec.train.run import Run, runs
from lab.ipsec.train.seal import seal, sizes_out
from lab.wire.packets import TCP, UDP_NUMBER
from lab.wire.virtio import GSO_NONE, SIZE, VirtioHeader

LEAST_OUT, LEAST_IN = 4, 8  # packets from which on a train is cheaper, as measured
_LAST_NUMBER = 1 << 62  # beyond it numbers are rare enough for the plain way


class Trains:
    """Fast ways through a data plane; `udp` says whether the system takes super-packets of UDP."""

    def __init__(self, plane: Dataplane, *, udp: bool = True) -> None:
        self._plane, self._udp = plane, udp
        self._out, self._in = Rooms(), Rooms()
        self.counts: Counter[str] = Counter()

    # -- out

    def from_device(self, read: Sequence[bytes], now: float) -> list[Outbound | EspTrain]:
        """What becomes of what was read from the tunnel device, a virtio header in front of each."""
        actions: list[Outbound | EspTrain] = []
        alone: list[bytes] = []
        for data in read:
            try:
                virtio = VirtioHeader.decode(data)
                if virtio.gso_type == GSO_NONE:
                    alone.append(completed(virtio, data[SIZE:]))
                else:
                    packet = Superpacket.of(virtio, memoryview(data)[SIZE:])
                    actions += self._alone(alone, now)
                    alone = []
                    actions += self.outbound(packet, now)
            except ProtocolError as error:
                detail = error.detail if isinstance(error, Dropped) else error.reason
                self._plane.drops.add(Reason.SUPERPACKET, direction="out", detail=detail)
        return [*actions, *self._alone(alone, now)]

    def _alone(self, packets: list[bytes], now: float) -> Iterator[Outbound | EspTrain]:
        for run in runs(packets) if len(packets) >= LEAST_OUT else ([packet] for packet in packets):
            if len(run) >= LEAST_OUT:
                yield from self.outbound(Run(run), now)
            else:
                for packet in run:
                    yield from self._plane.outbound(packet, now)

    def outbound(self, packet: Superpacket | Run, now: float) -> list[Outbound | EspTrain]:
        """What becomes of a super-packet, or of packets as like as its segments, that came out of the tunnel device."""
        association = self._eligible(packet)
        carrier = association.carrier if association else None
        sizes = sizes_out(carrier.outgoing, packet.inner) if isinstance(carrier, EspCarrier) else None
        # What goes out in fragments (IPv6) is rare.
        if sizes and association and association.cut_at(sizes.packet):
            sizes = None
        if association is None or not isinstance(carrier, EspCarrier) or sizes is None:
            self.counts["super-packets cut one by one"] += isinstance(packet, Superpacket)
            return [action for segment in packet.segments() for action in self._plane.outbound(segment, now)]
        room, full = self._out.get(sizes), packet.full
        most = min(MOST, LONGEST // sizes.packet)
        starts = range(0, full, most)
        trains = [
            self._sealed(association, carrier.outgoing, room, packet, (start, min(most, full - start)), now)
            for start in starts
        ]
        if full == packet.count:
            return [*trains]
        return _coupled(trains, self._plane.outbound(packet.segment(full), now))

    def _eligible(self, packet: Superpacket | Run) -> Association | None:
        """The SA of a super-packet that has nothing unusual: ESP in tunnel mode, no limit near."""
        try:
            policy = self._plane.policies.find(flow_of(packet.headers))
        except ProtocolError:
            return None
        if not isinstance(policy, Protect) or packet.full < LEAST_OUT:
            return None
        association, count = policy.association, packet.count
        carrier = association.carrier
        if not isinstance(carrier, EspCarrier) or association.transport:
            return None
        newest, last = carrier.outgoing.sequence, carrier.outgoing.sequence + count
        if last >= min(carrier.outgoing.last, _LAST_NUMBER) or (newest + 1) >> 32 != last >> 32:
            return None
        return association if association.roomy(packet.octets, count, inbound=False) else None

    def _sealed(
        self,
        association: Association,
        out: EspOut,
        room: Room,
        packet: Superpacket | Run,
        part: tuple[int, int],
        now: float,
    ) -> EspTrain:
        start, count = part
        if isinstance(packet, Run):
            packet.fill(room.plain[:count], start)
        else:
            cut(packet, room, start, count)
        data = bytes(seal(out, room, packet.inner, count))
        association.sealed(count * packet.inner, count, now)
        self.counts["trains out"] += 1
        self.counts["packets in trains out"] += count
        size, outer = room.sizes.packet, traffic_class(packet.headers)
        whole = association.whole(packet.headers, packet.inner, size)
        return EspTrain(data, size, association.path, association.child.encap, outer, dont_fragment=whole)

    # -- in

    def inbound(
        self, data: bytes, size: int, path: Path, now: float, outer_class: int = 0
    ) -> list[Inbound | DeliverTrain]:
        """What becomes of ESP packets of `size` octets each, the last one maybe shorter, that came along `path`."""
        whole = len(data) - len(data) % size
        at, actions = 0, []
        while whole - at >= LEAST_IN * size:
            end = min(whole, at + MOST * size)
            found = self._opened(memoryview(data)[at:end], size, path, now, outer_class)
            if found is None:
                break
            actions += found
            at = end
        for start in range(at, len(data), size):
            actions += self._plane.inbound(data[start : start + size], path, now, outer_class)
        return actions

    def _opened(
        self, train: memoryview, size: int, path: Path, now: float, outer_class: int
    ) -> list[Inbound | DeliverTrain] | None:
        association = self._plane.association(bytes(train[:4]))
        if association is None or association.transport or outer_class & 3 in (CE, ECT_1):
            return None
        incoming = association.carrier.incoming
        sizes = sizes_in(incoming, size) if isinstance(incoming, EspIn) else None
        if sizes is None or not isinstance(incoming, EspIn):
            return None
        room, count = self._in.get(sizes), len(train) // size
        found = unseal(incoming, room, train)
        if found is None:
            return None
        inner, numbers = found
        rows = room.plain[:count]
        layout = Layout.of(rows[0, :inner].tobytes())
        whole = layout if layout is not None and alike(room, count, layout) else None
        flows = _flows(rows, inner, association.selectors, [0] if whole else None)
        if flows is None or not association.roomy(count * inner, count, inbound=True):
            return None
        accept(incoming, numbers)
        association.opened(count * inner, count, path, now)
        self._plane.use(association.child.spi_in)
        self.counts["trains in"] += 1
        self.counts["packets in trains in"] += count
        moved = [Moved(association.child.spi_in, path)] if association.strayed(path) else []
        if whole is not None:
            return [*moved, DeliverTrain(*joined(rows, whole), count)]
        return [*moved, *self._delivered(rows, inner, flows)]

    def _delivered(self, rows: Octets, inner: int, flows: list[int]) -> Iterator[Deliver | DeliverTrain]:
        for start, end in pairwise(flows):
            layout = Layout.of(rows[start, :inner].tobytes())
            if layout is None or (layout.protocol == UDP_NUMBER and not self._udp):
                yield from (Deliver(row[:inner].tobytes()) for row in rows[start:end])
                continue
            for first, behind in pieces(rows[start:end], layout):
                part = rows[start + first : start + behind]
                yield (
                    DeliverTrain(*joined(part, layout), len(part))
                    if len(part) > 1
                    else Deliver(part[0, :inner].tobytes())
                )


# What two packets of one flow have in common: version and header length, fragment bits, protocol, addresses, ports.
_WIDTH = 44
_KEYS = {4: np.zeros(_WIDTH, np.uint8), 6: np.zeros(_WIDTH, np.uint8)}
for _at in (0, 6, 7, 9, *range(12, 24)):
    _KEYS[4][_at] = 0xFF
for _at in (6, *range(8, 44)):
    _KEYS[6][_at] = 0xFF


def _flows(rows: Octets, inner: int, selectors: Selectors, starts: list[int] | None) -> list[int] | None:
    """Where another flow begins, if not known yet, and the end; None if one is unusual or outside the selectors."""
    if starts is None:
        fronts = rows[:, :_WIDTH]
        changes = ((fronts[1:] ^ fronts[:-1]) & _KEYS[int(rows[0, 0]) >> 4][: fronts.shape[1]]).any(axis=1)
        starts = [0, *(np.flatnonzero(changes) + 1).tolist()]
    for start in starts:
        flow = flow_of(rows[start, : min(inner, 64)].tobytes())
        if flow.src_port is None or flow.protocol not in (TCP, UDP_NUMBER) or not selectors.inbound(flow):
            return None
    return [*starts, len(rows)]


def _coupled(trains: list[EspTrain], behind: list[Outbound]) -> list[Outbound | EspTrain]:
    """The trains, the last one with the shorter packet behind it that came out the plain way."""
    last, tail = trains[-1], behind[0] if len(behind) == 1 else None
    if not isinstance(tail, EspPacket) or not last.takes(tail):
        return [*trains, *behind]
    return [*trains[:-1], replace(last, data=last.data + tail.data)]
