"""Capturing every link end of a network into one pcapng file.

- One packet socket per node sees all its link ends; a BPF filter keeps loopback and tunnel interfaces out of it.
- The sockets are open and stamp packets before `Capture()` returns, and `stop` returns when they are empty: nothing
  that was sent in between is missing, unless the kernel's buffer overflowed, and then `dropped` says so.
- A time is the kernel's, taken when the packet passed the interface, not when the recorder got round to reading it.
- Another process writes the file as the packets come (recorder.py); kill -9 of anything leaves it readable.
- Interfaces in the file are named `node:interface`, in the order of the topology; a packet's flags say whether it
  left or arrived. Frames stand in causal order (ordering.py), whole batches of them sorted by time.
"""

import ctypes
import itertools
import json
import socket
import struct
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.emulation import companion, wires
from lab.emulation.namespace import Namespace
from lab.emulation.recorder import IGNORED, TIMESPEC
from lab.emulation.topology import Attachment, Topology
from lab.errors import BrokenError
from lab.wire.pcapng import PcapngWriter

_ETH_P_ALL = 0x0003
_SO_ATTACH_FILTER, _SO_RCVBUFFORCE, _SO_TIMESTAMPNS = 26, 33, 35
_BUFFER = 16 << 20
_BPF_INSTRUCTION = struct.Struct("=HBBI")
_LOAD_IFINDEX = _BPF_INSTRUCTION.pack(0x20, 0, 0, 0xFFFFF008)  # ld #ifidx


@dataclass(frozen=True, slots=True)
class Statistics:
    """What the recorder wrote, and what the kernel could not keep for it."""

    packets: int
    dropped: int


class RecorderProcess:
    """The recorder process of this lab, started when it is first needed."""

    _running: "RecorderProcess | None" = None

    def __init__(self) -> None:
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.process = companion.start("lab.emulation.recorder", theirs, IGNORED)  # blocked until it ignores them

    @classmethod
    def shared(cls) -> "RecorderProcess":
        """The one that runs, or a new one."""
        if cls._running is None:
            cls._running = cls()
        return cls._running

    @property
    def pid(self) -> int:
        """Its process number."""
        return self.process.pid

    def tell(self, message: Mapping[str, object], descriptors: Sequence[int] = ()) -> None:
        """Send a request; raises BrokenError if the recorder is gone."""
        try:
            socket.send_fds(self._control, [json.dumps(message).encode()], list(descriptors))
        except OSError as error:
            raise self._gone() from error

    def ask(self, message: Mapping[str, object]) -> Statistics:
        """Send a request and wait for the answer; raises BrokenError if the recorder is gone."""
        self.tell(message)
        try:
            data = self._control.recv(1000)
        except ConnectionError as error:
            raise self._gone() from error
        if not data:
            raise self._gone()
        return Statistics(**json.loads(data))

    def _gone(self) -> BrokenError:
        """Forget a recorder that hung up; the next capture starts another."""
        if RecorderProcess._running is self:
            RecorderProcess._running = None
            self._control.close()
            self.process.kill()
            self.process.wait()
        return BrokenError("the recorder died before the end of the capture")


class Capture:
    """The running capture of one network."""

    _numbers = itertools.count()

    def __init__(self, topology: Topology, namespaces: Mapping[str, Namespace], path: Path) -> None:
        """Start; when this returns, every packet sent from now on is captured."""
        self._number = next(self._numbers)
        self._statistics: Statistics | None = None
        self._recorder = RecorderProcess.shared()
        taps = {name: tap(topology, topology.at(name), namespace) for name, namespace in namespaces.items()}
        await_stamps(next(iter(namespaces.values())))
        places = {(end.node, end.link): place for place, end in enumerate(topology.attachments)}
        points = [{end.interface: places[end.node, end.link] for end in topology.at(name)} for name in taps]
        with open(path, "wb", buffering=0) as file:
            write_head(topology.name, topology.attachments, file.write)
            descriptors = [file.fileno(), *(one.fileno() for one in taps.values())]
            self._recorder.tell({"start": self._number, "taps": points}, descriptors)
        for one in taps.values():
            one.close()

    @property
    def pid(self) -> int:
        """The process that writes the file."""
        return self._recorder.pid

    def flush(self) -> Statistics:
        """Have everything written that was captured until now, and say what it was."""
        return self._recorder.ask({"flush": self._number}) if self._statistics is None else self._statistics

    def stop(self) -> Statistics:
        """Have everything written that was captured, and say what it was; raises BrokenError if the recorder died."""
        if self._statistics is None:
            self._statistics = Statistics(0, 0)
            self._statistics = self._recorder.ask({"stop": self._number})
        return self._statistics


def write_head(name: str, ends: Iterable[Attachment], write: Callable[[bytes], object]) -> None:
    """Begin a pcapng file: what it is of, and a capture point for each link end."""
    blocks: list[bytes] = []
    writer = PcapngWriter(blocks.append, comment=f"topology {name}")
    for end in ends:
        writer.interface(f"{end.node}:{end.interface}", description=f"link {end.link}")
    write(b"".join(blocks))


def tap(topology: Topology, ends: Iterable[Attachment], namespace: Namespace) -> socket.socket:
    """A packet socket for link ends of a node."""
    made = namespace.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ALL))
    _pass_only(made, [wires.index(topology, end) for end in ends])
    made.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER)
    made.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
    return made


def await_stamps(namespace: Namespace) -> None:
    """Return when the kernel stamps packets as they come; `namespace` has a loopback interface that is up.

    It begins to a moment after the first socket asks for it (Linux, net/core/dev.c: a work item turns a static key).
    Until then a packet has the time at which somebody reads it.
    """
    with namespace.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        probe.bind(("127.0.0.1", 0))
        while True:
            probe.sendto(b"", probe.getsockname())
            sent = time.time_ns()
            _, ancillary, _, _ = probe.recvmsg(1, 64)
            seconds, nanoseconds = TIMESPEC.unpack(ancillary[0][2])
            if seconds * 10**9 + nanoseconds <= sent:
                return


def _pass_only(tap: socket.socket, indexes: list[int]) -> None:
    """Attach a BPF program that passes these interfaces."""
    count = len(indexes)
    tests = [_BPF_INSTRUCTION.pack(0x15, count - place, 0, index) for place, index in enumerate(indexes)]
    ends = [_BPF_INSTRUCTION.pack(0x06, 0, 0, 0), _BPF_INSTRUCTION.pack(0x06, 0, 0, 0xFFFFFFFF)]
    program = ctypes.create_string_buffer(b"".join([_LOAD_IFINDEX, *tests, *ends]))
    filter_program = struct.pack("HP", count + 3, ctypes.addressof(program))  # struct sock_fprog
    tap.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, filter_program)
