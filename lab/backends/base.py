"""What the daemon asks of a backend. Reports come back as lists; a backend calls nobody."""

from collections.abc import Sequence
from typing import Protocol

from lab.ike.child import ChildSa
from lab.ike.config import Child
from lab.ike.path import Path
from lab.ike.virtual import Address
from lab.ipsec.dataplane import Acquire, Aging, Expired, Moved
from lab.wire.payloads_v2 import TrafficSelector

Report = Acquire | Aging | Expired | Moved


class Backend(Protocol):
    """Carries packets for the children it is given."""

    name: str

    def sources(self) -> Sequence[int]:
        """File descriptors to watch; `read` wants to be called when one is readable."""

    def read(self, source: int, now: float) -> list[Report]:
        """Take what waits behind a file descriptor, never blocking."""

    def esp_in_udp(self, data: bytes, path: Path, now: float, traffic_class: int, segment: int = 0) -> list[Report]:
        """Take an ESP packet that came in a UDP datagram of the daemon's.

        With `segment` they are several of this length, the last one maybe shorter.
        """

    def next_deadline(self) -> float | None:
        """When `tick` wants to be called; None for never."""

    def tick(self, now: float) -> list[Report]:
        """Do what time alone brings."""

    def install(self, child: ChildSa, *, outbound: bool = True) -> None:
        """Put both directions of a child into effect; with `outbound` False it stands by for sending."""

    def use(self, spi_in: bytes) -> None:
        """Send through this child from now on."""

    def remove(self, spi_in: bytes) -> None:
        """Take a child out, both directions."""

    def move(self, spi_in: bytes, path: Path, *, encap: bool) -> None:
        """Let a child's packets go along another path, in UDP or not."""

    def roamed(self) -> None:
        """Addresses or routes of this host have changed."""

    def add_address(self, address: Address) -> None:
        """Put a virtual address on this host; children installed later use it as their source."""

    def remove_address(self, address: Address) -> None:
        """Take a virtual address away, unless it was there before."""

    def trap(
        self, child: Child, path: Path, local: Sequence[TrafficSelector], remote: Sequence[TrafficSelector]
    ) -> None:
        """Ask for this child, which will go along this path, as soon as a packet wants it."""

    def give_up(self, child: str) -> None:
        """IKE could not make this child; the next packet may ask again."""

    def interface_to(self, host: str) -> int:
        """The interface by which datagrams must leave to this host, 0 where routing decides, NOWHERE (datagrams.py)."""

    def usage(self) -> dict[str, dict[str, int]]:
        """Packets and octets of each child, by inbound SPI in hexadecimal digits."""

    def carried(self) -> dict[bytes, tuple[float, float]]:
        """When a packet last came in and went out, by inbound SPI; only of children that carried any."""

    def drops(self) -> dict[str, int]:
        """Dropped packets by reason."""

    def offload(self) -> dict[str, object]:
        """Which way packets go and how many went together, for the statistics; empty where there is but one way."""

    def close(self) -> None:
        """Take away everything that was put into the system."""
