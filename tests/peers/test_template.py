"""The driver of a template, with commands that run here and not in a node's root."""

import json
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from lab.errors import BrokenError
from lab.ike.swanctl import parse
from lab.peers.base import PeerFault, Unsupported
from lab.peers.room import PEERS, tree
from lab.peers.template import TemplatePeer
from lab.templates.template import read

# A daemon, and a command that does what its word says.
DAEMON = 'test -f "$IKELAB_CONFIG_DIR/translated" && echo "here I am" && exec sleep 1000'
TEXT = """
title = "x"
abilities = ["ikev2"]
[commands]
configure = ["sh", "-c", "grep -q initiator {config}/connection.json && touch {config}/translated"]
start = ["sh", "-c", '''DAEMON''']
ready = ["grep", "-q", "here", "{logs}/output"]
version = ["echo", "1.2"]
initiate = ["sh", "-c", 'test "$IKELAB_CHILD" = net || { echo "no such child" >&2; exit 3; }']
rekey = ["sh", "-c", "echo not of this one >&2; exit 127"]
sas = ["echo", '[{"state": "ESTABLISHED", "spi_i": "01", "spi_r": "02"}]']
keys = ["echo", '{"child": [{"spi": "01", "encr": "ENCR_NULL", "encr_key": ""}]}']
events = ["echo", '{"event": "ike-up"}']
counters = ["sh", "-c", "echo lost my papers >&2; exit 1"]
""".replace("DAEMON", DAEMON)


class Here:
    """A room that is where we are."""

    def __init__(self) -> None:
        self.started: list[subprocess.Popen[bytes]] = []
        self.open = lambda: None

    def popen(self, argv: Sequence[str], **options: object) -> "subprocess.Popen[bytes]":
        self.started.append(subprocess.Popen(argv, **options))  # type: ignore[call-overload]
        return self.started[-1]

    def close(self) -> None:
        for process in self.started:
            process.kill()
            process.wait()


class Nowhere:
    name = "left"


@pytest.fixture
def peer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TemplatePeer]:
    (tmp_path / "mine.toml").write_text(TEXT)
    monkeypatch.setattr(TemplatePeer, "_new_room", lambda self: Here())
    made = TemplatePeer(Nowhere(), tmp_path / "run", template=read(tmp_path / "mine.toml"))  # type: ignore[arg-type]
    made.configure(parse("connections { gw { remote_addrs = 192.0.2.1 } }\nikelab { seed = 1 }"), {"ca.pem": b"PEM"})
    yield made
    made.stop()


def test_a_peer_from_its_configuration_to_its_keys(peer: TemplatePeer) -> None:
    peer.start()
    peer.ready()
    assert (peer.name, peer.version, peer.role) == ("mine", "1.2", "initiator")
    assert peer.initiate("net").up
    assert peer.initiate("other").reason == "no such child"
    assert [sa["spi_r"] for sa in peer.sas()] == ["02"]
    assert [event.name for event in peer.events()] == ["ike-up"] and peer.events() == []
    told = json.loads(peer.configs()["connection.json"])
    assert told["schema"] == "ikelab.connection/1" and "ikelab" not in told
    assert peer.configs()["ca.pem"] == "PEM" and "remote_addrs" in peer.configs()["swanctl.conf"]
    peer.stop()
    assert peer.keys()["child"][0]["source"] == "mine:left", "the keys are gone with the daemon"
    assert [log.name for log in peer.logs()] == ["output"]


def test_127_and_a_missing_command_are_unsupported_with_the_reason(peer: TemplatePeer) -> None:
    peer.start()
    peer.ready()
    with pytest.raises(Unsupported, match="not of this one"):
        peer.rekey(child="net")
    with pytest.raises(Unsupported, match=r"has no command 'redirect' \(mine.toml\)"):
        peer.redirect("192.0.2.9")


def test_a_command_that_fails_is_the_lab_s_fault_until_the_daemon_is_dead(peer: TemplatePeer) -> None:
    peer.start()
    peer.ready()
    with pytest.raises(BrokenError, match="counters failed: lost my papers"):
        peer.counters()
    assert peer._daemon is not None
    peer._daemon.kill()
    peer._daemon.wait()
    with pytest.raises(PeerFault, match="counters failed"):
        peer.counters()
    with pytest.raises(PeerFault, match="died: here I am"):
        peer.initiate("other")


def test_a_configuration_that_it_does_not_take(peer: TemplatePeer) -> None:
    object.__setattr__(peer.template, "commands", {**peer.template.commands, "configure": ("false",)})
    with pytest.raises(BrokenError, match="takes no such configuration: configure ended with exit code 1"):
        peer.start()


def test_the_newest_tree_of_a_name_and_of_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lab.peers.room.PEERS", tmp_path)
    for name in ("mine-5.2", "mine-5.10", "mine-own-9.0", "mine"):
        (tmp_path / name).mkdir()
    assert tree("mine") == tmp_path / "mine-5.10"
    assert tree("yours") is None and Path("/opt/peers") == PEERS
