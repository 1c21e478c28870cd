"""Which tree of another strongSwan is used."""

from pathlib import Path

import pytest

from lab.errors import UnfitError
from lab.peers import strongswan_trees
from lab.peers.registry import PEERS


def made(place: Path, name: str) -> Path:
    binary = place / name / strongswan_trees.BINARY.lstrip("/")
    binary.parent.mkdir(parents=True)
    binary.touch()
    return place / name


def test_the_newest_release_of_a_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strongswan_trees, "PEERS", tmp_path)
    made(tmp_path, "strongswan-6.1.9")
    made(tmp_path, "strongswan-6.2.0")
    (tmp_path / "strongswan-6.1.11").mkdir()  # holds no charon
    newest = made(tmp_path, "strongswan-6.1.10")
    assert strongswan_trees.tree("6.1") == newest


def test_without_one_the_machine_is_unfit_and_the_fix_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strongswan_trees, "PEERS", tmp_path)
    made(tmp_path, "strongswan-6.10.0")
    with pytest.raises(UnfitError, match=r"no strongSwan 6\.1") as caught:
        strongswan_trees.tree("6.1")
    assert "image build" in caught.value.fix


def test_only_peers_that_have_it_claim_ml_kem() -> None:
    assert {name for name, peer in PEERS.items() if "mlkem" in peer.abilities} == {
        "ours",
        "ours-xfrm",
        "strongswan-6.1",
    }
