"""Hostile input: cut, flipped and mutated messages in every state and both roles.

Nothing is raised; each message leaves a trace; whatever is answered is a well-formed message; tables stay bounded;
and an exchange that was under way goes on when the true message comes. Mutations inside SK are sealed with the true
keys, as a broken or malicious peer would.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from lab.ike.actions import Action, Event, Path, Send
from lab.ikev2.engine import Engine
from lab.wire.header import SIZE, Header
from lab.wire.ids import ExchangeType, NotifyType, PayloadType, ProtocolId
from lab.wire.message import Message
from lab.wire.payloads_v2 import Delete, Notify
from tests.pair import LEFT, RIGHT, Pair, Side, engine_of, forged, mirrored, net

pytestmark = pytest.mark.apart
INIT, AUTH, INFO = ExchangeType.IKE_SA_INIT, ExchangeType.IKE_AUTH, ExchangeType.INFORMATIONAL
SETTINGS = "half_open_limit = 20\n block_threshold = 0\n cookie_threshold = 1000"


@dataclass
class Scene:
    """A pair with one datagram about to arrive."""

    pair: Pair
    side: Side
    data: bytes
    path: Path

    def give(self, data: bytes) -> list[Action]:
        """Let the side receive this instead; checks what must hold for any input."""
        before, now = len(self.side.records), self.pair.now
        actions = self.side.endpoint.receive(data, self.path, now)
        assert len(self.side.records) > before, "nothing happens without a trace"
        for action in actions:
            if isinstance(action, Send):
                Message.decode(action.data[4:] if action.path.marked else action.data)
            if isinstance(action, Event) and action.name == "failed":
                assert action.fields["reason"]
        for name, size in self.side.endpoint.stats().items():
            assert size <= (64 + 4 * 1100 if name == "deadlines" else 1100), f"{name} grows: {size}"
        return actions

    @property
    def state(self) -> tuple[object, ...]:
        """What must not change while nothing valid arrives."""
        engines = self.side.endpoint.table.engines.values()
        return tuple((e.sa.spi, e.sa.state, e._next_expected, e._next_request) for e in engines if e.sa.alive)


def at(steps: int, to: str, start: Callable[[Pair], None], connection: str = "") -> Scene:
    """The scene in which, after `steps` deliveries, the next datagram is about to reach a side."""
    child = "esp_proposals = aes256gcm16-x25519"
    second = "children { second { local_ts = 10.3.0.0/24\n remote_ts = 10.4.0.0/24\n" + child + " }"
    whole = [net(connection, child, SETTINGS, left) for left in (LEFT, "%any")]
    texts = [text.replace("children {", second) for text in whole]
    pair = Pair(texts[0], mirrored(texts[1]))
    start(pair)
    for _ in range(steps):
        pair.step()
    datagram = pair.wire.sent[-1]
    side, path = {
        "left": (pair.left, Path(LEFT, datagram.dst[1], RIGHT, datagram.src[1])),
        "right": (pair.right, Path(RIGHT, datagram.dst[1], LEFT, datagram.src[1])),
    }[to]
    return Scene(pair, side, datagram.data, path)


def initiate(pair: Pair) -> None:
    pair.left.do("initiate", "net")


def resuming(pair: Pair) -> None:
    pair.initiate()
    pair.left.do("terminate")
    pair.settle()
    pair.left.do("initiate", "net")


def liveness(by: str) -> Callable[[Pair], None]:
    def start(pair: Pair) -> None:
        pair.initiate()
        pair.ends(by)[0].do("liveness")

    return start


def delete(pair: Pair) -> None:
    pair.initiate()
    pair.left.do("terminate", child="net")


def further(pair: Pair) -> None:
    pair.initiate()
    pair.left.do("initiate", "second")


def rekeying(by: str = "left", **what: str) -> Callable[[Pair], None]:
    def start(pair: Pair) -> None:
        pair.initiate()
        pair.ends(by)[0].do("rekey", **what)

    return start


SCENES: dict[str, Callable[[], Scene]] = {
    "IKE_SA_INIT request at the responder": lambda: at(0, "right", initiate),
    "IKE_SA_INIT response at the initiator": lambda: at(1, "left", initiate),
    "IKE_AUTH request at the responder": lambda: at(2, "right", initiate),
    "IKE_AUTH response at the initiator": lambda: at(3, "left", initiate),
    "IKE_SESSION_RESUME request at the responder": lambda: at(0, "right", resuming, "resumption = yes"),
    "IKE_SESSION_RESUME response at the initiator": lambda: at(1, "left", resuming, "resumption = yes"),
    "resuming IKE_AUTH request at the responder": lambda: at(2, "right", resuming, "resumption = yes"),
    "resuming IKE_AUTH response at the initiator": lambda: at(3, "left", resuming, "resumption = yes"),
    "liveness request at the responder": lambda: at(0, "right", liveness("left")),
    "liveness request at the initiator": lambda: at(0, "left", liveness("right")),
    "liveness response at the initiator": lambda: at(1, "left", liveness("left")),
    "child request at the responder": lambda: at(0, "right", further),
    "child response at the initiator": lambda: at(1, "left", further),
    "rekeying of a child at the responder": lambda: at(0, "right", rekeying(child="net")),
    "rekeyed child at the initiator": lambda: at(1, "left", rekeying(child="net")),
    "rekeying of the IKE SA at the responder": lambda: at(0, "right", rekeying()),
    "rekeyed IKE SA at the initiator": lambda: at(1, "left", rekeying()),
    "rekeying of a child at the initiator": lambda: at(0, "left", rekeying("right", child="net")),
    "rekeying of the IKE SA at the initiator": lambda: at(0, "left", rekeying("right")),
    "Delete request at the responder": lambda: at(0, "right", delete),
    "Delete response at the initiator": lambda: at(1, "left", delete),
}
# Not protected by an ICV.
CLEAR = ("IKE_SA_INIT", "IKE_SESSION_RESUME")
EACH = pytest.mark.parametrize("name", SCENES)


def sized(data: bytes) -> bytes:
    """The same octets with a header that tells their true number, so that what comes behind is looked at."""
    return data[:24] + len(data).to_bytes(4, "big") + data[28:] if len(data) >= SIZE else data


@EACH
def test_cut_at_every_octet(name: str) -> None:
    scene = SCENES[name]()
    for length in range(len(scene.data)):
        before = scene.state
        assert scene.give(scene.data[:length]) == []
        scene.give(sized(scene.data[:length]))
        if name.startswith(CLEAR):
            # Not protected by an ICV: a cut at a payload's end may leave a message with all that it needs.
            if scene.state != before:
                scene = SCENES[name]()
        else:
            assert scene.state == before
    scene.pair.settle()
    assert scene.side.up == ["ESTABLISHED"]


@EACH
def test_every_octet_flipped(name: str) -> None:
    scene = SCENES[name]()
    for index in range(len(scene.data)):
        before = scene.state
        for mask in (0x01, 0x80, 0xFF):
            data = bytearray(scene.data)
            data[index] ^= mask
            actions = scene.give(bytes(data))
            if name.startswith(CLEAR):
                if scene.state != before:
                    scene = SCENES[name]()
                continue
            # Behind an ICV a flipped bit is a dropped message; only headers that name nobody's SA are answered in
            # clear.
            assert scene.state == before
            for answer in [a for a in actions if isinstance(a, Send)]:
                (notify,) = Message.decode(answer.data).payloads
                assert isinstance(notify, Notify)
                assert notify.notify_type in (NotifyType.INVALID_IKE_SPI, NotifyType.INVALID_MAJOR_VERSION)
    if not name.startswith(CLEAR):
        scene.pair.settle()
        assert scene.side.up == ["ESTABLISHED"]


def mutations(data: bytes, rng: random.Random, count: int) -> Iterator[bytes]:
    """Random changes: bits, octets, lengths, cuts, repetitions, insertions; mostly with a true length in the header."""
    for _ in range(count):
        out = bytearray(data)
        for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
            at_ = rng.randrange(len(out) or 1)
            kind = rng.randrange(7)
            if kind == 0 and out:
                out[at_] ^= 1 << rng.randrange(8)
            elif kind == 1 and out:
                out[at_] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))
            elif kind == 2:
                out[at_ : at_ + 2] = rng.choice((0, 1, 3, 4, 5, 8, 0xFFFF, len(out), rng.randrange(65536))).to_bytes(
                    2, "big"
                )
            elif kind == 3:
                del out[at_:]
            elif kind == 4:
                del out[at_ : at_ + rng.randrange(1, 20)]
            elif kind == 5:
                out[at_:at_] = rng.randbytes(rng.randrange(1, 20))
            else:
                out[at_:at_] = out[at_ : at_ + rng.randrange(1, 60)]
        yield bytes(out)


def in_clear(count: int, seed: int) -> None:
    """Mutations of whole datagrams, in every scene."""
    rng = random.Random(seed)
    for name, make in SCENES.items():
        scene = make()
        before = scene.state
        for number, data in enumerate(mutations(scene.data, rng, count // len(SCENES))):
            data = sized(data) if rng.random() < 0.8 else data
            if data == scene.data:
                continue
            scene.give(data)
            if name.startswith(CLEAR) and name.endswith("initiator") and scene.state != before:
                scene = make()
            if number % 50 == 0:
                scene.pair.now += 40.0 if name.startswith(CLEAR) and name.endswith("responder") else 0.0
                scene.side.endpoint.tick(scene.pair.now)
        if not name.startswith(CLEAR):
            assert scene.state == before


def inside(count: int, seed: int) -> None:
    """Mutations of the payload chain inside SK, sealed with the true keys of the peer."""
    rng = random.Random(seed)
    names = [name for name in SCENES if "IKE_AUTH" in name or "child" in name or "rekey" in name]
    for name in names:
        for round_ in range(count // (4 * len(names))):
            scene = SCENES[name]()
            peer = scene.pair.left if scene.side is scene.pair.right else scene.pair.right
            header = Header.decode(scene.data)
            plain = Message.decode(scene.data).opened(owner(scene.side, header).sa.opener)
            (chain,) = mutations(plain.plaintext, rng, 1)
            first = plain.payloads[0].type if round_ % 10 else PayloadType(rng.randrange(256))
            scene.side.take(scene.give(sealed(peer, header, first, chain)))
            scene.pair.run(scene.pair.now + 400)
            assert set(scene.side.up) <= {"ESTABLISHED"}, f"{name}: nothing leads out of {scene.side.up}"
            if not scene.side.up:
                assert not scene.side.installed, f"{name}: children outlive their IKE SA"
    scene = SCENES["liveness request at the responder"]()
    payloads = Delete(ProtocolId.ESP, (b"none",)), Notify(NotifyType(40000), b"x"), Delete(ProtocolId.AH, (b"abcd",))
    for _ in range(count * 3 // 4):
        if scene.side.up != ["ESTABLISHED"] or scene.pair.left.up != ["ESTABLISHED"]:
            scene = SCENES["liveness request at the responder"]()
        engine = engine_of(scene.side)
        data = forged(scene.pair.left, INFO, engine._next_expected, *payloads)
        plain = Message.decode(data).opened(engine.sa.opener)
        (chain,) = mutations(plain.plaintext, rng, 1)
        kind = rng.choice((PayloadType.D, PayloadType.N, PayloadType.NONE, PayloadType(rng.randrange(256))))
        scene.give(sealed(scene.pair.left, plain.header, kind, chain))


def owner(side: Side, header: Header) -> Engine:
    """The IKE SA of a side that a header names; there are two while one is rekeyed."""
    engine = side.endpoint.table.get(header.spi_i) or side.endpoint.table.get(header.spi_r)
    assert engine is not None
    return engine


def sealed(peer: Side, header: Header, first: PayloadType, chain: bytes) -> bytes:
    """A message whose payload chain need not make sense, under a true ICV."""
    sealer = owner(peer, header).sa.sealer
    body = len(chain) + sealer.overhead(len(chain))
    front = Header(
        header.spi_i, header.spi_r, PayloadType.SK, header.exchange, header.flags, header.message_id, SIZE + 4 + body
    ).encode()
    aad = front + bytes([first, 0]) + (4 + body).to_bytes(2, "big")
    return aad + sealer.seal(aad, chain)


def test_random_mutations() -> None:
    in_clear(6000, seed=1)
    inside(600, seed=2)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_100000_random_mutations() -> None:
    in_clear(90000, seed=3)
    inside(10000, seed=4)


def test_octets_without_any_sense() -> None:
    rng = random.Random(5)
    scene = SCENES["liveness request at the responder"]()
    before = scene.state
    for _ in range(2000):
        scene.give(sized(rng.randbytes(rng.randrange(200))))
    assert scene.state == before


@pytest.mark.parametrize("by", ["left", "right"])
def test_own_messages_reflected_in_every_state(by: str) -> None:
    pair = Pair()
    pair.ends(by)[0].do("initiate", "net")
    reflected = 0
    for _ in range(40):
        for datagram in pair.wire.sent[reflected:]:
            pair.inject(datagram.data, datagram.dst, datagram.src)
            reflected += 1
        if not pair._flight:
            break
        pair.step()
    pair.left.do("terminate")
    for _ in range(10):
        for datagram in pair.wire.sent[reflected:]:
            pair.inject(datagram.data, datagram.dst, datagram.src)
            reflected += 1
        if pair._flight:
            pair.step()
    assert reflected == len(pair.wire.sent) == 6, "a reflection brings no answer"
    assert [side.names for side in pair.sides] == [["ike-up", "child-up", "child-down", "ike-down"]] * 2


def test_a_flood_of_requests_from_everywhere_leaves_bounded_tables_and_an_honest_peer_gets_through() -> None:
    right = mirrored(net(settings="cookie_threshold = 10\n half_open_limit = 50", left="%any"))
    pair = Pair(net(), right)
    stranger = Pair(seed="stranger")
    stranger.left.do("initiate", "net")
    request = bytearray(stranger.wire.sent[0].data)
    for number in range(3000):
        request[0:8] = (number + 1).to_bytes(8, "big")
        path = Path(RIGHT, 500, f"203.0.{number // 250}.{number % 250}", 500)
        pair.right.endpoint.receive(bytes(request), path, pair.now)
    stats = pair.right.endpoint.stats()
    assert stats["half_open"] == stats["engines"] == stats["begun"] == 10
    pair.initiate()
    pair.check()
