"""A run in one file: every page is a part, every link leads somewhere inside, every file can be saved from it."""

import base64
from pathlib import Path

import pytest
from click.testing import CliRunner

from lab.cli import cli
from lab.report import build, single
from tests.report.outline import outline
from tests.report.synthetic import write_run
from tests.report.test_hostile import write_hostile_run


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = write_run(tmp_path_factory.mktemp("run"), only=("nat/both_sides", "ikev2/wrong_psk"))
    build(run)
    return run


def test_all_pages_are_there_and_every_link_leads_somewhere(run_dir: Path, tmp_path: Path) -> None:
    target = tmp_path / "one.html"
    assert single.write(run_dir, target) == target.stat().st_size
    found = outline(target)
    pages = len(list(run_dir.rglob("*.html")))
    assert {f"part-{number}" for number in range(pages)} <= set(found.ids)
    assert len(found.ids) == len(set(found.ids))
    for link in found.links:
        if link.startswith("#"):
            assert link[1:] in found.ids or link.startswith("#v="), link
        else:
            assert link.startswith(("https://", "data:")), link


def test_files_are_in_it_as_they_are(run_dir: Path, tmp_path: Path) -> None:
    single.write(run_dir, tmp_path / "one.html")
    kept = {
        base64.b64decode(link.partition(",")[2]) for link in outline(tmp_path / "one.html").links if link[:5] == "data:"
    }
    capture = next(run_dir.glob("scenarios/nat/both_sides/*/wire.pcapng"))
    assert capture.read_bytes() in kept


def test_a_large_file_stays_outside(run_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(single, "LARGEST_FILE", 1)
    single.write(run_dir, tmp_path / "one.html")
    text = (tmp_path / "one.html").read_text()
    assert "data:application" not in text and "not in this file" in text


def test_hostile_strings_stay_inert(tmp_path: Path) -> None:
    run = write_hostile_run(tmp_path / "run")
    build(run)
    single.write(run, tmp_path / "one.html")
    found = outline(tmp_path / "one.html")
    assert found.suspects == [] and len(found.scripts) == 1


def test_the_command_warns_of_what_mail_does_not_take(
    run_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["report", "build", str(run_dir), "--single-file", str(tmp_path / "one.html")]
    done = CliRunner().invoke(cli, words)
    assert (done.exit_code, done.stdout, done.stderr) == (0, f"{tmp_path}/one.html\n", "")
    monkeypatch.setattr(single, "MAILABLE", 1000)
    assert "more than mail takes" in CliRunner().invoke(cli, words).stderr
