"""What goes out, gathered: ESP packets in UDP of one length and path leave in one send (UDP_SEGMENT, Linux 4.18).

Rules of this file:
- The order stays. Whoever puts packets in flushes when there are no more: nothing waits here.
- A device without checksum offload, a packet longer than the MTU: the system refuses the whole, and each packet is
  sent for itself, as it is where the system knows no segments.
- What the system refuses then (a full queue, no route) is a counted drop for each packet, never an error.
"""

import errno
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

from lab.ike.path import Path
from lab.ipsec.batch import EspTrain
from lab.ipsec.dataplane import AhPacket, EspPacket
from lab.ipsec.drops import Drops, Reason

_REFUSED = (errno.EINVAL, errno.EIO, errno.EMSGSIZE, errno.ENOPROTOOPT, errno.EOPNOTSUPP)
Send = Callable[[AhPacket | EspPacket | EspTrain], None]


class Outbox:
    """Packets on their way; `send` may raise OSError, `segments` says whether it takes trains of UDP."""

    def __init__(self, send: Send, drops: Drops, *, segments: bool) -> None:
        self._send, self._drops, self.segments = send, drops, segments
        self._waiting: EspPacket | EspTrain | None = None
        self.counts: Counter[str] = Counter()

    def put(self, packet: AhPacket | EspPacket | EspTrain) -> None:
        """Send it, or keep it until the next one comes."""
        waiting = self._waiting
        if waiting is not None and isinstance(packet, EspPacket):
            train = EspTrain.of(waiting) if isinstance(waiting, EspPacket) else waiting
            if train.takes(packet):
                self._waiting = replace(train, data=train.data + packet.data)
                return
        self.flush()
        if isinstance(packet, EspPacket) and packet.encap and self.segments and not packet.mtu:
            self._waiting = packet
        elif isinstance(packet, EspTrain):
            self._train(packet)
        else:
            self._one(packet)

    def flush(self) -> None:
        """Send what waits."""
        waiting, self._waiting = self._waiting, None
        if isinstance(waiting, EspTrain):
            self._train(waiting)
        elif waiting is not None:
            self._one(waiting)

    def _train(self, train: EspTrain) -> None:
        if not (train.encap and self.segments):
            self._each(train)
            return
        try:
            self._send(train)
        except OSError as error:
            if error.errno in _REFUSED:
                self.counts["batches refused by the system"] += 1
                self._each(train)
            else:
                self._failed(train.path, error, train.count)
            return
        self.counts["batches out"] += 1
        self.counts["packets in batches out"] += train.count

    def _each(self, train: EspTrain) -> None:
        for packet in train.packets():
            self._one(packet)

    def _one(self, packet: AhPacket | EspPacket) -> None:
        try:
            self._send(packet)
        except OSError as error:
            self._failed(packet.path, error, 1)

    def _failed(self, path: Path, error: OSError, count: int) -> None:
        for _ in range(count):
            self._drops.add(Reason.NOT_SENT, direction="out", path=str(path), detail=error.strerror)
