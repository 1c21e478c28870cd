"""Packets of one flow and one length that the device gave one by one: they can be sealed in one go all the same."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

import numpy as np

from lab.ipsec.flow import key_of
from lab.ipsec.train.room import Octets


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


def runs(packets: Iterable[bytes]) -> Iterator[list[bytes]]:
    """Neighbours that may be one run, in their order; each packet whose flow is not seen at a glance for itself."""
    for key, alike in groupby(packets, _key):
        if key:
            yield [*alike]
        else:
            yield from ([packet] for packet in alike)


def _key(packet: bytes) -> bytes:
    """What the packets of a run have in common: version, traffic class, length, DF, protocol, addresses and ports."""
    key = key_of(packet) if len(packet) > 40 else b""
    return key and key + packet[6:7] + packet[: 4 if packet[0] == 0x45 else 6]
