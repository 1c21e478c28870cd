"""What RFC 7296 2.25 lets a side answer in a collision, and how a play that was not so is told."""

from itertools import product

import pytest

from lab.plugin import collisions
from lab.plugin.collisions import ACTIONS, BUSY, ORDERS, Play


def played(order: str, left: list[str] | None, right: list[str] | None, ends: tuple[int, int] = (1, 1)) -> Play:
    """`left` and `right` are the answers to the requests of that side."""
    return Play(tuple(order.split()), {"left": left, "right": right}, {"left": ends, "right": ends}, True, 20, 0)


def against(left: str, right: str, play: Play) -> list[str]:
    return [f"{side} {sentence}" for side, sentence in collisions.deviations(left, right, play)]


def test_every_order_has_each_response_behind_its_request() -> None:
    assert len(set(ORDERS)) == 6
    assert all(o.index("LQ") < o.index("LR") and o.index("RQ") < o.index("RR") for o in ORDERS)


@pytest.mark.parametrize(
    ("own", "theirs", "answer"),
    [
        ("rekey child", "rekey child", "SA"),  # 2.25.1: reply as usual, the nonces decide
        ("rekey child", "delete child", "D"),  # 2.25.1: as usual, with a Delete payload
        ("rekey child", "rekey ike", BUSY),  # 2.25.1
        ("delete child", "rekey child", BUSY),  # 2.25.1: what it is closing
        ("delete child", "delete child", "empty"),  # 2.25.1: without a Delete payload
        ("delete child", "rekey ike", BUSY),  # 2.25.1
        ("rekey ike", "rekey ike", "SA"),  # 2.25.2
        ("rekey ike", "rekey child", BUSY),  # 2.25.2
        ("rekey ike", "delete child", "D"),  # 2.25.2
        ("rekey ike", "delete ike", "empty"),  # 2.25.2: as usual, and forget about its own
        ("delete ike", "rekey ike", BUSY),  # 2.25.2
        ("delete ike", "delete ike", "empty"),  # 2.25.2
    ],
)
def test_answers_while_asking(own: str, theirs: str, answer: str) -> None:
    assert collisions.expected(own, theirs, "asking") == (answer,)


def test_every_pair_and_stage_has_an_answer() -> None:
    for own, theirs in product(ACTIONS, ACTIONS):
        for stage in ("asking", "refused", "done"):
            allowed = collisions.expected(own, theirs, stage)  # type: ignore[arg-type]
            assert allowed or (own, stage) == ("delete ike", "done")
    assert collisions.survivors("rekey ike", "delete child") == (1, 0)


def test_a_play_as_2_25_has_it() -> None:
    both = "rekey child", "rekey child"
    assert against(*both, played("LQ RQ LR RR", ["SA", "Nr"], ["SA", "Nr"])) == []
    assert against(*both, played("LQ LR RQ RR", ["SA", "Nr"], [BUSY])) == [], "left was done when it was asked"
    assert against("rekey ike", "rekey child", played("LQ LR RQ RR", [BUSY], ["SA"])) == [], "left was refused"
    assert against("rekey ike", "delete ike", played("RQ RR LQ LR", None, [], (0, 0))) == [], "no SA to answer under"


@pytest.mark.parametrize(
    ("one", "two", "play", "said"),
    [
        ("rekey child", "rekey child", played("LQ RQ LR RR", [BUSY], ["SA"]),
         "right answered N(TEMPORARY_FAILURE) to the rekey child while at its own rekey child, where SA was due"),
        ("rekey child", "rekey child", played("LQ LR RQ RR", ["SA"], ["SA"]),
         "left answered SA to the rekey child done with its own"),
        ("delete child", "delete child", played("LQ RQ LR RR", ["D"], [], (1, 0)), "right answered D to the delete"),
        ("rekey child", "delete child", played("LQ RQ LR RR", [BUSY], [], (1, 0)), "left answered empty to the delete"),
        ("rekey ike", "rekey ike", played("LQ RQ LR RR", ["SA"], None), "left answered nothing to the rekey ike"),
        ("rekey ike", "rekey ike", played("LQ RQ LR RR", ["SA"], ["SA"], (2, 1)),
         "both 2 IKE SAs and 1 CHILD SA are left, not 1 IKE SA and 1 CHILD SA"),
    ],
)  # fmt: skip
def test_a_play_that_is_not(one: str, two: str, play: Play, said: str) -> None:
    [found] = against(one, two, play)
    assert found.startswith(said)


def test_sides_that_disagree() -> None:
    views = {"left": (1, 1), "right": (1, 2)}
    play = Play(ORDERS[0], {"left": ["SA"], "right": ["SA"]}, views, False, 20, 0)
    assert against("rekey child", "rekey child", play) == [
        "both the sides list different SAs: left 1 IKE SA and 1 CHILD SA, right 1 IKE SA and 2 CHILD SAs"
    ]
    assert collisions.said(ORDERS[0]) == "left asks, right asks, right answers, left answers"
