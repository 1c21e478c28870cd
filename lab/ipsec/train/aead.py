"""Rows under an AEAD cipher: one call of the library for each packet, all nonces and AADs laid out beforehand."""

import numpy as np

from lab.crypto.ciphers import Sealing
from lab.errors import ProtocolError
from lab.ipsec.batch import MOST
from lab.ipsec.esp import HEADER, EspIn, EspOut
from lab.ipsec.train.room import Octets, Room, Sizes, views


class AeadRoom(Room):
    """Rows with their nonces (salt | IV) and AADs (SPI | sequence number, the whole one with ESN; RFC 4106 4 and 5)."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__(sizes)
        nonce, aad = sizes.salt + sizes.iv, HEADER + 4 * sizes.esn
        nonces, aads = bytearray(MOST * nonce), bytearray(MOST * aad)
        self._nonces, self._aads = (np.frombuffer(octets, np.uint8).reshape(MOST, -1) for octets in (nonces, aads))
        self._texts = views(self._plain, self.stride, 0, sizes.text)
        self._sealed = views(self._wire, sizes.packet, HEADER + sizes.iv, sizes.packet)
        self._nonce_views, self._aad_views = views(nonces, nonce, 0, nonce), views(aads, aad, 0, aad)
        self._owner = b"", b""

    def seal(self, out: EspOut, numbers: Octets) -> None:
        """Encrypt each, under its sequence number as IV."""
        cipher, sizes, count = out.shape.cipher, self.sizes, len(numbers)
        assert isinstance(cipher, Sealing), "see `rooms.sizes`"
        self._belong(out.spi, cipher.salt)
        self.wire[:count, HEADER : HEADER + sizes.iv] = self._nonces[:count, sizes.salt :] = numbers
        self._aads[:count, 4:] = numbers if sizes.esn else numbers[:, 4:]
        cipher.encrypt_each(self._sealed[:count], self._nonce_views, self._texts, self._aad_views)

    def open(self, incoming: EspIn, numbers: Octets) -> bool:
        """Decrypt each under the IV that it brings."""
        cipher, sizes, count = incoming.shape.cipher, self.sizes, len(numbers)
        assert isinstance(cipher, Sealing), "see `rooms.sizes`"
        self._belong(incoming.spi, cipher.salt)
        self._nonces[:count, sizes.salt :] = self.wire[:count, HEADER : HEADER + sizes.iv]
        self._aads[:count, 4:] = numbers if sizes.esn else numbers[:, 4:]
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
