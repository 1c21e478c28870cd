"""Opens trains: what `EspIn.decapsulate` does to each packet (RFC 4303 3.4), for all at once.

Nothing moves before everything was looked at: where one packet is not as the others, the answer is None, and the plain
functions find out packet by packet what is wrong with it.
"""

import numpy as np
import numpy.typing as npt

from lab.ipsec.esp import IPV4, IPV6, MONOTONE, TRAILER, EspIn
from lab.ipsec.train import rooms
from lab.ipsec.train.room import Octets, Room, Sizes

_FARTHEST = 1 << 16  # from the first number to the last: so no high half changes within a train
Numbers = npt.NDArray[np.int64]


def sizes_in(incoming: EspIn, packet: int) -> Sizes | None:
    """The sizes of a train of ESP packets of this length; None where the plain way is the only one."""
    shape = incoming.shape
    text = packet - shape.overhead
    if text < TRAILER + 20 or text % shape.step:
        return None
    return rooms.sizes(shape, text, esn=incoming.window.esn)


def unseal(incoming: EspIn, room: Room, train: memoryview) -> tuple[int, Numbers] | None:
    """Open whole packets of one length; the length of the inner packets, now in the plain rows, and their numbers.

    The window has not moved: `accept` does it, once the inner packets are known to be good too. They are if all are of
    the version of the first one, and as long as their headers say.
    """
    count = len(train) // room.sizes.packet
    room.octets[: len(train)] = train
    numbers = _numbers(incoming, room, count)
    if numbers is None or not room.open(incoming, numbers):
        return None
    inner = _inner(room.plain[:count], room.sizes.text)
    return None if inner is None else (inner, numbers)


def accept(incoming: EspIn, numbers: Numbers) -> None:
    """All of them are authentic and good: move the window."""
    if len(numbers) == int(numbers[-1] - numbers[0]) + 1:
        incoming.newest = incoming.window.commit_run(int(numbers[0]), len(numbers))
        return
    for number in numbers.tolist():
        incoming.authentic(number)


def _numbers(incoming: EspIn, room: Room, count: int) -> Numbers | None:
    """Whole sequence numbers where all go up from the top of the window, under one SPI."""
    window = incoming.window
    if room.spis[:count].tobytes() != incoming.spi * count:
        return None
    low = room.numbers[:count].astype(np.int64)
    first = window.whole(int(low[0]))
    if first <= window.top or first == 0 or low[-1] - low[0] >= _FARTHEST or first >> 62:
        return None
    if np.count_nonzero(low[1:] <= low[:-1]):
        return None
    return np.asarray(low + (first - int(low[0])))


def _inner(rows: Octets, text: int) -> int | None:
    """The one length of the inner packets, if padding and next header are good in every row, and the first is IP."""
    padding, next_header = rows[0, text - TRAILER : text].tobytes()
    inner, version = text - TRAILER - padding, {IPV4: 4, IPV6: 6}.get(next_header, 0)
    if not version or inner < (20 if version == 4 else 40) or rows[0, 0] >> 4 != version:
        return None
    if rows[:, inner:text].tobytes() != (MONOTONE[:padding] + bytes((padding, next_header))) * len(rows):
        return None
    if inner % 4:
        rows[:, inner : inner + -inner % 4] = 0  # sums take whole words
    return inner
