"""From a scenario directory to its evidence, on the recorded runs; tshark is the independent witness."""

import json
import shutil
from pathlib import Path

import pytest
from msgspec import structs

from lab.errors import BrokenError
from lab.evidence import finish, keys, tshark
from tests.evidence.recorded import CAPTURES, NAMES, ladder_of, told_to_misbehave

needs_tshark = pytest.mark.skipif(shutil.which("tshark") is None, reason=f"needs tshark: {tshark.FIX}")
DECRYPTABLE = [name for name in NAMES if "chapoly" not in name]


@pytest.fixture
def directory(tmp_path: Path, name: str) -> Path:
    return Path(shutil.copytree(CAPTURES / name, tmp_path / name))


@pytest.mark.parametrize("name", NAMES)
def test_all_files_are_made_and_made_again_alike(directory: Path, name: str) -> None:
    report = finish.finish(directory)
    assert report.problems == []
    assert report.ladder == ladder_of(name)
    assert not (directory / "raw.pcapng").exists()
    first = {path: path.read_bytes() for path in directory.rglob("*") if path.is_file()}
    assert {evidence.file for evidence in report.evidence} <= {path.relative_to(directory).as_posix() for path in first}
    assert json.loads(first[directory / "ladder.json"]) == report.ladder
    finish.finish(directory)
    assert {path: path.read_bytes() for path in first} == first


@needs_tshark
@pytest.mark.parametrize("name", DECRYPTABLE)
def test_tshark_decrypts_every_packet(directory: Path, name: str) -> None:
    report = finish.finish(directory)
    seen = sum(len(e["hops"]) for e in report.ladder if e["protocol"] == "IKEv2" and e["encrypted"])
    esp = sum(len(e["hops"]) for e in report.ladder if e["protocol"] == "ESP")
    witness = finish.check(directory)
    assert witness.problems == []
    assert (witness.ike_total, witness.ike_decrypted) == (seen, seen)
    assert (witness.esp_total, witness.esp_decrypted) == (esp, esp)
    assert seen > 0
    assert not witness.unsupported
    assert json.loads((directory / "tshark.json").read_text())["ike_decrypted"] == seen


@needs_tshark
@pytest.mark.parametrize("name", ["direct-chapoly"])
def test_what_tshark_does_not_know_is_named_and_no_proof(directory: Path, name: str) -> None:
    finish.finish(directory)
    witness = finish.check(directory)
    assert witness.ok
    assert (witness.ike_decrypted, witness.esp_decrypted) == (0, 0)
    assert witness.unsupported == {"ENCR_CHACHA20_POLY1305": witness.ike_total + witness.esp_total}
    assert "ENCR_CHACHA20_POLY1305" in witness.sentence()


def test_without_a_capture_the_lab_is_broken(tmp_path: Path) -> None:
    with pytest.raises(BrokenError, match="no capture"):
        finish.finish(tmp_path)


@pytest.mark.parametrize("name", ["nat-gcm"])
def test_keys_that_do_not_fit_are_a_problem(directory: Path, name: str) -> None:
    known = keys.read(directory / "keys.json")
    keys.write(keys.Keys(ike=known.ike), directory / "keys.json")
    report = finish.finish(directory)
    assert len(report.problems) == 8
    assert "opens with no key" in report.problems[0]


@pytest.mark.parametrize("name", ["direct-cbc"])
@pytest.mark.parametrize("impaired", ["", "right", "left"])
def test_wrong_ike_of_a_side_that_was_told_so_is_no_problem(directory: Path, name: str, impaired: str) -> None:
    """Only the initiator's messages do not open."""
    known = keys.read(directory / "keys.json")
    forged = [structs.replace(entry, SK_ai="00" * (len(entry.SK_ai) // 2)) for entry in known.ike]
    keys.write(keys.Keys(ike=forged, child=known.child), directory / "keys.json")
    if impaired:
        told_to_misbehave(directory, impaired)
    report = finish.finish(directory)
    assert any(entry["opened"] is False and entry["from"] == "left" for entry in report.ladder)
    assert bool(report.problems) is (impaired != "left"), report.problems


@pytest.mark.parametrize("name", ["direct-cbc"])
def test_esp_of_a_side_that_was_told_to_misbehave_is_judged_as_ever(directory: Path, name: str) -> None:
    known = keys.read(directory / "keys.json")
    keys.write(keys.Keys(ike=known.ike), directory / "keys.json")
    before = finish.finish(directory).problems
    told_to_misbehave(directory, "left")
    assert finish.finish(directory).problems == before != []
