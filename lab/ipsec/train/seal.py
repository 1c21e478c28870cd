"""Seals rows of inner packets of one length: what `EspOut.encapsulate` does to each (RFC 4303), for a whole train."""

import numpy as np

from lab.ipsec.esp import HEADER, IPV4, IPV6, MONOTONE, TRAILER, EspOut
from lab.ipsec.train import rooms
from lab.ipsec.train.cut import COUNT
from lab.ipsec.train.room import Octets, Room, Sizes, octets


def sizes_out(out: EspOut, inner: int) -> Sizes | None:
    """The sizes of a train of inner packets of this length; None where the plain way is the only one."""
    if out.fill > inner:
        return None
    text = inner + TRAILER + -(inner + TRAILER) % out.shape.align
    return rooms.sizes(out.shape, text, esn=out.esn)


def seal(out: EspOut, room: Room, inner: int, count: int) -> memoryview:
    """The train of the `count` inner packets in the plain rows, for which the caller has seen numbers enough.

    What comes back holds until the room is used again.
    """
    sizes, wire = room.sizes, room.wire[:count]
    _trail(room.plain[:count], inner, sizes.text)
    numbers = octets(COUNT[:count] + np.uint64(out.sequence + 1))
    wire[:, :4] = np.frombuffer(out.spi, np.uint8)
    wire[:, 4:HEADER] = numbers[:, 4:]
    room.seal(out, numbers)
    out.sequence += count
    return room.octets[: count * sizes.packet]


def _trail(rows: Octets, inner: int, text: int) -> None:
    """Padding, pad length and next header, behind each inner packet."""
    padding = text - TRAILER - inner
    next_header = IPV6 if rows[0, 0] >> 4 == 6 else IPV4
    rows[:, inner:text] = np.frombuffer(MONOTONE[:padding] + bytes((padding, next_header)), np.uint8)
