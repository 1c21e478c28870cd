"""The recorder process: reads packet sockets and writes pcapng.

Run as `python -m lab.emulation.recorder` with a socket as standard input.

It imports little and is started with exec, once for all networks of a lab: in the guest, forking a process as large
as a test run costs more than a handshake, and every page touched afterwards costs again.

    -> {"start": ID, "taps": [{INTERFACE: POINT, ...}, ...]}   with descriptors: the file, then one packet socket per
    tap -> {"stop": ID}                          <- {"packets": N, "dropped": N}, when everything captured is in the
    file

Sockets stamp and keep packets from the moment the lab opened them, so it does not matter when this process gets to
them. It ends when the lab closes its end, or dies.
"""

import json
import os
import select
import signal
import socket
import struct
import sys
from collections.abc import Sequence

from lab.emulation import linux
from lab.emulation.ordering import Frame, Merger
from lab.wire.pcapng import Direction, Packet, packet_block

# What ends the lab must not end its capture before the last packet.
IGNORED = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
_SOL_PACKET, _PACKET_STATISTICS, _PACKET_OUTGOING = 263, 6, 4
_LARGEST = 1 << 17
_MESSAGE, _DESCRIPTORS = 1 << 20, 250
_PASSES = 16  # how often to look again before writing: a steady stream must not keep the file waiting
_TIMESPEC = struct.Struct("=qq")


class Tap:
    """The packet socket of one node; `points` maps its interfaces to capture points."""

    def __init__(self, descriptor: int, points: dict[str, int]) -> None:
        self.socket = socket.socket(fileno=descriptor)
        self.socket.setblocking(False)
        self._points = points

    def read(self) -> list[Frame]:
        """All frames that wait in the socket."""
        frames: list[Frame] = []
        while True:
            try:
                data, ancillary, _, address = self.socket.recvmsg(_LARGEST, 64)
            except BlockingIOError:
                return frames
            point = self._points.get(address[0])
            if point is not None and ancillary:
                seconds, nanoseconds = _TIMESPEC.unpack(ancillary[0][2])
                outgoing = address[2] == _PACKET_OUTGOING
                frames.append(Frame(seconds * 10**9 + nanoseconds, point, outgoing, data))

    def dropped(self) -> int:
        """Packets that found the buffer full."""
        _, drops = struct.unpack("=II", self.socket.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8))
        return int(drops)


class Recording:
    """The capture of one network."""

    def __init__(self, file: int, taps: Sequence[Tap]) -> None:
        self._file, self.taps = file, taps
        self._poll = select.poll()
        for tap in taps:
            self._poll.register(tap.socket, select.POLLIN)
        self._by_descriptor = {tap.socket.fileno(): tap for tap in taps}
        self._merger = Merger()
        self._packets = 0

    def write(self) -> None:
        """Write all that waits, in order; looks until nothing is left, since no frame's cause must miss its batch."""
        frames: dict[int, list[Frame]] = {descriptor: [] for descriptor in self._by_descriptor}
        for _ in range(_PASSES):
            ready = self._poll.poll(0)
            if not ready:
                break
            for descriptor, _ in ready:
                frames[descriptor] += self._by_descriptor[descriptor].read()
        merged = self._merger.merge(list(frames.values()))
        data = memoryview(b"".join(map(_block, merged)))
        while data:
            data = data[os.write(self._file, data) :]
        self._packets += len(merged)

    def finish(self) -> dict[str, int]:
        """Write the rest, close everything, and say what was counted."""
        self.write()
        dropped = sum(tap.dropped() for tap in self.taps)
        for tap in self.taps:
            tap.socket.close()
        os.close(self._file)
        return {"packets": self._packets, "dropped": dropped}


def _block(frame: Frame) -> bytes:
    direction = Direction.OUTBOUND if frame.outgoing else Direction.INBOUND
    return packet_block(Packet(frame.time_ns, frame.point, frame.data, direction=direction))


def serve(control: socket.socket) -> None:
    """Record for the lab at the other end of the socket until it hangs up."""
    recordings: dict[int, Recording] = {}
    owner: dict[int, Recording] = {}
    poll = select.poll()
    poll.register(control, select.POLLIN)
    while True:
        ready = {descriptor for descriptor, _ in poll.poll()}
        if control.fileno() in ready:
            message, descriptors, _, _ = socket.recv_fds(control, _MESSAGE, _DESCRIPTORS)
            if not message:
                return
            request = json.loads(message)
            if "start" in request:
                recording = _start(request["taps"], descriptors)
                recordings[request["start"]] = recording
                for tap in recording.taps:
                    poll.register(tap.socket, select.POLLIN)
                    owner[tap.socket.fileno()] = recording
            else:
                recording = recordings.pop(request["stop"])
                for tap in recording.taps:
                    poll.unregister(tap.socket)
                    del owner[tap.socket.fileno()]
                control.send(json.dumps(recording.finish()).encode())
        for recording in {id(owner[d]): owner[d] for d in ready if d in owner}.values():
            recording.write()


def _start(points: Sequence[dict[str, int]], descriptors: Sequence[int]) -> Recording:
    file, *sockets = descriptors
    return Recording(file, [Tap(descriptor, tap) for descriptor, tap in zip(sockets, points, strict=True)])


def main() -> None:
    """Serve on the socket that is standard input."""
    linux.die_with_parent()
    for number in IGNORED:
        signal.signal(number, signal.SIG_IGN)
    with socket.socket(fileno=os.dup(sys.stdin.fileno())) as control:
        serve(control)


if __name__ == "__main__":
    main()
