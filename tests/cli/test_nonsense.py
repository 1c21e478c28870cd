"""Every command given nonsense answers with one sentence and exit code 2, and never with a traceback."""

import os
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from lab.cli import cli, main

# What makes a command go wrong that cannot be wrong by an option that there is not: name -> arguments.
NONSENSE = {
    "run": [["nowhere", "--kernel", "moon"], ["--shard", "9/3"], ["--out", os.devnull], ["--peer", "nobody"],
            ["--step", "--cluster", "local"], ["--failed-in", "nowhere"], ["--suite", "nowhere"], ["-j", "0"]],
    "list": [["nonsense"], []],
    "up": [["nowhere"], []],
    "down": [["nowhere"]],
    "status": [["nowhere"]],
    "exec": [["left", "--lab", "nowhere", "--", "true"]],
    "shell": [["left", "--lab", "nowhere"]],
    "logs": [["left", "--lab", "nowhere"]],
    "capture": [["left-wan", "--lab", "nowhere"]],
    "link set": [["left-wan", "--lab", "nowhere", "--delay", "1ms"]],
    "nat show": [["left-nat", "--lab", "nowhere"]],
    "nat rebind": [["left-nat", "--lab", "nowhere"]],
    "nat reboot": [["left-nat", "--lab", "nowhere"]],
    "nat set-timeout": [["left-nat"], ["left-nat", "--udp", "1s", "--lab", "nowhere"]],
    "gate drop": [["nonsense", "--lab", "nowhere"]],
    "gate release": [["first"]],
    "gate remove": [["first"]],
    "gate show": [["--lab", "nowhere"]],
    "decode": [["nowhere.pcapng"], [__file__]],
    "peer check": [["nobody"]],
    "validate": [["nowhere.yaml"], [__file__]],
    "daemon": [["--config", "nowhere.conf"], []],
    "ctl": [["list-sas"], ["left", "--control", "x", "list-sas"]],
    "ctl initiate": [[]],
    "graph": [["nowhere"], ["--lab", "nowhere"]],
    "report build": [["nowhere"]],
    "report open": [["nowhere"]],
    "report merge": [["out", "nowhere"], ["out"]],
    "report diff": [["nowhere", "nowhere"], [".", "."]],
    "history": [["--last", "0"], ["--runs", "nowhere"]],
    "explain": [["nowhere"]],
    "completion": [["csh"]],
}  # fmt: skip


def leaves(command: click.Command = cli, *above: str) -> Iterator[tuple[str, ...]]:
    """The names of every command that is no group."""
    if not isinstance(command, click.Group):
        yield above
        return
    context = click.Context(command)
    for name in command.list_commands(context):
        below = command.get_command(context, name)
        assert below is not None
        yield from leaves(below, *above, name)


COMMANDS = sorted(" ".join(names) for names in leaves())


def said(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, words: list[str]) -> tuple[object, str]:
    monkeypatch.setattr("sys.argv", ["ikelab", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    return ended.value.code, capsys.readouterr().err


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is there, and no lab is up."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.delenv("IKELAB_LAB", raising=False)


@pytest.mark.parametrize("name", COMMANDS)
def test_an_option_that_there_is_not(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    node = ["left"] if name.startswith("ctl ") else []  # without one it says that first
    group, *rest = name.split()
    code, text = said(capsys, monkeypatch, [group, *node, *rest, "--nonsense"])
    lines = text.splitlines()
    assert code == 2 and len(lines) == 1 and lines[0].startswith("ikelab: "), text
    # `exec` leaves to the program what it does not know itself.
    assert ("nonsense" in text or name == "exec") and f"`ikelab {name.split()[0]}" in text


@pytest.mark.parametrize(("name", "words"), [(name, words) for name, rows in NONSENSE.items() for words in rows])
def test_arguments_that_mean_nothing(
    name: str, words: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    code, text = said(capsys, monkeypatch, [*name.split(), *words])
    lines = text.splitlines()
    assert code == 2 and len(lines) == 1 and lines[0].startswith("ikelab: "), text


def test_the_walk_has_every_command_that_takes_an_argument() -> None:
    takes = {
        name
        for name in COMMANDS
        if any(isinstance(one, click.Argument) for one in _command(name).params) and not name.startswith("ctl ")
    }
    gates = {name for name in takes if name.startswith("gate ")}  # they are made by one function
    assert takes - gates <= set(NONSENSE)


def _command(name: str) -> click.Command:
    command: click.Command = cli
    for word in name.split():
        assert isinstance(command, click.Group)
        found = command.get_command(click.Context(command), word)
        assert found is not None
        command = found
    return command
