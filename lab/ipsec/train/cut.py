"""Cuts super-packets into rows, all headers and checksums in place; the same octets as `Superpacket.segments`.

    each super-packet   its headers into all its rows, with the fields of the first one and, in the place of checksums,
                        the sum of what is not in the row or the same in all
    all rows            add what goes up from segment to segment, then sum up

Sums are over words of 32 bits in the byte order of the machine: the ones' complement sum does not care about either
(RFC 1071 2), as 2^32 and 2^16 both are 1 modulo 65535. So a row must begin at a multiple of 4 and have zeros behind
its packet.
"""

import sys
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from lab.ipsec.superpacket import CHECKSUM_AT, CWR, FIN, PSH, Superpacket
from lab.ipsec.train.load import Load
from lab.ipsec.train.room import COUNT, Numbers, Octets, Room
from lab.wire.packets import TCP, UDP_NUMBER

Words = npt.NDArray[np.uint64]
_MODULUS = np.uint64(0xFFFF)
_MANY = np.uint64(0xFFFF << 40)  # a multiple of the modulus beyond every sum


def sums(words: Numbers) -> Words:
    """The ones' complement sum of each row of words, not folded."""
    return np.asarray(np.add.reduce(words, axis=1, dtype=np.uint64))


def native(word: int) -> int:
    """A 16-bit word of a packet as `sums` sees it."""
    return int.from_bytes(word.to_bytes(2, "big"), sys.byteorder)


def check(total: Words) -> Words:
    """The checksums that belong to these sums; like `checksum` never 0xFFFF."""
    return np.asarray((_MANY - total) % _MODULUS)


def cut(load: Load, room: Room, start: int, count: int) -> None:
    """Fill the first plain rows with `count` segments of full size, from this one on."""
    first, rows, inner, at = load.packets[0], room.plain[:count], load.inner, 0
    taken = []
    for packet, number, some in load.parts(start, count):
        _lay(packet, rows[at : at + some], number)
        taken.append(some)
        at += some
    if inner % 4:
        rows[:, inner : inner + -inner % 4] = 0
    step = steps(tuple(taken), first.size)
    if load.headers[0] >> 4 == 4:
        idents = room.field(4, ">u2")[:count]
        idents += step.one
        checksums = room.field(10, ">u2")[:count]
        checksums[:] = check(np.add(checksums, idents, dtype=np.uint64))
    if first.protocol == TCP:
        room.field(first.behind + 4, ">u4")[:count] += step.size
    total = check(sums(room.words(first.behind, inner)[:count]))
    if first.protocol == UDP_NUMBER:
        total[total == 0] = 0xFFFF  # 0 would mean none (RFC 768)
    room.field(first.behind + CHECKSUM_AT[first.protocol], "=u2")[:count] = total


class _Steps:
    """How many segments of its super-packet stand before each, and how many octets of payload."""

    __slots__ = ("one", "size")

    def __init__(self, counts: tuple[int, ...], size: int) -> None:
        before = np.concatenate([COUNT[:count] for count in counts])
        self.one, self.size = before.astype(np.uint16), (before * np.uint64(size)).astype(np.uint32)


steps = lru_cache(256)(_Steps)


def _lay(packet: Superpacket, rows: Octets, first: int) -> None:
    """Headers and payload of segments from this one on; what is not the same in all is still to be added."""
    front, size = _front(packet, first), packet.size
    rows[:, : len(front)] = np.frombuffer(front, np.uint8)
    payload = packet.payload[first * size : (first + len(rows)) * size]
    rows[:, len(front) : packet.inner] = np.frombuffer(payload, np.uint8).reshape(-1, size)
    if packet.protocol == TCP:
        at, flags = packet.behind + 13, packet.headers[packet.behind + 13]
        if first == 0 and flags & CWR:
            rows[0, at] |= CWR
        if first + len(rows) == packet.count and flags & (FIN | PSH):
            rows[-1, at] |= flags & (FIN | PSH)


def _front(packet: Superpacket, number: int) -> bytearray:
    """The headers of this segment as if it were in the middle, with the sums that `cut` wants where checksums go."""
    front, at, behind = bytearray(packet.headers), packet.behind, packet.inner - packet.behind
    if front[0] >> 4 == 6:
        front[4:6] = (packet.inner - 40).to_bytes(2, "big")
    else:
        ident = int.from_bytes(front[4:6], "big") + number
        front[2:6] = packet.inner.to_bytes(2, "big") + bytes(2)
        front[10:12] = bytes(2)
        front[10:12] = (int.from_bytes(front[:at], "big") % 0xFFFF).to_bytes(2, "big")
        front[4:6] = (ident & 0xFFFF).to_bytes(2, "big")
    if packet.protocol == TCP:
        front[at + 13] &= ~(CWR | FIN | PSH)
        if number:
            sequence = int.from_bytes(front[at + 4 : at + 8], "big") + number * packet.size
            front[at + 4 : at + 8] = (sequence & 0xFFFFFFFF).to_bytes(4, "big")
    else:
        front[at + 4 : at + 6] = behind.to_bytes(2, "big")
    place = at + CHECKSUM_AT[packet.protocol]
    front[place : place + 2] = ((packet.partial + behind) % 0xFFFF).to_bytes(2, "big")
    return front
