"""Frames of many capture points in the order in which they happened.

Time alone does not tell: under a virtual clock a packet crosses five nodes within the same nanosecond. Two more facts
do. Each node's frames come in the order in which its kernel handled them, and a frame that enters a node has left the
node at the other end of the link before. So among frames of the same time, one that arrives waits for the same frame
that leaves.
"""

from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass

_REMEMBERED = 256  # frames that left and never arrived (the link's far end refused them) are forgotten in time


@dataclass(frozen=True, slots=True)
class Frame:
    """A captured frame: kernel time, capture point, whether it left there, and its octets."""

    time_ns: int
    point: int
    outgoing: bool
    data: bytes


class Merger:
    """Merges the frames of each node into one causal order.

    The capture points of a link are numbered 2n and 2n + 1: the far end of a point is its number with the last bit
    flipped.
    """

    def __init__(self) -> None:
        self._travelling: dict[int, deque[bytes]] = defaultdict(lambda: deque(maxlen=_REMEMBERED))

    def merge(self, nodes: Sequence[Sequence[Frame]]) -> list[Frame]:
        """All frames, each node's in its own order."""
        queues = [deque(frames) for frames in nodes if frames]
        merged = []
        while queues:
            queue = min(queues, key=lambda queue: (queue[0].time_ns, not self._ready(queue[0])))
            frame = queue.popleft()
            self._passed(frame)
            merged.append(frame)
            if not queue:
                queues.remove(queue)
        return merged

    def _ready(self, frame: Frame) -> bool:
        return frame.outgoing or frame.data in self._travelling[frame.point]

    def _passed(self, frame: Frame) -> None:
        if frame.outgoing:
            self._travelling[frame.point ^ 1].append(frame.data)
        elif self._ready(frame):
            travelling = self._travelling[frame.point]
            while travelling.popleft() != frame.data:
                pass  # a link keeps its order: what left before this frame and has not arrived never will
