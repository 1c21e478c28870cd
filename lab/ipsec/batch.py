"""What the data plane says where it says it of many packets at once."""

from collections.abc import Iterator
from dataclasses import dataclass

from lab.ike.path import Path
from lab.ipsec.dataplane import EspPacket

MOST = 64  # datagrams in one send (Linux, UDP_MAX_SEGMENTS of the kernels before 6.9)
TRAINS = 4  # that are sealed or opened in one pass where so many wait: measured, more are worth no more
LONGEST = 65535 - 40 - 8  # octets in one send, over either IP version


@dataclass(slots=True)  # not frozen: that would make making one three times as dear
class EspTrain:
    """Send these ESP packets of `size` octets each, the last one maybe shorter, as so many `EspPacket`s."""

    data: bytes
    size: int
    path: Path
    encap: bool
    traffic_class: int
    dont_fragment: bool = False

    @classmethod
    def of(cls, packet: EspPacket) -> "EspTrain":
        """The train of one packet."""
        how = packet.path, packet.encap, packet.traffic_class, packet.dont_fragment
        return cls(packet.data, len(packet.data), *how)

    @property
    def count(self) -> int:
        """How many packets it has."""
        return -(-len(self.data) // self.size)

    @property
    def how(self) -> tuple[Path, bool, int, bool]:
        """What each packet has in common with the others."""
        return self.path, self.encap, self.traffic_class, self.dont_fragment

    def takes(self, packet: EspPacket) -> bool:
        """Whether this packet may come behind: as long as the others, or shorter and the last one."""
        return (
            len(packet.data) <= self.size
            and len(self.data) % self.size == 0
            and len(self.data) + len(packet.data) <= min(LONGEST, MOST * self.size)
            and not packet.mtu
            and (packet.path, packet.encap, packet.traffic_class, packet.dont_fragment) == self.how
        )

    def packets(self) -> Iterator[EspPacket]:
        """The same one by one."""
        for at in range(0, len(self.data), self.size):
            yield EspPacket(self.data[at : at + self.size], *self.how)


@dataclass(slots=True)
class DeliverTrain:
    """Inner packets as one super-packet: `front` is its virtio header and the headers of all, apart from the payload.

    Apart, because putting 64 KB together costs as much as decrypting a few packets.
    """

    front: bytes
    payload: bytes
    count: int
