"""Room for a train: buffers, and every view into them, made once for each length and used again.

    plain rows    inner packet | padding | pad length | next header | 0...    of a multiple of 8 octets: sums are fast
    wire rows     SPI | sequence number | IV | ciphertext | ICV               without a gap: as they are sent

Making the views is dear (a memoryview per packet and field), so rooms are kept, the latest few; they belong to no SA.
What turns one kind of rows into the other is the ciphers' own: `aead`, `chained`.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from lab.ipsec.batch import MOST
from lab.ipsec.esp import HEADER, EspIn, EspOut
from lab.ipsec.train.cut import Octets


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

    @abstractmethod
    def seal(self, out: EspOut, numbers: Octets) -> None:
        """Encrypt plain rows into wire rows, which have SPIs and numbers by now; `numbers` are the 64-bit ones."""

    @abstractmethod
    def open(self, incoming: EspIn, numbers: Octets) -> bool:
        """Check and decrypt wire rows into plain rows; whether each of them is authentic."""


def views(octets: bytearray, stride: int, start: int, end: int) -> list[memoryview]:
    """The same part of each row."""
    whole = memoryview(octets)
    return [whole[at + start : at + end] for at in range(0, MOST * stride, stride)]
