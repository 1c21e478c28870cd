"""No data plane: IKE alone. Children are negotiated and carry nothing."""

from collections.abc import Sequence

from lab.backends.base import Report
from lab.ike.child import ChildSa
from lab.ike.config import Child
from lab.ike.path import Path
from lab.ike.virtual import Address
from lab.ipsec.drops import Drops, Reason
from lab.trace import Trace
from lab.wire.payloads_v2 import TrafficSelector


class NoDataplane:
    """Drops every ESP packet and counts it."""

    name = "none"

    def __init__(self, trace: Trace) -> None:
        self._drops = Drops(trace)

    def sources(self) -> Sequence[int]:
        """Nothing to watch."""
        return ()

    def read(self, source: int, now: float) -> list[Report]:
        """Nothing to read."""
        return []

    def esp_in_udp(self, data: bytes, path: Path, now: float, traffic_class: int, segment: int = 0) -> list[Report]:
        """Count it as an SPI that nobody has."""
        self._drops.add(Reason.UNKNOWN_SPI, direction="in", spi=data[:4].hex())
        return []

    def next_deadline(self) -> float | None:
        """Never."""
        return None

    def tick(self, now: float) -> list[Report]:
        """Nothing to do."""
        return []

    def install(self, child: ChildSa, *, outbound: bool = True) -> None:
        """Nothing to do."""

    def use(self, spi_in: bytes) -> None:
        """Nothing to do."""

    def remove(self, spi_in: bytes) -> None:
        """Nothing to do."""

    def move(self, spi_in: bytes, path: Path, *, encap: bool) -> None:
        """Nothing to do."""

    def roamed(self) -> None:
        """Nothing to do."""

    def add_address(self, address: Address) -> None:
        """Nothing to do: no packet could use it."""

    def remove_address(self, address: Address) -> None:
        """Nothing to do."""

    def trap(
        self, child: Child, path: Path, local: Sequence[TrafficSelector], remote: Sequence[TrafficSelector]
    ) -> None:
        """Nothing to do: no packet ever comes."""

    def give_up(self, child: str) -> None:
        """Nothing to do."""

    def interface_to(self, host: str) -> int:
        """Routing decides."""
        return 0

    def usage(self) -> dict[str, dict[str, int]]:
        """Nothing was carried."""
        return {}

    def carried(self) -> dict[bytes, tuple[float, float]]:
        """Nothing was carried."""
        return {}

    def drops(self) -> dict[str, int]:
        """ESP packets that came, by reason."""
        return dict(self._drops.counts)

    def offload(self) -> dict[str, object]:
        """Nothing to choose."""
        return {}

    def close(self) -> None:
        """Nothing was put into the system."""
