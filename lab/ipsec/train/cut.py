"""Cuts a super-packet into rows, all headers and checksums in place; the same octets as `Superpacket.segments`.

Sums are over words of 32 bits in the byte order of the machine: the ones' complement sum does not care about either
(RFC 1071 2), as 2^32 and 2^16 both are 1 modulo 65535. So a row must begin at a multiple of 4 and have zeros behind
its packet.
"""

import sys

import numpy as np
import numpy.typing as npt

from lab.ipsec.batch import MOST
from lab.ipsec.superpacket import CHECKSUM_AT, CWR, FIN, PSH, Superpacket
from lab.wire.packets import TCP, UDP_NUMBER

Octets = npt.NDArray[np.uint8]
Words = npt.NDArray[np.uint64]
_MODULUS, _WORD = np.uint64(0xFFFF), np.uint64(0xFFFF)
_MANY = np.uint64(0xFFFF << 40)  # a multiple of the modulus beyond every sum
COUNT = np.arange(MOST, dtype=np.uint64)


def sums(rows: Octets, start: int, end: int) -> Words:
    """The ones' complement sum of these columns of each row, not folded; up to 3 zeros may stand behind `end`."""
    words = rows[:, start : end + -end % 4].view("=u4")
    return np.asarray(np.add.reduce(words, axis=1, dtype=np.uint64))


def native(word: int) -> int:
    """A 16-bit word of a packet as `sums` sees it."""
    return int.from_bytes(word.to_bytes(2, "big"), sys.byteorder)


def check(total: Words, kind: str = "=u2") -> Octets:
    """The checksums that belong to these sums, one row each; like `checksum` never 0xFFFF."""
    return columns((_MANY - total) % _MODULUS, kind)


def cut(packet: Superpacket, rows: Octets, start: int) -> None:
    """Fill the rows with segments of full size, from this one on."""
    size, count, inner = packet.size, len(rows), packet.inner
    front = _front(packet)
    rows[:, : len(front)] = np.frombuffer(front, np.uint8)
    payload = packet.payload[start * size : (start + count) * size]
    rows[:, len(front) : inner] = np.frombuffer(payload, np.uint8).reshape(count, size)
    if inner % 4:
        rows[:, inner : inner + -inner % 4] = 0
    if front[0] >> 4 == 4:
        _number_ip(packet, front, rows, start)
    if packet.protocol == TCP:
        _number_tcp(packet, rows, start)
    _sum(packet, rows)


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


def _number_ip(packet: Superpacket, front: bytearray, rows: Octets, start: int) -> None:
    first = int.from_bytes(packet.headers[4:6], "big") + start
    idents = (COUNT[: len(rows)] + np.uint64(first)) & _WORD
    rows[:, 4:6] = columns(idents, ">u2")
    rest = int.from_bytes(front[: packet.behind], "big") % 0xFFFF
    rows[:, 10:12] = check(idents + np.uint64(rest), ">u2")


def _number_tcp(packet: Superpacket, rows: Octets, start: int) -> None:
    at, flags, size = packet.behind, packet.headers[packet.behind + 13], packet.size
    first = int.from_bytes(packet.headers[at + 4 : at + 8], "big") + start * size
    rows[:, at + 4 : at + 8] = columns(COUNT[: len(rows)] * np.uint64(size) + np.uint64(first), ">u4")
    if start == 0:
        rows[0, at + 13] |= flags & CWR
    if start + len(rows) == packet.count:
        rows[-1, at + 13] |= flags & (FIN | PSH)


def _sum(packet: Superpacket, rows: Octets) -> None:
    at, behind = packet.behind + CHECKSUM_AT[packet.protocol], packet.inner - packet.behind
    total = sums(rows, packet.behind, packet.inner) + np.uint64(native((packet.partial + behind) % 0xFFFF))
    rows[:, at : at + 2] = field = check(total)
    if packet.protocol == UDP_NUMBER:
        rows[~field.any(axis=1), at : at + 2] = 0xFF  # 0 would mean none (RFC 768)


def columns(numbers: Words, kind: str) -> Octets:
    """Numbers as the octets of a field, one row each; what does not fit in is cut off in front."""
    field = numbers.astype(kind)
    return field.view(np.uint8).reshape(len(field), field.itemsize)
