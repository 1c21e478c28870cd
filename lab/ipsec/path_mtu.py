"""The path MTU between two hosts, as routers tell it (RFC 4301 8.2, RFC 1191, RFC 8201).

    ICMP "too big" -> an SA of ours with this SPI, these hosts and ports, and a number it has sent -> a believable MTU
    -> the packets of every SA between these hosts become smaller, for ten minutes

Rules of this file:
- Nobody has authenticated such a message, so a stranger may have made it (RFC 4301 6.1.1, 8.2.1): it must name an SPI
  and a sequence number of late, which only those on the path have seen, and it cannot make packets tiny.
- It only ever makes smaller. What it said is forgotten after a while, and the path is tried anew (RFC 4301 8.2.2).
- Kept by the two hosts and not by SA: a rekeyed SA goes along the same path.
"""

from collections.abc import Iterable

from lab.ike.path import Path
from lab.ipsec.association import Association
from lab.ipsec.drops import Dropped, Reason
from lab.wire.icmp import TooBig
from lab.wire.ids import ProtocolId
from lab.wire.packets import AH_NUMBER, ESP_NUMBER, UDP_NUMBER

AGE_S = 600.0  # RFC 1191 6.3, RFC 8201 4: ten minutes
RECENT = 1 << 16  # a number this far behind the last one that was sent is of no packet under way
LEAST = {4: 576, 6: 1280}  # RFC 1122 3.3.3; RFC 8200 5
# RFC 1191 7.1: where a router does not say how much fits, the next of these below the length of the packet.
PLATEAUS = (32000, 17914, 8166, 4352, 2002, 1492, 1006, 576)

Hosts = tuple[str, str]


class PathMtus:
    """What routers have told, by local and remote host, and until when it holds."""

    def __init__(self) -> None:
        self._told: dict[Hosts, tuple[int, float]] = {}

    def of(self, path: Path, ordinary: int) -> int:
        """The MTU of a path whose first link takes `ordinary` octets."""
        mtu, _until = self._told.get(_hosts(path), (ordinary, 0.0))
        return min(mtu, ordinary)

    def learn(self, message: TooBig, associations: Iterable[Association], now: float) -> int:
        """Believe a router: the MTU; Dropped where the message is not about a packet of ours or not to be believed."""
        association = next((one for one in associations if _is_about(message, one)), None)
        if association is None:
            raise Dropped(Reason.ICMP_STRANGE, f"SPI {message.spi.hex()} to {message.dst}, MTU {message.mtu}")
        hosts, mtu = (message.src, message.dst), _believed(message)
        known, _until = self._told.get(hosts, (mtu + 1, 0.0))
        if mtu < known:
            self._told[hosts] = mtu, now + AGE_S
        return min(mtu, known)

    def next_deadline(self) -> float | None:
        """When something is to be forgotten."""
        return min((until for _, until in self._told.values()), default=None)

    def forget(self, now: float) -> list[Hosts]:
        """Forget what is too old; whose paths are as wide as before."""
        old = [hosts for hosts, (_, until) in self._told.items() if until <= now]
        for hosts in old:
            del self._told[hosts]
        return old


def _hosts(path: Path) -> Hosts:
    return path.local_host, path.remote_host


def _is_about(message: TooBig, association: Association) -> bool:
    """Whether a packet of this SA is what was too big (RFC 4301 8.2.1)."""
    child, path = association.child, association.path
    sent = association.carrier.outgoing.sequence & 0xFFFFFFFF
    return (
        (message.protocol, message.ports) == _around(association)
        and (message.spi, message.src, message.dst) == (child.spi_out, *_hosts(path))
        and (sent - message.sequence) % 2**32 < min(RECENT, association.carrier.outgoing.sequence)
    )


def _around(association: Association) -> tuple[int, tuple[int, int] | None]:
    """The IP protocol of an SA's packets, and their UDP ports where they have any."""
    child, path = association.child, association.path
    if child.protocol == ProtocolId.AH:
        return AH_NUMBER, None
    return (UDP_NUMBER, (path.local_port, path.remote_port)) if child.encap else (ESP_NUMBER, None)


def _believed(message: TooBig) -> int:
    """The MTU that a message stands for; Dropped where it cannot be true."""
    version = 6 if ":" in message.dst else 4
    mtu = message.mtu
    if mtu == 0 and version == 4:
        mtu = next((one for one in PLATEAUS if one < message.length), LEAST[4])
    # RFC 8201 4: less than 1280 is discarded. Of IPv4 the same is said of what no link has to be content with.
    if not LEAST[version] <= mtu < message.length:
        raise Dropped(Reason.ICMP_UNBELIEVED, f"MTU {message.mtu} for a packet of {message.length} octets")
    return mtu
