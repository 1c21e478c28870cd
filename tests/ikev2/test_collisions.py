"""Both sides rekey or delete the same SA at once: every interleaving ends with one SA on both sides.

The rules are those of RFC 7296 2.8.1 and 2.25; the cases are those that strongSwan's suites for child and IKE
rekeying and the TAHI tests name, and a grid of delays and losses that finds the others.
"""

import itertools

import pytest

from lab.ike.collisions import Attempt, Collisions
from lab.wire.ids import ExchangeType
from lab.wire.message import Message
from lab.wire.payloads_v2 import Nonce
from tests.ikev2.test_create_child_sa import PFS, told, two
from tests.pair import (
    LEFT,
    RIGHT,
    Pair,
    Predicate,
    engine_of,
    is_request,
    is_response,
    mirrored,
    net,
    sent_by,
)

CHILD, INFO = ExchangeType.CREATE_CHILD_SA, ExchangeType.INFORMATIONAL
SEEDS = pytest.mark.parametrize("seed", ["a", "b", "c", "d"])
HOSTS = {"left": LEFT, "right": RIGHT}
OTHER = {"left": "right", "right": "left"}


def of(side: str, exchange: ExchangeType, *, response: bool = False) -> Predicate:
    """A request of a side, or the response to it."""
    kind = is_response(exchange) if response else is_request(exchange)
    sender = sent_by(HOSTS[OTHER[side] if response else side])
    return lambda datagram: kind(datagram) and sender(datagram)


def up(seed: str = "a", text: str = "", **named: object) -> Pair:
    text = text or net("rekey_time = 0", "rekey_time = 0")
    return Pair(text, mirrored(text), seed=seed, **named).initiate()


def both(pair: Pair, command: str, **named: object) -> None:
    for side in pair.sides:
        side.do(command, **named)


def one_child(pair: Pair, *, up: bool = True, events: bool = True) -> None:
    """Exactly one child on both sides, the same, in use; nothing left of the others."""
    pair.wait(60)
    pair.check(children=int(up))
    for side in pair.sides:
        (sa,) = side.sas
        assert sa["state"] == "ESTABLISHED"
        assert [child["state"] for child in sa["children"]] == ["INSTALLED"] * up
        assert side.endpoint.stats()["child_spis"] == len(side.installed) == int(up)
        assert engine_of(side).idle
        if up and events:
            assert side.names.count("child-rekeyed") >= 1
            assert "child-down" not in side.names
    if up:
        here, there = pair.left.sending, pair.right.sending
        assert here is not None
        assert there is not None
        assert (here.spi_in, here.spi_out) == (there.spi_out, there.spi_in)


def one_ike_sa(pair: Pair) -> None:
    """Exactly one IKE SA on both sides, the same, with the child."""
    pair.wait(60)
    pair.check()
    (here,), (there,) = (side.sas for side in pair.sides)
    assert (here["spi_i"], here["spi_r"]) == (there["spi_i"], there["spi_r"])
    assert here["state"] == there["state"] == "ESTABLISHED"
    for side in pair.sides:
        assert len(side.sas[0]["children"]) == 1
        assert side.names.count("ike-rekeyed") >= 1
        assert not {"ike-down", "child-down"} & set(side.names)
        side.do("liveness")
    pair.wait(200)
    for side in pair.sides:
        assert side.up == ["ESTABLISHED"]
        assert side.endpoint.stats()["engines"] == 1


# -- the rule itself


def test_the_exchange_with_the_lowest_nonce_made_the_redundant_sa() -> None:
    low, mid, high, top = (bytes([n]) * 16 for n in (1, 2, 3, 4))
    assert Collisions(Attempt(low, top, "x"), Attempt(mid, high, "y")).lost
    assert Collisions(Attempt(top, low, "x"), Attempt(high, mid, "y")).lost
    assert not Collisions(Attempt(mid, top, "x"), Attempt(low, high, "y")).lost
    assert not Collisions(Attempt(mid, top, "x"), Attempt(high, low, "y")).lost


def test_nonces_compare_octet_by_octet_whatever_their_length() -> None:
    assert Collisions(Attempt(b"\1" * 32, b"\xff", "x"), Attempt(b"\2", b"\xff", "y")).lost
    assert Collisions(Attempt(b"\1", b"\xff", "x"), Attempt(b"\1\0", b"\xff", "y")).lost


def test_one_exchange_alone_never_loses() -> None:
    assert not Collisions(Attempt(b"\0", b"\0", "x")).lost
    assert not Collisions(None, Attempt(b"\0", b"\0", "y")).lost
    assert not Collisions().lost


# -- children


@SEEDS
@pytest.mark.parametrize("child", ["rekey_time = 0", "rekey_time = 0\n " + PFS], ids=["", "PFS"])
def test_both_rekey_the_child(seed: str, child: str) -> None:
    # HDR, SK {N(REKEY_SA), SA, Ni1, ...}  -->  <--  HDR, SK {N(REKEY_SA), SA, Ni2, ...}
    # HDR, SK {SA, Nr2, ...}  -->               <--  HDR, SK {SA, Nr1, ...}
    # the winner deletes the old child, the loser its own new one
    pair = up(seed, net("rekey_time = 0", child))
    both(pair, "rekey", child="net")
    one_child(pair)
    deletes = [t for t in told(pair) if t.endswith("[ D ]") and "request" in t]
    assert sorted(t.split(" ")[0] for t in deletes) == ["left", "right"], "each deletes one child"
    assert [side.names.count("child-rekeyed") for side in pair.sides] == [1, 1]


def test_the_nonces_decide_and_not_the_roles() -> None:
    winners = set()
    for seed in "abcdefgh":
        pair = up(seed)
        both(pair, "rekey", child="net")
        one_child(pair)
        winners.add(nonce_rule(pair))
    assert winners == {True, False}


@SEEDS
@pytest.mark.parametrize("what", ["child", "ike", "child and ike"])
def test_no_packet_is_lost_in_a_collision(seed: str, what: str) -> None:
    for delay in (0.005, 0.05, 0.2):
        pair = up(seed, delay=delay)
        pair.ping(0.5)
        if "child" in what:
            both(pair, "rekey", child="net")
        if "ike" in what:
            both(pair, "rekey")
        pair.ping(8)
        assert pair.lost == []
        assert pair.packets > 800
        (one_ike_sa if what == "ike" else one_child)(pair)


MESSAGES = {
    "left's request": of("left", CHILD),
    "right's request": of("right", CHILD),
    "left's response": of("right", CHILD, response=True),
    "right's response": of("left", CHILD, response=True),
    "left's delete": of("left", INFO),
    "right's delete": of("right", INFO),
    "left's answer to a delete": of("right", INFO, response=True),
    "right's answer to a delete": of("left", INFO, response=True),
}
EACH = pytest.mark.parametrize("message", MESSAGES.values(), ids=MESSAGES.keys())
TROUBLES = pytest.mark.parametrize("trouble", ["lost", "doubled", "late"])


def trouble_with(pair: Pair, message: Predicate, trouble: str, by: float = 4.3) -> None:
    if trouble == "lost":
        pair.wire.drop(message)
    elif trouble == "doubled":
        pair.wire.duplicate(message, by=0.7)
    else:
        pair.wire.delay(message, by=by)


@SEEDS
@EACH
@TROUBLES
def test_both_rekey_the_child_and_one_message_is_in_trouble(seed: str, message: Predicate, trouble: str) -> None:
    pair = up(seed)
    trouble_with(pair, message, trouble)
    both(pair, "rekey", child="net")
    pair.ping(12, every=0.1)
    assert pair.lost == []
    one_child(pair)


@pytest.mark.parametrize("pattern", list(itertools.product((0.0, 0.3, 4.5), repeat=4)))
def test_every_order_of_the_four_messages(pattern: tuple[float, ...]) -> None:
    for seed in "ab":
        pair = up(seed)
        for by, message in zip(pattern, list(MESSAGES.values())[:4], strict=True):
            pair.wire.delay(message, by=by)
        both(pair, "rekey", child="net")
        one_child(pair)


@SEEDS
def test_the_peers_request_comes_when_our_own_rekeying_is_over(seed: str) -> None:
    """The side that does not notice answers TEMPORARY_FAILURE, the other one gives its exchange up."""
    pair = up(seed)
    pair.wire.delay(of("right", CHILD), by=0.5)
    both(pair, "rekey", child="net")
    one_child(pair)
    assert "left CREATE_CHILD_SA response 0 [ N(CHILD_SA_NOT_FOUND) ]" in told(pair)
    kept = next(iter(pair.left.installed.values()))
    assert kept.spi_in == pair.left.ever[1].spi_in


@SEEDS
def test_the_peers_request_comes_while_our_delete_is_under_way(seed: str) -> None:
    pair = up(seed)
    pair.wire.delay(of("right", CHILD), by=0.025)
    both(pair, "rekey", child="net")
    one_child(pair)
    assert "left CREATE_CHILD_SA response 0 [ N(TEMPORARY_FAILURE) ]" in told(pair)


@SEEDS
def test_our_response_comes_after_the_peer_deleted_the_old_child(seed: str) -> None:
    """The peer won and is done; what our own exchange made is redundant, or the peer's is, and it knows that too."""
    pair = up(seed)
    pair.wire.delay(of("left", CHILD, response=True), by=2.0)
    both(pair, "rekey", child="net")
    pair.ping(6)
    assert pair.lost == []
    one_child(pair)


def test_a_second_request_for_a_child_that_is_replaced_is_put_off() -> None:
    pair = up()
    pair.wire.drop(of("left", INFO), count=1)
    pair.left.do("rekey", child="net")
    pair.settle()
    old = [c for c in engine_of(pair.right).sa.children.values() if c.sa == pair.right.ever[0]]
    assert [c.state.name for c in old] == ["REKEYED"]
    pair.right.do("rekey", child="net")
    pair.settle()
    one_child(pair)


# -- a child rekeyed by one side and deleted by the other


@SEEDS
@pytest.mark.parametrize("later", [0.0, 0.005, 0.015, 0.025, 0.035, 0.06])
def test_one_rekeys_the_other_deletes(seed: str, later: float) -> None:
    pair = up(seed)
    pair.left.do("rekey", child="net")
    pair.wait(later)
    pair.right.do("terminate", child="net")
    one_child(pair, up=False)


@SEEDS
@EACH
@TROUBLES
def test_one_rekeys_the_other_deletes_with_trouble(seed: str, message: Predicate, trouble: str) -> None:
    pair = up(seed)
    trouble_with(pair, message, trouble)
    pair.left.do("rekey", child="net")
    pair.right.do("terminate", child="net")
    pair.wait(120)
    children = len(pair.left.installed)
    assert children <= 1
    one_child(pair, up=bool(children), events=False)


@TROUBLES
@EACH
def test_both_delete_the_child_with_trouble(message: Predicate, trouble: str) -> None:
    pair = up()
    trouble_with(pair, message, trouble)
    both(pair, "terminate", child="net")
    one_child(pair, up=False)


# -- the IKE SA


@SEEDS
def test_both_rekey_the_ike_sa(seed: str) -> None:
    # HDR, SK {SA, Ni1, KEi1}  -->  <--  HDR, SK {SA, Ni2, KEi2}
    # HDR, SK {SA, Nr2, KEr2}  -->  <--  HDR, SK {SA, Nr1, KEr1}
    # the winner deletes the old IKE SA, the loser its own new one
    pair = up(seed)
    both(pair, "rekey")
    one_ike_sa(pair)
    assert [side.names.count("ike-rekeyed") for side in pair.sides] == [1, 1]
    assert len([t for t in told(pair) if t.endswith("[ D ]")]) == 2


def test_the_nonces_decide_about_the_ike_sa_too() -> None:
    roles = set()
    for seed in "abcdefgh":
        pair = up(seed)
        both(pair, "rekey")
        one_ike_sa(pair)
        roles.add(pair.left.sas[0]["role"])
    assert roles == {"initiator", "responder"}


@SEEDS
@EACH
@TROUBLES
def test_both_rekey_the_ike_sa_and_one_message_is_in_trouble(seed: str, message: Predicate, trouble: str) -> None:
    pair = up(seed)
    trouble_with(pair, message, trouble)
    both(pair, "rekey")
    one_ike_sa(pair)


@pytest.mark.parametrize("pattern", list(itertools.product((0.0, 0.3, 4.5), repeat=4)))
def test_every_order_of_the_four_messages_for_the_ike_sa(pattern: tuple[float, ...]) -> None:
    for seed in "ab":
        pair = up(seed)
        for by, message in zip(pattern, list(MESSAGES.values())[:4], strict=True):
            pair.wire.delay(message, by=by)
        both(pair, "rekey")
        one_ike_sa(pair)


@SEEDS
def test_the_request_of_an_unaware_peer_is_refused_when_the_ike_sa_is_replaced(seed: str) -> None:
    pair = up(seed)
    pair.wire.delay(of("right", CHILD), by=0.025)
    both(pair, "rekey")
    one_ike_sa(pair)
    assert "left CREATE_CHILD_SA response 0 [ N(TEMPORARY_FAILURE) ]" in told(pair)


@SEEDS
@pytest.mark.parametrize("later", [0.0, 0.005, 0.015, 0.025, 0.035, 0.06])
def test_one_rekeys_the_ike_sa_the_other_deletes_it(seed: str, later: float) -> None:
    pair = up(seed)
    pair.left.do("rekey")
    pair.wait(later)
    pair.right.do("terminate")
    pair.wait(300)
    for side in pair.sides:
        assert side.up == []
        assert set(side.endpoint.stats().values()) == {0}
        assert side.names.count("child-down") == 1


# -- mixtures of both


@SEEDS
@pytest.mark.parametrize("later", [0.0, 0.005, 0.015, 0.025, 0.035])
@pytest.mark.parametrize("first", ["left", "right"])
def test_one_rekeys_the_ike_sa_the_other_the_child(seed: str, later: float, first: str) -> None:
    pair = up(seed)
    one, other = pair.ends(first)
    one.do("rekey")
    pair.wait(later)
    other.do("rekey", child="net")
    pair.ping(30, every=0.1)
    assert pair.lost == []
    one_child(pair)
    one_ike_sa(pair)


@SEEDS
@pytest.mark.parametrize("later", [0.0, 0.005, 0.015, 0.025, 0.035])
def test_one_rekeys_the_ike_sa_the_other_deletes_the_child(seed: str, later: float) -> None:
    pair = up(seed)
    pair.left.do("rekey")
    pair.wait(later)
    pair.right.do("terminate", child="net")
    one_child(pair, up=False)
    assert pair.left.names.count("ike-rekeyed") == pair.right.names.count("ike-rekeyed") == 1


@SEEDS
@pytest.mark.parametrize("later", [0.0, 0.005, 0.015, 0.025, 0.035])
def test_one_rekeys_the_child_the_other_deletes_the_ike_sa(seed: str, later: float) -> None:
    pair = up(seed)
    pair.left.do("rekey", child="net")
    pair.wait(later)
    pair.right.do("terminate")
    pair.wait(300)
    for side in pair.sides:
        assert side.installed == {}
        assert set(side.endpoint.stats().values()) == {0}


@SEEDS
def test_both_rekey_everything_at_once(seed: str) -> None:
    text = two("rekey_time = 0", "rekey_time = 0")
    pair = up(seed, text)
    pair.left.do("initiate", "second")
    pair.settle()
    for side in pair.sides:
        side.do("rekey", child="net")
        side.do("rekey")
        side.do("rekey", child="second")
    pair.wait(120)
    pair.check(children=2)
    for side in pair.sides:
        assert side.up == ["ESTABLISHED"]
        assert side.endpoint.stats()["child_spis"] == 2
        assert side.names.count("ike-rekeyed") >= 1


@SEEDS
def test_both_ask_for_the_same_child_at_once(seed: str) -> None:
    """Nothing joins two new children of one name: each side gets what it asked for, as with strongSwan."""
    text = two("rekey_time = 0", "rekey_time = 0")
    pair = up(seed, text)
    both(pair, "initiate", child="second")
    pair.wait(20)
    pair.check(children=3)


# -- long runs


@pytest.mark.parametrize("seed", ["a", "b"])
def test_an_hour_of_rekeying_by_both_sides_with_loss(seed: str) -> None:
    text = net("rekey_time = 4m\n dpd_delay = 30s", "rekey_time = 1m")
    pair = Pair(text, mirrored(text), seed=seed).initiate()
    unlucky = itertools.count()
    # Every 23rd IKE message is lost; nothing of it may show in the end.
    pair.wire.drop(lambda datagram: next(unlucky) % 23 == 22, count=10**9)
    sizes = []
    for minute in range(1, 61):
        pair.ping(minute * 60 - pair.now, every=1.0)
        sizes.append(tuple(side.endpoint.stats()["child_spis"] for side in pair.sides))
        assert len(pair.left.installed) <= 4
    assert pair.lost == []
    assert pair.left.names.count("ike-down") == pair.right.names.count("ike-down") == 0
    assert pair.left.names.count("child-rekeyed") > 50
    assert pair.left.names.count("ike-rekeyed") > 10
    assert max(sizes) <= (4, 4)


def nonce_rule(pair: Pair) -> bool:
    """Whether left's exchange was to prevail by the nonces that were on the wire; checks that it did."""
    openers = engine_of(pair.right).sa.opener, engine_of(pair.left).sa.opener
    attempts = {}
    for side in pair.sides:
        nonces = []
        for datagram in pair.wire.seen(of(side.name, CHILD)) + pair.wire.seen(of(side.name, CHILD, response=True)):
            opener = openers[0] if datagram.src[0] == LEFT else openers[1]
            nonce = Message.decode(datagram.ike).opened(opener).get(Nonce)
            assert nonce is not None
            nonces.append(nonce.data)
        assert len(nonces) == 2
        attempts[side.name] = min(nonces)
    prevails = attempts["left"] > attempts["right"]
    deleted = [r.text for r in pair.left.records if r.text.startswith("sent INFORMATIONAL request")]
    assert len(deleted) == 1
    # Who prevails deletes the old child, the other one the child that it has just made.
    old = pair.left.ever[0].spi_in.hex()
    assert (pair.left.told("child-rekeyed")[0]["old_spi_in"] == old) and pair.left.names.count("child-rekeyed") == 1
    states = [r.text for r in pair.left.records if r.kind == "state" and r.text.endswith("-> DELETING")]
    assert states == [f"child net {old}: REKEYED -> DELETING"] if prevails else old not in states[0]
    return prevails
