"""Joins rows of inner packets back into super-packets, as a network card would before the system sees them (GRO).

Two neighbours are joined where the second is what `cut` would have put behind the first:

- the same headers but for IPv4 identification, TCP sequence number and checksums; the identification counts on, the
  sequence number goes on by the payload
- no FIN, SYN, RST, URG or CWR, and PSH only in the last one of a super-packet
- right checksums: the joined packet has none that could still tell what was wrong before the tunnel

So what the system cuts again are the packets that came.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from lab.ipsec.batch import MOST
from lab.ipsec.superpacket import CHECKSUM_AT, PSH
from lab.ipsec.train.cut import native, sums
from lab.ipsec.train.room import Numbers, Octets, Room
from lab.wire.packets import TCP, UDP_NUMBER, checksum
from lab.wire.virtio import GSO_TCPV4, GSO_TCPV6, GSO_UDP_L4, NEEDS_CSUM, VirtioHeader

ACK = 0x10
_LONGEST = 65535
_MODULUS = np.uint64(0xFFFF)


class Layout(NamedTuple):
    """Where things are in the packets of one flow, in octets."""

    version: int
    protocol: int
    behind: int
    headers: int
    inner: int

    @property
    def size(self) -> int:
        """Octets of payload in each packet."""
        return self.inner - self.headers

    @classmethod
    def of(cls, front: bytes, inner: int) -> "Layout | None":
        """The layout of a packet of so many octets that begins with these; None where it is none to be joined."""
        version, behind = front[0] >> 4, 20 if front[0] >> 4 == 4 else 40
        protocol = front[9 if version == 4 else 6]
        if protocol not in CHECKSUM_AT or inner < behind + 20:
            return None
        if version == 4 and (front[0] != 0x45 or front[6] & 0x3F or front[7]):
            return None
        headers = behind + (8 if protocol == UDP_NUMBER else (front[behind + 12] >> 4) * 4)
        return cls(version, protocol, behind, headers, inner) if behind + 8 <= headers < inner else None


@lru_cache(64)
def _same(layout: Layout) -> Numbers:
    """The bits of the headers that neighbours have in common, in words of 64 bits."""
    mask = np.zeros(layout.headers + -layout.headers % 8, np.uint8)
    mask[: layout.headers] = 0xFF
    if layout.version == 4:
        mask[4:6] = mask[10:12] = 0
    if layout.protocol == TCP:
        mask[layout.behind + 4 : layout.behind + 8] = 0
        mask[layout.behind + 13] = 0  # see `_flags`
    check = layout.behind + CHECKSUM_AT[layout.protocol]
    mask[check : check + 2] = 0
    return mask.view("=u8")


def pieces(room: Room, start: int, end: int, layout: Layout) -> Iterator[tuple[int, int]]:
    """Runs of these rows that make one packet each: first row and the one behind the last.

    Rows of another layout begin one too, but what follows them means nothing.
    """
    breaks = {*_follow(room, start, end, layout), end}
    for row in {*_wrong(room, start, end, layout), *_flags(room, start, end, layout, breaks)}:
        breaks |= {row, row + 1}  # alone
    breaks.discard(start)
    most = (_LONGEST - layout.headers) // layout.size
    if layout.protocol == UDP_NUMBER:
        most = min(most, MOST)  # the system takes no more, be it in a socket or from a tunnel device
    for stop in sorted(breaks):
        while stop - start > most:
            yield start, start + most
            start += most
        yield start, stop
        start = stop


def _where(found: Octets | Numbers, first: int) -> list[int]:
    """The rows for which it is so; `first` is the number of the first one."""
    return (np.flatnonzero(found) + first).tolist() if np.count_nonzero(found) else []


def _follow(room: Room, start: int, end: int, layout: Layout) -> list[int]:
    """The rows that do not go on where the one before ended."""
    mask, fronts = _same(layout), room.fronts(layout.headers)[start:end]
    differ = (fronts[1:] ^ fronts[:-1]) & mask
    found = [start + 1 + at // len(mask) for at in _where(differ, 0)]
    if layout.version == 4:
        ident = room.field(4, ">u2")[start:end]
        found += _where(ident[1:] - ident[:-1] != 1, start + 1)
    if layout.protocol == TCP:
        sequence = room.field(layout.behind + 4, ">u4")[start:end]
        found += _where(sequence[1:] - sequence[:-1] != layout.size, start + 1)
    return found


def _flags(room: Room, start: int, end: int, layout: Layout, breaks: set[int]) -> list[int]:
    """The rows with flags of TCP that may not be joined. Behind PSH comes a break."""
    if layout.protocol != TCP:
        return []
    flags = room.field(layout.behind + 13, "u1")
    others = _where(flags[start:end] != ACK, start)
    breaks |= {row + 1 for row in others}
    return [row for row in others if flags[row] != ACK | PSH]


def _wrong(room: Room, start: int, end: int, layout: Layout) -> list[int]:
    """The rows with wrong checksums, or lengths of UDP (RFC 1071: a right sum is 0 modulo 65535)."""
    at, octets = layout.behind, layout.inner - layout.behind
    pseudo = np.uint64(native(layout.protocol) + native(octets))
    # The addresses, which are the rest of the pseudo-header, stand right before TCP and UDP.
    whole = sums(room.words(12 if layout.version == 4 else 8, layout.inner)[start:end])
    found = _where((whole + pseudo) % _MODULUS, start)
    if layout.version == 4:
        found += _where(sums(room.words(0, 20)[start:end]) % _MODULUS, start)
    if layout.protocol == UDP_NUMBER:
        found += _where(room.field(at + 4, ">u2")[start:end] != octets, start)
        found += _where(room.field(at + 6, ">u2")[start:end] == 0, start)
    return found


def joined(rows: Octets, layout: Layout) -> tuple[bytes, bytes]:
    """The super-packet of these rows: virtio header and headers, and the payload."""
    payload = rows[:, layout.headers : layout.inner].tobytes()
    front = bytearray(rows[0, : layout.headers].tobytes())
    behind, at = layout.behind, layout.behind + CHECKSUM_AT[layout.protocol]
    octets = layout.headers - behind + len(payload)
    if layout.version == 4:
        front[2:4] = (behind + octets).to_bytes(2, "big")
        front[10:12] = bytes(2)
        front[10:12] = checksum(bytes(front[:20])).to_bytes(2, "big")
    else:
        front[4:6] = octets.to_bytes(2, "big")
    if layout.protocol == TCP:
        front[behind + 13] = rows[-1, behind + 13]
    else:
        front[behind + 4 : behind + 6] = octets.to_bytes(2, "big")
    addresses = bytes(front[12:20] if layout.version == 4 else front[8:40])
    pseudo = addresses + layout.protocol.to_bytes(2, "big") + octets.to_bytes(2, "big")
    front[at : at + 2] = (~checksum(pseudo) & 0xFFFF).to_bytes(2, "big")
    return _virtio(layout) + front, payload


@lru_cache(64)
def _virtio(layout: Layout) -> bytes:
    tcp = GSO_TCPV4 if layout.version == 4 else GSO_TCPV6
    return VirtioHeader(
        NEEDS_CSUM,
        tcp if layout.protocol == TCP else GSO_UDP_L4,
        layout.headers,
        layout.size,
        layout.behind,
        CHECKSUM_AT[layout.protocol],
    ).encode()
