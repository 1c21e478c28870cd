"""Room for a train: buffers, and every view into them, made once for each length and used again.

    plain rows    inner packet | padding | pad length | next header | 0...    of a multiple of 8 octets: sums are fast
    wire rows     SPI | sequence number | IV | ciphertext | ICV               without a gap: as they are sent

Making the views is dear (a memoryview per packet and field), so rooms are kept, the latest few; they belong to no SA.
"""

from collections import OrderedDict
from dataclasses import dataclass

import numpy as np

from lab.ipsec.batch import MOST
from lab.ipsec.esp import HEADER

_KEPT = 8


@dataclass(frozen=True, slots=True)
class Sizes:
    """What the views depend on, in octets: encrypted text, IV, ICV, salt, and whether numbers have 64 bits."""

    text: int
    iv: int
    icv: int
    salt: int
    esn: bool

    @property
    def packet(self) -> int:
        """An ESP packet."""
        return HEADER + self.iv + self.text + self.icv


class Room:
    """Rows and views for `MOST` packets."""

    def __init__(self, sizes: Sizes) -> None:
        stride, size = sizes.text + -sizes.text % 8, sizes.packet
        nonce, aad = sizes.salt + sizes.iv, HEADER + 4 * sizes.esn
        plain, wire = bytearray(MOST * stride), bytearray(MOST * size)
        nonces, aads = bytearray(MOST * nonce), bytearray(MOST * aad)
        self.plain, self.wire, self.nonces, self.aads = (
            np.frombuffer(octets, np.uint8).reshape(MOST, -1) for octets in (plain, wire, nonces, aads)
        )
        self.sizes, self.octets = sizes, memoryview(wire)
        self._owner = b"", b""
        self.texts = _views(plain, stride, 0, sizes.text)
        self.sealed = _views(wire, size, HEADER + sizes.iv, size)
        self.nonce_views, self.aad_views = _views(nonces, nonce, 0, nonce), _views(aads, aad, 0, aad)

    def belong(self, spi: bytes, salt: bytes) -> None:
        """Set what is the same in every packet of an SA: SPIs and salts."""
        if self._owner != (spi, salt):
            self._owner = spi, salt
            self.nonces[:, : len(salt)] = np.frombuffer(salt, np.uint8)
            self.aads[:, :4] = self.wire[:, :4] = np.frombuffer(spi, np.uint8)


def _views(octets: bytearray, stride: int, start: int, end: int) -> list[memoryview]:
    whole = memoryview(octets)
    return [whole[at + start : at + end] for at in range(0, MOST * stride, stride)]


class Rooms:
    """The rooms that were used last, by their sizes."""

    def __init__(self) -> None:
        self._rooms: OrderedDict[Sizes, Room] = OrderedDict()

    def get(self, sizes: Sizes) -> Room:
        """The room of these sizes."""
        room = self._rooms.get(sizes)
        if room is None:
            room = self._rooms[sizes] = Room(sizes)
            if len(self._rooms) > _KEPT:
                self._rooms.popitem(last=False)
        self._rooms.move_to_end(sizes)
        return room
