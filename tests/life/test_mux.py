"""The frames of a line: two ends over a virtual wire, then an end that meets what no honest one sends."""

import random
import struct

import pytest

from lab.errors import BrokenError
from lab.life.mux import LARGEST, MOST_CHANNELS, PREAMBLE, TO_GUEST, WINDOW, Event, Kind, Mux


def carry(one: Mux, two: Mux, *, step: int = 1 << 20) -> list[Event]:
    """Everything that `one` may write now reaches `two`, `step` octets at a time."""
    found = []
    while data := one.waiting[:step]:
        one.wrote(len(data))
        found += two.receive(data)
    return found


def pair() -> tuple[Mux, Mux]:
    """The host's end and the guest's, which have heard of each other."""
    host, guest = Mux(opens=True), Mux(opens=False)
    assert carry(guest, host) == []
    assert host.ready
    return host, guest


def frame(kind: int, channel: int, data: bytes = b"") -> bytes:
    return struct.pack(">BIH", kind, channel, len(data)) + data


@pytest.mark.parametrize("step", [1, 3, 1 << 20])
def test_octets_arrive_as_they_were_sent(step: int) -> None:
    host, guest = pair()
    channel = host.open()
    host.send(channel, b"request")
    assert carry(host, guest, step=step) == [Event(Kind.OPEN, channel), Event(Kind.DATA, channel, b"request")]
    guest.send(channel, b"answer")
    assert carry(guest, host, step=step) == [Event(Kind.DATA, channel, b"answer")]


def test_what_a_console_says_before_the_preamble_is_skipped() -> None:
    host = Mux(opens=True)
    assert host.receive(b"login: \x00ikelab" + PREAMBLE[:5]) == []
    assert not host.ready
    assert host.receive(PREAMBLE[5:] + frame(Kind.ACK, 0)[:3]) == []
    assert host.ready


def test_a_half_closed_channel_still_carries_the_other_way() -> None:
    host, guest = pair()
    channel = host.open()
    host.end(channel)
    assert carry(host, guest)[-1] == Event(Kind.END, channel)
    assert host.room(channel) == 0
    guest.send(channel, b"more")
    guest.end(channel)
    assert carry(guest, host) == [Event(Kind.DATA, channel, b"more"), Event(Kind.END, channel)]
    assert guest.room(channel) == 0


def test_a_reader_that_stands_still_holds_up_its_own_channel_only() -> None:
    host, guest = pair()
    slow, quick = host.open(), host.open()
    carry(host, guest)
    guest.send(slow, bytes(WINDOW))
    assert guest.room(slow) == 0
    guest.send(quick, b"here")
    events = carry(guest, host)
    assert events[-1] == Event(Kind.DATA, quick, b"here")
    host.taken(slow, WINDOW)
    carry(host, guest)
    assert guest.room(slow) == WINDOW


def test_no_more_than_a_console_holds_is_on_its_way_to_the_guest() -> None:
    host, guest = pair()
    channel = host.open()
    host.send(channel, bytes(WINDOW))
    on_the_way = bytearray()
    arrived = 0
    while arrived < WINDOW:
        while data := host.waiting:
            host.wrote(len(data))
            on_the_way += data
        assert 0 < len(on_the_way) <= TO_GUEST
        for event in guest.receive(bytes(on_the_way)):
            arrived += len(event.data)
        on_the_way.clear()
        carry(guest, host)
    assert arrived == WINDOW


def test_more_data_than_there_is_credit_for_costs_the_channel() -> None:
    _, guest = pair()
    guest.receive(frame(Kind.OPEN, 1))
    for _ in range(WINDOW // LARGEST):
        assert guest.receive(frame(Kind.DATA, 1, bytes(LARGEST)))[0].kind == Kind.DATA
    assert guest.receive(frame(Kind.DATA, 1, b"x")) == [Event(Kind.RESET, 1)]
    assert guest.receive(frame(Kind.DATA, 1, b"x")) == []


@pytest.mark.parametrize("credit", [b"", b"123", struct.pack(">I", 0xFFFFFFFF)])
def test_impossible_credit_costs_the_channel(credit: bytes) -> None:
    _, guest = pair()
    guest.receive(frame(Kind.OPEN, 1))
    assert guest.receive(frame(Kind.CREDIT, 1, credit)) == [Event(Kind.RESET, 1)]


def test_data_behind_the_end_costs_the_channel() -> None:
    _, guest = pair()
    guest.receive(frame(Kind.OPEN, 1) + frame(Kind.END, 1))
    assert guest.receive(frame(Kind.DATA, 1, b"x")) == [Event(Kind.RESET, 1)]


def test_the_guest_opens_no_channel_and_nobody_too_many() -> None:
    host, guest = pair()
    assert host.receive(frame(Kind.OPEN, 7)) == []
    assert host.room(7) == 0
    opened = [host.open() for _ in range(MOST_CHANNELS)]
    with pytest.raises(BrokenError, match="commands at once"):
        host.open()
    events = carry(host, guest)
    assert [event.channel for event in events] == opened
    assert guest.receive(frame(Kind.OPEN, 999)) == [Event(Kind.RESET, 999)]


@pytest.mark.parametrize(
    "data", [frame(0, 1), frame(99, 1), struct.pack(">BIH", Kind.DATA, 1, LARGEST + 1), frame(Kind.ACK, 0, b"\0\0\0\1")]
)
def test_lost_frames_end_the_line(data: bytes) -> None:
    _, guest = pair()
    with pytest.raises(BrokenError, match="out of step"):
        guest.receive(data)


def test_noise_never_does_worse_than_ending_the_line() -> None:
    source = random.Random(6)
    for _ in range(300):
        _, guest = pair()
        try:
            for _ in range(20):
                kind, channel = source.choice(list(Kind)), source.randrange(4)
                events = guest.receive(frame(kind, channel, source.randbytes(source.randrange(8))))
                assert all(event.channel == channel for event in events)
            guest.receive(source.randbytes(50))
        except BrokenError:
            continue
