"""Parts of a run, and the whole made of them."""

import json
from pathlib import Path

import pytest

from lab.errors import ConfigError
from lab.matrix import Pairing
from lab.plugin.meta import Scenario
from lab.run.merge import merge
from lab.run.shard import Shard
from tests.history.recorded import write

SCENARIOS = [Scenario(f"nat/{n}", Pairing("ours", "strongswan"), "", "", ()) for n in range(11)]


@pytest.mark.parametrize("of", [1, 2, 3, 11, 20])
def test_parts_are_disjoint_and_together_everything(of: int) -> None:
    parts = [Shard(number, of).of_all(SCENARIOS) for number in range(1, of + 1)]
    assert sorted(one.id for part in parts for one in part) == sorted(one.id for one in SCENARIOS)
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


@pytest.mark.parametrize("text", ["", "0/2", "3/2", "1", "1/0", "-1/2", "a/b", "1/2/3", "1/٢"])
def test_what_is_no_part(text: str) -> None:
    with pytest.raises(ConfigError, match="--shard is written i/n"):
        Shard.parse(text)


def parts(tmp_path: Path) -> list[Path]:
    return [
        write(tmp_path / "one", {"nat/a": "passed"}, started="2"),
        write(tmp_path / "two", {"nat/b": "failed"}, started="1"),
    ]


def test_parts_are_joined_with_one_report(tmp_path: Path) -> None:
    index = merge(tmp_path / "whole", parts(tmp_path))
    facts = json.loads((tmp_path / "whole" / "run.json").read_text())
    assert index.is_file() and (tmp_path / "whole/scenarios/nat/b/ours-to-strongswan/index.html").is_file()
    assert facts["counts"]["passed"] == facts["counts"]["failed"] == 1 and facts["started"] == "1"
    assert [one["id"] for one in facts["results"]] == ["nat/a", "nat/b"] and facts["seed"] == 1
    assert (tmp_path / "one" / "run.json").is_file()


def test_a_whole_is_repeated_by_what_repeats_its_parts(tmp_path: Path) -> None:
    one, two = parts(tmp_path)
    for part, shard in ((one, "1/2"), (two, "2/2")):
        facts = json.loads((part / "run.json").read_text())
        (part / "run.json").write_text(json.dumps(facts | {"command": f"ikelab run --shard {shard}"}))
    merge(tmp_path / "whole", [one, two])
    facts = json.loads((tmp_path / "whole" / "run.json").read_text())
    assert facts["command"] == "ikelab run --shard 1/2 --seed 1 && ikelab run --shard 2/2 --seed 1"


def test_an_interrupted_part_makes_an_interrupted_whole(tmp_path: Path) -> None:
    one, two = parts(tmp_path)
    facts = json.loads((two / "run.json").read_text())
    (two / "run.json").write_text(json.dumps(facts | {"duration_s": None}))
    merge(tmp_path / "whole", [one, two])
    assert json.loads((tmp_path / "whole" / "run.json").read_text())["duration_s"] is None


def test_what_two_parts_hold_is_a_mistake_and_leaves_nothing(tmp_path: Path) -> None:
    one, two = parts(tmp_path)
    third = write(tmp_path / "three", {"nat/a": "failed"})
    with pytest.raises(ConfigError, match=r"nat/a ours>strongswan is in .*one too"):
        merge(tmp_path / "whole", [one, two, third])
    assert not (tmp_path / "whole").exists() and not list(tmp_path.glob(".whole*"))


def test_what_cannot_be_joined(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no run directory"):
        merge(tmp_path / "whole", [tmp_path])
    with pytest.raises(ConfigError, match="something already"):
        merge(tmp_path / "one", parts(tmp_path))
