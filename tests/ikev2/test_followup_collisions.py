"""Both sides rekey at once where additional key exchanges follow: one SA is left, and nobody waits in vain.

RFC 9370 2.2.4: the nonces decide as soon as CREATE_CHILD_SA is answered; whoever loses has nothing to delete yet and
"MUST NOT initiate the IKE_FOLLOWUP_KE exchange"; whoever has begun with those answers the peer's request with
TEMPORARY_FAILURE. One side may also want additional key exchanges where the other does not.
"""

import itertools

import pytest

from lab.wire.ids import ExchangeType
from tests.ikev2.test_collisions import SEEDS, TROUBLES, both, of, one_child, one_ike_sa, trouble_with
from tests.ikev2.test_followup_ke import TWO, text, told
from tests.pair import Pair, engine_of, is_request, mirrored

CHILD, FOLLOW, INFO = ExchangeType.CREATE_CHILD_SA, ExchangeType.IKE_FOLLOWUP_KE, ExchangeType.INFORMATIONAL
# Each side chooses as a responder, by its own order; so `left` makes the peer's requests plain ones, and asks for more.
PLAIN, MORE = "x25519-ke1_none-ke1_mlkem768", "x25519-ke1_mlkem768-ke1_none"
WHO = {"both": (TWO, TWO), "left": (PLAIN, MORE), "right": (MORE, PLAIN)}
WHOEVER = pytest.mark.parametrize("who", WHO)
WHAT = pytest.mark.parametrize("what", ["child", "ike"])
MESSAGES = {
    f"{side}'s {exchange.name} {'response' if response else 'request'}": of(side, exchange, response=response)
    for side in ("left", "right")
    for exchange in (CHILD, FOLLOW, INFO)
    for response in (False, True)
}


def up(seed: str, who: str = "both", **named: float) -> Pair:
    left, right = WHO[who]
    return Pair(text(left), mirrored(text(right)), seed=seed, **named).initiate()


def rekey(pair: Pair, what: str) -> None:
    both(pair, "rekey", **({"child": "net"} if what == "child" else {}))


def one(pair: Pair, what: str) -> None:
    """One SA of that kind on both sides, and no exchange that anybody waits for."""
    (one_child if what == "child" else one_ike_sa)(pair)
    for side in pair.sides:
        sa = engine_of(side).sa
        assert sa.followups == {}
        assert sa.usable
        assert "failed" not in side.names, side.events


@SEEDS
@WHAT
def test_the_loser_stops_and_deletes_nothing(what: str, seed: str) -> None:
    # HDR, SK {SA, Ni1, KEi}  -->        <--  HDR, SK {SA, Ni2, KEi}
    # HDR, SK {SA, Nr2, KEr, N(link)} --> <--  HDR, SK {SA, Nr1, KEr, N(link)}
    # the winner:  HDR, SK {KEi(1), N(link)}  -->  ...  HDR, SK {D(old)}  -->
    pair = up(seed)
    rekey(pair, what)
    one(pair, what)
    followers = {line.split(" ")[0] for line in told(pair, "FOLLOWUP_KE request")}
    deleters = {line.split(" ")[0] for line in told(pair, "INFORMATIONAL request") if line.endswith("[ D ]")}
    assert len(followers) == 1
    assert followers == deleters
    assert len(told(pair, "FOLLOWUP_KE request")) == 2


@SEEDS
@WHAT
def test_the_winner_waits_no_longer_for_the_loser(what: str, seed: str) -> None:
    pair = up(seed)
    pair.wire.drop(is_request(FOLLOW), count=2)
    rekey(pair, what)
    pair.wait(1)
    assert sorted(len(engine_of(side).sa.followups) for side in pair.sides) == [0, 1]
    children = sorted(len(engine_of(side).sa.children) for side in pair.sides)
    assert children == ([2, 2] if what == "child" else [1, 1]), "the loser has its own no longer, and neither has both"
    one(pair, what)


@WHAT
def test_either_side_alone_may_want_additional_key_exchanges(what: str) -> None:
    for who, wanted in (("left", {"left"}), ("right", {"right"}), ("both", {"left", "right"})):
        pair = up("a", who)
        for side in pair.sides:
            side.do("rekey", **({"child": "net"} if what == "child" else {}))
            pair.wait(60)
        assert {line.split(" ")[0] for line in told(pair, "FOLLOWUP_KE request")} == wanted


@WHAT
@WHOEVER
def test_the_nonces_decide(who: str, what: str) -> None:
    winners = set()
    for seed in "abcdefgh":
        pair = up(seed, who)
        rekey(pair, what)
        one(pair, what)
        event = "child-rekeyed" if what == "child" else "ike-rekeyed"
        assert [side.names.count(event) for side in pair.sides] == [1, 1]
        old = [line.split(" ")[0] for line in told(pair, "INFORMATIONAL request") if line.endswith("[ D ]")]
        winners.add(tuple(sorted(old)))
    # Who wins with additional key exchanges deletes alone; else the loser deletes what it has made already.
    assert winners <= {("left",), ("right",), ("left", "right")}
    assert len(winners) > 1


@SEEDS
@WHAT
@WHOEVER
def test_no_packet_is_lost(who: str, what: str, seed: str) -> None:
    for delay in (0.005, 0.05, 0.2):
        pair = up(seed, who, delay=delay)
        pair.ping(0.5)
        rekey(pair, what)
        pair.ping(10, every=0.05)
        assert pair.lost == []
        one(pair, what)


@pytest.mark.parametrize("seed", ["a", "b"])
@WHAT
@WHOEVER
@TROUBLES
@pytest.mark.parametrize("message", MESSAGES.values(), ids=MESSAGES.keys())
def test_one_message_is_in_trouble(message, trouble: str, who: str, what: str, seed: str) -> None:
    pair = up(seed, who)
    trouble_with(pair, message, trouble)
    rekey(pair, what)
    pair.ping(15, every=0.1)
    assert pair.lost == []
    one(pair, what)


@WHAT
@WHOEVER
@pytest.mark.parametrize("pattern", list(itertools.product((0.0, 0.025, 4.5), repeat=4)))
def test_every_order_of_the_four_messages(pattern: tuple[float, ...], who: str, what: str) -> None:
    pair = up("ab"[sum(pattern) > 5], who)
    first = [message for name, message in MESSAGES.items() if "CREATE" in name]
    for by, message in zip(pattern, first, strict=True):
        pair.wire.delay(message, by=by)
    rekey(pair, what)
    one(pair, what)


@SEEDS
@WHAT
def test_a_request_that_comes_while_our_own_goes_on_is_put_off(what: str, seed: str) -> None:
    """RFC 9370 2.2.4: "a TEMPORARY_FAILURE notification MUST be sent in response to such a request"."""
    pair = up(seed)
    pair.wire.delay(of("right", CHILD), by=0.025)
    rekey(pair, what)
    one(pair, what)
    assert "left CREATE_CHILD_SA response 0 [ N(TEMPORARY_FAILURE) ]" in told(pair)
    assert {line.split(" ")[0] for line in told(pair, "FOLLOWUP_KE request")} == {"left"}


@SEEDS
@WHAT
def test_the_loser_tries_again_where_the_winner_vanishes(what: str, seed: str) -> None:
    pair = up(seed)
    # The winner's requests are lost until it is no longer waited for, and its next attempt is, too.
    pair.wire.drop(is_request(FOLLOW), count=3)
    rekey(pair, what)
    pair.ping(60, every=0.1)
    assert pair.lost == []
    for side in pair.sides:
        side.events = [event for event in side.events if event.name != "failed"]
    one(pair, what)


@SEEDS
@WHAT
def test_the_loser_asks_again_when_it_has_waited_long_enough(what: str, seed: str) -> None:
    pair = up(seed)
    pair.wire.drop(is_request(FOLLOW), count=4)
    rekey(pair, what)
    pair.wait(45)
    winner = {line.split(" ")[0] for line in told(pair, "FOLLOWUP_KE request")}
    asked = [line.split(" ")[0] for line in told(pair, "CREATE_CHILD_SA request")]
    assert len(winner) == 1
    assert [name for name in asked[2:] if name not in winner], asked


@WHAT
def test_what_the_peer_is_about_to_replace_is_not_rekeyed(what: str) -> None:
    pair = up("a")
    named = {"child": "net"} if what == "child" else {}
    pair.left.do("rekey", **named)
    pair.wait(0.025)
    pair.right.do("rekey", **named)
    one(pair, what)
    assert {line.split(" ")[0] for line in told(pair, "CREATE_CHILD_SA request")[:1]} == {"left"}
    assert "left CREATE_CHILD_SA response 0 [ N(TEMPORARY_FAILURE) ]" not in told(pair)


@SEEDS
@WHOEVER
@pytest.mark.parametrize("later", [0.0, 0.005, 0.015, 0.025, 0.035, 0.045, 0.055, 0.065])
@pytest.mark.parametrize("first", ["left", "right"])
def test_one_rekeys_the_ike_sa_the_other_the_child(first: str, later: float, who: str, seed: str) -> None:
    pair = up(seed, who)
    one_side, other = pair.ends(first)
    one_side.do("rekey")
    pair.wait(later)
    other.do("rekey", child="net")
    pair.ping(40, every=0.1)
    assert pair.lost == []
    one_child(pair)
    one_ike_sa(pair)


@SEEDS
def test_both_rekey_everything_at_once(seed: str) -> None:
    pair = up(seed)
    pair.left.do("initiate", "second")
    pair.settle()
    for side in pair.sides:
        side.do("rekey", child="net")
        side.do("rekey")
        side.do("rekey", child="second")
    pair.wait(200)
    pair.check(children=2)
    for side in pair.sides:
        assert side.up == ["ESTABLISHED"]
        assert side.endpoint.stats()["child_spis"] == 2
        assert side.names.count("ike-rekeyed") >= 1
        assert engine_of(side).sa.followups == {}


@pytest.mark.parametrize("who", WHO)
def test_an_hour_of_rekeying_by_both_sides_with_loss(who: str) -> None:
    left, right = (text(words).replace("rekey_time = 0\n fragm", "rekey_time = 4m\n fragm") for words in WHO[who])
    left, right = (side.replace("rekey_time = 0", "rekey_time = 1m") for side in (left, right))
    pair = Pair(left, mirrored(right), seed="a").initiate()
    unlucky = itertools.count()
    # Every 23rd IKE message is lost; nothing of it may show in the end.
    pair.wire.drop(lambda datagram: next(unlucky) % 23 == 22, count=10**9)
    for minute in range(1, 61):
        pair.ping(minute * 60 - pair.now, every=1.0)
        assert max(side.endpoint.stats()["child_spis"] for side in pair.sides) <= 4
    assert pair.lost == []
    for side in pair.sides:
        assert not {"ike-down", "child-down"} & set(side.names)
        assert side.names.count("child-rekeyed") > 40
        assert side.names.count("ike-rekeyed") > 10
        assert len(engine_of(side).sa.followups) <= 2
