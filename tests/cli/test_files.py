"""The commands that read a file of the user's."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from lab.cli import cli, exit_code
from lab.errors import ConfigError

ROOT = Path(__file__).parent.parent.parent
CAPTURES = sorted((ROOT / "tests" / "captures").rglob("*.pcapng"))


def ikelab(*words: str | Path) -> Result:
    return CliRunner().invoke(cli, [str(word) for word in words])


def mistake(result: Result) -> str:
    """The sentence that the user reads; anything but the exit code of a user's mistake fails."""
    assert isinstance(result.exception, ConfigError), result.exception
    assert exit_code(result.exception) == 2
    return str(result.exception)


@pytest.mark.parametrize("file", sorted((ROOT / "topologies").glob("*.yaml")), ids=lambda path: path.stem)
def test_the_labs_own_topologies_are_valid(file: Path) -> None:
    assert "nodes" in ikelab("validate", file).output


BROKEN = {
    "internet: {kind: router}": "internet: {kind: router, default_route: left-nat}",  # and that one's leads back
    "      internet: {interface: left": "      internett: {interface: left",
    "nat: {ports: random}": "nat: {ports: preserve, mapping: address-dependent}",
}


def test_broken_files_are_one_sentence_with_the_place(tmp_path: Path) -> None:
    topology = tmp_path / "mine.yaml"
    topology.write_text("nodes:\n  left: {kind: gateway, colour: red}\nlinks: {}\n")
    assert "mine.yaml:2" in mistake(ikelab("validate", topology))
    for wrong, line, key in (
        ("internet: {kind: router}", 16, "default_route"),
        ("      internet: {interface: left", 32, "links.left-uplink.ends.internett"),
        ("nat: {ports: random}", 15, "nodes.left-nat.nat.mapping"),
    ):
        text = (ROOT / "topologies/nat-initiator.yaml").read_text()
        assert wrong in text
        topology.write_text(text.replace(wrong, BROKEN[wrong]))
        said = mistake(ikelab("validate", topology))
        assert f"mine.yaml:{line}" in said and key in said, said
    connection = tmp_path / "mine.conf"
    connection.write_text("connections {\n  net {\n    colour = red\n  }\n}\n")
    assert "mine.conf:3" in mistake(ikelab("validate", connection))
    connection.write_bytes(b"\xff\xfe")
    assert "UTF-8" in mistake(ikelab("validate", connection))
    other = tmp_path / "mine.txt"
    other.touch()
    assert "mine.txt" in mistake(ikelab("validate", other))


def test_a_file_that_is_no_capture(tmp_path: Path) -> None:
    file = tmp_path / "mine.pcapng"
    file.write_bytes(b"nothing of the kind")
    assert "pcapng" in mistake(ikelab("decode", file))


@pytest.mark.parametrize("file", CAPTURES, ids=lambda path: path.stem)
def test_decode_prints_the_ladder(file: Path) -> None:
    found = json.loads(ikelab("decode", file, "--json").output)
    assert found["schema"] == "ikelab.ladder/1" and found["messages"]
    shown = ikelab("decode", file)
    assert shown.exit_code == 0 and "IKE_SA_INIT request 0" in shown.output


@pytest.mark.parametrize(("form", "start"), [("--svg", "<svg"), ("--dot", "graph"), ("--mermaid", "graph")])
def test_graph_draws_a_topology_in_three_forms(form: str, start: str) -> None:
    drawing = ikelab("graph", "nat-both", form).output
    assert start in drawing and "right-nat" in drawing
