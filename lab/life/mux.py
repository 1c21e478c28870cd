"""Several streams of bytes over one line, as frames; no input or output here.

    0        1                 5        7
    +--------+-----------------+--------+----------------+
    |  kind  |     channel     | length |  octets ...    |     network byte order, length at most 1024
    +--------+-----------------+--------+----------------+

    OPEN     a new channel; only the host opens            DATA    octets of the stream
    CREDIT   so many more octets (u32) may come            END     nothing more comes this way; the other goes on
    RESET    the channel is gone, both ways                ACK     so many more octets (u32) of frames were read

Rules: each way of a channel begins with a credit of WINDOW octets, so a reader that stands still holds up its own
channel only, and no more than WINDOW octets of it wait anywhere. The line itself holds even less: a console of the
guest whose buffer of 4096 octets fills up is never read again, and with a virtual clock a guest that waits to write
stands still, so no more than TO_GUEST and TO_HOST octets are on their way; acknowledgements go in between, uncounted. A
console may say something before the guest's end has
it for itself: everything before PREAMBLE is skipped. What breaks these rules costs its channel, or, where the frames
themselves are lost, the line (BrokenError).
"""

import struct
from collections import deque
from dataclasses import dataclass, field
from enum import IntEnum

from lab.errors import BrokenError

PREAMBLE = b"\x00ikelab line 1\x00"
WINDOW = 16384
LARGEST = 1024
TO_GUEST, TO_HOST = 2048, 32768
MOST_CHANNELS = 64
_MOST_CREDIT = 1 << 30
_HEAD = struct.Struct(">BIH")
_CREDIT = struct.Struct(">I")


class Kind(IntEnum):
    """What a frame says."""

    OPEN = 1
    DATA = 2
    CREDIT = 3
    END = 4
    RESET = 5
    ACK = 6


@dataclass(frozen=True, slots=True)
class Event:
    """What came: `OPEN`, `DATA` with octets, `CREDIT`, `END` or `RESET` of a channel."""

    kind: Kind
    channel: int
    data: bytes = b""


@dataclass(slots=True)
class Channel:
    """How much may still go out and come in, and which ways have ended."""

    room: int = WINDOW
    expected: int = WINDOW
    ended: set[str] = field(default_factory=set)


class Mux:
    """One end of the line: `waiting` is to be written to it, what is read goes into `receive`."""

    def __init__(self, *, opens: bool) -> None:
        """`opens`: this end opens the channels (the host's)."""
        self.ready = not opens
        self._now = b"" if opens else PREAMBLE
        self._queue: deque[bytes] = deque()
        self._acks = b""
        self._window, self._on_the_way = (TO_GUEST if opens else TO_HOST), 0
        self._ack_after, self._unacked = (TO_HOST if opens else TO_GUEST) // 4, 0
        self._opens, self._next = opens, 1
        self._channels: dict[int, Channel] = {}
        self._rest = b""

    # -- out

    @property
    def waiting(self) -> bytes:
        """What can be written to the line now."""
        if not self._now:
            self._now, self._acks = self._acks, b""
            while self._queue and self._on_the_way + len(self._queue[0]) <= self._window:
                frame = self._queue.popleft()
                self._on_the_way += len(frame)
                self._now += frame
        return self._now

    def wrote(self, count: int) -> None:
        """So many octets of `waiting` were written."""
        self._now = self._now[count:]

    def open(self) -> int:
        """Open a channel; its number. BrokenError where there are too many."""
        if len(self._channels) >= MOST_CHANNELS:
            raise BrokenError(f"more than {MOST_CHANNELS} commands at once")
        number, self._next = self._next, self._next + 1
        self._channels[number] = Channel()
        self._frame(Kind.OPEN, number)
        return number

    def room(self, channel: int) -> int:
        """How many octets may go out on a channel now."""
        found = self._channels.get(channel)
        return found.room if found and "out" not in found.ended else 0

    def send(self, channel: int, data: bytes) -> None:
        """Send octets, no more than there is room for."""
        assert len(data) <= self.room(channel)
        self._channels[channel].room -= len(data)
        for start in range(0, len(data), LARGEST):
            self._frame(Kind.DATA, channel, data[start : start + LARGEST])

    def end(self, channel: int) -> None:
        """Nothing more goes out."""
        self._end(channel, "out", Kind.END)

    def reset(self, channel: int) -> None:
        """Give a channel up."""
        if self._channels.pop(channel, None) is not None:
            self._frame(Kind.RESET, channel)

    def taken(self, channel: int, count: int) -> None:
        """So many octets that came have found their reader."""
        found = self._channels.get(channel)
        if found is not None and count:
            found.expected += count
            self._frame(Kind.CREDIT, channel, _CREDIT.pack(count))

    def _frame(self, kind: Kind, channel: int, data: bytes = b"") -> None:
        self._queue.append(_HEAD.pack(kind, channel, len(data)) + data)

    def _end(self, channel: int, way: str, say: Kind | None = None) -> None:
        found = self._channels.get(channel)
        if found is None or way in found.ended:
            return
        found.ended.add(way)
        if say is not None:
            self._frame(say, channel)
        if found.ended == {"in", "out"}:
            del self._channels[channel]

    # -- in

    def receive(self, data: bytes) -> list[Event]:
        """What the octets that came from the line say; BrokenError where the frames are lost."""
        self._rest += data
        if not self.ready:
            _, preamble, rest = self._rest.partition(PREAMBLE)
            if not preamble:
                self._rest = self._rest[-len(PREAMBLE) + 1 :]
                return []
            self.ready, self._rest = True, rest
        found = [event for frame in self._frames() for event in self._understood(*frame)]
        if self._unacked >= self._ack_after:
            self._acks += _HEAD.pack(Kind.ACK, 0, _CREDIT.size) + _CREDIT.pack(self._unacked)
            self._unacked = 0
        return found

    def _frames(self) -> list[tuple[int, int, bytes]]:
        found, at = [], 0
        while len(self._rest) - at >= _HEAD.size:
            kind, channel, length = _HEAD.unpack_from(self._rest, at)
            if length > LARGEST or kind not in Kind._value2member_map_:
                raise BrokenError(f"the line is out of step: a frame of kind {kind} with {length} octets")
            if len(self._rest) - at < _HEAD.size + length:
                break
            found.append((kind, channel, self._rest[at + _HEAD.size : at + _HEAD.size + length]))
            at += _HEAD.size + length
        self._rest = self._rest[at:]
        return found

    def _understood(self, kind: int, number: int, data: bytes) -> list[Event]:
        """The event of a frame, or none: a channel that is gone has nothing to say, one that breaks the rules goes."""
        channel = self._channels.get(number)
        if kind == Kind.ACK:
            self._acknowledged(data)
            return []
        self._unacked += _HEAD.size + len(data)
        if kind == Kind.OPEN:
            return self._opened(number)
        if channel is None:
            return []
        match kind:
            case Kind.DATA if len(data) <= channel.expected and "in" not in channel.ended:
                channel.expected -= len(data)
                return [Event(Kind.DATA, number, data)] if data else []
            case Kind.CREDIT if len(data) == _CREDIT.size and channel.room + _CREDIT.unpack(data)[0] <= _MOST_CREDIT:
                channel.room += _CREDIT.unpack(data)[0]
                return [Event(Kind.CREDIT, number)]
            case Kind.END:
                self._end(number, "in")
                return [Event(Kind.END, number)]
            case Kind.RESET:
                del self._channels[number]
                return [Event(Kind.RESET, number)]
        self.reset(number)
        return [Event(Kind.RESET, number)]

    def _acknowledged(self, data: bytes) -> None:
        count = _CREDIT.unpack(data)[0] if len(data) == _CREDIT.size else 0
        if not 0 < count <= self._on_the_way:
            raise BrokenError(f"the line is out of step: {count} octets acknowledged of {self._on_the_way}")
        self._on_the_way -= count

    def _opened(self, number: int) -> list[Event]:
        if self._opens or number in self._channels or len(self._channels) >= MOST_CHANNELS:
            self._channels.setdefault(number, Channel())
            self.reset(number)
            return [] if self._opens else [Event(Kind.RESET, number)]
        self._channels[number] = Channel()
        return [Event(Kind.OPEN, number)]
