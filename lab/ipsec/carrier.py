"""Inner packets in and out of ESP or AH, in the mode of their child; what goes out is what its socket wants.

    ESP    the ESP packet alone: the system or UDP puts headers before it
    AH     the whole IP packet, because the ICV takes in its headers

Tunnel mode protects packets as they are, transport mode what is behind their IP header.
"""

from collections.abc import Callable
from typing import Protocol

from lab.ike.child import ChildSa
from lab.ike.path import Path
from lab.ipsec.ah import AhIn, AhOut
from lab.ipsec.drops import Dropped, Reason
from lab.ipsec.esp import IPV4, IPV6, NONE, EspIn, EspOut, inner_packet
from lab.ipsec.outer import dont_fragment, traffic_class
from lab.ipsec.transport import put_back, refuse_fragments, taken_out
from lab.wire.ids import ProtocolId


class Carrier(Protocol):
    """One child's protocol in its mode."""

    def wrap(self, inner: bytes, path: Path) -> bytes:
        """The packet that carries an inner packet along `path`; Dropped where it cannot."""

    def unwrap(self, packet: bytes, path: Path, outer_class: int) -> bytes:
        """The inner packet; Dropped where a check fails."""

    def largest_inner(self, room: int) -> int:
        """The longest inner packet whose protected form has at most `room` octets behind the IP header."""

    @property
    def newest(self) -> bool:
        """Whether the last packet that was unwrapped is the latest that ever came."""


def carrier(child: ChildSa, random: Callable[[int], bytes]) -> "EspCarrier | AhCarrier":
    """What carries this child's packets."""
    return AhCarrier(child, random) if child.protocol == ProtocolId.AH else EspCarrier(child, random)


class EspCarrier:
    """ESP (RFC 4303 3.1)."""

    def __init__(self, child: ChildSa, random: Callable[[int], bytes]) -> None:
        self.outgoing, self.incoming = EspOut(child, random), EspIn(child)
        self._transport, self._translated = child.mode == "transport", child.encap

    @property
    def newest(self) -> bool:
        """Whether the last packet that was unwrapped is the latest that ever came."""
        return self.incoming.newest

    def largest_inner(self, room: int) -> int:
        """The longest inner packet whose ESP packet has at most `room` octets."""
        return self.outgoing.shape.largest_inner(room)

    def fill(self, octets: int) -> None:
        """Fill inner packets up to so many octets from now on (RFC 4303 2.7)."""
        self.outgoing.fill = octets

    def dummy(self, octets: int) -> bytes:
        """An ESP packet that carries nothing (RFC 4303 2.6)."""
        return self.outgoing.seal(bytes(octets), NONE)

    def wrap(self, inner: bytes, path: Path) -> bytes:
        """The ESP packet."""
        out = self.outgoing
        return out.seal(*taken_out(inner)) if self._transport else out.encapsulate(inner)

    def unwrap(self, packet: bytes, path: Path, outer_class: int) -> bytes:
        """The inner packet, in transport mode with a header made of the path and the class that it came with."""
        if not self._transport:
            return self.incoming.decapsulate(packet)
        payload, next_header = self.incoming.open(packet)
        if next_header == NONE:
            raise Dropped(Reason.DUMMY)
        return put_back(payload, next_header, path, outer_class, translated=self._translated)


class AhCarrier:
    """AH (RFC 4302 3.1)."""

    def __init__(self, child: ChildSa, random: Callable[[int], bytes]) -> None:
        self.outgoing, self.incoming = AhOut(child, int.from_bytes(random(2), "big")), AhIn(child)
        self._transport, self._copy_df = child.mode == "transport", child.copy_df

    @property
    def newest(self) -> bool:
        """Whether the last packet that was unwrapped is the latest that ever came."""
        return self.incoming.newest

    def largest_inner(self, room: int) -> int:
        """The longest inner packet whose AH and content have at most `room` octets."""
        return self.outgoing.shape.largest_inner(room)

    def wrap(self, inner: bytes, path: Path) -> bytes:
        """The IP packet with AH in it."""
        if not self._transport:
            whole = dont_fragment(inner, len(inner), self._copy_df)
            return self.outgoing.encapsulate(inner, path, traffic_class(inner), whole=whole)
        refuse_fragments(inner)
        return self.outgoing.insert(inner)

    def unwrap(self, packet: bytes, path: Path, outer_class: int) -> bytes:
        """The inner packet, in transport mode with the headers that it came with."""
        opened = self.incoming.open(packet)
        if self._transport:
            return opened.joined
        if opened.next_header not in (IPV4, IPV6):
            raise Dropped(Reason.NEXT_HEADER, str(opened.next_header))
        return inner_packet(opened.payload, 4 if opened.next_header == IPV4 else 6)
