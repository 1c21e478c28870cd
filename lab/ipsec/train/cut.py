"""Cuts a super-packet into rows, all headers and checksums in place; the same octets as `Superpacket.segments`.

Sums are over words of 32 bits in the byte order of the machine: the ones' complement sum does not care about either
(RFC 1071 2), as 2^32 and 2^16 both are 1 modulo 65535. So a row must begin at a multiple of 4 and have zeros behind
its packet.
"""

import sys
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from lab.ipsec.batch import MOST
from lab.ipsec.superpacket import CHECKSUM_AT, CWR, FIN, PSH, Superpacket
from lab.ipsec.train.room import Numbers, Room
from lab.wire.packets import TCP, UDP_NUMBER

Words = npt.NDArray[np.uint64]
_MODULUS, _WORD = np.uint64(0xFFFF), np.uint64(0xFFFF)
_MANY = np.uint64(0xFFFF << 40)  # a multiple of the modulus beyond every sum
COUNT = np.arange(MOST, dtype=np.uint64)


def sums(words: Numbers) -> Words:
    """The ones' complement sum of each row of words, not folded."""
    return np.asarray(np.add.reduce(words, axis=1, dtype=np.uint64))


def native(word: int) -> int:
    """A 16-bit word of a packet as `sums` sees it."""
    return int.from_bytes(word.to_bytes(2, "big"), sys.byteorder)


def check(total: Words) -> Words:
    """The checksums that belong to these sums; like `checksum` never 0xFFFF."""
    return np.asarray((_MANY - total) % _MODULUS)


@lru_cache(64)
def steps(size: int) -> Words:
    """0, `size`, twice `size`, ..."""
    return COUNT * np.uint64(size)


def cut(packet: Superpacket, room: Room, start: int, count: int) -> None:
    """Fill the first plain rows with `count` segments of full size, from this one on."""
    size, inner, rows = packet.size, packet.inner, room.plain[:count]
    front = _front(packet)
    rows[:, : len(front)] = np.frombuffer(front, np.uint8)
    payload = packet.payload[start * size : (start + count) * size]
    rows[:, len(front) : inner] = np.frombuffer(payload, np.uint8).reshape(count, size)
    if inner % 4:
        rows[:, inner : inner + -inner % 4] = 0
    if front[0] >> 4 == 4:
        _number_ip(packet, front, room, start, count)
    if packet.protocol == TCP:
        _number_tcp(packet, room, start, count)
    _sum(packet, room, count)


def _front(packet: Superpacket) -> bytearray:
    """The headers of a segment in the middle, checksums and identification zero."""
    front, at = bytearray(packet.headers), packet.behind
    if front[0] >> 4 == 6:
        front[4:6] = (packet.inner - 40).to_bytes(2, "big")
    else:
        front[2:6] = packet.inner.to_bytes(2, "big") + bytes(2)
        front[10:12] = bytes(2)
    if packet.protocol == TCP:
        front[at + 13] &= ~(CWR | FIN | PSH)
    else:
        front[at + 4 : at + 6] = (8 + packet.size).to_bytes(2, "big")
    place = at + CHECKSUM_AT[packet.protocol]
    front[place : place + 2] = bytes(2)
    return front


def _number_ip(packet: Superpacket, front: bytearray, room: Room, start: int, count: int) -> None:
    first = int.from_bytes(packet.headers[4:6], "big") + start
    room.field(4, ">u2")[:count] = idents = (COUNT[:count] + np.uint64(first)) & _WORD
    rest = int.from_bytes(front[: packet.behind], "big") % 0xFFFF
    room.field(10, ">u2")[:count] = check(idents + np.uint64(rest))


def _number_tcp(packet: Superpacket, room: Room, start: int, count: int) -> None:
    at, flags, size = packet.behind, packet.headers[packet.behind + 13], packet.size
    first = int.from_bytes(packet.headers[at + 4 : at + 8], "big") + start * size
    room.field(at + 4, ">u4")[:count] = steps(size)[:count] + np.uint64(first)
    if start == 0:
        room.plain[0, at + 13] |= flags & CWR
    if start + count == packet.count:
        room.plain[count - 1, at + 13] |= flags & (FIN | PSH)


def _sum(packet: Superpacket, room: Room, count: int) -> None:
    at, behind = packet.behind + CHECKSUM_AT[packet.protocol], packet.inner - packet.behind
    rest = native((packet.partial + behind) % 0xFFFF)
    total = check(sums(room.words(packet.behind, packet.inner)[:count]) + np.uint64(rest))
    if packet.protocol == UDP_NUMBER:
        total[total == 0] = 0xFFFF  # 0 would mean none (RFC 768)
    room.field(at, "=u2")[:count] = total
