"""The door under a flood of spoofed IKE_SA_INIT requests (RFC 7296 2.6): no state, no key exchange, and honest peers
still come through. How many a second is measured in bench/dos.py."""

from collections.abc import Iterator

import pytest

from lab.crypto import groups
from lab.endpoint import Endpoint
from lab.ike.actions import Send
from lab.ike.config import load
from lab.ike.path import Path
from lab.trace import Record, Trace
from lab.wire.header import SIZE
from lab.wire.ids import NotifyType, PayloadType
from lab.wire.message import Message
from lab.wire.payloads import encode_chain
from lab.wire.payloads_v2 import Nonce, Notify
from tests.pair import LEFT, RIGHT, Pair, mirrored, net, seeded

THRESHOLD = 30


class Counted:
    """A random source that counts what is drawn."""

    def __init__(self) -> None:
        self.draws, self._source = 0, seeded("responder")

    def __call__(self, octets: int) -> bytes:
        self.draws += 1
        return self._source(octets)


def responder_demanding(threshold: int) -> str:
    """The configuration of a responder that takes initiators from any address and demands cookies from there on."""
    return mirrored(net(settings=f"cookie_threshold = {threshold}", left="%any"))


def no_key_exchange(*_: object) -> None:
    raise AssertionError("a key exchange for a stranger")


def spoofed(count: int) -> Iterator[tuple[bytes, Path]]:
    """Requests of strangers, each with an SPI, a nonce and an address of its own."""
    honest = Pair()
    honest.left.do("initiate", "net")
    data = honest.wire.sent[0].data
    (nonce,) = Message.decode(data).all(Nonce)
    before, after = data[8:].split(nonce.data)
    for n in range(count):
        fresh = (n + 1).to_bytes(8, "big") + before + n.to_bytes(len(nonce.data), "big") + after
        yield fresh, Path(RIGHT, 500, f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}", 500)


def test_a_flood_leaves_no_state_and_costs_no_key_exchange(monkeypatch: pytest.MonkeyPatch) -> None:
    random, records = Counted(), list[Record]()
    text = responder_demanding(THRESHOLD)
    responder = Endpoint(load(text), random=random, trace=Trace(records.append), local=(RIGHT,))
    flood = spoofed(3000)
    for data, path in (next(flood) for _ in range(THRESHOLD)):
        responder.receive(data, path, 0.0)
    before = responder.stats()
    assert before["half_open"] == THRESHOLD
    monkeypatch.setattr(groups.GroupSpec, "respond", no_key_exchange)
    first = [responder.receive(*next(flood), 0.0)]
    drawn = random.draws  # the first demand draws the secret
    answers = first + [responder.receive(data, path, 0.0) for data, path in flood]
    assert random.draws == drawn, "something is drawn for a stranger"
    assert responder.stats() == before
    for (action,) in answers:
        assert isinstance(action, Send)
        (cookie,) = Message.decode(action.data).payloads
        assert isinstance(cookie, Notify)
        assert cookie.notify_type == NotifyType.COOKIE
        assert len(cookie.data) == 33
    assert len({action.data for (action,) in answers if isinstance(action, Send)}) == len(answers)


def test_an_honest_peer_comes_through_a_flood() -> None:
    pair = Pair(net(), responder_demanding(THRESHOLD))
    flood = spoofed(THRESHOLD + 500)
    for data, path in (next(flood) for _ in range(THRESHOLD)):
        pair.inject(data, (path.remote_host, 500), (RIGHT, 500))
    # HDR, SAi1, KEi, Ni  -->    <--  HDR, N(COOKIE)
    # HDR, N(COOKIE), SAi1, KEi, Ni  -->    <--  HDR, SAr1, KEr, Nr
    pair.left.do("initiate", "net")
    for data, path in flood:
        pair.inject(data, (path.remote_host, 500), (RIGHT, 500))
        if pair._flight:
            pair.step()
    pair.settle()
    pair.check()
    assert pair.right.endpoint.stats()["half_open"] == THRESHOLD


def test_every_truncation_of_a_request_meets_silence_or_the_demand_of_a_cookie() -> None:
    ((data, path),) = spoofed(1)
    pair = Pair(net(), responder_demanding(0))
    for length in range(SIZE, len(data) + 1):
        cut = data[:24] + length.to_bytes(4, "big") + data[SIZE:length]
        for action in pair.right.endpoint.receive(cut, path, 0.0):
            assert isinstance(action, Send)
            assert Message.decode(action.data).names == ("N(COOKIE)",)
    assert isinstance(action, Send), "the whole request is answered"
    assert pair.right.endpoint.stats()["half_open"] == 0


def test_a_cookie_that_does_not_come_first_is_none() -> None:
    pair = Pair(net(), responder_demanding(0))
    pair.left.do("initiate", "net")
    for _ in range(2):
        pair.step()
    second = Message.decode(pair.wire.sent[-1].data)
    cookie, *others = second.payloads
    assert isinstance(cookie, Notify)
    chain = encode_chain((*others, cookie))
    late = second.raw[:16] + bytes([others[0].type]) + second.raw[17:SIZE] + chain
    pair.inject(late, (LEFT, 500), (RIGHT, 500))
    assert Message.decode(pair.wire.sent[-1].data).names == ("N(COOKIE)",)
    assert pair.right.endpoint.stats()["half_open"] == 0


def test_what_lies_behind_the_nonce_is_not_looked_at_before_the_cookie_is_here() -> None:
    """RFC 7296 2.6 makes a cookie of Ni, address and SPI; what is torn behind Ni meets silence afterwards."""
    ((data, path),) = spoofed(1)
    (nonce,) = Message.decode(data).all(Nonce)
    torn = encode_chain((nonce,))
    # The nonce announces a KE payload that reaches far beyond the message.
    torn = bytes([PayloadType.KE]) + torn[1:] + b"\0\0\xff\xff" + b"torn"
    pair = Pair(net(), responder_demanding(0))
    (demand,) = pair.right.endpoint.receive(headed(data, PayloadType.NONCE, torn), path, 0.0)
    assert isinstance(demand, Send)
    (cookie,) = Message.decode(demand.data).payloads
    front = encode_chain((cookie,))
    brought = bytes([PayloadType.NONCE]) + front[1:] + torn
    assert pair.right.endpoint.receive(headed(data, PayloadType.N, brought), path, 0.0) == []
    assert pair.right.drops and pair.right.endpoint.stats()["half_open"] == pair.right.endpoint.stats()["engines"] == 0


def test_a_chain_torn_in_front_of_the_nonce_meets_silence() -> None:
    ((data, path),) = spoofed(1)
    (nonce,) = Message.decode(data).all(Nonce)
    torn = bytes([PayloadType.NONCE]) + b"\0\xff\xff" + encode_chain((nonce,))
    pair = Pair(net(), responder_demanding(0))
    assert pair.right.endpoint.receive(headed(data, PayloadType.V, torn), path, 0.0) == []
    assert pair.right.drops


def headed(request: bytes, first: PayloadType, chain: bytes) -> bytes:
    """Another payload chain behind the header of a request."""
    return request[:16] + bytes([first]) + request[17:24] + (SIZE + len(chain)).to_bytes(4, "big") + chain
