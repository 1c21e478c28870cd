"""ESP and AH in user space: a TUN device for the plain side, raw sockets and the daemon's UDP socket for the other.

    system --route--> TUN --> Dataplane --> raw socket (IP protocol 50 or 51) or UDP 4500
    system <--------- TUN <-- Dataplane <-- the same
    system <--> TUN of a GRE tunnel <--> GreTunnels <--> Dataplane

Rules of this file:
- No thread and no waiting: the daemon's selector says when something is readable.
- What the system refuses (a full queue, no route) is a counted drop, never an error.
"""

import socket
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Protocol, Unpack

from lab.backends import offload
from lab.backends.base import Report
from lab.backends.datagrams import How, family_of
from lab.backends.gre import GreDevices
from lab.backends.icmp import IcmpSockets
from lab.backends.outbox import Outbox
from lab.backends.raw import RawSockets, ipv6
from lab.backends.routes import Network, Routes, networks
from lab.ike.child import ChildSa
from lab.ike.config import Child
from lab.ike.gre import Gre
from lab.ike.path import Path
from lab.ike.virtual import Address
from lab.ipsec.batch import LONGEST, MOST, DeliverTrain, EspTrain
from lab.ipsec.dataplane import (
    Acquire,
    Aging,
    AhPacket,
    Dataplane,
    Deliver,
    EspPacket,
    Expired,
    Inbound,
    Moved,
    Outbound,
    Widened,
)
from lab.ipsec.drops import Dropped, Reason
from lab.ipsec.gre import GreTunnels
from lab.trace import Trace
from lab.wire.payloads_v2 import TrafficSelector

if TYPE_CHECKING:
    from lab.ipsec.train.plane import Trains

BATCH = 64  # packets taken from one file descriptor before the others get their turn
ORDINARY = 1400  # an inner packet while no child says more
LEAST = {4: 552, 6: 1280}  # an inner packet that must always fit, be it in pieces of ESP: as Linux has it; RFC 8200 5
_UDP_HEADER = 8
_IP_HEADER = {socket.AF_INET: 20, socket.AF_INET6: 40}


class SendUdp(Protocol):
    """How the daemon sends a UDP datagram; may raise OSError."""

    def __call__(self, data: bytes, path: Path, **how: Unpack[How]) -> None:
        """Send along a path."""


class Userspace:
    """The data plane with its device and sockets."""

    name = "userspace"

    def __init__(
        self,
        trace: Trace,
        random: Callable[[int], bytes],
        send_udp: SendUdp,
        *,
        gre: Sequence[Gre] = (),
        dummy_rate: float = 0.0,
        wish: str = offload.SUPER_PACKETS,
    ) -> None:
        self._plane, self._send_udp = Dataplane(trace, random, dummy_rate=dummy_rate), send_udp
        self._trace = trace
        self._tun = offload.device(wish)
        self._trains = offload.trains(self._plane, self._tun)
        self._outbox = Outbox(self._send, self._plane.drops, segments=offload.segments(wish))
        self._tunnels, self._gre = GreTunnels(gre), GreDevices(gre)
        self._raw, self._icmp = RawSockets(), IcmpSockets()
        self._routes = Routes(self._tun.name, trace)
        self._links: dict[bytes, tuple[int, int]] = {}
        self._mtu = 0
        self._fit()

    def sources(self) -> Sequence[int]:
        """The devices and the raw sockets."""
        return (self._tun.fileno(), *self._gre.names, *self._raw.sources(), *self._icmp.sources())

    def read(self, source: int, now: float) -> list[Report]:
        """Take up to a batch of packets."""
        reports: list[Report] = []
        if self._trains is not None and source == self._tun.fileno():
            return self._outbound_together(self._trains, now)
        take = self._outbound if source == self._tun.fileno() else self._inbound_raw
        take = self._outbound_gre if source in self._gre.names else take
        take = self._inbound_icmp if source in self._icmp.sources() else take
        for _ in range(BATCH):
            found = take(source, now)
            if found is None:
                break
            reports += found
        self._outbox.flush()
        return reports

    def _outbound_together(self, trains: "Trains", now: float) -> list[Report]:
        reports: list[Report] = []
        for packets in self._tun.batches(BATCH):
            reports += self._carried_out(trains.from_device(packets, now))
        self._outbox.flush()
        return reports

    def _outbound(self, _source: int, now: float) -> list[Report] | None:
        packet = self._tun.read()
        if packet is None:
            return None
        return self._carried_out(self._plane.outbound(packet, now))

    def _outbound_gre(self, source: int, now: float) -> list[Report] | None:
        name = self._gre.names[source]
        packet = self._gre[name].read()
        if packet is None:
            return None
        return self._carried_out(self._plane.outbound(self._tunnels.by_name[name].encapsulate(packet), now))

    def _carried_out(self, actions: Iterable[Outbound | EspTrain | Widened]) -> list[Report]:
        reports: list[Report] = []
        for action in actions:
            match action:
                case EspPacket() | AhPacket() | EspTrain():
                    self._outbox.put(action)
                case Widened():
                    self._fit()
                case Acquire() | Aging() | Expired():
                    reports.append(action)
        return reports

    def next_deadline(self) -> float | None:
        """When the data plane has something to do by itself."""
        return self._plane.next_deadline()

    def tick(self, now: float) -> list[Report]:
        """Send dummy packets, and try paths anew."""
        reports = self._carried_out(self._plane.tick(now))
        self._outbox.flush()
        return reports

    def _send(self, packet: EspPacket | EspTrain | AhPacket) -> None:
        """Give it to its socket; may raise OSError."""
        path, interface = packet.path, self.interface_to(packet.path.remote_host)
        match packet:
            case AhPacket(data=data):
                self._raw.send_whole(data, path, interface=interface, mtu=packet.mtu)
            case EspPacket(data=data, mtu=mtu) if mtu:
                whole = ipv6(data, path, packet.traffic_class)
                self._raw.send_whole(whole, path, interface=interface, mtu=mtu)
            case EspTrain(data=data, size=size):
                df, bits = packet.dont_fragment, packet.traffic_class
                self._send_udp(
                    data, path, **How(traffic_class=bits, interface=interface, dont_fragment=df, segment=size)
                )
            case EspPacket(data=data):
                send = self._send_udp if packet.encap else self._raw.send_esp
                df, bits = packet.dont_fragment, packet.traffic_class
                send(data, path, **How(traffic_class=bits, interface=interface, dont_fragment=df))

    def _inbound_raw(self, source: int, now: float) -> list[Report] | None:
        try:
            found = self._raw.receive(source)
        except OSError as error:
            # An ICMP error that belongs to an earlier packet; the next call reads on.
            self._trace.emit("note", f"raw socket: {error.strerror}")
            return []
        if found is None:
            return None
        data, path, traffic_class = found
        if self._raw.is_ah(source):
            return self._arrived(self._plane.inbound_ah(data, path, now))
        return self._arrived(self._plane.inbound(data, path, now, traffic_class))

    def _inbound_icmp(self, source: int, now: float) -> list[Report] | None:
        found = self._icmp.receive(source)
        if found is None:
            return None
        if self._plane.too_big(*found, now):
            self._fit()
        return []

    def esp_in_udp(self, data: bytes, path: Path, now: float, traffic_class: int, segment: int = 0) -> list[Report]:
        """Take an ESP packet that came in a UDP datagram of the daemon's, or several of `segment` octets each."""
        if not segment:
            return self._arrived(self._plane.inbound(data, path, now, traffic_class))
        if self._trains is not None:
            return self._arrived(self._trains.inbound(data, segment, path, now, traffic_class))
        parts = (data[at : at + segment] for at in range(0, len(data), segment))
        return [report for part in parts for report in self.esp_in_udp(part, path, now, traffic_class)]

    def _arrived(self, actions: Sequence[Inbound | DeliverTrain]) -> list[Report]:
        reports: list[Report] = []
        for action in actions:
            match action:
                case Deliver(packet=packet):
                    self._deliver(packet)
                case DeliverTrain():
                    self._deliver_train(action)
                case Moved() | Aging() | Expired():
                    reports.append(action)
        return reports

    def _deliver_train(self, train: DeliverTrain) -> None:
        try:
            self._tun.write_uncut(train.front, train.payload)
        except OSError as error:
            for _ in range(train.count):
                self._plane.drops.add(Reason.NOT_DELIVERED, direction="in", detail=error.strerror)

    def _deliver(self, packet: bytes) -> None:
        try:
            found = self._tunnels.inbound(packet)
            if found is None:
                self._tun.write(packet)
            else:
                self._gre[found.interface].write(found.packet)
        except Dropped as drop:
            self._plane.drops.add(drop.why, direction="in", detail=drop.detail)
        except OSError as error:
            self._plane.drops.add(Reason.NOT_DELIVERED, direction="in", detail=error.strerror)

    def install(self, child: ChildSa, *, outbound: bool = True) -> None:
        """Put a child into effect: first the data plane, then the routes that bring packets to it."""
        self._plane.install(child, outbound=outbound)
        self._measure(child)
        self._routes.add(child.ts_local, child.ts_remote)

    def _measure(self, child: ChildSa) -> None:
        """What the first link of this child's path takes, and the octets before ESP or AH on it."""
        headers = _IP_HEADER[family_of(child.path.remote_host)] + _UDP_HEADER * child.encap
        self._links[child.spi_in] = self._routes.mtu_to(child), headers
        self._fit()

    def use(self, spi_in: bytes) -> None:
        """Send through this child from now on."""
        self._plane.use(spi_in)

    def remove(self, spi_in: bytes) -> None:
        """Take a child out: first the routes."""
        child = self._plane.child(spi_in)
        if child is None:
            return
        self._routes.remove(child.ts_remote)
        self._plane.remove(spi_in)
        del self._links[spi_in]
        self._fit()

    def _fit(self) -> None:
        """Let inner packets be no longer than each child's path takes.

        The device takes what fits the widest path, and its routes say where less does: so the system tells the senders,
        and cuts what may be cut, before ESP (RFC 4301 8.2.1).
        """
        rooms = {spi: self._plane.fit(spi, *link) for spi, link in self._links.items()}
        mtu = max([LEAST[6], *rooms.values()] if rooms else [ORDINARY])
        if mtu != self._mtu:
            # What is cut out of one super-packet should leave in one send.
            longest = max((link - headers for link, headers in self._links.values()), default=mtu)
            self._routes.up(mtu, min(MOST, LONGEST // longest))
            self._mtu = mtu
        limits: dict[Network, int] = {}
        for child in self._plane.children():
            for network in networks(child.ts_remote):
                room = max(rooms.get(child.spi_in, mtu), LEAST[network.version])
                limits[network] = min(room, limits.get(network, mtu))
        self._routes.limit({network: room for network, room in limits.items() if room < mtu})

    def move(self, spi_in: bytes, path: Path, *, encap: bool) -> None:
        """Let a child's packets go along another path, in UDP or not."""
        self._plane.move(spi_in, path, encap=encap)
        if child := self._plane.child(spi_in):
            self._measure(child)

    def roamed(self) -> None:
        """The way to the peers may be another one now."""
        self._routes.roamed()

    def add_address(self, address: Address) -> None:
        """The device gets the virtual address: routes through it take it as their source."""
        self._routes.add_address(address)

    def remove_address(self, address: Address) -> None:
        """Take a virtual address from the device."""
        self._routes.remove_address(address)

    def trap(
        self, child: Child, path: Path, local: Sequence[TrafficSelector], remote: Sequence[TrafficSelector]
    ) -> None:
        """Ask for this child as soon as a packet wants it."""
        self._plane.trap(child.name, local, remote)
        self._routes.add(local, remote)

    def give_up(self, child: str) -> None:
        """The next packet may ask again."""
        self._plane.give_up(child)

    def interface_to(self, host: str) -> int:
        """The interface to this host where a route of ours covers it."""
        return self._routes.interface_to(host)

    def usage(self) -> dict[str, dict[str, int]]:
        """Packets and octets of each child."""
        return self._plane.usage()

    def carried(self) -> dict[bytes, tuple[float, float]]:
        """When a packet last came in and went out."""
        return self._plane.carried()

    def drops(self) -> dict[str, int]:
        """Dropped packets by reason."""
        return dict(self._plane.drops.counts)

    def offload(self) -> dict[str, object]:
        """Which way packets go, and how many went together."""
        way = offload.UDP if self._outbox.segments else offload.NONE
        counts = {**self._outbox.counts, **(self._trains.counts if self._trains else {})}
        return {"path": offload.SUPER_PACKETS if self._trains else way, **counts}

    def close(self) -> None:
        """Routes, device and raw sockets go."""
        self._routes.close()
        self._tun.close()
        self._gre.close()
        self._raw.close()
        self._icmp.close()
