"""What the pair tests of IKEv1 share: its configuration, and predicates for its messages."""

import itertools
from collections.abc import Callable

from lab.ikev1 import phase2
from lab.ikev1.engine import Engine
from lab.ikev1.keys import phase2_iv
from lab.ikev1.sa import Sa
from lab.wire.ids_v1 import ExchangeType1
from lab.wire.message_v1 import Payload1, encode_chain, header
from tests.pair import Datagram, Pair, Predicate, Side, mirrored, net

MAIN, AGGRESSIVE = ExchangeType1.MAIN_MODE, ExchangeType1.AGGRESSIVE_MODE
QUICK, INFORMATIONAL = ExchangeType1.QUICK_MODE, ExchangeType1.INFORMATIONAL
IKE, ESP = "aes256-sha256-ecp256", "aes128-sha256"


def first(
    connection: str = "", child: str = "", settings: str = "", *, ike: str = IKE, esp: str = ESP, **ends: str
) -> str:
    """The left side's configuration under IKEv1, with lines of your own."""
    text = net(f"proposals = {ike}\n{connection}", f"esp_proposals = {esp}\n{child}", settings, **ends)
    return text.replace("version = 2", "version = 1")


def right_of(text: str, *changes: tuple[str, str]) -> str:
    """The right side's, with some words changed."""
    for before, after in changes:
        assert before in text, before
        text = text.replace(before, after)
    return mirrored(text)


def of(exchange: ExchangeType1, number: int = 0) -> Predicate:
    """Messages of an exchange; with `number` only that one, counted from 1 over both directions, whatever repeats."""
    seen: list[bytes] = []

    def predicate(datagram: Datagram) -> bool:
        if datagram.keepalive or datagram.header.exchange != int(exchange):
            return False
        if datagram.data not in seen:
            seen.append(datagram.data)
        return not number or seen.index(datagram.data) + 1 == number

    return predicate


def ladder(pair: Pair) -> list[str]:
    """`left MAIN_MODE`, in the order sent."""
    names = {"192.0.2.1": "left", "203.0.113.1": "left"}
    return [
        f"{names.get(d.src[0], 'right')} {ExchangeType1(d.header.exchange).name}"
        for d in pair.wire.sent
        if not d.keepalive
    ]


def engine(side: Side) -> Engine:
    """The engine of the only ISAKMP SA of a side that is alive."""
    (found,) = [e for e in side.endpoint._v1.table.engines.values() if e.sa.alive]
    return found


def sa(side: Side) -> Sa:
    return engine(side).sa


def sealed(side: Side, exchange: ExchangeType1, *payloads: Payload1, message_id: int = 77) -> bytes:
    """A first message of phase 2 that a side could have sent, without its engine knowing."""
    of = sa(side)
    assert of.cipher is not None
    chain = encode_chain(payloads)
    chain += bytes(-len(chain) % of.agreed.block)
    body = of.cipher.encrypt(phase2_iv(of.agreed, of.iv, message_id), chain)
    front = header(of.cookies, exchange, payloads, message_id=message_id, encrypted=True, length=len(body))
    return front.encode() + body


_message_ids = itertools.count(1000)


def authentic(side: Side, exchange: ExchangeType1, *payloads: Payload1) -> bytes:
    """The same behind a HASH(1) that verifies, under a message ID of its own."""
    message_id = next(_message_ids)
    return sealed(side, exchange, *phase2.hashed(sa(side), message_id, payloads), message_id=message_id)


def up(side: Side) -> list[str]:
    return [str(one["state"]) for one in side.sas]


def settled(pair: Pair, seconds: float = 60.0) -> Pair:
    """Bring the child up from the left although messages get lost, and let time pass."""
    pair.left.do("initiate", "net")
    pair.run(pair.now + seconds)
    return pair


Change = Callable[[bytes], bytes]
