"""Causal order: nodes A - B - C in a row; capture points 0 (A) and 1 (B) share a link, 2 (B) and 3 (C) the next."""

import random

from hypothesis import given
from hypothesis import strategies as st

from lab.emulation.ordering import Frame, Merger


def frame(time: int, point: int, outgoing: bool, data: str) -> Frame:
    return Frame(time, point, outgoing, data.encode())


def journey(time: int, data: str, back: bool = False) -> list[Frame]:
    steps = [(0, True), (1, False), (2, True), (3, False)]
    if back:
        steps = [(3, True), (2, False), (1, True), (0, False)]
    return [frame(time, point, outgoing, data) for point, outgoing in steps]


def by_node(frames: list[Frame]) -> list[list[Frame]]:
    return [[f for f in frames if f.point in points] for points in ((0,), (1, 2), (3,))]


def test_by_time() -> None:
    frames = journey(10, "a") + journey(20, "b", back=True)
    assert Merger().merge(by_node(frames)) == frames


def test_all_at_one_instant() -> None:
    frames = (
        journey(7, "request") + journey(7, "answer", back=True) + journey(7, "next") + journey(7, "last", back=True)
    )
    for order in ([0, 1, 2], [2, 1, 0], [1, 0, 2]):
        nodes = by_node(frames)
        assert Merger().merge([nodes[index] for index in order]) == frames


def test_what_left_in_an_earlier_batch_is_remembered() -> None:
    merger = Merger()
    first, *rest = journey(7, "a")
    assert merger.merge([[first], [], []]) == [first]
    late = frame(7, 3, True, "b")
    assert merger.merge([[], rest[:2], [rest[2], late]]) == [*rest, late]


def test_a_lost_frame_holds_up_nothing() -> None:
    lost, *_ = journey(7, "lost")
    frames = [lost, *journey(7, "found")]
    assert Merger().merge(by_node(frames)) == frames


def test_a_frame_whose_origin_is_unknown_is_kept() -> None:
    orphan = frame(7, 3, False, "from nowhere")
    merged = Merger().merge([[], [], [orphan], journey(7, "x")[:1]])
    assert merged[-1] == orphan and len(merged) == 2


@given(st.lists(st.booleans(), max_size=12), st.integers(0, 2**32))
def test_every_node_keeps_its_own_order(directions: list[bool], seed: int) -> None:
    frames = [f for number, back in enumerate(directions) for f in journey(7, str(number), back)]
    nodes = by_node(frames)
    shuffled = list(nodes)
    random.Random(seed).shuffle(shuffled)
    merged = Merger().merge(shuffled)
    assert by_node(merged) == nodes
    for arrival in (f for f in merged if not f.outgoing):
        departure = next(f for f in merged if f.outgoing and f.data == arrival.data and f.point ^ 1 == arrival.point)
        assert merged.index(departure) < merged.index(arrival)
