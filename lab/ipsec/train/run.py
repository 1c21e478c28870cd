"""Packets of one flow and one length that the device gave one by one: they can be sealed in one go all the same."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

import numpy as np

from lab.ipsec.train.room import Octets
from lab.wire.packets import TCP, UDP_NUMBER


class Run:
    """Such packets, where `Superpacket` has one that is still to be cut."""

    __slots__ = ("count", "headers", "inner", "packets")

    def __init__(self, packets: Sequence[bytes]) -> None:
        self.packets, self.headers = packets, packets[0]
        self.inner, self.count = len(packets[0]), len(packets)

    @property
    def full(self) -> int:
        """How many of them have full size: all."""
        return self.count

    @property
    def octets(self) -> int:
        """Octets of all packets."""
        return self.count * self.inner

    def fill(self, rows: Octets, start: int) -> None:
        """Put packets into the rows, from this one on."""
        packets = b"".join(self.packets[start : start + len(rows)])
        rows[:, : self.inner] = np.frombuffer(packets, np.uint8).reshape(len(rows), -1)

    def segments(self) -> Iterator[bytes]:
        """The packets, the first one first."""
        return iter(self.packets)

    def segment(self, number: int) -> bytes:
        """One of the packets, counted from 0."""
        return self.packets[number]


def runs(packets: Iterable[bytes]) -> Iterator[list[bytes]]:
    """Neighbours that may be one run, in their order; each packet whose flow is not seen at a glance for itself."""
    for key, alike in groupby(packets, _key):
        if key:
            yield [*alike]
        else:
            yield from ([packet] for packet in alike)


def _key(packet: bytes) -> bytes:
    """What the packets of a run have in common: version, traffic class, length, DF, protocol, addresses and ports."""
    version = packet[0] >> 4 if len(packet) > 40 else 0
    if version == 4 and packet[0] == 0x45 and packet[9] in (TCP, UDP_NUMBER) and not (packet[6] & 0x3F or packet[7]):
        return packet[:4] + packet[6:10:3] + packet[12:24]
    if version == 6 and packet[6] in (TCP, UDP_NUMBER):
        return packet[:7] + packet[8:44]
    return b""
