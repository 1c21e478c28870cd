"""The keys of a run, ready to open what was captured. Built once, looked up by SPI.

Rules of this file:
- All sides' keys are tried, so a packet opens if one side logged the right keys.
- An entry that names an algorithm we lack, or has a key of the wrong length, opens nothing; `refused` says which.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from lab.crypto import registry
from lab.crypto.ciphers import CipherObject
from lab.crypto.macs import MacObject
from lab.crypto.sk import IkeCipher
from lab.errors import ProtocolError
from lab.evidence.ah_key import AhKey
from lab.evidence.isakmp import Isakmp
from lab.evidence.keys import ChildKeys, IkeKeys, Keys
from lab.wire.header import Header
from lab.wire.ids import Encr, Integ, TransformType
from lab.wire.payloads_v2 import Transform

_ESP_HEADER = 8


@dataclass(frozen=True, slots=True)
class Inner:
    """What was inside an ESP packet; `padding` octets were added to it. Next header 59 is a dummy packet."""

    next_header: int
    data: bytes = field(repr=False)
    padding: int

    @property
    def packet(self) -> bytes | None:
        """The inner IP packet of tunnel mode, or None."""
        return self.data if self.next_header in (4, 41) else None


class EspKey:
    """Opens the ESP packets of one direction (RFC 4303); `iv` and `icv` are octets."""

    def __init__(self, keys: ChildKeys) -> None:
        self._spec = registry.encr(_encr(keys.encr, keys.encr_key_length))
        self.iv = self._spec.iv_octets
        self._cipher: CipherObject = self._spec.new(bytes.fromhex(keys.encr_key + keys.salt))
        self._mac: MacObject | None = None
        self.icv = self._spec.icv_octets
        if not self._spec.aead and keys.integ:
            integ = registry.integ(_integ(keys.integ))
            self._mac, self.icv = integ.new(bytes.fromhex(keys.integ_key)), integ.icv_octets
        self._esn, self._high = keys.esn, 0

    def open(self, packet: bytes) -> Inner:
        """Check the ICV and decrypt; raises ProtocolError where the packet is not authentic."""
        start = _ESP_HEADER + self._spec.iv_octets
        if len(packet) < start + 2 + self.icv:
            raise ProtocolError("ESP packet too short")
        if not self._esn:
            return self._trailer(self._decrypt(packet, start, b""))
        # The high half of an extended sequence number is not sent; it grows by one at a time.
        for high in (self._high, self._high + 1):
            try:
                plain = self._decrypt(packet, start, high.to_bytes(4, "big"))
            except ProtocolError:
                continue
            self._high = high
            return self._trailer(plain)
        raise ProtocolError("ESP integrity check failed with both likely high halves of the sequence number")

    def _decrypt(self, packet: bytes, start: int, high: bytes) -> bytes:
        iv, body = packet[_ESP_HEADER:start], packet[start:]
        if self._mac:
            split = len(packet) - self.icv
            self._mac.verify(packet[:split] + high, packet[split:])
            body = packet[start:split]
        return self._cipher.decrypt(iv, body, packet[:4] + high + packet[4:_ESP_HEADER])

    @staticmethod
    def _trailer(plain: bytes) -> Inner:
        padding, next_header = plain[-2], plain[-1]
        if padding > len(plain) - 2:
            raise ProtocolError("ESP packet with more padding than content")
        return Inner(next_header, plain[: len(plain) - 2 - padding], padding)


def _encr(name: str, key_length: int | None) -> Transform:
    if name not in Encr.__members__:
        raise ProtocolError(f"{name} is not known")
    return Transform(TransformType.ENCR, Encr[name], key_length)


def _integ(name: str) -> Integ:
    if name not in Integ.__members__:
        raise ProtocolError(f"{name} is not known")
    return Integ[name]


def _no_random(length: int) -> bytes:
    raise AssertionError("evidence seals nothing")


def _opener(keys: IkeKeys, *, initiator: bool) -> IkeCipher:
    """What opens the messages that the original initiator (or responder) sent."""
    integ = Transform(TransformType.INTEG, _integ(keys.integ)) if keys.integ else None
    sk_e, sk_a = (keys.SK_ei, keys.SK_ai) if initiator else (keys.SK_er, keys.SK_ar)
    encr = _encr(keys.encr, keys.encr_key_length)
    return IkeCipher(encr, integ, bytes.fromhex(sk_e), bytes.fromhex(sk_a), _no_random)


class Keyring:
    """All keys of a run, by SPI."""

    def __init__(self, keys: Keys) -> None:
        self._ike: dict[tuple[str, str, bool], list[IkeCipher]] = {}
        self._esp: dict[str, list[EspKey]] = {}
        self._ah: dict[str, list[AhKey]] = {}
        self.refused: list[str] = []
        self.isakmp = Isakmp(keys)
        self.refused += self.isakmp.refused
        for entry in keys.ike:
            if entry.version == 1:
                continue
            for initiator in (True, False):
                try:
                    opener = _opener(entry, initiator=initiator)
                except (ProtocolError, ValueError) as error:
                    self.refused.append(f"IKE SA {entry.spi_i} of {entry.source}: {error}")
                    break
                self._ike.setdefault((entry.spi_i.lower(), entry.spi_r.lower(), initiator), []).append(opener)
        for child in keys.child:
            try:
                self._add(child)
            except (ProtocolError, ValueError) as error:
                self.refused.append(f"{child.protocol} SA {child.spi} of {child.source}: {error}")

    def _add(self, child: ChildKeys) -> None:
        if child.protocol == "AH":
            self._ah.setdefault(child.spi.lower(), []).append(AhKey(child))
        else:
            self._esp.setdefault(child.spi.lower(), []).append(EspKey(child))

    def openers(self, header: Header) -> Iterator[IkeCipher]:
        """What may open a message with this header."""
        yield from self._ike.get((header.spi_i.hex(), header.spi_r.hex(), header.initiator), ())

    def esp_key(self, packet: bytes) -> EspKey | None:
        """The key that opens an ESP packet, or None."""
        for key in self._esp.get(packet[:4].hex(), ()):
            try:
                key.open(packet)
            except ProtocolError:
                continue
            return key
        return None

    def open_esp(self, packet: bytes) -> Inner | None:
        """The inside of an ESP packet, or None where no key fits."""
        for key in self._esp.get(packet[:4].hex(), ()):
            try:
                return key.open(packet)
            except ProtocolError:
                continue
        return None

    def vouches(self, spi: str, packet: bytes) -> bool:
        """Whether the ICV of an IP packet with AH is right under a key of this SPI."""
        for key in self._ah.get(spi, ()):
            try:
                key.check(packet)
            except ProtocolError:
                continue
            return True
        return False
