"""`ikelab run --pause-on-failure` in a guest: the network of a scenario that fails is a lab until somebody ends it."""

import contextlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lab.life import records
from lab.life.records import Record

pytestmark = pytest.mark.guest
SOURCE = Path(__file__).parents[2]
DEADLINE_S = 120.0
SUITE = '''
import pytest

@pytest.mark.pairings("ours>strongswan")
@pytest.mark.parametrize("number", [1, 2])
def test_fails(lab, left, right, number):
    """Fail on purpose."""
    lab.up("direct")
    lab.establish()
    assert number == 3, f"failed on purpose, number {number}"
'''


def ikelab(*words: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "lab", *words]
    return subprocess.run(command, cwd=SOURCE, capture_output=True, text=True, timeout=DEADLINE_S, check=False)


def written(record: Record) -> int:
    """When it was written, in nanoseconds: two may have begun within the same second."""
    with contextlib.suppress(FileNotFoundError):
        return (record.directory / records.RECORD).stat().st_mtime_ns
    return 0


def paused(run: "subprocess.Popen[str]", after: int) -> Record:
    """The lab of the scenario that pauses, written later than that."""
    deadline = time.monotonic() + DEADLINE_S
    while True:
        found = [record for name in records.names() if (record := records.read(name)) and written(record) > after]
        if found:
            return found[0]
        assert run.poll() is None, run.communicate()[1]
        assert time.monotonic() < deadline, "no scenario paused"
        time.sleep(0.05)


def look_twice(run: "subprocess.Popen[str]") -> None:
    """Two scenarios fail in one guest, one after the other."""
    before = 0
    for _ in range(2):
        record = paused(run, before)
        before = written(record)
        assert (record.name, record.owner, record.clock) == ("paused-1", "run", "virtual")
        status = ikelab("status", "--json")
        assert status.returncode == 0, status.stderr
        sas = [sa for daemon in json.loads(status.stdout)["labs"][0]["daemons"].values() for sa in daemon["sas"]]
        assert [child["state"] for sa in sas for child in sa["children"]] == ["INSTALLED"] * 2
        pinged = ikelab("exec", "left-host", "--", "ping", "-c", "1", "-W", "2", "10.2.0.10")
        assert pinged.returncode == 0, pinged.stdout + pinged.stderr
        assert ikelab("ctl", "left", "rekey", "net").returncode == 0
        down = ikelab("down")
        assert down.returncode == 0, down.stderr


def test_every_failed_scenario_becomes_a_lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runtime, suite, out = (tmp_path / name for name in ("run", "suite", "out"))
    runtime.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    suite.mkdir()
    (suite / "test_bad.py").write_text(SUITE)
    words = ["run", "--suite", str(suite), "--pause-on-failure", "-j", "1", "--out", str(out)]
    run = subprocess.Popen(
        [sys.executable, "-m", "lab", *words], cwd=SOURCE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        look_twice(run)
        _, errors = run.communicate(timeout=DEADLINE_S)
    finally:
        run.kill()
        run.wait()
    assert run.returncode == 1, errors
    assert "its network is up as `paused-1`" in errors
    results = json.loads((out / "run.json").read_text())["results"]
    assert [one["verdict"] for one in results] == ["failed"] * 2
    assert all("failed on purpose" in one["reason"] for one in results)
    assert records.names() == []
    assert os.listdir(runtime / "ikelab" / "labs") == []
