"""Completion, tried in the shells themselves."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# Prints what bash would offer for the words in "$@".
BASH = r"""
source "$SCRIPT"
COMP_WORDS=("$@"); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); COMPREPLY=()
_ikelab_completion "$1"
printf '%s\n' "${COMPREPLY[@]}"
"""
FISH = r"""
source $SCRIPT
complete --do-complete "$argv"
"""


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """A PATH on which `ikelab` is this checkout."""
    command = tmp_path / "ikelab"
    command.write_text(f'#!/bin/sh\nPYTHONPATH="{ROOT}" exec "{sys.executable}" -m lab "$@"\n')
    command.chmod(0o755)
    home = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path)}
    return {**os.environ, **home, "PATH": f"{tmp_path}:{os.environ['PATH']}", "SCRIPT": str(tmp_path / "script")}


def script(environment: dict[str, str], shell: str) -> str:
    done = subprocess.run(["ikelab", "completion", shell], env=environment, capture_output=True, text=True, check=True)
    Path(environment["SCRIPT"]).write_text(done.stdout)
    return done.stdout


def offered(environment: dict[str, str], *command: str) -> list[str]:
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=60)
    return [line.partition("\t")[0] for line in done.stdout.splitlines()]


CASES = [
    (["ikelab", "hist"], {"history"}),
    (["ikelab", "report", "d"], {"diff"}),
    (["ikelab", "run", "--kernel", ""], {"auto", "guest", "host"}),
    (["ikelab", "run", "ikev2/plain-t"], {"ikev2/plain-tunnel"}),
    (["ikelab", "run", "na"], {"nat/"}),
    (["ikelab", "run", "--peer", "strongswan"], {"strongswan"}),
    (["ikelab", "graph", "nat-b"], {"nat-both"}),
]


@pytest.mark.parametrize(("words", "expected"), CASES, ids=[" ".join(words) for words, _ in CASES])
def test_bash(environment: dict[str, str], words: list[str], expected: set[str]) -> None:
    script(environment, "bash")
    assert expected <= set(offered(environment, "bash", "-c", BASH, "bash", *words))


@pytest.mark.skipif(shutil.which("fish") is None, reason="fish is not installed")
def test_fish(environment: dict[str, str]) -> None:
    script(environment, "fish")
    assert "history" in offered(environment, "fish", "--no-config", "-c", FISH, "ikelab hist")
    assert "nat-both" in offered(environment, "fish", "--no-config", "-c", FISH, "ikelab graph nat-b")


@pytest.mark.skipif(shutil.which("zsh") is None, reason="zsh is not installed")
def test_zsh(environment: dict[str, str]) -> None:
    """What zsh's function would hand on; the menu itself needs a terminal."""
    script(environment, "zsh")
    subprocess.run(["zsh", "-n", environment["SCRIPT"]], env=environment, check=True)
    told = "compdef() {}; source $SCRIPT; compadd() { print -rl -- ${(P)@[-1]} }; "
    told += "_describe() { print -rl -- ${(P)@[-1]} }; words=(ikelab graph nat-b); CURRENT=3; _ikelab_completion"
    assert "nat-both" in "\n".join(offered(environment, "zsh", "-f", "-c", told))


def test_an_unknown_shell_is_a_usage_error(environment: dict[str, str]) -> None:
    done = subprocess.run(
        ["ikelab", "completion", "tcsh"], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2 and "tcsh" in done.stderr
