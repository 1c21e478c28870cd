"""Which of the packets that were opened together become one: a look at each flow, and what is remembered of it."""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from lab.errors import ProtocolError
from lab.ipsec.association import Association
from lab.ipsec.flow import flow_of, key_of
from lab.ipsec.train.join import Layout, pieces
from lab.ipsec.train.room import Octets, Room
from lab.wire.packets import TCP, UDP_NUMBER

Part = tuple[int, int, Layout | None]
_FRONT = 64  # octets that show the flow of a packet, unless its headers are unusual
_MOST = 1024  # flows that are remembered

# What packets of one flow and length have in common: version, lengths, fragment bits, protocol, addresses, ports.
_WIDTH = 44
_KEYS = {4: np.zeros(_WIDTH, np.uint8), 6: np.zeros(_WIDTH, np.uint8)}
for _at in (0, 2, 3, 6, 7, 9, *range(12, 24)):
    _KEYS[4][_at] = 0xFF
for _at in (4, 5, 6, *range(8, 44)):
    _KEYS[6][_at] = 0xFF
_KEYS[6][0] = 0xF0


class Flows:
    """The flows that SAs were seen to admit; `udp` says whether the system takes super-packets of UDP."""

    def __init__(self, *, udp: bool) -> None:
        self._udp = udp
        self._known: dict[tuple[Association, bytes], Layout | None] = {}

    def parts(self, association: Association, room: Room, count: int, inner: int) -> list[Part] | None:
        """The first rows in parts that each become one packet, those without a layout being packets for themselves.

        None if one packet is unusual, outside the selectors, or not what the others are by version and length: nothing
        is known of any then.
        """
        try:
            return self._alike(association, room, count, inner) or self._mixed(association, room, count, inner)
        except _UnusualError:
            return None

    def _alike(self, association: Association, room: Room, count: int, inner: int) -> list[Part]:
        """Where all have the layout of the first one, as they mostly have; empty where not."""
        layout = self._layout(association, room, 0, inner)
        if layout is None:
            return []
        found = [*pieces(room, 0, count, layout)]
        if any(self._layout(association, room, start, inner) != layout for start, _ in found[1:]):
            return []
        return [(start, end, layout) for start, end in found]

    def _mixed(self, association: Association, room: Room, count: int, inner: int) -> list[Part]:
        """Flow for flow."""
        starts = [*_starts(room.plain[:count]), count]
        if len({*(room.plain[starts[:-1], 0] >> 4).tolist()}) > 1:
            raise _UnusualError  # the next header of all promises one version
        layouts = [self._layout(association, room, start, inner) for start in starts[:-1]]
        parts: list[Part] = []
        for (start, end), layout in zip(pairwise(starts), layouts, strict=True):
            if layout is None:
                parts += ((row, row + 1, None) for row in range(start, end))
            else:
                parts += ((first, behind, layout) for first, behind in pieces(room, start, end, layout))
        return parts

    def _layout(self, association: Association, room: Room, row: int, inner: int) -> Layout | None:
        """The layout of a packet that may be joined; raises _UnusualError for one that its SA may not bring."""
        front = room.plain[row, : min(inner, _FRONT)].tobytes()
        if _length(front) != inner:
            raise _UnusualError
        key = association, _key(front)
        if key in self._known:
            return self._known[key]
        try:
            flow = flow_of(front)
        except ProtocolError:
            raise _UnusualError from None
        if flow.src_port is None or flow.protocol not in (TCP, UDP_NUMBER) or not association.selectors.inbound(flow):
            raise _UnusualError
        layout = Layout.of(front, inner)
        if layout is not None and layout.protocol == UDP_NUMBER and not self._udp:
            layout = None
        if key[1]:
            if len(self._known) >= _MOST:
                self._known.clear()
            self._known[key] = layout
        return layout


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
