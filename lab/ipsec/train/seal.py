"""Seals rows of inner packets of one length: what `EspOut.encapsulate` does to each (RFC 4303), for a whole train."""

import numpy as np

from lab.ipsec.esp import IPV4, IPV6, MONOTONE, TRAILER, EspOut
from lab.ipsec.train import rooms
from lab.ipsec.train.room import COUNT, Octets, Room, Sizes


def sizes_out(out: EspOut, inner: int) -> Sizes | None:
    """The sizes of a train of inner packets of this length; None where the plain way is the only one."""
    if out.fill > inner:
        return None
    text = inner + TRAILER + -(inner + TRAILER) % out.shape.align
    return rooms.sizes(out.shape, text, esn=out.esn)


def seal(out: EspOut, room: Room, version: int, inner: int, count: int) -> memoryview:
    """The ESP packets of the `count` inner ones in the plain rows, for which the caller has seen numbers enough.

    They are of one IP version and length. What comes back holds until the room is used again.
    """
    _trail(room.plain[:count], inner, room.sizes.text, IPV6 if version == 6 else IPV4)
    numbers = COUNT[:count] + np.uint64(out.sequence + 1)
    room.spis[:count] = int.from_bytes(out.spi, "big")
    room.numbers[:count] = numbers
    room.seal(out, numbers)
    out.sequence += count
    return room.octets[: count * room.sizes.packet]


def _trail(rows: Octets, inner: int, text: int, next_header: int) -> None:
    """Padding, pad length and next header, behind each inner packet."""
    padding = text - TRAILER - inner
    rows[:, inner:text] = np.frombuffer(MONOTONE[:padding] + bytes((padding, next_header)), np.uint8)
