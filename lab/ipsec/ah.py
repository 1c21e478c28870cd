"""AH, one packet at a time: seal and open (RFC 4302).

    tunnel      new IP header | AH | IP header | payload
    transport   IP header     | AH | payload

    ICV over    headers before AH, mutable fields zero | AH, its ICV zero | all behind it | [high half of the number]

Rules of this file:
- The ICV takes in the addresses, so a packet is sealed with the IP header it travels with, and goes out as it is.
- The header is padded to 4 octets in IPv4 and 8 in IPv6 (3.3.3.2.1), and the padding is under the ICV. A receiver takes
  8 in IPv4 as well: Linux pads so unless it is told not to.
- In: window, then ICV, then the window moves. Only Dropped comes out.
"""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address

from lab.crypto import registry
from lab.errors import ProtocolError
from lab.ike.child import ChildSa
from lab.ike.path import Path
from lab.ipsec.drops import Dropped, Reason
from lab.ipsec.headers import before_ah, for_icv, joined, place_for_ah
from lab.ipsec.numbers import Numbered, Windowed
from lab.ipsec.outer import DONT_FRAGMENT
from lab.wire.ids import Integ
from lab.wire.packets import AH_NUMBER, AHHeader, IPv4, IPv6
from lab.wire.payloads_v2 import Transform

FIXED = 12  # octets before the ICV
ALIGN = {4: 4, 6: 8}


class Shape:
    """Sizes of one integrity algorithm in AH, and the object with the key inside."""

    __slots__ = ("icv", "mac")

    def __init__(self, integ: Transform | None, key: bytes) -> None:
        assert integ is not None, "AH is nothing without an integrity algorithm"
        spec = registry.integ(Integ(integ.id))
        self.mac, self.icv = spec.new(key), spec.icv_octets

    def header(self, version: int) -> int:
        """Octets of the AH header in this IP version."""
        return self.aligned(ALIGN[version])

    def aligned(self, align: int) -> int:
        """Octets of the AH header where it is padded to a multiple of `align`."""
        return FIXED + self.icv + -(FIXED + self.icv) % align

    def largest_inner(self, room: int) -> int:
        """The longest inner packet that leaves room for AH, whichever IP version is outside."""
        return room - self.header(6)


@dataclass(frozen=True, slots=True)
class Opened:
    """An authentic packet in parts: the headers before AH, the number of what is behind it, and that."""

    front: bytes
    next_header: int
    payload: bytes

    @property
    def joined(self) -> bytes:
        """The packet without AH, as it was before transport mode put it in."""
        return joined(self.front, self.next_header, self.payload)


class AhOut(Numbered):
    """The sending direction of a child. `ident` numbers the IPv4 packets, which nobody else may change any more."""

    def __init__(self, child: ChildSa, ident: int = 1) -> None:
        super().__init__(child)
        self.shape, self._ident = Shape(child.integ, child.key_integ_out), ident

    def encapsulate(self, inner: bytes, path: Path, traffic_class: int, *, whole: bool = False) -> bytes:
        """The IP packet with AH around an inner packet (tunnel mode); with `whole` no router may cut it."""
        src, dst = ip_address(path.local_host), ip_address(path.remote_host)
        next_header = 41 if inner[0] >> 4 == 6 else 4
        if isinstance(src, IPv6Address) and isinstance(dst, IPv6Address):
            front = IPv6(src, dst, AH_NUMBER, b"", tos=traffic_class).encode()
        else:
            assert isinstance(src, IPv4Address) and isinstance(dst, IPv4Address), "a path has one family"
            flags, number = DONT_FRAGMENT if whole else 0, self._number()
            front = IPv4(src, dst, AH_NUMBER, b"", tos=traffic_class, ident=number, fragment=flags).encode()
        return self.seal(front, next_header, inner)

    def insert(self, packet: bytes) -> bytes:
        """The packet with AH behind its headers (transport mode); options and extension headers stay where they are."""
        at, protocol = place_for_ah(packet)
        front = packet[:at]
        if front[0] >> 4 == 4 and front[4:6] == bytes(2):
            # The system would put a number of its own here (raw(7)), behind the back of the ICV.
            front = front[:4] + self._number().to_bytes(2, "big") + front[6:]
        return self.seal(front, protocol, packet[at:])

    def _number(self) -> int:
        self._ident = self._ident % 0xFFFF + 1  # 1 .. 65535: 0 means to the system that it may choose
        return self._ident

    def seal(self, front: bytes, next_header: int, payload: bytes) -> bytes:
        """These headers, AH, and the payload; Dropped once the sequence numbers are used up."""
        number, shape = self.next_number(), self.shape
        padded = shape.header(front[0] >> 4) - FIXED
        bare = AHHeader(next_header, self.spi, self.sequence & 0xFFFFFFFF, bytes(padded)).encode()
        packet = joined(front, AH_NUMBER, bare + payload)
        high = number[:4] if self.esn else b""
        icv = shape.mac.sign(for_icv(packet[: len(front)]) + bare + payload + high)
        at = len(front) + FIXED
        return packet[:at] + icv + packet[at + shape.icv :]


class AhIn(Windowed):
    """The receiving direction of a child."""

    def __init__(self, child: ChildSa) -> None:
        super().__init__(child)
        self.shape = Shape(child.integ, child.key_integ_in)

    def open(self, packet: bytes) -> Opened:
        """An IP packet with AH, in parts; Dropped where a check fails."""
        at = before_ah(packet)
        size = self._size(packet, at)
        number = self.unseen(packet[at + 8 : at + FIXED])
        start, end = at + FIXED, at + FIXED + self.shape.icv
        seen = for_icv(packet[:at]) + packet[at:start] + bytes(self.shape.icv) + packet[end:]
        try:
            self.shape.mac.verify(seen + self.high(number), packet[start:end])
        except ProtocolError:
            raise Dropped(Reason.INTEGRITY, f"sequence number {number}") from None
        self.authentic(number)
        return Opened(packet[:at], packet[at], packet[at + size :])

    def _size(self, packet: bytes, at: int) -> int:
        """Octets of the AH header, which its algorithm and the IP version leave no choice about."""
        allowed = {self.shape.aligned(align) for align in range(ALIGN[packet[0] >> 4], 9, 4)}
        size = (packet[at + 1] + 2) * 4 if len(packet) > at + 1 else 0
        if size not in allowed:
            raise Dropped(Reason.ICV_LENGTH, f"AH header of {size} octets, not {min(allowed)}")
        if len(packet) < at + size:
            raise Dropped(Reason.TOO_SHORT, f"{len(packet) - at} octets behind the IP header")
        return size


def spi_of(packet: bytes) -> bytes:
    """The SPI of an IP packet with AH; Dropped where it holds none."""
    at = before_ah(packet)
    if len(packet) < at + FIXED:
        raise Dropped(Reason.TOO_SHORT, f"{len(packet) - at} octets behind the IP header")
    return packet[at + 4 : at + 8]
