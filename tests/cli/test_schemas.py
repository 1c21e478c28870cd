"""What commands print with `--json` has the published shape; those that need a guest are held to it in tests/life."""

import json
import os
import subprocess
import sys
from pathlib import Path

import click
import jsonschema
import msgspec
import pytest
from click.testing import CliRunner

from lab.cli import cli, schemas
from lab.report import build
from lab.run import past
from lab.templates import find
from tests.cli.test_nonsense import COMMANDS, _command
from tests.report.synthetic import write_run

CAPTURE = Path(__file__).parents[1] / "captures" / "guest-direct"
KINDS = ["scenarios", "topologies", "peers", "clauses", "algorithms", "impairments"]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs, in the index of runs."""
    place = tmp_path_factory.mktemp("runs")
    for name, only in (("one", ["ikev2/wrong_psk", "nat/both_sides"]), ("two", ["ikev2/wrong_psk"])):
        build(write_run(place / name, only=only))
    return place


def printed(*words: str) -> list[str]:
    done = CliRunner().invoke(cli, [*words, "--json"])
    assert done.exit_code == 0, (words, done.output, done.exception)
    return done.stdout.splitlines() if words[0] == "explain" else [done.stdout]


def hold(text: str, name: str) -> None:
    """The text has the shape of this name, by the type and by the schema that is exported from it."""
    found = json.loads(text)
    assert found["schema"] == name
    schemas.strict(text)
    jsonschema.validate(found, schemas.export(name), cls=jsonschema.Draft202012Validator)


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (["version"], "version"),
        (["image", "status"], "image"),
        (["report", "build", "RUNS/one"], "report"),
        (["report", "diff", "RUNS/one", "RUNS/two"], "diff"),
        (["explain", "RUNS/one/ikev2/wrong_psk"], "explain"),
        (["history", "ikev2", "--runs", "RUNS"], "history"),
        *((["list", kind], "list") for kind in KINDS),
    ],
    ids=lambda words: " ".join(words),
)
def test_a_command_prints_its_shape(
    words: list[str], name: str, runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(past.VARIABLE, str(tmp_path / "history.db"))
    for text in printed(*(word.replace("RUNS", str(runs)) for word in words)):
        hold(text, f"ikelab.{name}/1")


def test_a_decoded_capture_has_its_shape() -> None:
    hold(printed("decode", str(next(CAPTURE.glob("*.pcapng"))))[0], "ikelab.ladder/1")


def test_what_a_list_lacks_or_has_too_much_is_seen() -> None:
    good = '{"schema": "ikelab.version/1", "ikelab": "1", "python": "3"'
    hold(good + "}", "ikelab.version/1")
    for bad in (good + ', "more": 1}', '{"schema": "ikelab.version/1"}', '{"schema": "ikelab.nothing/1"}', "{}"):
        with pytest.raises(msgspec.ValidationError):
            schemas.strict(bad)


def test_every_command_with_json_has_a_schema() -> None:
    with_json = {name for name in COMMANDS if any(one.name == "as_json" for one in _command(name).params)}
    described = {_name(command) for _, command in schemas.SCHEMAS.values()}
    # `run` prints run.json; all of `nat` print the same.
    described |= {"run"} | {name for name in with_json if name.startswith("nat ")}
    assert with_json == described


def _name(command: str) -> str:
    """`ctl list-sas` of `ikelab ctl NODE list-sas --json`."""
    words = [word for word in command.split()[1:] if word.islower() and not word.startswith("-")]
    assert isinstance(_command(" ".join(words)), click.Command)
    return " ".join(words)


@pytest.mark.guest
def test_the_doctor_has_its_shape() -> None:
    hold(CliRunner().invoke(cli, ["doctor", "--json"]).stdout, "ikelab.doctor/1")


MINE = """
title = "starts, and can do nothing more"
abilities = ["ikev2", "psk", "tunnel"]

[commands]
start = ["sleep", "infinity"]
ready = ["true"]
initiate = ["sh", "-c", "echo no tunnel today >&2; exit 1"]
"""


@pytest.mark.guest
def test_the_check_of_a_peer_that_can_all_has_its_shape() -> None:
    done = CliRunner().invoke(cli, ["peer", "check", "libreswan", "--json"])
    assert done.exit_code == 0, done.output
    hold(done.stdout, "ikelab.peer-check/1")
    found = json.loads(done.stdout)
    assert found["peer"] == "libreswan"
    passed = [step["step"] for step in found["steps"] if step["verdict"] == "passed"]
    lacking = {step["step"]: step["reason"] for step in found["steps"] if step["verdict"] == "unsupported"}
    assert {"tunnel", "traffic", "keys", "rekey child"} <= set(passed)
    assert list(lacking) == ["events"] and "events" in lacking["events"], lacking
    assert found["counts"] == {"passed": len(passed), "unsupported": 2}
    assert {step["role"] for step in found["steps"]} == {"initiator", "responder"}


@pytest.mark.guest
def test_the_check_of_a_peer_that_fails_has_its_shape(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(MINE)
    command = [sys.executable, "-m", "lab", "peer", "check", "mine", "--json"]
    environment = {**os.environ, find.VARIABLE: str(tmp_path)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 1, done.stderr
    hold(done.stdout, "ikelab.peer-check/1")
    found = json.loads(done.stdout)
    assert found["counts"]["failed"] == 2, "a role that failed goes on, or one that fails is not tried"
    (refused,) = [step for step in found["steps"] if (step["role"], step["verdict"]) == ("initiator", "failed")]
    assert refused["step"] == "tunnel" and "no tunnel today" in refused["reason"]
