"""Room for a train: buffers, and every view into them, made once for each length and used again.

    plain rows    inner packet | padding | pad length | next header | 0...    of a multiple of 8 octets: sums are fast
    wire rows     SPI | sequence number | IV | ciphertext | ICV               without a gap: as they are sent

Making the views is dear (a memoryview per packet and field), so rooms are kept, the latest few; they belong to no SA.
What turns one kind of rows into the other is the ciphers' own: `aead`, `chained`.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lab.ipsec.batch import MOST
from lab.ipsec.esp import HEADER, EspIn, EspOut

Octets = npt.NDArray[np.uint8]
Numbers = npt.NDArray[np.integer]


@dataclass(frozen=True, slots=True)
class Sizes:
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


class Room(ABC):
    """Rows for `MOST` packets. In front of each plain row are `lead` octets, of the cipher's own use."""

    def __init__(self, sizes: Sizes, lead: int = 0) -> None:
        self.sizes = sizes
        self.stride = lead + sizes.text + -sizes.text % 8
        self._plain, self._wire = bytearray((MOST + 1) * self.stride), bytearray(MOST * sizes.packet)
        whole = np.frombuffer(self._plain, np.uint8)[: MOST * self.stride].reshape(MOST, -1)
        self.leads, self.plain = whole[:, :lead], whole[:, lead:]
        self.wire = np.frombuffer(self._wire, np.uint8).reshape(MOST, -1)
        self.octets = memoryview(self._wire)
        self.numbers = self.wire[:, 4:HEADER].view(">u4")[:, 0]
        self._fields: dict[tuple[int, str], Numbers] = {}
        self._words: dict[tuple[int, int], Numbers] = {}

    def field(self, at: int, kind: str) -> Numbers:
        """The same field of all inner packets, as numbers: `at` octets behind their start, `>u2` or `>u4`."""
        found = self._fields.get((at, kind))
        if found is None:
            octets = np.dtype(kind).itemsize
            found = self._fields[at, kind] = self.plain[:, at : at + octets].view(kind)[:, 0]
        return found

    def words(self, start: int, end: int) -> Numbers:
        """These columns of all inner packets in words of 32 bits, up to 3 octets behind `end` included."""
        found = self._words.get((start, end))
        if found is None:
            found = self._words[start, end] = words(self.plain, start, end)
        return found

    @abstractmethod
    def seal(self, out: EspOut, numbers: Octets) -> None:
        """Encrypt plain rows into wire rows, which have SPIs and numbers by now; `numbers` are the 64-bit ones."""

    @abstractmethod
    def open(self, incoming: EspIn, numbers: Octets) -> bool:
        """Check and decrypt wire rows into plain rows; whether each of them is authentic."""


def words(rows: Octets, start: int, end: int) -> Numbers:
    """These columns in words of 32 bits, up to 3 octets behind `end` included."""
    return rows[:, start : end + -end % 4].view("=u4")


def octets(numbers: Numbers) -> Octets:
    """64-bit numbers as 8 octets each, one row each."""
    return numbers.astype(">u8").view(np.uint8).reshape(len(numbers), 8)


def views(octets: bytearray, stride: int, start: int, end: int) -> list[memoryview]:
    """The same part of each row."""
    whole = memoryview(octets)
    return [whole[at + start : at + end] for at in range(0, MOST * stride, stride)]
