"""AH in the evidence: the ICV of a captured packet, computed again from the keys (RFC 4302 3.4.4).

The octets under the ICV are those of the whole IP packet, so it is right at every hop or the packet was changed there.
"""

from lab.crypto import registry
from lab.errors import ProtocolError
from lab.evidence.keys import ChildKeys
from lab.ipsec.headers import before_ah, for_icv
from lab.wire.ids import Integ
from lab.wire.packets import AHHeader

_FIXED = 12


class AhKey:
    """Checks the AH packets of one direction."""

    def __init__(self, keys: ChildKeys) -> None:
        if keys.integ is None or keys.integ not in Integ.__members__:
            raise ProtocolError(f"{keys.integ} is not known")
        spec = registry.integ(Integ[keys.integ])
        self._mac, self._icv = spec.new(bytes.fromhex(keys.integ_key)), spec.icv_octets
        self._esn, self._high = keys.esn, 0

    def check(self, packet: bytes) -> None:
        """Raises ProtocolError where the ICV is not that of this IP packet."""
        at = before_ah(packet)
        start, end = at + _FIXED, at + _FIXED + self._icv
        seen = for_icv(packet[:at]) + packet[at:start] + bytes(self._icv) + packet[end:]
        # The high half of an extended sequence number is not sent; it grows by one at a time.
        highs = (self._high, self._high + 1) if self._esn else (0,)
        for high in highs:
            try:
                self._mac.verify(seen + (high.to_bytes(4, "big") if self._esn else b""), packet[start:end])
            except ProtocolError:
                continue
            self._high = high
            return
        raise ProtocolError("the ICV of AH is not that of the packet")


def parts(packet: bytes) -> tuple[AHHeader, bytes]:
    """The AH header of an IP packet and what is behind it, which anybody can read; raises ProtocolError."""
    at = before_ah(packet)
    header = AHHeader.decode(packet[at:])
    return header, packet[at + header.size :]
