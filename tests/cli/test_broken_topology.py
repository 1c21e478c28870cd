"""What is wrong with a topology is one sentence with file, line and key, and exit code 2; nothing is started."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from lab.cli import cli, exit_code
from lab.emulation import topology
from lab.errors import ConfigError
from lab.life import keeper

DIRECT = (topology.directory() / "direct.yaml").read_text()
ROUTER = "  internet: {kind: router}\n"
GATES = len(DIRECT.splitlines()) + 1


def line(text: str) -> int:
    return DIRECT[: DIRECT.index(text)].count("\n") + 1


def gated(where: str, rule: str) -> str:
    return f"{DIRECT}gates:\n  {where}:\n    - {{{rule}}}\n"


BROKEN = {
    "rule": (gated("internet", "drop: 2nd IKE_AUHT response"), GATES + 2, "gates.internet.0.drop", "mean IKE_AUTH?"),
    "action": (gated("internet", "dorp: ESP"), GATES + 2, "gates.internet.0.dorp", "not a known key"),
    "link": (gated("left-wlan", "drop: ESP"), GATES + 1, "gates.left-wlan", "there is no node or link `left-wlan`"),
    "gateway": (gated("left", "drop: ESP"), GATES + 1, "gates.left", "`left` is no router or NAT box"),
    "loop": (
        DIRECT.replace(ROUTER, "  internet: {kind: router, default_route: left}\n"),
        line(ROUTER),
        "nodes.internet.default_route",
        "the default routes run in a loop: left -> internet -> left",
    ),
    "node": (
        DIRECT.replace("right: {kind: gateway, default_route: internet}", "right: {kind: gateway, default_route: net}"),
        line("  right: {kind"),
        "nodes.right.default_route",
        "there is no node `net`; nodes are left-host, left, internet, right, right-host",
    ),
    "end": (
        DIRECT.replace("      right: {interface: wan", "      rigth: {interface: wan"),
        line("      right: {interface: wan"),
        "links.right-wan.ends.rigth",
        "there is no node `rigth`",
    ),
}


@pytest.mark.parametrize("command", [("validate",), ("up",)], ids=" ".join)
@pytest.mark.parametrize("name", BROKEN)
def test_one_sentence_and_nothing_started(
    name: str, command: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def started(*_: object) -> None:
        raise AssertionError("something was started")

    monkeypatch.setattr(keeper, "start", started)
    text, number, key, said = BROKEN[name]
    file = tmp_path / "mine.yaml"
    file.write_text(text)
    error = CliRunner().invoke(cli, [*command, str(file)]).exception
    assert isinstance(error, ConfigError) and exit_code(error) == 2, error
    (sentence,) = str(error).splitlines()
    assert sentence.startswith(f"{file}:{number}: {key}: ") and said in sentence
