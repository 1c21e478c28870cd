"""The recorder process: reads packet sockets and writes pcapng.

Run as `python -m lab.emulation.recorder` with a socket as standard input.

It imports little and is started with exec, once for all networks of a lab: in the guest, forking a process as large
as a test run costs more than a handshake, and every page touched afterwards costs again. Requests are JSON:

    {"start": ID, "taps": [{INTERFACE: POINT, ...}, ...]}     with descriptors: the file, then a packet socket per tap
    {"flush": ID}    answered by {"packets": N, "dropped": N} when everything captured is in the file
    {"stop": ID}     the same, and the recording has ended

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
from typing import Any

from lab.emulation import linux
from lab.emulation.ordering import Frame, Merger
from lab.wire.pcapng import Direction, Packet, packet_block

# What ends the lab must not end its capture before the last packet.
IGNORED = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
_SOL_PACKET, _PACKET_STATISTICS, _PACKET_OUTGOING = 263, 6, 4
_LARGEST = 1 << 17
_MESSAGE, _DESCRIPTORS = 1 << 20, 250
_AT_ONCE, _PASSES, _FLUSHES = 4096, 16, 256  # bounds: a steady stream must not keep the file, nor the lab, waiting
TIMESPEC = struct.Struct("=qq")


class Tap:
    """The packet socket of one node; `points` maps its interfaces to capture points."""

    def __init__(self, descriptor: int, points: dict[str, int]) -> None:
        self.socket = socket.socket(fileno=descriptor)
        self.socket.setblocking(False)
        self._points = points

    def read(self) -> list[Frame]:
        """The frames that wait in the socket, up to a bound."""
        frames: list[Frame] = []
        while len(frames) < _AT_ONCE:
            try:
                data, ancillary, _, address = self.socket.recvmsg(_LARGEST, 64)
            except BlockingIOError:
                break
            point = self._points.get(address[0])
            if point is not None and ancillary:
                seconds, nanoseconds = TIMESPEC.unpack(ancillary[0][2])
                outgoing = address[2] == _PACKET_OUTGOING
                frames.append(Frame(seconds * 10**9 + nanoseconds, point, outgoing, data))
        return frames

    def dropped(self) -> int:
        """Packets that found the buffer full since this was last asked."""
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
        self._packets = self._dropped = 0

    def wait(self) -> None:
        """Wait until a frame has come."""
        self._poll.poll()

    def write(self) -> int:
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
        return len(merged)

    def flush(self) -> dict[str, int]:
        """Write all that was captured until now, and say what was counted."""
        for _ in range(_FLUSHES):
            if not self.write():
                break
        self._dropped += sum(tap.dropped() for tap in self.taps)
        return {"packets": self._packets, "dropped": self._dropped}

    def finish(self) -> dict[str, int]:
        """The same, and close everything."""
        counted = self.flush()
        for tap in self.taps:
            tap.socket.close()
        os.close(self._file)
        return counted


def _block(frame: Frame) -> bytes:
    direction = Direction.OUTBOUND if frame.outgoing else Direction.INBOUND
    return packet_block(Packet(frame.time_ns, frame.point, frame.data, direction=direction))


class Server:
    """Records for the lab at the other end of a socket, any number of networks at once, until it hangs up."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._recordings: dict[int, Recording] = {}
        self._owner: dict[int, Recording] = {}  # by the descriptor of a tap
        self._poll = select.poll()
        self._poll.register(control, select.POLLIN)

    def serve(self) -> None:
        """Wait for packets and requests; returns when the lab hangs up."""
        while True:
            ready = {descriptor for descriptor, _ in self._poll.poll()}
            if self._control.fileno() in ready:
                message, descriptors, _, _ = socket.recv_fds(self._control, _MESSAGE, _DESCRIPTORS)
                if not message:
                    return
                self._request(json.loads(message), descriptors)
            for recording in {self._owner[descriptor] for descriptor in ready & self._owner.keys()}:
                recording.write()

    def _request(self, request: dict[str, Any], descriptors: Sequence[int]) -> None:
        if "start" in request:
            self._start(request["start"], request["taps"], descriptors)
            return
        counted = self._recordings[request["flush"]].flush() if "flush" in request else self._stop(request["stop"])
        self._control.send(json.dumps(counted).encode())

    def _start(self, number: int, points: Sequence[dict[str, int]], descriptors: Sequence[int]) -> None:
        file, *sockets = descriptors
        taps = [Tap(descriptor, tap) for descriptor, tap in zip(sockets, points, strict=True)]
        self._recordings[number] = recording = Recording(file, taps)
        for tap in taps:
            self._poll.register(tap.socket, select.POLLIN)
            self._owner[tap.socket.fileno()] = recording

    def _stop(self, number: int) -> dict[str, int]:
        recording = self._recordings.pop(number)
        for tap in recording.taps:
            self._poll.unregister(tap.socket)
            del self._owner[tap.socket.fileno()]
        return recording.finish()


def main() -> None:
    """Serve on the socket that is standard input."""
    linux.die_with_parent()
    for number in IGNORED:
        signal.signal(number, signal.SIG_IGN)
    with socket.socket(fileno=os.dup(sys.stdin.fileno())) as control:
        Server(control).serve()


if __name__ == "__main__":
    main()
