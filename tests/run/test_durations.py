from lab.evidence.results import Result
from lab.matrix import Pairing
from lab.plugin.meta import Scenario
from lab.run.durations import USUAL_S, _table, estimate, table


def result(scenario_id: str, took: float | None) -> Result:
    return Result(id=scenario_id, pairing="ours>strongswan", verdict="passed", duration_s=took)


def test_table_names_only_what_takes_long_by_its_function() -> None:
    times = {"a/x": 1.0, "a/y": 1.1, "b/z/one": 8.0, "b/z/two": 12.0, "c/w": 0.9, "c/never": None}
    assert table(result(name, took) for name, took in times.items()) == {"b/z": 9.5}


def test_slow_machine_gives_the_same_table() -> None:
    times = {"a/x": 1.0, "a/y": 1.0, "b/z": 8.0}
    slow = [result(name, took * 3) for name, took in times.items()]
    assert table(slow) == table(result(name, took) for name, took in times.items())


def test_what_the_table_does_not_name_takes_the_usual_time() -> None:
    pairing = Pairing("ours", "strongswan")
    assert estimate(Scenario("no/such", pairing, "", "")) == USUAL_S


def test_table_is_longest_first() -> None:
    assert list(_table().values()) == sorted(_table().values(), reverse=True)
    assert len(_table()) > 5
