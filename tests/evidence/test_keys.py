"""keys.json: merged from both sides, compared, written and read."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from lab.errors import BrokenError
from lab.evidence import keys
from tests.evidence.recorded import CAPTURES, NAMES, keys_of

IKE = {"spi_i": "11" * 8, "spi_r": "22" * 8, "encr": "ENCR_AES_GCM_16", "SK_ei": "AB" * 20, "SK_er": "cd" * 20}
CHILD = {"spi": "c0ffee01", "encr": "ENCR_AES_GCM_16", "encr_key": "ab" * 16, "salt": "01020304"}


def part(source: str, ike: dict[str, Any] | None = None, child: dict[str, Any] | None = None) -> dict[str, Any]:
    return {
        "ike": [{"source": source, **IKE, **(ike or {})}],
        "child": [{"source": source, **CHILD, **(child or {})}],
    }


def test_both_sides_agree_whatever_the_case_of_the_digits() -> None:
    merged = keys.merge([part("ours:left"), part("strongswan:right", {"SK_ei": "ab" * 20})])
    assert [(a.kind, a.equal, a.sources) for a in keys.compare(merged)] == [
        ("ike", True, ["ours:left", "strongswan:right"]),
        ("child", True, ["ours:left", "strongswan:right"]),
    ]
    assert keys.disagreements(merged) == []


@pytest.mark.parametrize("name", ["SK_er", "encr", "SK_d"])
def test_first_different_ike_key_is_named(name: str) -> None:
    merged = keys.merge([part("a:left"), part("b:right", {name: "ff" * 20, "SK_pr": "00"})])
    (sentence,) = keys.disagreements(merged)
    assert sentence == f"IKE SA {'11' * 8}:{'22' * 8}: a:left and b:right differ in {name}"


@pytest.mark.parametrize("name", ["encr_key", "salt", "integ_key"])
def test_first_different_child_key_is_named(name: str) -> None:
    (sentence,) = keys.disagreements(keys.merge([part("a:left"), part("b:right", child={name: "ff"})]))
    assert sentence.endswith(f"differ in {name}")
    assert sentence.startswith("CHILD SA c0ffee01")


def isakmp(source: str, secret: str, **more: Any) -> dict[str, Any]:
    """What a side with this (hex) pre-shared key logs of an ISAKMP SA; the IV comes of no secret."""
    names = dict.fromkeys(("SKEYID", "SKEYID_d", "SKEYID_a", "SKEYID_e", "Ka"), secret)
    cookies = {"spi_i": "11" * 8, "spi_r": "22" * 8}
    return {"ike": [{"source": source, "version": 1, "encr": "ENCR_AES_CBC", "IV": "aa", **cookies, **names, **more}]}


def test_different_pre_shared_keys_make_different_keys() -> None:
    parts = [isakmp("a:left", "01"), isakmp("b:right", "02")]
    assert keys.disagreements(keys.merge(parts))[0].endswith("differ in SKEYID")
    merged = keys.merge(parts, apart=True)
    (one,) = keys.compare(merged)
    assert keys.disagreements(merged) == [] and one.apart and not one.equal
    assert [entry.source for entry in keys.latest(merged).ike] == ["a:left"]


@pytest.mark.parametrize("name", ["SKEYID", "SKEYID_e", "Ka"])
def test_keys_that_are_equal_although_the_pre_shared_keys_differ(name: str) -> None:
    (sentence,) = keys.disagreements(
        keys.merge([isakmp("a:left", "01"), isakmp("b:right", "02", **{name: "01"})], apart=True)
    )
    assert sentence.endswith(f"a:left and b:right have the same {name}, of different pre-shared keys")


def test_what_comes_of_no_secret_is_equal_all_the_same() -> None:
    """The first IV is a hash of the public values (RFC 2409 appendix B), and IKEv2 derives no key from a secret."""
    first = [isakmp("a:left", "01"), isakmp("b:right", "02", IV="bb")]
    assert keys.disagreements(keys.merge(first, apart=True))[0].endswith("differ in IV")
    second = [part("a:left"), part("b:right", {"SK_er": "ff" * 20})]
    assert keys.disagreements(keys.merge(second, apart=True))[0].endswith("differ in SK_er")


def test_one_side_alone_disagrees_with_nobody() -> None:
    (ike, child) = keys.compare(keys.merge([part("a:left")]))
    assert (ike.equal, child.sources) == (True, ["a:left"])


def test_entries_that_are_logged_twice_are_kept_once() -> None:
    assert len(keys.merge([part("a:left"), part("a:left")]).ike) == 1


def test_key_log_with_a_torn_last_line() -> None:
    lines = [
        msgspec.json.encode({"kind": "ike", **IKE}).decode(),
        msgspec.json.encode({"kind": "child", **CHILD}).decode(),
    ]
    found = keys.of_log([*lines, lines[0][:40], "17", "{}"], "ours:left")
    merged = keys.merge([found])
    assert (merged.ike[0].source, merged.child[0].spi) == ("ours:left", "c0ffee01")
    assert (len(merged.ike), len(merged.child)) == (1, 1)


@pytest.mark.parametrize("name", NAMES)
def test_recorded_peers_agree_and_the_file_reads_back(name: str, tmp_path: Path) -> None:
    known = keys_of(name)
    assert {agreement.equal for agreement in keys.compare(known)} == {True}
    assert all(len(agreement.sources) == 2 for agreement in keys.compare(known))
    keys.write(known, tmp_path / "keys.json")
    assert keys.read(tmp_path / "keys.json") == known


def test_absent_file_is_no_keys_and_a_broken_one_is_said(tmp_path: Path) -> None:
    assert keys.read(tmp_path / "keys.json") == keys.Keys()
    (tmp_path / "keys.json").write_text((CAPTURES / "nat-gcm" / "keys.json").read_text()[:300])
    with pytest.raises(BrokenError, match=r"keys\.json"):
        keys.read(tmp_path / "keys.json")


def test_generations_of_keys_are_compared_each_with_its_own() -> None:
    later = {"generation": 1, "SK_ei": "ee" * 20}
    both = [part("a:left"), part("b:right"), part("a:left", later), part("b:right", later)]
    assert keys.disagreements(keys.merge(both)) == []
    (sentence,) = keys.disagreements(keys.merge([*both[:3], part("b:right", later | {"SK_ei": "00" * 20})]))
    assert sentence.endswith("differ in SK_ei")


def test_the_last_generation_of_each_ike_sa() -> None:
    other = {"spi_i": "33" * 8}
    merged = keys.merge([part("a:left"), part("a:left", {"generation": 1}), part("a:left", other)])
    found = keys.latest(merged)
    assert [(entry.spi_i[:2], entry.generation) for entry in found.ike] == [("11", 1), ("33", 0)]
    assert found.child == merged.child


def test_a_partial_entry_is_compared_by_what_seals_messages() -> None:
    whole = part("a:left", {"SK_d": "aa" * 20, "SK_pr": "bb" * 20})
    assert not keys.disagreements(keys.merge([whole, part("b:right", {"partial": True})]))
    (sentence,) = keys.disagreements(keys.merge([whole, part("b:right", {"partial": True, "SK_er": "ff" * 20})]))
    assert "SK_er" in sentence
    assert keys.disagreements(keys.merge([whole, part("b:right")])), "an entry that is not partial lacks SK_d"
