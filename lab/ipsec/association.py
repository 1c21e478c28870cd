"""One child as installed: two directions of ESP or AH, the selectors of both sides, the path, and what went through."""

from collections.abc import Callable
from dataclasses import replace

from lab.ike.child import TO_THE_MTU, ChildSa
from lab.ike.path import Path
from lab.ipsec import dummies
from lab.ipsec.carrier import EspCarrier, carrier
from lab.ipsec.drops import Dropped, Reason
from lab.ipsec.flow import Known, flow_of, key_of
from lab.ipsec.outer import dont_fragment, with_congestion
from lab.ipsec.selector import Selectors
from lab.wire.ids import ProtocolId

LARGEST = 65535


class Association:
    """A child in the data plane."""

    __slots__ = (
        "__weakref__",
        "_admitted",
        "_told",
        "_warned",
        "bytes_in",
        "bytes_out",
        "carrier",
        "child",
        "last_in",
        "last_out",
        "mtu",
        "packets_in",
        "packets_out",
        "path",
        "room",
        "selectors",
    )

    def __init__(self, child: ChildSa, random: Callable[[int], bytes]) -> None:
        self.child, self.path, self._told = child, child.path, child.path
        self.carrier = carrier(child, random)
        self.selectors = Selectors.of(child.ts_local, child.ts_remote)
        self._admitted: Known[None] = Known()
        self.bytes_in = self.bytes_out = self.packets_in = self.packets_out = 0
        self.last_in = self.last_out = 0.0
        self._warned = False
        self.mtu = self.room = LARGEST

    @property
    def transport(self) -> bool:
        """Whether the IP header stays outside."""
        return self.child.mode == "transport"

    def seal(self, inner: bytes, now: float) -> bytes:
        """The ESP packet, or the IP packet with AH, for an inner packet that the selectors take."""
        if self.child.limits.hard(self.bytes_out, self.packets_out):
            raise Dropped(Reason.LIFETIME)
        packet = self.carrier.wrap(inner, self.path)
        self.sealed(len(inner), 1, now)
        return packet

    def fit(self, mtu: int, headers: int) -> int:
        """Know how long packets on the path may be, with what is before ESP or AH; the longest inner packet then."""
        self.mtu, self.room = mtu, mtu - headers
        longest = self.carrier.largest_inner(self.room)
        if self.child.tfc_padding and isinstance(self.carrier, EspCarrier):
            wanted = self.child.tfc_padding
            self.carrier.fill(longest if wanted == TO_THE_MTU else min(wanted, longest))
        return longest

    def dummy(self, random: Callable[[int], bytes], now: float) -> bytes:
        """A packet that carries nothing, empty where the protocol has none; Dropped as `seal` does."""
        carrier = self.carrier
        if not isinstance(carrier, EspCarrier):
            return b""
        if self.child.limits.hard(self.bytes_out, self.packets_out):
            raise Dropped(Reason.LIFETIME)
        packet = carrier.dummy(dummies.length(random, carrier.outgoing.fill, carrier.largest_inner(self.room)))
        self.packets_out += 1
        self.last_out = now
        return packet

    def whole(self, headers: bytes, octets: int, sealed: int) -> bool:
        """Whether the ESP packet of `sealed` octets must not be cut under way: what cannot fit loses a copied DF.

        The inner packet has `octets`, and begins with these headers.
        """
        policy = "yes" if self.transport else self.child.copy_df
        return dont_fragment(headers, octets, policy) and (policy == "set" or sealed <= self.room)

    def cut_at(self, sealed: int) -> int:
        """How long the pieces of an IPv6 packet may be that does not fit; 0 where it does, or the system cuts it."""
        if self.child.encap or ":" not in self.path.remote_host:
            return 0
        most = self.mtu if self.child.protocol == ProtocolId.AH else self.room
        return self.mtu if sealed > most else 0

    def open(self, packet: bytes, path: Path, outer_class: int, now: float) -> bytes:
        """The inner packet, after every check; Dropped where one fails."""
        if self.child.limits.hard(self.bytes_in, self.packets_in):
            raise Dropped(Reason.LIFETIME)
        inner = self.carrier.unwrap(packet, path, outer_class)
        self._admit(inner)
        if not self.transport:
            inner = with_congestion(inner, outer_class)
        self.opened(len(inner), 1, path, now)
        return inner

    def _admit(self, inner: bytes) -> None:
        """Dropped where the selectors do not allow this packet in here (RFC 4301 5.2 step 4)."""
        key = key_of(inner)
        if key in self._admitted:
            return
        flow = flow_of(inner)
        if not self.selectors.inbound(flow):
            raise Dropped(Reason.INNER_SELECTORS, str(flow))
        self._admitted.keep(key, None)

    def roomy(self, octets: int, packets: int, *, inbound: bool) -> bool:
        """Whether these go through before any limit, be it the soft one, has to be looked at."""
        before = (self.bytes_in, self.packets_in) if inbound else (self.bytes_out, self.packets_out)
        after, limits = (before[0] + octets, before[1] + packets), self.child.limits
        return not limits.hard(*after) and (self._warned or not limits.soft(*after))

    def sealed(self, octets: int, packets: int, now: float) -> None:
        """Count what went out."""
        self.packets_out += packets
        self.last_out = now
        self.bytes_out += octets

    def opened(self, octets: int, packets: int, path: Path, now: float) -> None:
        """Count what came in."""
        self.packets_in += packets
        # RFC 4555 3.12: a peer that sends from where it was before is no proof that it follows our moves.
        if (path.local_host, path.remote_host) == (self.path.local_host, self.path.remote_host):
            self.last_in = now
        self.bytes_in += octets

    def aging(self) -> bool:
        """Whether one direction has just reached its soft limit; said once."""
        soft = self.child.limits.soft
        if self._warned or not (soft(self.bytes_out, self.packets_out) or soft(self.bytes_in, self.packets_in)):
            return False
        self._warned = True
        return True

    def move(self, path: Path, *, encap: bool) -> None:
        """Go along another path from now on, in UDP or not."""
        self.path = self._told = path
        self.child = replace(self.child, path=path, encap=encap)

    def strayed(self, path: Path) -> bool:
        """Whether the authentic packet just opened shows a path that is neither ours nor told before.

        It is told once, so that a flood from elsewhere does not become as many messages. Packets that came late say
        nothing, and neither does raw ESP, which has no ports that a NAT could have changed.
        """
        if not self.child.encap or path in (self.path, self._told) or not self.carrier.newest:
            return False
        self._told = path
        return True

    def usage(self) -> dict[str, int]:
        """What went through, as in the SA view; octets are those of inner packets."""
        return {
            "bytes_in": self.bytes_in,
            "bytes_out": self.bytes_out,
            "packets_in": self.packets_in,
            "packets_out": self.packets_out,
        }
