"""Joins rows of inner packets back into super-packets, as a network card would before the system sees them (GRO).

Two neighbours are joined where the second is what `cut` would have put behind the first:

- the same headers but for IPv4 identification, TCP sequence number and checksums; the identification counts on, the
  sequence number goes on by the payload
- no FIN, SYN, RST, URG or CWR, and PSH only in the last one of a super-packet
- right checksums: the joined packet has none that could still tell what was wrong before the tunnel

So what the system cuts again are the packets that came.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from lab.ipsec.superpacket import CHECKSUM_AT, PSH
from lab.ipsec.train.cut import native, steps, sums
from lab.ipsec.train.room import Numbers, Octets, Room, words
from lab.wire.packets import TCP, UDP_NUMBER, checksum
from lab.wire.virtio import GSO_TCPV4, GSO_TCPV6, GSO_UDP_L4, NEEDS_CSUM, VirtioHeader

ACK = 0x10
_LONGEST = 65535
_MODULUS = np.uint64(0xFFFF)


@dataclass(frozen=True, slots=True)
class Layout:
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
    def of(cls, packet: bytes) -> "Layout | None":
        """The layout of a packet; None where it is none that could be joined."""
        version, behind = packet[0] >> 4, 20 if packet[0] >> 4 == 4 else 40
        protocol = packet[9 if version == 4 else 6]
        if protocol not in CHECKSUM_AT or len(packet) < behind + 20:
            return None
        if version == 4 and (packet[0] != 0x45 or packet[6] & 0x3F or packet[7]):
            return None
        headers = behind + (8 if protocol == UDP_NUMBER else (packet[behind + 12] >> 4) * 4)
        return cls(version, protocol, behind, headers, len(packet)) if behind + 8 <= headers < len(packet) else None

    @lru_cache(64)  # noqa: B019  (a few frozen values, for ever the same)
    def same(self) -> Octets:
        """The bits of the headers that neighbours have in common."""
        mask = np.full(self.headers, 0xFF, np.uint8)
        if self.version == 4:
            mask[4:6] = mask[10:12] = 0
        if self.protocol == TCP:
            mask[self.behind + 4 : self.behind + 8] = 0
            mask[self.behind + 13] = 0xFF ^ PSH
        check = self.behind + CHECKSUM_AT[self.protocol]
        mask[check : check + 2] = 0
        return mask


def alike(room: Room, count: int, layout: Layout) -> bool:
    """Whether all rows are of one run of TCP, as they mostly are: what `pieces` would find out, in fewer steps.

    Once all headers are known to be like the first one, its addresses are those of all.
    """
    at = layout.behind
    if layout.protocol != TCP or count * layout.size > _LONGEST - layout.headers:
        return False
    same = room.plain[:count, : layout.headers] & layout.same()
    if same.tobytes() != same[0].tobytes() * count:
        return False
    flags = room.plain[:count, at + 13].tobytes()
    if flags[-1] | PSH != ACK | PSH or flags[:-1] != bytes((ACK,)) * (count - 1):
        return False
    if layout.version == 4 and not _counts(room.field(4, ">u2")[:count], 1, 0xFFFF):
        return False
    if not _counts(room.field(at + 4, ">u4")[:count], layout.size, 0xFFFFFFFF):
        return False
    addresses = room.words(12, 20) if layout.version == 4 else room.words(8, 40)
    pseudo = sums(addresses[:1]) + np.uint64(native(TCP) + native(layout.inner - at))
    good = not ((sums(room.words(at, layout.inner)[:count]) + pseudo) % _MODULUS).any()
    return good and (layout.version == 6 or not (sums(room.words(0, 20)[:count]) % _MODULUS).any())


def _counts(field: Numbers, step: int, most: int) -> bool:
    """Whether a field goes on by this step from row to row, beyond the most it can hold too."""
    expected = (steps(step)[: len(field)] + np.uint64(field[0])) & np.uint64(most)
    return bool((field == expected).all())


def pieces(rows: Octets, layout: Layout) -> Iterator[tuple[int, int]]:
    """Runs of rows that make one packet each: first row and the one behind the last."""
    good = _right(rows, layout)
    breaks = np.flatnonzero(~(_follows(rows, layout) & good[1:] & good[:-1])) + 1
    most = (_LONGEST - layout.headers) // layout.size
    start = 0
    for end in (*breaks.tolist(), len(rows)):
        while end - start > most:
            yield start, start + most
            start += most
        yield start, end
        start = end


def _right(rows: Octets, layout: Layout) -> Octets:
    """Which rows have right checksums, and flags that may be joined (RFC 1071: a right sum is 0 modulo 65535)."""
    octets = layout.inner - layout.behind
    addresses = sums(words(rows, 12, 20) if layout.version == 4 else words(rows, 8, 40))
    pseudo = native(layout.protocol) + native(octets)
    good = (sums(words(rows, layout.behind, layout.inner)) + addresses + np.uint64(pseudo)) % _MODULUS == 0
    if layout.version == 4:
        good &= sums(words(rows, 0, 20)) % _MODULUS == 0
    if layout.protocol == TCP:
        good &= (rows[:, layout.behind + 13] | PSH) == ACK | PSH
    else:
        at = layout.behind
        good &= (rows[:, at + 4] == octets >> 8) & (rows[:, at + 5] == octets & 0xFF)
        good &= (rows[:, at + 6] | rows[:, at + 7]) != 0
    return np.asarray(good)


def _follows(rows: Octets, layout: Layout) -> Octets:
    """Which rows but the first go on where the one before ended."""
    fronts, mask = rows[:, : layout.headers], layout.same()
    good = ~(((fronts[1:] ^ fronts[:-1]) & mask).any(axis=1))
    if layout.version == 4:
        ident = rows[:, 4:6].view(">u2")[:, 0].astype(np.int32)
        good &= (ident[1:] - ident[:-1]) & 0xFFFF == 1
    if layout.protocol == TCP:
        at = layout.behind
        sequence = rows[:, at + 4 : at + 8].view(">u4")[:, 0].astype(np.int64)
        good &= (sequence[1:] - sequence[:-1]) & 0xFFFFFFFF == layout.size
        good &= rows[:-1, at + 13] & PSH == 0
    return np.asarray(good)


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
    return bytes(_virtio(layout) + front), payload


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
