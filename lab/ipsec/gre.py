"""GRE in user space: IP packets into GRE packets between two addresses, and back (RFC 2784, RFC 2890).

    out   IP packet -> IP header | GRE header | IP packet, to go where the policies send protocol 47
    in    IP packet of protocol 47 from a tunnel's far end -> the IP packet inside, and whose tunnel it is

Rules of this file:
- Pure: devices and sockets are elsewhere. A packet that ends here is a Dropped with its reason.
- A checksum is verified where there is one; a tunnel that sends none may be sent one (RFC 2784 2.3).
- The key tells the tunnels between two addresses apart (RFC 2890 2.1): another key, or none, is no packet of ours.
- Out of sequence is what is not newer than the last packet, modulo 2^32; a gap is no loss, and nothing is held back
  to put packets in order (RFC 2890 2.2 leaves that open).
- Over IPv6 options for the destination may stand before GRE: Linux says there how deep tunnels may nest (RFC 2473 5.1).
- The outer header takes the traffic class of the inner one, and gives congestion marks back (RFC 6040).
"""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from lab.errors import ProtocolError
from lab.ike.gre import Gre
from lab.ipsec.drops import Dropped, Reason
from lab.ipsec.headers import behind_options
from lab.ipsec.outer import traffic_class, with_congestion
from lab.wire.gre import IPV4, IPV6, GREPacket
from lab.wire.packets import GRE, IP, IPv4, IPv6, decode_ip

_TTL = 64
_PROTOCOL_V4, _PROTOCOL_V6, _PAD1 = 9, 6, 0
_DONT_FRAGMENT = 0x4000
_MODULUS, _HALF = 1 << 32, 1 << 31
_SHAPES = {IPV4: (4, 20), IPV6: (6, 40)}  # IP version and shortest packet of an EtherType


class GreTunnel:
    """One tunnel with its sequence numbers."""

    __slots__ = ("_last", "_next", "config")

    def __init__(self, config: Gre) -> None:
        self.config = config
        self._next, self._last = 0, -1  # RFC 2890 2.2: the first datagram is sent with sequence number 0

    def encapsulate(self, packet: bytes) -> bytes:
        """The IP packet around GRE around this IP packet."""
        config = self.config
        sequence = None
        if config.sequence_numbers:
            sequence, self._next = self._next, (self._next + 1) % _MODULUS
        protocol = IPV6 if packet[0] >> 4 == 6 else IPV4
        gre = GREPacket(protocol, packet, config.key, sequence, config.checksum).encode()
        if isinstance(config.local, IPv4Address) and isinstance(config.remote, IPv4Address):
            # Whole or not at all, so that it needs no identification (RFC 6864 4.1).
            return IPv4(
                config.local, config.remote, GRE, gre, _TTL, traffic_class(packet), fragment=_DONT_FRAGMENT
            ).encode()
        assert isinstance(config.local, IPv6Address) and isinstance(config.remote, IPv6Address), "checked when read"
        return IPv6(config.local, config.remote, GRE, gre, _TTL, traffic_class(packet)).encode()

    def decapsulate(self, gre: GREPacket, outer_class: int) -> bytes:
        """The IP packet inside; Dropped where it is out of sequence or no IP packet."""
        version, shortest = _SHAPES.get(gre.protocol, (0, 0))
        if not version or len(gre.payload) < shortest or gre.payload[0] >> 4 != version:
            raise Dropped(Reason.GRE_PROTOCOL, f"EtherType {gre.protocol:#06x}, {len(gre.payload)} octets")
        self._in_sequence(gre.sequence)
        return with_congestion(gre.payload, outer_class)

    def _in_sequence(self, sequence: int | None) -> None:
        """RFC 2890 2.2; a packet without a number is always in sequence, and so is the first one that has one."""
        if sequence is None or not self.config.sequence_numbers:
            return
        if self._last >= 0 and (self._last - sequence) % _MODULUS < _HALF:
            raise Dropped(Reason.GRE_SEQUENCE, f"number {sequence} after {self._last}")
        self._last = sequence


@dataclass(frozen=True, slots=True)
class Decapsulated:
    """The packet that came out of a tunnel, and the name of its interface."""

    interface: str
    packet: bytes


class GreTunnels:
    """All tunnels of a host."""

    def __init__(self, configs: Iterable[Gre]) -> None:
        made = [GreTunnel(config) for config in configs]
        self.by_name = {tunnel.config.name: tunnel for tunnel in made}
        self._by_ends = {(t.config.remote, t.config.local, t.config.key): t for t in made}
        self._ends = {(t.config.remote, t.config.local) for t in made}

    def inbound(self, packet: bytes) -> Decapsulated | None:
        """What comes out of one of our tunnels; None where the packet is for somebody else. May raise Dropped."""
        if not self._ends or not _is_gre(packet):
            return None
        try:
            ip = decode_ip(packet)
            if (ip.src, ip.dst) not in self._ends:
                return None
            gre = GREPacket.decode(_behind_options(ip))
        except ProtocolError as error:
            raise Dropped(Reason.GRE_HEADER, error.reason) from None
        return self._decapsulated(ip, gre)

    def _decapsulated(self, ip: IP, gre: GREPacket) -> Decapsulated:
        tunnel = self._by_ends.get((ip.src, ip.dst, gre.key))
        if tunnel is None:
            words = "no key" if gre.key is None else f"key {gre.key}"
            raise Dropped(Reason.GRE_KEY, f"{words} from {ip.src}")
        return Decapsulated(tunnel.config.name, tunnel.decapsulate(gre, ip.tos))


def _is_gre(packet: bytes) -> bool:
    """Whether GRE is inside; what the selectors let through may be anything else."""
    if not packet or packet[0] >> 4 != 6:
        return len(packet) > _PROTOCOL_V4 and packet[_PROTOCOL_V4] == GRE
    with suppress(Dropped):  # cut short among its options: not for us to say what it was
        return behind_options(packet)[1] == GRE
    return packet[_PROTOCOL_V6 : _PROTOCOL_V6 + 1] == bytes((GRE,))


def _behind_options(ip: IP) -> bytes:
    """GRE without what is before it; ProtocolError where an option is none to pass over (RFC 8200 4.2)."""
    header, protocol = 0, ip.protocol
    try:
        while protocol != GRE:
            after = header + 8 + 8 * ip.payload[header + 1]
            _pass_over(ip.payload[header + 2 : after])
            protocol, header = ip.payload[header], after
    except IndexError:
        raise ProtocolError("IPv6 options are cut short") from None
    return ip.payload[header:]


def _pass_over(options: bytes) -> None:
    at = 0
    while at < len(options):
        if options[at] >> 6:
            raise ProtocolError(f"IPv6 option {options[at]} that is not to be passed over")
        at += 1 if options[at] == _PAD1 else 2 + options[at + 1]
