"""Rows under a cipher in CBC mode and a MAC: one chain through all packets, so one call of the library for a train.

    plain rows    random block | text     random block | text     ...
                       |         |             |         |
    chain rows        IV    | ciphertext      IV    | ciphertext   ...

Encrypted behind the last block of the packet before, a random block is an IV as good as any (`Chaining.chain`). The
other way round, the block that comes out where an IV was is nobody's, and the chain has begun anew behind it.
"""

from hmac import compare_digest

import numpy as np

from lab.crypto.ciphers import Chaining
from lab.crypto.macs import CutMac
from lab.ipsec.esp import HEADER, EspIn, EspOut
from lab.ipsec.train.room import Numbers, Room, Sizes, high, views


class ChainedRoom(Room):
    """Rows with a chain beside them; a block more than a train has is what the library wants behind its output."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__(sizes, lead=sizes.iv)
        rows = self.rows
        chain = bytearray((rows + 1) * self.stride)
        self._blocks, self._chain = memoryview(self._plain), memoryview(chain)
        self._links = np.frombuffer(chain, np.uint8)[: rows * self.stride].reshape(rows, -1)
        self._covered = views(self._wire, sizes.packet, 0, sizes.packet - sizes.icv, rows)
        self._icvs = self.wire[:, sizes.packet - sizes.icv :]
        self._bodies = self.wire[:, HEADER : sizes.packet - sizes.icv]

    def seal(self, out: EspOut, numbers: Numbers) -> None:
        """Encrypt all, then sign each (RFC 4303 3.3.2.1)."""
        cipher, mac, count = out.shape.cipher, out.shape.mac, len(numbers)
        assert isinstance(cipher, Chaining) and isinstance(mac, CutMac), "see `rooms.sizes`"
        self.leads[:count] = np.frombuffer(out.random(count * self.sizes.iv), np.uint8).reshape(count, -1)
        end = count * self.stride
        cipher.chain_into(self._blocks[:end], self._chain[: end + self.stride])
        self._bodies[:count] = self._links[:count]
        icvs = mac.sign_each(self._covered[:count], high(numbers) if self.sizes.esn else b"")
        self._icvs[:count] = np.frombuffer(icvs, np.uint8).reshape(count, -1)

    def open(self, incoming: EspIn, numbers: Numbers) -> bool:
        """Verify each, then decrypt all (RFC 4303 3.4.4.1)."""
        cipher, mac, count = incoming.shape.cipher, incoming.shape.mac, len(numbers)
        assert isinstance(cipher, Chaining) and isinstance(mac, CutMac), "see `rooms.sizes`"
        icvs = mac.sign_each(self._covered[:count], high(numbers) if self.sizes.esn else b"")
        if not compare_digest(icvs, self._icvs[:count].tobytes()):
            return False
        self._links[:count] = self._bodies[:count]
        end = count * self.stride
        cipher.unchain_into(self._chain[:end], self._blocks[: end + self.stride])
        return True
