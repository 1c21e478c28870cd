"""A replayed ladder: packet for packet, at its time; what chance decides anew is passed over."""

import copy
from typing import Any

import pytest

from lab.history.replay import compare
from tests.history.recorded import messages

FIRST, AGAIN = messages(began=1000.0)[0], messages(spi="c3:d4", nonce="ff", began=5000.0)[0]
ESP = {
    "n": 6, "t_sent": 1000.7, "from": "left", "to": "right", "protocol": "ESP", "exchange": None, "message_id": None,
    "response": None, "payloads": [], "encrypted": True, "opened": True, "retransmit_of": None, "lost": False,
    "spi": "7", "seq": 1, "length": 120, "udp": True,
}  # fmt: skip


def changed(n: int, **edits: Any) -> list[dict[str, Any]]:
    ladder = [*copy.deepcopy(AGAIN), ESP | {"spi": "8", "t_sent": 5000.7}]
    ladder[n] |= edits
    return ladder


def said(after: list[dict[str, Any]]) -> list[str]:
    return [f"{one.kind}: {one.where}" for one in compare([*FIRST, ESP], after)]


def test_chance_and_the_time_of_day_are_passed_over() -> None:
    assert said(changed(0)) == []
    assert said(changed(3, t_sent=5000.3 + 0.005)) == []


@pytest.mark.parametrize(
    ("n", "edit", "where"),
    [
        (2, {"payloads": ["SA"]}, "packet: packet 1 from left to right"),
        (2, {"message_id": 9}, "packet: packet 1 from left to right"),
        (3, {"lost": True}, "packet: packet 1 from right to left"),
        (3, {"retransmit_of": 1}, "packet: packet 1 from right to left"),
        (6, {"seq": 2}, "packet: packet 3 from left to right"),
        (6, {"length": 124}, "packet: packet 3 from left to right"),
        (4, {"t_sent": 5000.408}, "time: packet 2 from left to right"),
    ],
)
def test_what_is_no_replay(n: int, edit: dict[str, Any], where: str) -> None:
    assert said(changed(n, **edit)) == [where]


def test_a_packet_more_or_in_another_order() -> None:
    assert said(changed(0)[:-1]) == ["packet: packets from left to right"]
    ladder = changed(0)
    ladder[0], ladder[2] = ladder[2], ladder[0]
    assert said(ladder) == ["packet: packet 0 from left to right"]


def test_different_ways_have_no_order_between_them() -> None:
    other = ESP | {"from": "second", "n": 7, "t_sent": 1000.7}
    assert compare([*FIRST, ESP, other], [*FIRST, other, ESP]) == []
    assert compare([*FIRST, ESP, other], [*FIRST, ESP])[0].where == "packets from second to right"
