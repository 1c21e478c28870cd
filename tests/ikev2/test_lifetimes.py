"""What IKE does when a child has carried its fill: rekeyed at the soft limit, deleted alone at the hard one."""

import pytest

from lab.ike.child import Limits
from lab.ike.states import ChildState
from tests.pair import Pair, net


def limited(words: str) -> Pair:
    return Pair(net(child=words)).initiate()


def test_the_soft_limits_are_drawn_below_the_hard_ones() -> None:
    pair = limited("rekey_bytes = 1000000\n rekey_packets = 1000\n life_packets = 2000")
    limits = pair.left.ever[0].limits
    assert (limits.life_bytes, limits.life_packets) == (1_100_000, 2000)
    assert 900_000 <= limits.rekey_bytes <= 1_000_000 and 1 <= limits.rekey_packets <= 1000
    exact = limited("rekey_packets = 10\n rand_packets = 0").left.ever[0].limits
    assert exact == Limits(rekey_packets=10, life_packets=11)
    assert limited("").left.ever[0].limits == Limits()


@pytest.mark.parametrize("by", ["left", "right"])
def test_at_the_soft_limit_a_child_is_rekeyed_once(by: str) -> None:
    pair = limited("rekey_packets = 10\n rekey_time = 0")
    side = getattr(pair, by)
    (old,) = side.installed
    #   HDR, SK {N(REKEY_SA), SA, Ni, TSi, TSr}  -->    <--  HDR, SK {SA, Nr, TSi, TSr}
    side.do("aging", old)
    side.do("aging", old)
    pair.wait(1)
    assert [step for step in pair.wire.ladder if "CREATE_CHILD_SA request" in step] == [
        f"{by} CREATE_CHILD_SA request {0 if by == 'right' else 2}"
    ]
    side.do("aging", old)
    pair.wait(10)
    pair.check()
    assert old not in side.installed and len(side.told("child-rekeyed")) == 1


def test_both_ends_may_notice_at_once() -> None:
    pair = limited("rekey_packets = 10")
    for side in pair.sides:
        side.do("aging", next(iter(side.installed)))
    pair.wait(30)
    pair.check()
    assert not pair.left.told("child-down") and not pair.right.told("child-down")


def test_at_the_hard_limit_only_that_child_goes() -> None:
    pair = limited("rekey_packets = 10")
    (old,) = pair.left.installed
    pair.left.do("aging", old)
    pair.wait(1)
    (new,) = [spi for spi in pair.left.installed if spi != old]
    pair.left.do("expired", new)
    pair.wait(10)
    assert not pair.left.installed and not pair.right.installed
    assert pair.left.up == pair.right.up == ["ESTABLISHED"]
    (down,) = pair.left.told("child-down")
    assert down["reason"] == "its lifetime is over"


def test_a_child_that_is_gone_is_nobodys_concern() -> None:
    pair = limited("")
    for what in ("aging", "expired"):
        pair.left.do(what, b"gone")
    pair.wait(5)
    assert [child["state"] for sa in pair.left.sas for child in sa["children"]] == [ChildState.INSTALLED.name]
