"""Reliability: retransmission, the reply cache, windows; each initial message lost, doubled and late."""

import itertools

import pytest

from lab.ike.actions import Send
from lab.wire.ids import ExchangeType, NotifyType
from lab.wire.payloads_v2 import Notify
from tests.pair import LEFT, RIGHT, Pair, Predicate, engine_of, forged, is_request, is_response, net, sent_by

INIT, AUTH, INFO = ExchangeType.IKE_SA_INIT, ExchangeType.IKE_AUTH, ExchangeType.INFORMATIONAL
# strongSwan's defaults: 4 s * 1.8^n.
SCHEDULE = [0.0, 4.0, 11.2, 24.16, 47.488, 89.4784]
GIVEN_UP = 165.06112

MESSAGES = {
    "IKE_SA_INIT request": is_request(INIT),
    "IKE_SA_INIT response": is_response(INIT),
    "IKE_AUTH request": is_request(AUTH),
    "IKE_AUTH response": is_response(AUTH),
}
EACH = pytest.mark.parametrize("message", MESSAGES.values(), ids=MESSAGES.keys())
BOTH = pytest.mark.parametrize("by", ["left", "right"])


def finished(pair: Pair) -> None:
    """One IKE SA, one child, and both sides agree."""
    pair.check()
    for side in pair.sides:
        assert side.up == ["ESTABLISHED"]
        assert side.names == ["ike-up", "child-up"]
        assert side.endpoint.stats()["half_open"] == 0


@BOTH
@EACH
def test_each_message_lost_once(message: Predicate, by: str) -> None:
    pair = Pair()
    pair.wire.drop(message)
    pair.initiate(by)
    pair.run(10)
    finished(pair)
    repeated = [d for d in pair.wire.sent if d.at == pytest.approx(4.0, abs=0.1) and is_request()(d)]
    assert len(repeated) == 1 + (message in (MESSAGES["IKE_SA_INIT request"], MESSAGES["IKE_SA_INIT response"]))


@BOTH
@EACH
def test_each_message_lost_five_times(message: Predicate, by: str) -> None:
    pair = Pair()
    pair.wire.drop(message, count=5)
    pair.initiate(by)
    if message is MESSAGES["IKE_AUTH request"]:
        pair.run(29.9)  # the responder waits 30 s for IKE_AUTH
        assert [side.endpoint.stats()["half_open"] for side in pair.sides].count(1) == 1
        pair.run(200)
        assert pair.left.up == pair.right.up == []
    else:
        pair.run(100)
        pair.check()
        assert pair.left.up == pair.right.up == ["ESTABLISHED"]


@BOTH
@EACH
@pytest.mark.parametrize("by_seconds", [0.001, 0.5, 30.0])
def test_each_message_doubled(message: Predicate, by: str, by_seconds: float) -> None:
    pair = Pair()
    pair.wire.duplicate(message, by=by_seconds)
    pair.initiate(by)
    pair.run(100)
    finished(pair)


@BOTH
@EACH
@pytest.mark.parametrize("by_seconds", [3.99, 5.0, 12.0, 25.0])
def test_each_message_late(message: Predicate, by: str, by_seconds: float) -> None:
    pair = Pair()
    pair.wire.delay(message, by=by_seconds)
    pair.initiate(by)
    pair.run(200)
    finished(pair)


@pytest.mark.parametrize("pattern", list(itertools.product(["", "lost", "doubled", "delayed"], repeat=4)))
def test_every_mixture_of_trouble(pattern: tuple[str, ...]) -> None:
    pair = Pair()
    for what, message in zip(pattern, MESSAGES.values(), strict=True):
        if what == "lost":
            pair.wire.drop(message)
        elif what == "doubled":
            pair.wire.duplicate(message, by=4.2)
        elif what == "delayed":
            pair.wire.delay(message, by=4.5)
    pair.initiate()
    pair.run(100)
    finished(pair)


def test_165_seconds_of_retransmission_to_a_dead_peer() -> None:
    pair = Pair()
    pair.wire.drop(sent_by(LEFT), count=100)
    pair.initiate()
    pair.run(1000)
    assert [d.at for d in pair.wire.sent] == pytest.approx(SCHEDULE)
    assert len({d.data for d in pair.wire.sent}) == 1, "retransmissions are the same to the bit"
    (failed,) = pair.left.told("failed")
    assert failed["reason"] == "peer does not answer: IKE_SA_INIT request 0 was sent 6 times"
    assert (failed["stage"], failed["child"]) == ("IKE_SA_INIT", "net")
    assert pair.left.names == ["failed"]


def test_giving_up_happens_at_165_seconds() -> None:
    pair = Pair()
    pair.wire.drop(sent_by(LEFT), count=100)
    pair.initiate()
    pair.run(GIVEN_UP - 0.001)
    assert pair.left.up == ["CONNECTING"]
    pair.run(GIVEN_UP + 0.001)
    assert pair.left.up == []


def test_ike_auth_repeats_the_same_octets_with_the_same_iv() -> None:
    pair = Pair()
    pair.wire.drop(is_request(AUTH), count=100)
    pair.initiate()
    pair.run(300)
    sent = pair.wire.seen(is_request(AUTH))
    assert [d.at - sent[0].at for d in sent] == pytest.approx(SCHEDULE)
    assert len({d.data for d in sent}) == 1
    assert pair.left.told("failed")[0]["stage"] == "IKE_AUTH"


def test_an_established_sa_ends_when_its_peer_is_silent() -> None:
    pair = Pair().initiate()
    pair.wire.drop(sent_by(RIGHT), count=100)
    pair.left.do("liveness")
    pair.run(GIVEN_UP + 1)
    assert pair.left.names[2:] == ["child-down", "ike-down"]
    assert "peer does not answer" in str(pair.left.told("ike-down")[0]["reason"])
    assert pair.left.installed == {}


@pytest.mark.parametrize(("timeout", "base", "tries"), [("1", "1", "2"), ("0.5", "2", "3"), ("4", "1.8", "0")])
def test_the_schedule_is_configured(timeout: str, base: str, tries: str) -> None:
    pair = Pair(net(settings=f"retransmit_timeout = {timeout}\n retransmit_base = {base}\n retransmit_tries = {tries}"))
    pair.wire.drop(sent_by(LEFT), count=100)
    pair.initiate()
    pair.run(100)
    waits = [float(timeout) * float(base) ** n for n in range(int(tries))]
    assert [d.at for d in pair.wire.sent] == pytest.approx([0.0, *itertools.accumulate(waits)])


def test_a_response_is_never_repeated_by_a_timer() -> None:
    pair = Pair()
    pair.wire.drop(is_request(AUTH), count=100)
    pair.initiate()
    pair.run(1000)
    assert len(pair.wire.seen(is_response())) == 1


def test_a_repeated_request_is_answered_from_the_cache_to_where_it_came_from() -> None:
    pair = Pair().initiate()
    (auth,) = pair.wire.seen(is_request(AUTH))
    (answer,) = pair.wire.seen(is_response(AUTH))
    pair.right.actions.clear()
    elsewhere = ("203.0.113.77", 5000)
    pair.inject(auth.data, elsewhere, (RIGHT, 500))
    (send,) = pair.right.actions
    assert isinstance(send, Send)
    assert send.data == answer.data
    assert (send.path.remote_host, send.path.remote_port) == elsewhere
    assert pair.right.sas[0]["remote_host"] == LEFT, "a repetition moves nothing"


def test_another_request_under_an_answered_message_id_is_dropped() -> None:
    pair = Pair().initiate()
    pair.inject(forged(pair.left, INFO, 1), (LEFT, 500), (RIGHT, 500))
    assert pair.right.drops == ["another request under a message ID that was answered"]


@pytest.mark.parametrize("message_id", [0, 3, 4, 100, 2**32 - 1])
def test_requests_outside_the_window_are_dropped(message_id: int) -> None:
    pair = Pair().initiate()
    pair.inject(forged(pair.left, INFO, message_id), (LEFT, 500), (RIGHT, 500))
    assert pair.right.drops == ["message ID outside the window at 2"]
    assert len(pair.wire.sent) == 4


def test_a_wider_window_of_ours_takes_requests_out_of_order_once_each() -> None:
    pair = Pair(net(settings="window_size = 3")).initiate()
    for message_id in (3, 2, 3, 4, 2):
        pair.inject(forged(pair.left, INFO, message_id), (LEFT, 500), (RIGHT, 500))
    pair.settle()
    answers = pair.wire.seen(is_response(INFO))
    assert [d.header.message_id for d in answers] == [3, 2, 4]
    assert pair.right.drops == ["another request under a message ID that was answered"] * 2


def test_the_peers_window_limits_what_we_have_under_way() -> None:
    pair = Pair().initiate()
    for _ in range(3):
        pair.left.do("liveness")
    assert len(pair.wire.seen(is_request(INFO))) == 1
    pair.settle()
    assert [d.header.message_id for d in pair.wire.seen(is_request(INFO))] == [2, 3, 4]


def test_a_peer_with_a_larger_window_gets_several_at_once() -> None:
    pair = Pair().initiate()
    engine_of(pair.left).sa.peer_window = 2
    for _ in range(3):
        pair.left.do("liveness")
    assert [d.header.message_id for d in pair.wire.seen(is_request(INFO))] == [2, 3]


def test_both_sides_may_ask_at_the_same_time() -> None:
    pair = Pair().initiate()
    for side in pair.sides:
        side.do("liveness")
    pair.settle()
    assert [d.header.message_id for d in pair.wire.seen(is_request(INFO))] == [2, 0]
    assert len(pair.wire.seen(is_response(INFO))) == 2
    assert pair.left.drops == pair.right.drops == []


def test_a_response_that_nobody_asked_for_is_dropped() -> None:
    pair = Pair().initiate()
    pair.inject(forged(pair.right, INFO, 7, response=True), (RIGHT, 500), (LEFT, 500))
    assert pair.left.drops == ["response to no request of ours"]


def test_the_answer_of_another_exchange_is_no_answer() -> None:
    pair = Pair().initiate()
    pair.left.do("liveness")
    pair.inject(forged(pair.right, AUTH, 2, response=True), (RIGHT, 500), (LEFT, 500))
    assert pair.left.drops == ["response to no request of ours"]
    pair.settle()
    assert pair.left.up == ["ESTABLISHED"]


def test_our_own_messages_come_back() -> None:
    pair = Pair()
    pair.left.do("initiate", "net")
    (init,) = pair.wire.sent
    pair.inject(init.data, (RIGHT, 500), (LEFT, 500))
    assert pair.left.drops == ["a message of our own came back"]
    pair.settle()
    for datagram in list(pair.wire.sent):
        if datagram.header.spi_r != bytes(8):
            pair.inject(datagram.data, datagram.dst, datagram.src)
    assert len(pair.wire.sent) == 4
    assert "SPIs or roles that are not those of this IKE SA" not in pair.left.drops
    finished(pair)


def test_message_ids_run_out() -> None:
    pair = Pair().initiate()
    engine_of(pair.left)._next_request = 2**32
    pair.left.do("liveness")
    assert pair.left.told("ike-down")[0]["reason"] == "all message IDs of this IKE SA are used up"


def test_before_authentication_nothing_but_ike_auth_is_served() -> None:
    pair = Pair()
    pair.wire.drop(is_request(AUTH), count=1)
    pair.initiate()
    for exchange in (INFO, ExchangeType.CREATE_CHILD_SA, ExchangeType(240)):
        pair.inject(forged(pair.left, exchange, 1), (LEFT, 500), (RIGHT, 500))
    assert [drop.split(" ")[0] for drop in pair.right.drops] == ["INFORMATIONAL", "CREATE_CHILD_SA", "UNKNOWN_240"]
    # nor does the initiator serve requests of a responder that has not proven itself
    pair.inject(forged(pair.right, INFO, 0), (RIGHT, 500), (LEFT, 500))
    assert pair.left.drops == ["INFORMATIONAL has no place here (CONNECTING)"]
    pair.run(10)
    finished(pair)


def test_ike_auth_has_no_place_after_authentication() -> None:
    pair = Pair().initiate()
    pair.inject(forged(pair.left, AUTH, 2), (LEFT, 500), (RIGHT, 500))
    assert pair.right.drops == ["IKE_AUTH has no place here (ESTABLISHED)"]


def test_an_exchange_that_we_do_not_know_is_answered_with_invalid_syntax_which_is_fatal() -> None:
    pair = Pair().initiate()
    pair.inject(forged(pair.left, ExchangeType(240), 2), (LEFT, 500), (RIGHT, 500))
    pair.settle()
    assert pair.right.told("ike-down")[0]["reason"] == "unknown exchange type 240"
    assert "sent UNKNOWN_240 response 2 [ N(INVALID_SYNTAX) ]" in [r.text for r in pair.right.records]


def test_a_wrong_icv_is_dropped_and_changes_nothing() -> None:
    pair = Pair().initiate()
    data = bytearray(forged(pair.left, INFO, 2, Notify(NotifyType.INITIAL_CONTACT)))
    data[-1] ^= 1
    pair.inject(bytes(data), (LEFT, 500), (RIGHT, 500))
    assert pair.right.drops == ["integrity check failed (ENCR_AES_GCM_16)"]
    pair.left.do("liveness")
    pair.settle()
    assert len(pair.wire.seen(is_response(INFO, 2))) == 1
