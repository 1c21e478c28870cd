"""A capture as a list of frames: which octets were seen, when, and at which capture point.

Rules of this file:
- The order of the list is the order of the file. Within one capture point that is the order on the link, even where
  a virtual clock gives all frames the same time.
- A file torn by a killed writer gives the frames before the tear.
"""

from dataclasses import dataclass
from pathlib import Path

from lab.errors import BrokenError, ProtocolError
from lab.wire import pcapng
from lab.wire.pcapng import Direction, LinkType


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame at one capture point; `direction` is the point's view: OUTBOUND means that its node sent it."""

    time_ns: int
    point: str
    data: bytes
    link_type: int = LinkType.ETHERNET
    direction: Direction = Direction.UNKNOWN
    length: int = 0

    @property
    def t(self) -> float:
        """Seconds since 1970."""
        return self.time_ns / 1e9

    @property
    def node(self) -> str:
        """The node that the capture point belongs to."""
        return self.point.partition(":")[0]


def frames_of(capture: pcapng.Capture) -> list[Frame]:
    """The frames of a decoded capture, capture points by name (`if0` where the file names none)."""
    names = [interface.name or f"if{number}" for number, interface in enumerate(capture.interfaces)]
    kinds = [interface.link_type for interface in capture.interfaces]
    return [
        Frame(p.time_ns, names[p.interface], p.data, kinds[p.interface], p.direction, p.length or len(p.data))
        for p in capture.packets
    ]


def read(path: Path) -> list[Frame]:
    """All frames of a pcapng file; raises BrokenError where the file is absent or no pcapng."""
    try:
        return frames_of(pcapng.decode(path.read_bytes()))
    except FileNotFoundError:
        raise BrokenError(f"there is no capture {path.name}") from None
    except ProtocolError as error:
        raise BrokenError(f"{path.name}: {error.reason}") from error
