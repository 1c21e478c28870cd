import json
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from lab.cli import cli
from lab.errors import ConfigError
from tests.report.synthetic import write_run


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    return write_run(tmp_path, only=["ikev2/plain_tunnel"])


def test_build_prints_where_the_index_is(run_dir: Path) -> None:
    result = CliRunner().invoke(cli, ["report", "build", str(run_dir)])
    assert (result.exit_code, result.stdout) == (0, f"{run_dir}/index.html\n")
    assert (run_dir / "index.html").is_file()


def test_build_in_json_has_a_schema(run_dir: Path) -> None:
    result = CliRunner().invoke(cli, ["report", "build", str(run_dir), "--json"])
    assert json.loads(result.stdout) == {"schema": "ikelab.report/1", "index": f"{run_dir}/index.html"}


def test_what_is_no_run_directory_is_a_config_error(tmp_path: Path) -> None:
    result = CliRunner().invoke(cli, ["report", "build", str(tmp_path / "nowhere")])
    assert isinstance(result.exception, ConfigError)
    assert "nowhere" in str(result.exception)


def test_open_builds_what_is_not_there_and_starts_a_browser(run_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr(click, "launch", lambda target: opened.append(target) or 0)
    assert CliRunner().invoke(cli, ["report", "open", str(run_dir)]).exit_code == 0
    assert opened == [f"{run_dir}/index.html"] and (run_dir / "index.html").is_file()


def test_open_without_a_browser_says_which_file_to_open(run_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(click, "launch", lambda target: 1)
    result = CliRunner().invoke(cli, ["report", "open", str(run_dir)])
    assert isinstance(result.exception, ConfigError)
    assert str(result.exception).startswith(f"{run_dir}/index.html: no browser")
