"""`ikelab daemon` and `ikelab ctl` as a person uses them, against a daemon that answers from a table."""

import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from lab.cli import cli
from lab.errors import ConfigError, UnfitError

SA = {
    "name": "gw", "number": 1, "state": "ESTABLISHED", "role": "initiator", "spi_i": "11" * 8, "spi_r": "22" * 8,
    "local_host": "192.0.2.1", "local_port": 4500, "remote_host": "192.0.2.2", "remote_port": 4500,
    "children": [{
        "name": "net", "state": "INSTALLED", "mode": "TUNNEL", "protocol": "ESP", "encap": True, "spi_in": "c1000001",
        "spi_out": "c2000002", "local_ts": ["10.1.0.0/24"], "remote_ts": ["10.2.0.0/24"], "packets_in": 3,
        "bytes_in": 252, "packets_out": 4, "bytes_out": 336,
    }],
}  # fmt: skip
STATS = {"schema": "ikelab.stats/1", "endpoint": {"ike_sas": 1}, "drops": {"unknown SPI": 2}, "loop": {"wakeups": 9}}
ANSWERS = {
    "list-sas": [{"ok": True, "result": [SA]}],
    "stats": [{"ok": True, "result": STATS}],
    "initiate": [{"event": "ike-up", "connection": "gw"}, {"ok": False, "error": "IKE_AUTH: AUTHENTICATION_FAILED"}],
    "events": [{"event": "listening"}, {"event": "child-up", "child": "net"}],
}


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[tuple[Path, list[dict[str, object]]]]:
    """A control socket that answers from the table and remembers what it was asked."""
    path, asked = tmp_path / "ctl", list[dict[str, object]]()
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()

    def serve() -> None:
        while True:
            try:
                client = listener.accept()[0]
            except OSError:
                return
            with client, client.makefile("rb") as lines:
                for line in lines:
                    asked.append(json.loads(line))
                    answers = ANSWERS.get(asked[-1]["command"], [{"ok": True, "result": {}}])
                    client.sendall(b"".join(json.dumps(answer).encode() + b"\n" for answer in answers))
                    if asked[-1]["command"] == "events":
                        break

    server = threading.Thread(target=serve, daemon=True)
    server.start()
    yield path, asked
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    server.join(10)


def ctl(path: Path, *words: str) -> Result:
    return CliRunner().invoke(cli, ["ctl", "--control", str(path), *words])


def test_list_sas(daemon: tuple[Path, list[dict[str, object]]]) -> None:
    shown = ctl(daemon[0], "list-sas")
    assert shown.exit_code == 0
    assert "gw: ESTABLISHED, initiator, 192.0.2.1[4500] - 192.0.2.2[4500]" in shown.stdout
    assert "net: INSTALLED, TUNNEL, ESP in UDP, c1000001_in c2000002_out, 10.1.0.0/24 === 10.2.0.0/24" in shown.stdout
    assert json.loads(ctl(daemon[0], "list-sas", "--json").stdout) == {"schema": "ikelab.sas/1", "sas": [SA]}


def test_stats(daemon: tuple[Path, list[dict[str, object]]]) -> None:
    assert "drops     unknown SPI: 2" in ctl(daemon[0], "stats").stdout
    assert json.loads(ctl(daemon[0], "stats", "--json").stdout) == STATS


def test_a_failed_initiate_is_a_sentence_and_exit_code_1(daemon: tuple[Path, list[dict[str, object]]]) -> None:
    result = ctl(daemon[0], "initiate", "net", "--timeout", "5")
    assert result.exit_code == 1 and result.stdout == ""
    assert result.stderr == "ike-up connection=gw\nikelab: IKE_AUTH: AUTHENTICATION_FAILED\n"
    assert daemon[1] == [{"command": "initiate", "child": "net", "timeout": 5.0}]


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        ([], {}),
        (["gw"], {"ike": "gw"}),
        (["1"], {"ike": "1"}),
        (["net"], {"child": "net"}),
        (["gw", "--child"], {"child": "gw"}),
    ],
)
def test_terminate_finds_out_what_a_name_means(
    daemon: tuple[Path, list[dict[str, object]]], words: list[str], meant: dict[str, str]
) -> None:
    assert ctl(daemon[0], "terminate", *words).exit_code == 0
    assert daemon[1][-1] == {"command": "terminate", "timeout": None, **meant}


def test_rekey_means_names_as_terminate_does(daemon: tuple[Path, list[dict[str, object]]]) -> None:
    for name, meant in (("gw", {"ike": "gw"}), ("net", {"child": "net"})):
        assert ctl(daemon[0], "rekey", name).exit_code == 0
        assert daemon[1][-1] == {"command": "rekey", "timeout": None, **meant}


def test_events_are_json_lines(daemon: tuple[Path, list[dict[str, object]]]) -> None:
    assert json.loads(ctl(daemon[0], "events").stdout) == {"event": "child-up", "child": "net"}


def test_move(daemon: tuple[Path, list[dict[str, object]]]) -> None:
    assert ctl(daemon[0], "move", "gw", "--from", "192.0.2.77", "--timeout", "5").exit_code == 0
    assert daemon[1] == [{"command": "move", "ike": "gw", "local": "192.0.2.77", "timeout": 5.0}]


@pytest.mark.parametrize("words", [["liveness", "gw"], ["liveness"], ["redirect", "192.0.2.7", "gw"], ["stop"]])
def test_commands_without_output(daemon: tuple[Path, list[dict[str, object]]], words: list[str]) -> None:
    result = ctl(daemon[0], *words)
    assert (result.exit_code, result.output) == (0, "") and daemon[1][-1]["command"] == words[0]


def test_without_a_daemon(tmp_path: Path) -> None:
    result = ctl(tmp_path / "ctl", "stats")
    assert isinstance(result.exception, UnfitError) and "start one: ikelab daemon" in str(result.exception)


def test_the_daemon_command_passes_the_exit_code_on(tmp_path: Path) -> None:
    result = CliRunner().invoke(cli, ["daemon", "--config", str(tmp_path / "none.conf")])
    assert result.exit_code == 2 and "No such file" in result.stderr
    assert CliRunner().invoke(cli, ["daemon"]).exit_code == 2


def test_a_daemon_is_named_by_a_node_or_by_a_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    for words in (["list-sas"], ["left", "--control", "x", "list-sas"], ["--control", "x", "left", "list-sas"]):
        found = CliRunner().invoke(cli, ["ctl", *words])
        assert (found.exit_code, "say which daemon" in found.output) == (2, True), words
    with pytest.raises(ConfigError, match="no lab is up"):
        CliRunner().invoke(cli, ["ctl", "left", "rekey", "net"], catch_exceptions=False)
    assert "Replace the keys" in CliRunner().invoke(cli, ["ctl", "left", "rekey", "--help"]).output
