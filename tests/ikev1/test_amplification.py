"""Whoever has not proved who it is gets at most one packet for each that it sends, whatever it does and however long.

Hybrid authentication is the exception: there XAUTH is the peer's only proof, and it is the gateway that has to ask for
it. By then the peer has shown that it is at its address, since it knew our cookie.
"""

import pytest

from lab.wire.ids_v1 import ExchangeType1
from tests.ikev1.test_hostile import answered
from tests.ikev1.test_proof import HOSTS, SIGNS, WANTS, files, hybrid, leaf, side
from tests.ikev1.v1 import AGGRESSIVE, MAIN, QUICK, first, right_of
from tests.pair import LEFT, Datagram, Pair, Predicate, sent_by

PATIENCE_S = 300.0
ARRIVES = {"lost": 0, "doubled": 2}
LENGTH = {MAIN: 6, AGGRESSIVE: 3}
MODES = pytest.mark.parametrize("mode", LENGTH, ids=["main", "aggressive"])


def text_of(mode: ExchangeType1) -> str:
    return first("aggressive = yes" if mode == AGGRESSIVE else "")


def never_more(pair: Pair) -> int:
    """Right sends no more than has come to it until then; how much it sent."""
    came = sent = 0
    for datagram in pair.wire.sent:
        if datagram.src[0] == LEFT:
            came += ARRIVES.get(datagram.fate, 1)
        else:
            sent += 1
        assert sent <= came, f"{sent} packets sent for {came}: {pair.wire.ladder}"
    return sent


def waited(pair: Pair) -> Pair:
    """Left begins, and much time passes."""
    pair.left.do("initiate", "net")
    pair.run(pair.now + PATIENCE_S)
    assert not pair.right.sas, "something of it is kept"
    return pair


@MODES
def test_a_stranger_that_goes_silent(mode: ExchangeType1) -> None:
    """After each message that is no proof yet."""
    for number in range(1, LENGTH[mode] - 1, 2):
        pair = Pair(text_of(mode))
        pair.wire.drop(beyond(pair, number), count=1000)
        assert never_more(waited(pair)) == (number + 1) // 2


def beyond(pair: Pair, number: int) -> Predicate:
    """What the left side sends when so many messages have gone before it."""
    return lambda datagram: sent_by(LEFT)(datagram) and datagram.n >= number


@MODES
def test_a_stranger_with_another_secret(mode: ExchangeType1) -> None:
    """It repeats what stays unanswered; its last message does not open, or its HASH is wrong."""
    text = text_of(mode)
    pair = Pair(text, right_of(text, ("a shared secret", "another secret")))
    assert never_more(waited(pair)) >= 1


@MODES
def test_a_stranger_cannot_have_us_talk_to_somebody_else(mode: ExchangeType1) -> None:
    """It knows our cookie, since it is at its address; what it then sends from another one has no answer there.

    Neither a message again nor Quick Mode before its time, which brings a peer that lost it our last one once more.
    """
    pair = Pair(text_of(mode))
    pair.wire.drop(beyond(pair, LENGTH[mode] - 2), count=1000)
    pair.left.do("initiate", "net")
    pair.settle()
    last = [datagram for datagram in pair.wire.sent if datagram.src[0] == LEFT and datagram.fate != "lost"][-1]
    front = pair.wire.sent[1].data[:16]
    early = front + bytes([8, 0x10, QUICK, 1]) + (7).to_bytes(4, "big") + (28 + 16).to_bytes(4, "big") + bytes(16)
    for data in (last.data, early):
        assert not answered(pair.right, data, pair.now, ("203.0.113.99", 500)), "sent to somebody who never asked"
    assert answered(pair.right, last.data, pair.now, last.src), "where it came from it is answered"
    assert len(answered(pair.right, early, pair.now, last.src)) == 1


@MODES
def test_a_stranger_that_sends_everything_twice(mode: ExchangeType1) -> None:
    text = text_of(mode)
    pair = Pair(text, right_of(text, ("a shared secret", "another secret")))
    pair.wire.duplicate(sent_by(LEFT), count=1000)
    never_more(waited(pair))


@MODES
def test_a_stranger_with_a_certificate_of_nobody(mode: ExchangeType1) -> None:
    left, right = (side(owner, SIGNS, WANTS, mode="yes" if mode == AGGRESSIVE else "no") for owner in HOSTS)
    own = files(leaf("left", "rsa-2048", "other")), files(leaf("right", "rsa-2048"))
    never_more(waited(Pair(left, right, files=own)))


@MODES
def test_what_is_repeated_for_ever_is_answered_once_each(mode: ExchangeType1) -> None:
    """Each datagram of a stranger, a hundred times more from elsewhere."""
    text = text_of(mode)
    pair = waited(Pair(text, right_of(text, ("a shared secret", "another secret"))))
    began = [d for d in pair.wire.sent if d.src[0] == LEFT]
    for datagram in began:
        for _ in range(100):
            assert len(answered(pair.right, datagram.data, pair.now, ("203.0.113.99", 500))) <= 1


def test_hybrid_authentication_asks_by_itself() -> None:
    """The exception, so that the others count what they should: XAUTH is asked for, and again."""
    pair = hybrid()

    def is_answer(datagram: Datagram) -> bool:
        return sent_by(LEFT)(datagram) and datagram.header.exchange == int(ExchangeType1.TRANSACTION)

    pair.wire.drop(is_answer, count=1000)
    with pytest.raises(AssertionError, match="packets sent for"):
        never_more(waited(pair))
