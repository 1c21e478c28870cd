"""ESP, one packet at a time: seal and open (RFC 4303, RFC 3948 for what is around it in UDP).

    +---------------+---------------+
    |      SPI      |    Sequence   |  --- AAD of AEAD ciphers; with ESN the whole 64-bit number goes in (RFC 4106 5)
    +---------------+---------------+
    |              IV               |
    +-------------------------------+  -.
    |     inner packet  ...         |   |
    |         +---------------------+   +-- encrypted, up to a multiple of 4 octets or of the cipher's block
    |         | 1 2 3 ... | n | next|   |
    +---------+-----------+---+-----+  -'
    |              ICV              |  --- without AEAD: over SPI .. next header, and the high half with ESN behind it
    +-------------------------------+

Rules of this file:
- Out: the sequence number never wraps, the last one ends the SA. The IV of AEAD and counter modes is the sequence
  number, which cannot repeat under one key; that of CBC is a random block, encrypted, which nobody can predict.
- In: window, then ICV, then the window moves, then padding and next header. Only Dropped comes out.
"""

from collections.abc import Callable

from lab.crypto import registry
from lab.crypto.ciphers import Chaining
from lab.errors import ProtocolError
from lab.ike.child import ChildSa
from lab.ipsec.drops import Dropped, Reason
from lab.ipsec.numbers import Numbered, Windowed
from lab.wire.ids import Integ
from lab.wire.payloads_v2 import Transform

HEADER = 8
TRAILER = 2
IPV4, IPV6, NONE = 4, 41, 59  # next header values: IP in IP, IPv6, no next header

MONOTONE = bytes(range(1, 256))


class Shape:
    """Sizes of one pair of transforms, and objects with the keys inside."""

    __slots__ = ("align", "cipher", "icv", "iv", "mac", "step")

    def __init__(self, encr: Transform | None, integ: Transform | None, key_encr: bytes, key_integ: bytes) -> None:
        assert encr is not None, "ESP is nothing without a cipher, be it NULL"
        spec = registry.encr(encr)
        self.cipher, self.iv = spec.new(key_encr), spec.iv_octets
        self.step, self.align = spec.block, max(spec.block, 4)
        self.mac, self.icv = None, spec.icv_octets
        if not spec.aead and integ is not None and integ.id != Integ.NONE:
            integrity = registry.integ(Integ(integ.id))
            self.mac, self.icv = integrity.new(key_integ), integrity.icv_octets

    @property
    def overhead(self) -> int:
        """Octets around the padded inner packet and its trailer."""
        return HEADER + self.iv + self.icv

    def largest_inner(self, room: int) -> int:
        """The longest inner packet whose ESP packet has at most `room` octets."""
        return (room - self.overhead) // self.align * self.align - TRAILER


class EspOut(Numbered):
    """The sending direction of a child."""

    def __init__(self, child: ChildSa, random: Callable[[int], bytes]) -> None:
        super().__init__(child)
        self.shape = Shape(child.encr, child.integ, child.key_encr_out, child.key_integ_out)
        self.random, self.fill = random, max(child.tfc_padding, 0)

    def encapsulate(self, inner: bytes) -> bytes:
        """The ESP packet around an IP packet (tunnel mode); Dropped once the sequence numbers are used up.

        Behind a short packet is TFC padding, which the receiver knows from the length in the packet (2.7).
        """
        return self.seal(inner.ljust(self.fill, b"\0"), IPV6 if inner[0] >> 4 == 6 else IPV4)

    def seal(self, payload: bytes, next_header: int) -> bytes:
        """The ESP packet around any payload."""
        shape, number = self.shape, self.next_number()
        padding = -(len(payload) + TRAILER) % shape.align
        plaintext = payload + MONOTONE[:padding] + bytes((padding, next_header))
        packet = self.spi + number[4:] + self._encrypted(number, plaintext)
        if shape.mac is None:
            return packet
        return packet + shape.mac.sign(packet + number[:4] if self.esn else packet)

    def _encrypted(self, number: bytes, plaintext: bytes) -> bytes:
        """IV and ciphertext of the packet with this 64-bit sequence number, and the ICV of an AEAD cipher."""
        cipher = self.shape.cipher
        if isinstance(cipher, Chaining):
            return cipher.chain(self.random(self.shape.iv) + plaintext)
        iv = self.explicit_iv(number)
        return iv + cipher.encrypt(iv, plaintext, self.spi + (number if self.esn else number[4:]))

    def explicit_iv(self, number: bytes) -> bytes:
        """The IV of a cipher that takes a counter for one, or none at all."""
        return number[8 - self.shape.iv :]


class EspIn(Windowed):
    """The receiving direction of a child."""

    def __init__(self, child: ChildSa) -> None:
        super().__init__(child)
        self.shape = Shape(child.encr, child.integ, child.key_encr_in, child.key_integ_in)

    def decapsulate(self, packet: bytes) -> bytes:
        """The IP packet inside (tunnel mode)."""
        payload, next_header = self.open(packet)
        if next_header == NONE:
            raise Dropped(Reason.DUMMY)  # RFC 4303 2.6: discard without a word
        if next_header not in (IPV4, IPV6):
            raise Dropped(Reason.NEXT_HEADER, str(next_header))
        return inner_packet(payload, 4 if next_header == IPV4 else 6)

    def open(self, packet: bytes) -> tuple[bytes, int]:
        """Payload and next header; `newest` then says whether no later packet had come before this one."""
        shape = self.shape
        text = len(packet) - shape.overhead
        if text < TRAILER or text % shape.step:
            raise Dropped(Reason.TOO_SHORT, f"{len(packet)} octets")
        number = self.unseen(packet[4:8])
        plaintext = self._decrypted(packet, number)
        self.authentic(number)
        return _without_padding(plaintext)

    def _decrypted(self, packet: bytes, number: int) -> bytes:
        shape = self.shape
        start, end = HEADER + shape.iv, len(packet) - (0 if shape.mac is None else shape.icv)
        high = self.high(number)
        try:
            if shape.mac is not None:
                shape.mac.verify(packet[:end] + high, packet[end:])
            return shape.cipher.decrypt(packet[HEADER:start], packet[start:end], packet[:4] + high + packet[4:8])
        except ProtocolError:
            raise Dropped(Reason.INTEGRITY, f"sequence number {number}") from None


def _without_padding(plaintext: bytes) -> tuple[bytes, int]:
    padding, next_header = plaintext[-2], plaintext[-1]
    end = len(plaintext) - TRAILER - padding
    # RFC 4303 2.4: a receiver SHOULD inspect the padding; we do, it must count 1, 2, 3, ...
    if end < 0 or plaintext[end:-2] != MONOTONE[:padding]:
        raise Dropped(Reason.PADDING, f"pad length {padding} of {len(plaintext)}")
    return plaintext[:end], next_header


def inner_packet(payload: bytes, version: int) -> bytes:
    """The IP packet of this version at the front; TFC padding may stand behind it (RFC 4303 2.7)."""
    shortest = 20 if version == 4 else 40
    if len(payload) < shortest or payload[0] >> 4 != version:
        raise Dropped(Reason.INNER_HEADER, "version or length")
    length = int.from_bytes(payload[2:4], "big") if version == 4 else 40 + int.from_bytes(payload[4:6], "big")
    if not shortest <= length <= len(payload):
        raise Dropped(Reason.INNER_HEADER, f"{length} octets announced, {len(payload)} there")
    return payload[:length]
