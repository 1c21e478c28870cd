"""Every pair of states, both tables."""

import itertools

import pytest

from lab.errors import BrokenError
from lab.ike.states import CHILD_MOVES, IKE_MOVES, ChildState, IkeState, Lifecycle
from lab.trace import Record, Trace

TABLES = [(IkeState, IKE_MOVES), (ChildState, CHILD_MOVES)]
PAIRS = [(before, after, moves) for states, moves in TABLES for before, after in itertools.product(states, states)]


@pytest.mark.parametrize(("before", "after", "moves"), PAIRS)
def test_every_pair(before, after, moves) -> None:
    records: list[Record] = []
    life = Lifecycle("IKE SA 1", before, moves, Trace(records.append))
    if (before, after) in moves:
        life.become(after)
        assert life.state is after
        assert [(r.kind, r.fields) for r in records] == [("state", {"before": before.name, "after": after.name})]
    else:
        with pytest.raises(BrokenError, match=f"cannot go from {before.name} to {after.name}"):
            life.become(after)
        assert life.state is before
        assert records == []


@pytest.mark.parametrize(("states", "moves"), TABLES)
def test_the_end_is_final_and_within_reach_of_every_state(states, moves) -> None:
    assert not [pair for pair in moves if pair[0] is states.GONE]
    assert all((state, states.GONE) in moves for state in states if state is not states.GONE)


@pytest.mark.parametrize(("states", "moves"), TABLES)
def test_no_state_goes_to_itself_and_each_can_be_reached(states, moves) -> None:
    assert not [pair for pair in moves if pair[0] is pair[1]]
    assert {after for _, after in moves} == set(states) - {states.CREATED}
