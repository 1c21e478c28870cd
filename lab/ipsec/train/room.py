"""Room for trains: buffers, and every view into them, made once for each length and used again.

    plain rows    inner packet | padding | pad length | next header | 0...    of a multiple of 8 octets: sums are fast
    wire rows     SPI | sequence number | IV | ciphertext | ICV               without a gap: as they are sent

Making the views is dear (a memoryview per packet and field), so rooms are kept, the latest few; they belong to no SA.
What turns one kind of rows into the other is the ciphers' own: `aead`, `chained`.
"""

from abc import ABC, abstractmethod
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from lab.ipsec.batch import LONGEST, MOST, TRAINS
from lab.ipsec.esp import HEADER, EspIn, EspOut

COUNT = np.arange(TRAINS * MOST, dtype=np.uint64)
Octets = npt.NDArray[np.uint8]
Numbers = npt.NDArray[np.integer]


class Sizes(NamedTuple):
    """What the views depend on, in octets: encrypted text, IV, ICV, salt, and whether numbers have 64 bits."""

    text: int
    iv: int
    icv: int
    salt: int
    esn: bool
    chained: bool

    @property
    def packet(self) -> int:
        """An ESP packet."""
        return HEADER + self.iv + self.text + self.icv

    @property
    def together(self) -> int:
        """So many ESP packets leave in one send at the most."""
        return max(1, min(MOST, LONGEST // self.packet))

    @property
    def rows(self) -> int:
        """So many are sealed or opened in one pass at the most."""
        return TRAINS * self.together


class Room(ABC):
    """Rows for the packets of a pass. In front of each plain row are `lead` octets, of the cipher's own use."""

    def __init__(self, sizes: Sizes, lead: int = 0) -> None:
        self.sizes = sizes
        self.stride = lead + sizes.text + -sizes.text % 8
        self.rows = rows = sizes.rows
        self._plain, self._wire = bytearray((rows + 1) * self.stride), bytearray(rows * sizes.packet)
        whole = np.frombuffer(self._plain, np.uint8)[: rows * self.stride].reshape(rows, -1)
        self.leads, self.plain = whole[:, :lead], whole[:, lead:]
        self.wire = np.frombuffer(self._wire, np.uint8).reshape(rows, -1)
        self.octets = memoryview(self._wire)
        self.spis, self.numbers = column(self.wire, 0, ">u4"), column(self.wire, 4, ">u4")
        self._fields: dict[tuple[int, str], Numbers] = {}
        self._words: dict[tuple[int, int], Numbers] = {}
        self._fronts: dict[int, Numbers] = {}

    def field(self, at: int, kind: str) -> Numbers:
        """The same field of all inner packets, as numbers: `at` octets behind their start, `>u2` or `>u4`."""
        found = self._fields.get((at, kind))
        if found is None:
            found = self._fields[at, kind] = column(self.plain, at, kind)
        return found

    def words(self, start: int, end: int) -> Numbers:
        """These columns of all inner packets in words of 32 bits, up to 3 octets behind `end` included."""
        found = self._words.get((start, end))
        if found is None:
            found = self._words[start, end] = self.plain[:, start : end + -end % 4].view("=u4")
        return found

    def fronts(self, end: int) -> Numbers:
        """The first columns of all inner packets in words of 64 bits, up to 7 octets behind `end` included."""
        found = self._fronts.get(end)
        if found is None:
            found = self._fronts[end] = self.plain[:, : end + -end % 8].view("=u8")
        return found

    @abstractmethod
    def seal(self, out: EspOut, numbers: Numbers) -> None:
        """Encrypt plain rows into wire rows, which have SPIs and numbers by now; `numbers` are the 64-bit ones."""

    @abstractmethod
    def open(self, incoming: EspIn, numbers: Numbers) -> bool:
        """Check and decrypt wire rows into plain rows; whether each of them is authentic."""


def column(rows: Octets, at: int, kind: str) -> Numbers:
    """The same field of all rows, as numbers."""
    return rows[:, at : at + np.dtype(kind).itemsize].view(kind)[:, 0]


def high(numbers: Numbers) -> bytes:
    """The half of 64-bit numbers that is not sent; it is the same in a whole pass."""
    return (int(numbers[0]) >> 32).to_bytes(4, "big")


def views(octets: bytearray, stride: int, start: int, end: int, rows: int) -> list[memoryview]:
    """The same part of each row."""
    whole = memoryview(octets)
    return [whole[at + start : at + end] for at in range(0, rows * stride, stride)]
