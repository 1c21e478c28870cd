"""Whatever octets come: traced drops, never a traceback, bounded state, at most one packet for a packet."""

import contextlib
import random
from dataclasses import replace

import pytest

from lab.errors import ConfigError
from lab.ike.actions import Send
from lab.ikev1 import phase2
from lab.ikev1.engine import Engine
from lab.ikev1.exchange import Payloads, Step
from lab.ikev1.sa import Sa
from lab.wire.header import SIZE, Header
from lab.wire.payloads_v1 import Unknown1
from tests.ikev1.test_proof import hybrid, signing
from tests.ikev1.v1 import AGGRESSIVE, MAIN, QUICK, first, of, right_of, settled
from tests.pair import LEFT, RIGHT, Pair, Path, Side

SETTINGS = "half_open_limit = 20\n block_threshold = 0"


def answered(side: Side, data: bytes, now: float, src: tuple[str, int] = (LEFT, 500)) -> list[Send]:
    """What a side sends for one datagram; at most one packet."""
    actions = side.endpoint.receive(data, Path(side.host, 500, *src), now)
    sends = [action for action in actions if isinstance(action, Send)]
    assert len(sends) <= 1, f"{len(sends)} packets for one"
    side.take([action for action in actions if not isinstance(action, Send)])
    return sends


def recorded(mode: str = "") -> list[bytes]:
    pair = Pair(first(mode, SETTINGS and "")).initiate()
    return [d.data for d in pair.wire.sent]


@pytest.mark.parametrize("mode", ["", "aggressive = yes"], ids=["main", "aggressive"])
def test_truncation_at_each_octet(mode: str) -> None:
    """Every message of a whole conversation, cut at every octet, to endpoints in the midst of one."""
    for data in recorded(mode):
        pair = Pair(first(mode, settings=SETTINGS)).initiate()
        before = pair.right.up
        for size in range(len(data)):
            for side in pair.sides:
                answered(side, data[:size], pair.now)
                # with a length that fits what is left, so that the payloads are looked at
                if size >= SIZE:
                    fitting = data[:24] + size.to_bytes(4, "big") + data[28:size]
                    answered(side, fitting, pair.now)
        assert pair.right.up[: len(before)] == before == ["ESTABLISHED"]
        pair.left.do("terminate")
        pair.settle()


@pytest.mark.parametrize("mode", ["", "aggressive = yes"], ids=["main", "aggressive"])
def test_fuzzed_conversations(mode: str) -> None:
    """Every message on its way is damaged at random; whatever comes of it, nobody raises and both can go on later."""
    draw = random.Random(2408)
    for round_ in range(120):
        pair = Pair(first(mode, settings=SETTINGS), seed=str(round_))

        def damage(data: bytes) -> bytes:
            octets = bytearray(data)
            for _ in range(draw.randrange(1, 4)):
                octets[draw.randrange(len(octets))] = draw.randrange(256)
            if draw.random() < 0.5:
                octets[24:28] = len(octets).to_bytes(4, "big")
            return bytes(octets)

        pair.wire.change(lambda d: not d.keepalive and draw.random() < 0.4, damage, count=1000)
        pair.left.do("initiate", "net")
        pair.run(300)
        for side in pair.sides:
            stats = side.endpoint.stats()
            assert stats["engines"] <= 4 and stats["child_spis"] <= 2, stats


SIGNED = {
    "ecdsa": lambda mode: signing("ecdsa-256", mode=mode),
    "hybrid": lambda mode: hybrid(mode=mode),
}


@pytest.mark.parametrize("mode", ["no", "yes"], ids=["main", "aggressive"])
@pytest.mark.parametrize("kind", SIGNED)
def test_truncated_signatures_and_certificates(kind: str, mode: str) -> None:
    """Each message of phase 1 and XAUTH cut at every octet on its way, in place of the whole one."""
    made = SIGNED[kind]
    whole = [d.data for d in made(mode).initiate().wire.sent]
    pair = made(mode).initiate()
    for data in whole:
        for size in range(SIZE, len(data)):
            for side in pair.sides:
                answered(side, data[:24] + size.to_bytes(4, "big") + data[28:size], pair.now)
    assert pair.left.up == pair.right.up == ["ESTABLISHED"]
    for number in range(len(whole)):
        for size in range(SIZE, len(whole[number]), 97):
            pair = made(mode)
            sent = iter(range(1000))
            pair.wire.change(
                lambda d, at=number, sent=sent: next(sent) == at,
                lambda octets, size=size: octets[:24] + min(size, len(octets)).to_bytes(4, "big") + octets[28:size],
            )
            settled(pair, 40)
            assert all(len(side.installed) <= 1 for side in pair.sides)


@pytest.mark.parametrize("mode", ["no", "yes"], ids=["main", "aggressive"])
@pytest.mark.parametrize("kind", SIGNED)
def test_fuzzed_signatures_and_certificates(kind: str, mode: str) -> None:
    """Every message on its way is damaged at random behind its header, with certificates and signatures in it."""
    draw = random.Random(4754)
    for round_ in range(25):
        pair = SIGNED[kind](mode)

        def damage(data: bytes) -> bytes:
            octets = bytearray(data)
            for _ in range(draw.randrange(1, 4)):
                octets[draw.randrange(SIZE, len(octets))] = draw.randrange(256)
            return bytes(octets)

        pair.wire.change(lambda d: not d.keepalive and draw.random() < 0.4, damage, count=1000)
        pair.left.do("initiate", "net")
        pair.run(300)
        for side in pair.sides:
            stats = side.endpoint.stats()
            assert stats["engines"] <= 4 and stats["child_spis"] <= 2, (round_, stats)


@pytest.mark.parametrize("signer", ["left", "right"])
def test_signatures_and_certificates_of_a_peer_that_sends_nonsense(
    monkeypatch: pytest.MonkeyPatch, signer: str
) -> None:
    """ID, CERT and SIG of who has the keys, spoilt before they are sealed: refused in words, and nobody comes up."""
    draw = random.Random(4755)
    true = Engine._encode

    def encode(engine: Engine, message_id: int, iv: bytes, step: Step) -> tuple[bytes, bytes]:
        if engine.sa.host is spoiling and step.exchange == MAIN and step.encrypted:
            spoilt = list(step.payloads)
            at = draw.randrange(len(spoilt))
            body = bytearray(spoilt[at].encode()) or bytearray(1)
            body[draw.randrange(len(body))] ^= draw.randrange(1, 256)
            cut = draw.randrange(len(body)) if draw.random() < 0.3 else len(body)
            spoilt[at] = Unknown1(spoilt[at].type, bytes(body[:cut]))
            step = replace(step, payloads=tuple(spoilt))
        return true(engine, message_id, iv, step)

    monkeypatch.setattr(Engine, "_encode", encode)
    for _ in range(80):
        pair = signing("ecdsa-256")
        spoiling = getattr(pair, signer).endpoint.host
        pair.left.do("initiate", "net")
        pair.run(300)
        honest = pair.right if signer == "left" else pair.left
        for side in pair.sides:
            assert side.endpoint.stats()["engines"] <= 2, side.endpoint.stats()
        assert all(event.fields.get("reason", "x") for event in honest.events)


def test_random_octets_behind_a_right_header() -> None:
    pair = Pair(first(settings=SETTINGS)).initiate()
    draw = random.Random(2409)
    spis = bytes.fromhex(str(pair.left.sas[0]["spi_i"]) + str(pair.left.sas[0]["spi_r"]))
    for _ in range(3000):
        body = draw.randbytes(draw.randrange(0, 200))
        kind, flags, exchange = draw.randrange(256), draw.randrange(256), draw.choice([2, 4, 5, 6, 32, 33, 77])
        head = spis + bytes([kind, 0x10, exchange, flags]) + draw.randbytes(4) + (SIZE + len(body)).to_bytes(4, "big")
        for side in pair.sides:
            answered(side, head + body, pair.now)
    pair.check()
    assert pair.left.up == pair.right.up == ["ESTABLISHED"]
    assert pair.right.endpoint.stats()["child_spis"] == 1


@pytest.mark.parametrize("mode", [MAIN, AGGRESSIVE])
def test_strangers_get_bounded_state(mode: int) -> None:
    """A thousand first messages of as many strangers: as many half-open SAs as are allowed, one packet each."""
    text = first("aggressive = yes" if mode == AGGRESSIVE else "", settings=SETTINGS)
    pair = Pair(text, right_of(text, ("local_addrs = 192.0.2.1", "local_addrs = %any")))
    pair.left.do("initiate", "net")
    data = pair.wire.sent[0].data
    sent = 0
    for n in range(1000):
        cookie = n.to_bytes(8, "big", signed=False)
        sent += len(
            answered(pair.right, b"x" + cookie[1:] + data[8:], pair.now, (f"10.0.{n // 250}.{n % 250 + 1}", 500))
        )
    stats = pair.right.endpoint.stats()
    assert stats["half_open"] == stats["engines"] == 20 == sent
    # and each of them again: the same answer, no more state; from somebody else's address not even that
    for n in range(20):
        again = b"x" + n.to_bytes(8, "big")[1:] + data[8:]
        assert len(answered(pair.right, again, pair.now, (f"10.0.0.{n + 1}", 500))) == 1
        assert not answered(pair.right, again, pair.now, ("10.9.9.9", 500))
    assert pair.right.endpoint.stats()["engines"] == 20
    pair.right.take(pair.right.endpoint.tick(pair.now + 31))
    assert pair.right.endpoint.stats()["half_open"] == 0


def test_a_replayed_conversation_makes_nothing() -> None:
    """All that the initiator ever sent, once more from elsewhere: answers as before at most, no second child."""
    pair = Pair(first()).initiate()
    count = len(pair.right.installed)
    for datagram in [d for d in pair.wire.sent if d.src[0] == LEFT]:
        answered(pair.right, datagram.data, pair.now, ("203.0.113.99", 500))
    assert len(pair.right.installed) == count == 1
    assert pair.right.endpoint.stats()["engines"] == 1
    assert pair.right.sas[0]["remote_host"] == LEFT, "a replay moved the SA"


def test_a_message_of_our_own_comes_back() -> None:
    pair = Pair(first())
    pair.left.do("initiate", "net")
    sent = pair.wire.sent[0].data
    assert answered(pair.left, sent, pair.now, (RIGHT, 500)) == []
    assert pair.left.drops[-1] == "a message of our own came back"


def test_a_stranger_cannot_end_phase_1_with_a_notify_in_clear() -> None:
    """N(NO-PROPOSAL-CHOSEN) by whoever knows the cookies: a hint in the trace, and the exchange goes on."""
    pair = Pair(first())
    pair.wire.delay(of(MAIN, 2), by=2.0)
    pair.left.do("initiate", "net")
    front = Header.decode(pair.wire.sent[0].data)
    notify = bytes.fromhex("0000000c 00000001 01 00 000e".replace(" ", ""))
    head = front.spi_i + bytes(8) + bytes([11, 0x10, 5, 0]) + bytes(4) + (SIZE + len(notify)).to_bytes(4, "big")
    pair.inject(head + notify, (RIGHT, 500), (LEFT, 500))
    pair.run(10)
    pair.check()


def test_quick_modes_of_an_authentic_peer_are_bounded() -> None:
    """A peer that begins Quick Modes and ends none holds as many as there may be under way."""
    pair = Pair(first()).initiate()
    pair.wire.drop(lambda d: of(QUICK)(d) and len(d.data) < 100, count=10_000)
    for _ in range(200):
        pair.left.do("rekey", child="net")
        pair.wait(0.05)
    assert pair.right.endpoint.stats()["child_spis"] <= 70


@pytest.mark.parametrize("liar", ["left", "right"])
def test_an_authentic_peer_that_sends_nonsense(monkeypatch: pytest.MonkeyPatch, liar: str) -> None:
    """Bodies of payloads changed before they are hashed and sealed: refused, dropped or taken, and nobody raises.

    The ISAKMP SA of the honest side stays or is closed in words; what it holds stays bounded.
    """
    draw = random.Random(2407)
    true = phase2.hashed

    def hashed(sa: Sa, message_id: int, payloads: Payloads, nonce: bytes = b"") -> Payloads:
        if sa.initiator != (liar == "left"):
            return true(sa, message_id, payloads, nonce)
        spoilt = list(payloads)
        at = draw.randrange(len(spoilt))
        body = bytearray(spoilt[at].encode()) or bytearray(1)
        for _ in range(draw.randrange(1, 4)):
            body[draw.randrange(len(body))] = draw.randrange(256)
        cut = draw.randrange(len(body)) if draw.random() < 0.2 else len(body)
        spoilt[at] = Unknown1(spoilt[at].type, bytes(body[:cut]))
        if draw.random() < 0.1:
            spoilt.pop(draw.randrange(len(spoilt)))
        return true(sa, message_id, tuple(spoilt), nonce)

    monkeypatch.setattr(phase2, "hashed", hashed)
    for round_ in range(150):
        pair = Pair(first(settings=SETTINGS, esp="aes128-sha256-ecp256"), seed=str(round_)).initiate()
        for command, named in (("rekey", {"child": "net"}), ("liveness", {}), ("terminate", {"child": "net"})):
            for side in pair.sides:
                with contextlib.suppress(ConfigError):  # what it names has not come up, or has gone
                    side.do(command, **named)
                pair.settle()
        pair.run(pair.now + 300)
        for side in pair.sides:
            stats = side.endpoint.stats()
            assert stats["engines"] <= 3 and stats["child_spis"] <= 6, stats
            assert all(event.fields.get("reason", "x") for event in side.events)
