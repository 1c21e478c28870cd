"""tools/bootstrap.sh: what it asks for, and that it does nothing when nothing is missing."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPTS = [*sorted((ROOT / "tools").glob("*.sh")), ROOT / "lab/guest/init.sh"]


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """What of a clone the script looks at, and stand-ins for the programs that tell it about the machine."""
    (tmp_path / "clone/tools").mkdir(parents=True)
    for name in ("tools/bootstrap.sh", "tools/apt-packages.txt", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path / "clone" / name)
    (tmp_path / "bin").mkdir()
    return tmp_path / "clone"


def stand_in(clone: Path, name: str, script: str) -> None:
    path = clone.parent / "bin" / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def pretend_venv(clone: Path) -> None:
    python = clone / ".venv/bin/python"
    python.parent.mkdir(parents=True)
    python.write_text(
        '#!/bin/sh\ncase "$*" in *install*) echo pip >> called; exit "${PIP:-0}" ;; *) echo Python 3.11.2 ;; esac\n'
    )
    python.chmod(0o755)


def bootstrap(clone: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PATH": f"{clone.parent}/bin:/usr/bin:/bin"}
    command = [str(clone / "tools/bootstrap.sh"), *words]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, cwd="/")


def test_an_unknown_scope_is_a_usage_error(clone: Path) -> None:
    done = bootstrap(clone, "everything")
    assert (done.returncode, done.stderr) == (2, "usage: tools/bootstrap.sh [demo|test|host]\n")


@pytest.mark.parametrize(
    ("scope", "chromium", "charon"),
    [(["demo"], False, False), (["test"], True, False), ([], True, False), (["host"], True, True)],
)
def test_an_ordinary_user_is_told_what_to_install(clone: Path, scope: list[str], chromium: bool, charon: bool) -> None:
    stand_in(clone, "dpkg-query", "exit 1")
    stand_in(clone, "id", "echo 1000")
    stand_in(clone, "apt-get", f"touch {clone}/called")
    done = bootstrap(clone, *scope)
    assert done.returncode == 3
    said = done.stderr.splitlines()[-1]
    assert said.startswith("bootstrap: next step: as root: apt-get install --no-install-recommends ca-certificates ")
    assert (" chromium " in said) is chromium
    assert (" charon-systemd " in said) is charon
    assert "#" not in said and "[" not in said
    assert not (clone / "called").exists()


@pytest.mark.parametrize("had", [True, False])
def test_what_later_debians_lack_is_wanted_only_where_apt_has_it(clone: Path, had: bool) -> None:
    stand_in(clone, "dpkg-query", 'case "$4" in vagrant*) exit 1 ;; esac; printf installed')
    stand_in(clone, "apt-cache", f"exit {0 if had else 100}")
    stand_in(clone, "id", "echo 1000")
    (clone / "tools/apt-packages.txt").write_text("[demo]\nbison\n[test]\nvagrant?\n")
    pretend_venv(clone)
    said = bootstrap(clone).stderr
    assert ("missing Debian packages: vagrant" in said) is had
    assert "?" not in said


def test_root_installs_only_what_is_missing(clone: Path) -> None:
    stand_in(clone, "dpkg-query", '[ "$4" = bison ] && exit 1; printf installed')
    stand_in(clone, "id", "echo 0")
    stand_in(clone, "apt-get", f'echo "$@" >> {clone}/called; case "$*" in *" install "*) exit 100 ;; esac')
    done = bootstrap(clone, "demo")
    assert done.returncode == 3
    assert (clone / "called").read_text().splitlines()[-1].endswith("--no-install-recommends install bison")
    assert "could not install: bison" in done.stderr


def test_nothing_is_done_when_nothing_is_missing(clone: Path) -> None:
    stand_in(clone, "dpkg-query", "printf installed")
    pretend_venv(clone)
    assert bootstrap(clone, "test").returncode == 0
    assert (clone / "called").read_text() == "pip\n"
    assert bootstrap(clone, "test").returncode == 0
    assert bootstrap(clone, "demo").returncode == 0  # made for tests, good for the demo
    assert (clone / "called").read_text() == "pip\n"
    (clone / "pyproject.toml").write_text("changed")
    assert bootstrap(clone, "demo").returncode == 0
    assert (clone / "called").read_text() == "pip\npip\n"


def test_another_system_is_named(clone: Path) -> None:
    for program in ("awk", "cat", "dirname", "id", "sh"):
        (clone.parent / "bin" / program).symlink_to(str(shutil.which(program)))
    environment = {"PATH": f"{clone.parent}/bin"}
    done = subprocess.run(
        [str(clone / "tools/bootstrap.sh")], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 3
    assert "this is no Debian system" in done.stderr


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_shellcheck_finds_nothing(script: Path) -> None:
    if not shutil.which("shellcheck"):
        pytest.skip("shellcheck is not installed")
    done = subprocess.run(["shellcheck", str(script)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
