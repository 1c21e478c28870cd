import errno
import importlib
import json
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from lab.cli import COMMANDS, cli, exit_code, sentence
from lab.errors import BrokenError, ConfigError, LabError, UnfitError


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_exists_and_has_help(name: str) -> None:
    module, attribute = COMMANDS[name]
    assert isinstance(getattr(importlib.import_module(module), attribute), click.Command)
    result = CliRunner().invoke(cli, [name, "--help"])
    assert result.exit_code == 0 and "Usage:" in result.output


def test_version_as_json() -> None:
    result = CliRunner().invoke(cli, ["version", "--json"])
    assert json.loads(result.stdout)["schema"] == "ikelab.version/1"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigError("no such key", file="a.conf", line=3, key="ike"), 2),
        (UnfitError("no guest image", fix="run `ikelab image build`"), 3),
        (BrokenError("the guest died"), 5),
        (LabError("odd"), 5),
        (KeyboardInterrupt(), 130),
        (OSError(errno.ENOSPC, "No space left on device"), 3),
        (OSError(errno.EBADF, "a bug"), None),
        (ValueError("a bug"), None),
    ],
)
def test_exit_codes(error: BaseException, code: int | None) -> None:
    assert exit_code(error) == code


def test_a_wrong_option_is_a_usage_error_of_one_sentence() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "lab", "version", "--nope"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2 and "No such option" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "out/run.json"), ("out/run.json", "free some space")),
        (OSError(errno.EACCES, "Permission denied"), ("Permission denied", "permissions")),
        (UnfitError("no guest image", fix="run: ikelab image build"), ("no guest image", "ikelab image build")),
    ],
)
def test_a_failure_names_its_cause_and_the_next_step(error: LabError | OSError, words: tuple[str, ...]) -> None:
    assert all(word in sentence(error) for word in words)


def test_impairments_are_listed() -> None:
    result = CliRunner().invoke(cli, ["list", "impairments", "--json"])
    rows = json.loads(result.stdout)["impairments"]
    (row,) = [row for row in rows if row["name"] == "icv-wrong"]
    assert row["clause"] == "rfc7296:3.14" and row["outcome"] == "ignored"
    text = CliRunner().invoke(cli, ["list", "impairments"]).stdout
    assert len(text.splitlines()) == len(rows)
