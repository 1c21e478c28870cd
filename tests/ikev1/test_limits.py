"""How much a stranger or a peer can have us keep in IKEv1: every limit is reached, and one more is refused."""

import pytest

from lab.ikev1 import memory, quick_mode
from lab.wire.ids_v1 import NotifyType1
from lab.wire.payloads_v1 import Notify1
from tests.ikev1.test_hostile import answered
from tests.ikev1.v1 import INFORMATIONAL, authentic, engine, first, of, right_of, sa
from tests.pair import LEFT, OUTSIDE, Nat, Pair

ELSEWHERE, ANYBODY = ("203.0.113.99", 4500), ("local_addrs = 192.0.2.1", "local_addrs = %any")


def strangers(settings: str, count: int, *, hosts: int) -> Pair:
    """So many first messages, each under a cookie of its own, from so many addresses."""
    text = first(settings=settings)
    pair = Pair(text, right_of(text, ANYBODY))
    pair.left.do("initiate", "net")
    data = pair.wire.sent[0].data
    for n in range(count):
        answered(pair.right, b"x" + n.to_bytes(7, "big") + data[8:], pair.now, (f"10.0.0.{n % hosts + 1}", 500))
    return pair


def test_one_address_has_so_many_half_open_sas_and_no_more() -> None:
    pair = strangers("block_threshold = 3", 40, hosts=4)
    assert pair.right.endpoint.stats()["half_open"] == 12
    assert pair.right.drops[-1] == "3 half-open SAs from 10.0.0.4, no more are taken"


def test_the_table_is_bounded() -> None:
    pair = strangers("max_ike_sas = 5\n block_threshold = 0", 20, hosts=20)
    assert pair.right.endpoint.stats()["engines"] == 5
    assert pair.right.drops[-1] == "the table of ISAKMP SAs is full"


def are_you_there(pair: Pair, number: int) -> bytes:
    """An authentic R-U-THERE of the left side."""
    cookies = sa(pair.left).spi_i + sa(pair.left).spi_r
    notify = Notify1(NotifyType1.R_U_THERE, number.to_bytes(4, "big"), spi=cookies)
    return authentic(pair.left, INFORMATIONAL, notify)


def test_answers_are_kept_to_a_limit_and_message_ids_beyond_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was recorded long ago and would open still (IKEv1 has no message window) moves no path and is not heeded."""
    monkeypatch.setattr(memory, "MOST_BEGUN", 400)
    pair = Pair(first(), right_of(first(), ANYBODY), nats=(Nat(LEFT, OUTSIDE),)).initiate()
    recorded = [b"\0\0\0\0" + are_you_there(pair, number) for number in range(600)]
    where = sa(pair.right).path
    for data in recorded:
        assert pair.right.endpoint.receive(data, where, pair.now)
    assert len(engine(pair.right)._memory) == memory.MOST_ANSWERS + 400
    for data in (recorded[-1], recorded[-300]):
        pair.right.take(pair.right.endpoint.receive(data, type(where)(where.local_host, 4500, *ELSEWHERE), pair.now))
        assert sa(pair.right).path == where, "a replay moved the SA"
    assert "has begun an exchange before" in pair.right.drops[-1]


def test_a_peer_cannot_pile_up_children(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quick_mode, "MOST_CHILDREN", 3)
    pair = Pair(first()).initiate()
    pair.wire.drop(of(INFORMATIONAL), count=1000)  # it tells nobody that the old ones have gone
    for _ in range(5):
        pair.left.do("rekey", child="net")
        pair.wait(10)
    assert len(sa(pair.right).children) == 3
    assert "3 children, no more are taken" in str(pair.right.told("failed")[-1]["reason"])
