"""The published shapes of the evidence, held against files that the lab makes of recorded captures."""

import json
from pathlib import Path

import jsonschema
import msgspec
import pytest

from lab.evidence import finish
from lab.evidence.results import Result, ResultWriter, Run, Step, write_result
from lab.evidence.schemas import SCHEMAS, export, strict
from tests.evidence import recorded


@pytest.fixture(scope="module", params=["nat-gcm", "ipv6-gcm", "psk-bad"])
def directory(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished scenario's directory in a run."""
    run = tmp_path_factory.mktemp("run")
    place = run / "scenarios" / request.param / "ours-to-strongswan"
    place.mkdir(parents=True)
    for path in (recorded.CAPTURES / request.param).iterdir():
        (place / path.name).write_bytes(path.read_bytes())
    finish.finish(place)
    writer = ResultWriter(run, Run(run_id="1", started="2026-01-01T00:00:00+00:00", command="ikelab run", seed=1))
    result = Result(id=request.param, pairing="ours>strongswan", verdict="passed", dir=str(place.relative_to(run)))
    result.steps.append(Step(name="one", verdict="passed", at_s=0.5))
    write_result(result, place)
    writer.add(result)
    writer.finish()
    return place


def read(directory: Path, name: str) -> bytes:
    return (directory.parents[2] / name if name == "run.json" else directory / name).read_bytes()


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_file_has_its_shape_and_no_other_key(directory: Path, name: str) -> None:
    assert strict(name, read(directory, name)) is not None
    jsonschema.validate(json.loads(read(directory, name)), export(name))


def test_another_shape_is_refused(directory: Path) -> None:
    ladder = json.loads(read(directory, "ladder.json"))
    ladder[0]["colour"] = "red"
    with pytest.raises(msgspec.ValidationError, match="colour"):
        strict("ladder.json", json.dumps(ladder).encode())
    with pytest.raises(jsonschema.ValidationError, match="colour"):
        jsonschema.validate(ladder, export("ladder.json"))
    del ladder[0]["colour"], ladder[0]["hops"]
    with pytest.raises(msgspec.ValidationError, match="hops"):
        strict("ladder.json", json.dumps(ladder).encode())
