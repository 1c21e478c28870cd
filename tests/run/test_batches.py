import pytest

from lab.matrix import Pairing
from lab.plugin.meta import Scenario
from lab.run import batches as dividing
from lab.run.batches import divide, left_over

PAIRING = Pairing("ours", "strongswan")


def scenarios(count, clock="any"):
    return [Scenario(f"{clock}/{number}", PAIRING, "", "", clock=clock) for number in range(count)]


def ids(batches):
    return [[one.id for one in batch.scenarios] for batch in batches]


def test_few_scenarios_are_not_worth_a_second_guest():
    assert ids(divide(scenarios(3), 4)) == [["any/0", "any/1", "any/2"]]


def test_many_are_spread_so_that_neighbours_part():
    batches = divide(scenarios(9), 2)
    assert ids(batches) == [[f"any/{n}" for n in (0, 2, 4, 6, 8)], [f"any/{n}" for n in (1, 3, 5, 7)]]


def test_real_time_has_guests_of_its_own():
    batches = divide([*scenarios(2), *scenarios(1, "real"), *scenarios(1, "virtual")], 1)
    assert [(batch.virtual, len(batch.scenarios)) for batch in batches] == [(True, 3), (False, 1)]


def test_a_peer_that_spins_has_guests_in_which_computing_takes_time():
    spinning = Scenario("any/old", Pairing("strongswan-5.9", "ours"), "", "")
    batches = divide([*scenarios(2), spinning, *scenarios(1, "real")], 1)
    assert ids(batches) == [["any/0", "any/1"], ["any/old"], ["real/0"]]
    assert [(batch.virtual, batch.counts) for batch in batches] == [(True, False), (True, True), (False, False)]


def test_without_virtual_time_everything_is_real():
    assert [batch.virtual for batch in divide(scenarios(2), 1, virtual=False)] == [False]


def test_every_scenario_is_in_exactly_one_batch():
    every = [*scenarios(11), *scenarios(6, "real")]
    found = [one for batch in divide(every, 3) for one in batch.scenarios]
    assert sorted(one.id for one in found) == sorted(one.id for one in every)


def test_nothing_gives_no_batch():
    assert divide([], 4) == []


def test_what_has_no_result_is_left_over():
    (batch,) = divide(scenarios(3), 1)
    assert [one.id for one in left_over(batch, {("any/1", str(PAIRING))})] == ["any/0", "any/2"]


@pytest.fixture
def took(monkeypatch):
    """Estimates by id; 1 s otherwise."""
    times = {}
    monkeypatch.setattr(dividing, "estimate", lambda one: times.get(one.id, 1.0))
    return times


def test_longest_first_and_all_end_together(took):
    took |= {"any/7": 6.0, "any/8": 3.0}
    batches = divide(scenarios(9), 2)
    assert [batch.scenarios[0].id for batch in batches] == ["any/7", "any/8"]
    loads = [sum(took.get(one.id, 1.0) for one in batch.scenarios) for batch in batches]
    assert loads == [8.0, 8.0]


def test_one_guest_with_a_real_clock_is_enough_where_it_ends_before_the_others(took):
    took |= {f"any/{number}": 10.0 for number in range(8)}
    batches = divide([*scenarios(8), *scenarios(8, "real")], 2)
    assert [(batch.virtual, len(batch.scenarios)) for batch in batches] == [(True, 4), (True, 4), (False, 8)]
    took |= {f"real/{number}": 20.0 for number in range(8)}
    batches = divide([*scenarios(8), *scenarios(8, "real")], 2)
    assert [(batch.virtual, len(batch.scenarios)) for batch in batches] == [(True, 4)] * 2 + [(False, 4)] * 2
