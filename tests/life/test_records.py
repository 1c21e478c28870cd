"""Records of labs: names, states, and that only what was recorded is ever ended."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from lab.errors import ConfigError
from lab.life import records
from lab.life.records import Process, Record


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.delenv("IKELAB_LAB", raising=False)


@pytest.fixture
def sleeper() -> Iterator["subprocess.Popen[bytes]"]:
    process = subprocess.Popen(["sleep", "60"])
    yield process
    process.kill()
    process.wait()


def made(name: str, *processes: Process) -> Record:
    records.new(name)
    record = Record(name, "direct", {"left": "ours"}, "guest", "real", ready=True, processes=processes)
    record.write()
    return record


def test_a_record_comes_back_as_it_was_written(sleeper: "subprocess.Popen[bytes]") -> None:
    record = made("one", Process.of("keeper", sleeper.pid))
    assert records.read("one") == record
    assert record.state == "up"
    assert records.place().stat().st_mode & 0o777 == 0o700
    assert record.directory.stat().st_mode & 0o777 == 0o700


def test_a_process_that_took_over_the_number_is_not_met(sleeper: "subprocess.Popen[bytes]") -> None:
    process = Process.of("keeper", sleeper.pid)
    for other in (replace(process, began=process.began - 1), replace(process, boot="another")):
        assert not other.alive
        other.end(0.1)
        assert made(f"lab{len(records.names())}", other).state.startswith("gone")
    assert sleeper.poll() is None
    process.end(5.0)
    assert sleeper.wait(5) == -signal.SIGTERM


def test_what_ignores_the_request_is_killed() -> None:
    script = "trap '' TERM; echo ready; while :; do sleep 1; done"
    stubborn = subprocess.Popen(["sh", "-c", script], stdout=subprocess.PIPE)
    assert stubborn.stdout is not None
    assert stubborn.stdout.readline() == b"ready\n"
    Process.of("keeper", stubborn.pid).end(0.2)
    assert stubborn.wait(5) == -signal.SIGKILL
    stubborn.stdout.close()


def test_removing_takes_processes_and_directories_but_no_run(
    sleeper: "subprocess.Popen[bytes]", tmp_path: Path
) -> None:
    left = tmp_path / "left"
    left.mkdir()
    run = Process.of("run", os.getppid())
    record = made("one", Process.of("guest", sleeper.pid), run).changed(directories=(str(left),))
    record.remove()
    assert sleeper.wait(5) == -signal.SIGTERM
    assert run.alive
    assert not left.exists()
    assert records.names() == []


def test_choosing_a_lab(sleeper: "subprocess.Popen[bytes]", monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="no lab is up; start one"):
        records.choose()
    keeper = Process.of("keeper", sleeper.pid)
    one = made("one", keeper)
    assert records.choose() == one
    two = made("two", keeper)
    with pytest.raises(ConfigError, match=r"several labs are up \(one, two\)"):
        records.choose()
    assert records.choose("two") == two
    monkeypatch.setenv("IKELAB_LAB", "one")
    assert records.choose() == one
    with pytest.raises(ConfigError, match="no lab is called `three`; there are one, two"):
        records.choose("three")
    two.changed(ended="its guest died")
    with pytest.raises(ConfigError, match="gone: its guest died; take away what is left of it with `ikelab down two`"):
        records.choose("two")


@pytest.mark.parametrize("name", ["", "../x", "A", "a b", "-x", "x" * 32, "."])
def test_names_that_are_none(name: str) -> None:
    with pytest.raises(ConfigError, match="is no name for a lab"):
        records.new(name)


def test_a_name_is_taken_once_and_a_long_place_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    records.new("one")
    with pytest.raises(ConfigError, match="called `one` already; take away"):
        records.new("one")
    deep = tmp_path / ("x" * 100)
    deep.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(deep))
    with pytest.raises(ConfigError, match="too long for a socket"):
        records.new("one")


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"processes": 3}', '{"processes": [{"pid": 1}]}'])
def test_a_record_that_cannot_be_read_is_none(text: str) -> None:
    (records.new("one") / records.RECORD).write_text(text)
    assert records.read("one") is None
    with pytest.raises(ConfigError, match="it has no record; take away"):
        records.choose()
    records.forget("one")
    assert records.names() == []


def test_a_record_under_another_name_is_none() -> None:
    record = made("one")
    facts = json.loads((record.directory / records.RECORD).read_text())
    (record.directory / records.RECORD).write_text(json.dumps(facts | {"name": "../../etc"}))
    assert records.read("one") is None
