"""Who may run a guest, what it may touch on the host, and that nothing of it survives its launcher."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.guest import boot, contain, workplace
from tests.guest.ordinary import SOURCE, user_with_image

pytestmark = pytest.mark.guest
root_only = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become another user")


class Launcher:
    """How to start `python -m lab.guest` as some user."""

    def __init__(self, python: list[str], environment: dict[str, str], results: Path) -> None:
        self.python, self.environment, self.results = python, environment, results

    def start(self, *words: str) -> subprocess.Popen[str]:
        command = [*self.python, "-m", "lab.guest", "--results", str(self.results), *words]
        return subprocess.Popen(
            command, cwd=SOURCE, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def run(self, script: str) -> tuple[int, str, str]:
        process = self.start("--", "bash", "-c", script)
        said, errors = process.communicate(timeout=60)
        return process.returncode, said, errors


@pytest.fixture(params=["this user", pytest.param("an ordinary user", marks=root_only)])
def launcher(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Launcher]:
    if request.param == "this user":
        yield Launcher([sys.executable], {**os.environ, "PYTHONPATH": str(SOURCE)}, tmp_path)
        return
    with user_with_image() as (python, environment, home):
        results = home / "results"
        results.mkdir()
        os.chown(results, int(os.stat(home).st_uid), -1)
        yield Launcher(python, environment, results)


def test_a_network_of_its_own_and_results_for_the_host(launcher: Launcher) -> None:
    script = "id -u; ip link add v0 type veth && nft add table ip x && echo kept > /results/file && exit 3"
    code, said, errors = launcher.run(script)
    assert (code, said) == (3, "0\n"), errors
    assert (launcher.results / "file").read_text() == "kept\n"


def parents() -> dict[int, int]:
    """Process -> parent, of all living processes of the host."""
    found = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent, *_ = stat.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if state != "Z":
            found[int(stat.parent.name)] = int(parent)
    return found


def descendants(process: int) -> set[int]:
    table = parents()
    found: set[int] = set()
    while more := {child for child, parent in table.items() if parent in found | {process}} - found:
        found |= more
    return found


def test_nothing_survives_a_launcher_that_was_killed(launcher: Launcher) -> None:
    process = launcher.start("--", "bash", "-c", "sleep 1000 & sleep 1000 & echo begun; exec sleep 1000")
    assert process.stdout is not None and process.stderr is not None
    assert process.stdout.readline() == "begun\n"
    deadline = time.monotonic() + 10
    # The kernel and three processes of the guest; a process is one of the host's from when it first runs.
    while len(guest := descendants(process.pid)) < 4:
        assert time.monotonic() < deadline, f"the guest has only {guest}"
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    deadline = time.monotonic() + 10
    while left := guest & parents().keys():
        assert time.monotonic() < deadline, f"still there: {left}"
        time.sleep(0.02)  # polling the host's process table, with a deadline
    process.stdout.close()
    process.stderr.close()


def test_an_interrupt_ends_the_guest_too(launcher: Launcher) -> None:
    process = launcher.start("--", "bash", "-c", "echo begun; exec sleep 1000")
    assert process.stdout is not None and process.stdout.readline() == "begun\n"
    guest = descendants(process.pid)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=20)
    assert guest and not guest & parents().keys()


def test_what_a_killed_launcher_left_is_swept(tmp_path: Path) -> None:
    left = tmp_path / f"{workplace.PREFIX}left"
    left.mkdir()
    (left / "job").touch()
    workplace.sweep(tmp_path)
    assert not left.exists()


def test_the_directory_of_a_running_guest_is_not_swept() -> None:
    with workplace.directory("64M") as running:
        workplace.sweep(running.parent)
        assert running.is_dir()
    assert not running.exists()


@root_only
def test_root_in_the_guest_cannot_write_to_the_host(tmp_path: Path) -> None:
    if not contain.possible():
        pytest.skip("no namespaces for root here")
    target = tmp_path / "target"
    results = tmp_path / "results"
    target.mkdir()
    results.mkdir()
    said: list[str] = []
    script = f"mkdir /mnt/x; mount -t hostfs -o hostfs={target} none /mnt/x && echo mounted; echo x > /mnt/x/file"
    done = boot.run(["bash", "-c", script], source=SOURCE, results=results, output=said.append, limit_s=30)
    assert said[0] == "mounted" and "Read-only file system" in said[1]
    assert done.exit_code == 1
    assert not (target / "file").exists()


@root_only
def test_a_full_results_disk_is_named(tmp_path: Path) -> None:
    script = 'mount -t tmpfs -o size=64k tmpfs "$1"; shift; exec "$@"'
    guest = [sys.executable, "-m", "lab.guest", "--results", str(tmp_path), "--"]
    fill = "head -c 200000 /dev/zero > /results/big"
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", script, "sh", str(tmp_path), *guest, "bash", "-c", fill],
        cwd=SOURCE, env={**os.environ, "PYTHONPATH": str(SOURCE)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "No space left on device" in done.stdout


def test_a_missing_image_says_what_to_do(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "lab.guest", "--", "true"],
        cwd=SOURCE, env={**os.environ, "PYTHONPATH": str(SOURCE), "XDG_CACHE_HOME": str(tmp_path)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode != 0
    assert re.search(r"has no base layer: .*run: ikelab image build", done.stderr)


def test_a_guest_that_crashes_says_so(tmp_path: Path) -> None:
    said: list[str] = []
    crash = ["bash", "-c", "echo c > /proc/sysrq-trigger; sleep 5"]
    done = boot.run(crash, source=SOURCE, results=tmp_path, output=said.append, limit_s=20)
    assert done.exit_code is None
    assert "without an exit status" in done.reason
    assert any("Kernel panic" in line for line in said)
