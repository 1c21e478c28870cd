"""Which of the packets that were opened together become one: a look at each flow, and what is remembered of it."""

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple
from weakref import WeakKeyDictionary

import numpy as np

from lab.errors import ProtocolError
from lab.ipsec.association import Association
from lab.ipsec.flow import Known, flow_of, key_of
from lab.ipsec.selector import Selectors
from lab.ipsec.train.join import Layout, pieces
from lab.ipsec.train.room import Octets, Room
from lab.wire.packets import TCP, UDP_NUMBER

Part = tuple[int, int, Layout | None]
_FRONT = 64  # octets that show the flow of a packet, unless its headers are unusual

# What packets of one flow and length have in common: version, lengths, fragment bits, protocol, addresses, ports.
_WIDTH = 44
_KEYS = {4: np.zeros(_WIDTH, np.uint8), 6: np.zeros(_WIDTH, np.uint8)}
for _at in (0, 2, 3, 6, 7, 9, *range(12, 24)):
    _KEYS[4][_at] = 0xFF
for _at in (4, 5, 6, *range(8, 44)):
    _KEYS[6][_at] = 0xFF
_KEYS[6][0] = 0xF0


class Flows:
    """The flows that SAs were seen to admit, as long as these live; `udp`: the system takes super-packets of UDP."""

    def __init__(self, *, udp: bool) -> None:
        self._udp = udp
        self._known: WeakKeyDictionary[Association, Known[Layout | None]] = WeakKeyDictionary()

    def parts(self, association: Association, room: Room, count: int, inner: int) -> list[Part] | None:
        """The first rows in parts that each become one packet, those without a layout being packets for themselves.

        None if one packet is unusual, outside the selectors, or not what the others are by version and length: nothing
        is known of any then.
        """
        known = self._known.get(association)
        if known is None:
            known = self._known[association] = Known()
        look = _Look(room, inner, association.selectors, known, self._udp)
        try:
            return look.alike(count) or look.mixed(count)
        except _UnusualError:
            return None


class _Look(NamedTuple):
    """At the packets of one pass, which are of one SA and, unless something is wrong, of this length."""

    room: Room
    inner: int
    selectors: Selectors
    known: Known[Layout | None]
    udp: bool

    def alike(self, count: int) -> list[Part]:
        """Where all have the layout of the first one, as they mostly have; empty where not."""
        layout = self._layout(0)
        if layout is None:
            return []
        found = [*pieces(self.room, 0, count, layout)]
        if any(self._layout(start) != layout for start, _ in found[1:]):
            return []
        return [(start, end, layout) for start, end in found]

    def mixed(self, count: int) -> list[Part]:
        """Flow for flow."""
        starts = [*_starts(self.room.plain[:count]), count]
        if len({*(self.room.plain[starts[:-1], 0] >> 4).tolist()}) > 1:
            raise _UnusualError  # the next header of all promises one version
        layouts = [self._layout(start) for start in starts[:-1]]
        parts: list[Part] = []
        for (start, end), layout in zip(pairwise(starts), layouts, strict=True):
            if layout is None:
                parts += ((row, row + 1, None) for row in range(start, end))
            else:
                parts += ((first, behind, layout) for first, behind in pieces(self.room, start, end, layout))
        return parts

    def _layout(self, row: int) -> Layout | None:
        """The layout of a packet that may be joined; raises _UnusualError for one that its SA may not bring."""
        front = self.room.plain[row, : min(self.inner, _FRONT)].tobytes()
        if _length(front) != self.inner:
            raise _UnusualError
        key = _key(front)
        if key in self.known:
            return self.known[key]
        return self.known.keep(key, self._understood(front))

    def _understood(self, front: bytes) -> Layout | None:
        try:
            flow = flow_of(front)
        except ProtocolError:
            raise _UnusualError from None
        if flow.src_port is None or flow.protocol not in (TCP, UDP_NUMBER) or not self.selectors.inbound(flow):
            raise _UnusualError
        layout = Layout.of(front, self.inner)
        return None if layout is None or (layout.protocol == UDP_NUMBER and not self.udp) else layout


class _UnusualError(Exception):
    pass


def _key(front: bytes) -> bytes:
    """All that flow and layout depend on; empty where more than fixed places has to be looked at."""
    key, (length, offset) = key_of(front), (2, 32) if front[0] >> 4 == 4 else (4, 52)
    return key and key + front[length : length + 2] + (front[offset : offset + 1] if key[0] == TCP else b"")


def _length(front: bytes) -> int:
    """The octets of a packet, as its header says."""
    return front[2] << 8 | front[3] if front[0] >> 4 == 4 else 40 + (front[4] << 8 | front[5])


def _starts(rows: Octets) -> Iterator[int]:
    """Where another flow begins."""
    fronts = rows[:, :_WIDTH]
    changes = ((fronts[1:] ^ fronts[:-1]) & _KEYS[int(rows[0, 0]) >> 4][: fronts.shape[1]]).any(axis=1)
    yield 0
    yield from (np.flatnonzero(changes) + 1).tolist()
