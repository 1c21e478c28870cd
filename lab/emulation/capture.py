"""The recorder: one forked process that writes every link end of a topology to one pcapng file.

- One packet socket per node sees all its link ends; a BPF filter keeps loopback and tunnel interfaces out of it.
- The sockets are open and stamp packets before `start` returns, and `stop` returns when they are empty: nothing that
  was sent in between is missing, unless the kernel's buffer overflowed, and then `dropped` says so.
- A time is the kernel's, taken when the packet passed the interface, not when the recorder got round to reading it.
- The file is complete after each batch; kill -9 of anything leaves it readable.
- Interfaces in the file are named `node:interface`, in the order of the topology; a packet's flags say whether it
  left or arrived. Frames stand in causal order (ordering.py), whole batches of them sorted by time.
"""

import ctypes
import json
import os
import select
import signal
import socket
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lab.emulation import linux, wires
from lab.emulation.namespace import Namespace
from lab.emulation.ordering import Frame, Merger
from lab.emulation.topology import Topology
from lab.errors import BrokenError
from lab.wire.pcapng import Direction, Packet, PcapngWriter, packet_block

_ETH_P_ALL = 0x0003
_SO_ATTACH_FILTER, _SO_RCVBUFFORCE, _SO_TIMESTAMPNS = 26, 33, 35
_SOL_PACKET, _PACKET_STATISTICS = 263, 6
_PACKET_OUTGOING = 4
_BUFFER = 16 << 20
_LARGEST = 1 << 17
# What ends the lab does not end its recorder: that is done through the control socket, after the last packet.
_FOR_THE_LAB = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
_TIMESPEC = struct.Struct("=qq")
_BPF_INSTRUCTION = struct.Struct("=HBBI")
_LOAD_IFINDEX = _BPF_INSTRUCTION.pack(0x20, 0, 0, 0xFFFFF008)  # ld #ifidx


@dataclass(frozen=True, slots=True)
class Statistics:
    """What the recorder wrote, and what the kernel could not keep for it."""

    packets: int
    dropped: int


class Recorder:
    """The recorder process, seen from the lab."""

    def __init__(self, topology: Topology, namespaces: Mapping[str, Namespace], path: Path) -> None:
        """Start recording; when this returns, every packet sent from now on is captured."""
        taps = [_Tap(topology, name, namespace) for name, namespace in namespaces.items()]
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o644)
        _write_head(topology, file)
        self._statistics: Statistics | None = None
        self._control, theirs = socket.socketpair()
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _FOR_THE_LAB)
        self.pid = os.fork()
        if self.pid == 0:
            _child(topology, taps, file, theirs)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        theirs.close()
        os.close(file)
        for tap in taps:
            tap.socket.close()

    def stop(self) -> Statistics:
        """Write what is still in the sockets, end the process, say what it counted; raises BrokenError if it died."""
        if self._statistics is None:
            self._statistics = Statistics(0, 0)
            with self._control as control:
                control.shutdown(socket.SHUT_WR)
                answer = b"".join(iter(lambda: control.recv(1000), b""))
            os.waitpid(self.pid, 0)
            if not answer:
                raise BrokenError("the recorder died before the end of the capture")
            self._statistics = Statistics(**json.loads(answer))
        return self._statistics


class _Tap:
    """The packet socket of one node."""

    def __init__(self, topology: Topology, name: str, namespace: Namespace) -> None:
        ends = topology.at(name)
        everything = list(topology.attachments)
        self.points = {end.interface: everything.index(end) for end in ends}
        self.socket = namespace.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ALL))
        self.socket.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, _only([wires.index(topology, e) for e in ends]))
        self.socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER)
        self.socket.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        self.socket.setblocking(False)

    def read(self) -> list[Frame]:
        """All frames that wait in the socket."""
        frames: list[Frame] = []
        while True:
            try:
                data, ancillary, _, address = self.socket.recvmsg(_LARGEST, 64)
            except BlockingIOError:
                return frames
            point = self.points.get(address[0])
            if point is not None and ancillary:
                seconds, nanoseconds = _TIMESPEC.unpack(ancillary[0][2])
                outgoing = address[2] == _PACKET_OUTGOING
                frames.append(Frame(seconds * 10**9 + nanoseconds, point, outgoing, data))

    def dropped(self) -> int:
        """Packets that found the buffer full."""
        _, drops = struct.unpack("=II", self.socket.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8))
        return int(drops)


def _only(indexes: list[int]) -> bytes:
    """A BPF program that passes these interfaces, as the kernel's struct sock_fprog."""
    count = len(indexes)
    tests = [_BPF_INSTRUCTION.pack(0x15, count - place, 0, index) for place, index in enumerate(indexes)]
    ends = [_BPF_INSTRUCTION.pack(0x06, 0, 0, 0), _BPF_INSTRUCTION.pack(0x06, 0, 0, 0xFFFFFFFF)]
    program = b"".join([_LOAD_IFINDEX, *tests, *ends])
    _only.buffer = buffer = ctypes.create_string_buffer(program)  # type: ignore[attr-defined]  # alive during the call
    return struct.pack("HP", count + 3, ctypes.addressof(buffer))


def _write_head(topology: Topology, file: int) -> None:
    blocks: list[bytes] = []
    writer = PcapngWriter(blocks.append, comment=f"topology {topology.name}")
    for end in topology.attachments:
        writer.interface(f"{end.node}:{end.interface}", description=f"link {end.link}")
    os.write(file, b"".join(blocks))


# -- in the child


def _child(topology: Topology, taps: list[_Tap], file: int, control: socket.socket) -> None:
    status = 1
    try:
        linux.die_with_parent()
        for number in _FOR_THE_LAB:
            signal.signal(number, signal.SIG_IGN)
        _close_others({file, control.fileno(), *(tap.socket.fileno() for tap in taps)})
        ends = topology.attachments
        merger = Merger({number: number ^ 1 for number in range(len(ends))})  # two ends of a link stand together
        packets = _record(taps, merger, file, control)
        dropped = sum(tap.dropped() for tap in taps)
        control.sendall(json.dumps({"packets": packets, "dropped": dropped}).encode())
        status = 0
    finally:
        os._exit(status)  # never the parent's exit handlers


def _close_others(keep: set[int]) -> None:
    """Close what was inherited: a copy here would keep a daemon from seeing that the lab hung up."""
    for name in os.listdir("/proc/self/fd"):
        descriptor = int(name)
        if descriptor not in keep and descriptor > 2:
            try:
                os.close(descriptor)
            except OSError:  # the descriptor that listed the directory
                continue


def _record(taps: list[_Tap], merger: Merger, file: int, control: socket.socket) -> int:
    poll = select.poll()
    for tap in taps:
        poll.register(tap.socket, select.POLLIN)
    poll.register(control, select.POLLIN)
    by_descriptor = {tap.socket.fileno(): tap for tap in taps}
    packets = 0
    ending = False
    while not ending:
        ready = [descriptor for descriptor, _ in poll.poll()]
        ending = control.fileno() in ready
        packets += _write(merger.merge(_drain(poll, by_descriptor, control.fileno())), file)
    return packets


def _drain(poll: select.poll, taps: Mapping[int, _Tap], control: int) -> list[list[Frame]]:
    """Read until nothing waits anywhere, so that no frame's cause is left for the next batch."""
    frames: dict[int, list[Frame]] = {descriptor: [] for descriptor in taps}
    for _ in range(16):  # a steady stream must not keep the file waiting
        ready = [descriptor for descriptor, _ in poll.poll(0) if descriptor != control]
        if not ready:
            break
        for descriptor in ready:
            frames[descriptor] += taps[descriptor].read()
    return list(frames.values())


def _write(frames: list[Frame], file: int) -> int:
    blocks = [
        packet_block(
            Packet(
                frame.time_ns,
                frame.point,
                frame.data,
                direction=Direction.OUTBOUND if frame.outgoing else Direction.INBOUND,
            )
        )
        for frame in frames
    ]
    data = memoryview(b"".join(blocks))
    while data:
        data = data[os.write(file, data) :]
    return len(frames)
