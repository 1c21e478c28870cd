"""Commands to charon end in time. The charon here is a socket that answers what a test says, and then nothing."""

import select
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import count
from types import SimpleNamespace
from typing import Any

import pytest
from vici.protocol import Message, Packet

from lab.peers.base import PeerFault
from lab.peers.vici_link import Commands, Events

# For what stays out; what comes has the usual time, as the machine may be busy.
LIMIT_S = 0.05
CONFIRM = bytes([Packet.EVENT_CONFIRM])
Serve = Callable[..., socket.socket]


def response(**fields: Any) -> bytes:
    return bytes([Packet.CMD_RESPONSE]) + bytes(Message.serialize(fields))


def event(name: str, **fields: Any) -> bytes:
    return bytes([Packet.EVENT, len(name)]) + name.encode() + bytes(Message.serialize(fields))


def _read(link: socket.socket) -> bytes:
    size = link.recv(4, socket.MSG_WAITALL)
    return link.recv(struct.unpack("!I", size)[0], socket.MSG_WAITALL) if len(size) == 4 else b""


@pytest.fixture
def serve() -> Iterator[Serve]:
    """A charon that gives each packet that comes the next of these answers (several joined where a list is given)."""
    ours, theirs = socket.socketpair()
    threads: list[threading.Thread] = []

    def begin(answers: Sequence[bytes | list[bytes]]) -> socket.socket:
        def run() -> None:
            for answer in answers:
                if not _read(theirs):
                    return
                for packet in answer if isinstance(answer, list) else [answer]:
                    theirs.sendall(struct.pack("!I", len(packet)) + packet)

        threads.append(threading.Thread(target=run))
        threads[-1].start()
        return ours

    yield begin
    ours.close()
    theirs.shutdown(socket.SHUT_RDWR)
    for thread in threads:
        thread.join()
    theirs.close()


def test_an_answer_in_time(serve: Serve) -> None:
    assert Commands(serve([response(version="6.0.1")])).request("version") == {"version": "6.0.1"}


def test_a_command_without_an_answer_says_what_was_waited_for(serve: Serve) -> None:
    with pytest.raises(PeerFault, match=r"^charon did not answer vici version within 0\.05 s$"):
        Commands(serve([])).request("version", limit=LIMIT_S)


def test_answers_that_come_one_by_one_share_the_time(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """What charon logs meanwhile is no answer: a command that never ends is stuck, however much it says."""
    waits: list[float] = []

    def wait(readable: list[Any], writable: list[Any], other: list[Any], left: float) -> Any:
        waits.append(left)
        return select.select(readable, writable, other, 10.0 if left else 0.0)

    # Whenever somebody looks at the clock ten seconds have passed.
    clock = SimpleNamespace(monotonic=partial(next, count(0.0, 10.0)), sleep=time.sleep)
    monkeypatch.setattr("lab.peers.vici_link.time", clock)
    monkeypatch.setattr("lab.peers.vici_link.select", SimpleNamespace(select=wait))
    link = serve([CONFIRM, [event("control-log", msg="a line"), event("control-log", msg="another")]])
    with pytest.raises(PeerFault, match=r"^charon did not answer vici initiate within 35 s$"):
        Commands(link).streamed("initiate", "control-log", {"child": "net"}, 35.0)
    assert waits == [25.0, 15.0, 5.0, 0.0]


def test_a_stream_that_ends(serve: Serve) -> None:
    link = serve([CONFIRM, [event("control-log", msg="a line"), response(success="no", errmsg="no peer")], CONFIRM])
    found = Commands(link).streamed("initiate", "control-log", {"child": "net"})
    assert found == ([{"msg": "a line"}], "no peer")


def test_after_an_answer_that_stayed_out_the_next_command_fails_at_once(serve: Serve) -> None:
    """Else it would take the late answer for its own."""
    commands = Commands(serve([]))
    with pytest.raises(PeerFault):
        commands.request("stats", limit=LIMIT_S)
    with pytest.raises(PeerFault, match=r"^vici version was not tried: charon did not answer vici stats within"):
        commands.request("version")


def test_events_without_an_answer_to_their_registration(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lab.peers.vici_link.ANSWER_S", LIMIT_S)
    with pytest.raises(PeerFault, match="charon did not answer vici register ike-updown within"):
        Events(serve([]), ["ike-updown"])


def test_no_event_is_no_fault(serve: Serve) -> None:
    assert Events(serve([CONFIRM]), ["ike-updown"]).read(LIMIT_S) == []
