"""Rows under an AEAD cipher: one call of the library for each packet, all nonces and AADs laid out beforehand."""

import numpy as np

from lab.crypto.ciphers import Sealing
from lab.errors import ProtocolError
from lab.ipsec.esp import HEADER, EspIn, EspOut
from lab.ipsec.train.room import Numbers, Room, Sizes, column, views


class AeadRoom(Room):
    """Rows with their nonces (salt | IV) and AADs (SPI | sequence number, the whole one with ESN; RFC 4106 4 and 5)."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__(sizes)
        assert sizes.iv == 8, "the IV of every AEAD cipher is a sequence number"
        rows, nonce, aad = self.rows, sizes.salt + sizes.iv, HEADER + 4 * sizes.esn
        nonces, aads = bytearray(rows * nonce), bytearray(rows * aad)
        self._nonces, self._aads = (np.frombuffer(octets, np.uint8).reshape(rows, -1) for octets in (nonces, aads))
        self._ivs, self._nonce_ivs = column(self.wire, HEADER, ">u8"), column(self._nonces, sizes.salt, ">u8")
        self._aad_numbers = column(self._aads, 4, ">u8" if sizes.esn else ">u4")
        self._texts = views(self._plain, self.stride, 0, sizes.text, rows)
        self._sealed = views(self._wire, sizes.packet, HEADER + sizes.iv, sizes.packet, rows)
        self._nonce_views, self._aad_views = views(nonces, nonce, 0, nonce, rows), views(aads, aad, 0, aad, rows)
        self._owner = b"", b""

    def seal(self, out: EspOut, numbers: Numbers) -> None:
        """Encrypt each, under its sequence number as IV."""
        cipher, count = out.shape.cipher, len(numbers)
        assert isinstance(cipher, Sealing), "see `rooms.sizes`"
        self._belong(out.spi, cipher.salt)
        self._ivs[:count] = self._nonce_ivs[:count] = self._aad_numbers[:count] = numbers
        cipher.encrypt_each(self._sealed[:count], self._nonce_views, self._texts, self._aad_views)

    def open(self, incoming: EspIn, numbers: Numbers) -> bool:
        """Decrypt each under the IV that it brings."""
        cipher, count = incoming.shape.cipher, len(numbers)
        assert isinstance(cipher, Sealing), "see `rooms.sizes`"
        self._belong(incoming.spi, cipher.salt)
        self._nonce_ivs[:count] = self._ivs[:count]
        self._aad_numbers[:count] = numbers
        try:
            cipher.decrypt_each(self._texts[:count], self._nonce_views, self._sealed, self._aad_views)
        except ProtocolError:
            return False
        return True

    def _belong(self, spi: bytes, salt: bytes) -> None:
        """Set what is the same in every packet of an SA."""
        if self._owner != (spi, salt):
            self._owner = spi, salt
            self._nonces[:, : len(salt)] = np.frombuffer(salt, np.uint8)
            self._aads[:, :4] = np.frombuffer(spi, np.uint8)
