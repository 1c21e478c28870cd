"""The map of what the ICV covers: facts to words, and words for facts that are missing or wrong."""

import json
from pathlib import Path

import pytest

from lab.report import coverage
from lab.report.facts import Doubts
from tests.report import synthetic


def load(tmp_path: Path, facts: object) -> coverage.Coverage | None:
    (tmp_path / "coverage.json").write_text(json.dumps(facts))
    return coverage.load(tmp_path, Doubts())


def test_it_says_what_the_rfc_covers_and_what_was_noticed(tmp_path: Path) -> None:
    found = load(tmp_path, synthetic.coverage())
    assert found.title == "AH in tunnel mode"
    assert found.sentences == [
        "By the RFC the ICV covers the octets 0, 2-5, 9, 12-47.",
        "The receiver noticed a change of the octets 4-5, 12-15, 20-47.",
        "IP itself decides by the octets 0, 2-3, 7, 9-11, 16-19 before ESP or AH sees the packet.",
        "Of all others the two are the same.",
    ]
    header, ah, payload = found.parts
    assert (header.covered, header.noticed) == ("octets 0, 2-5, 9, 12-19", "octets 4-5, 12-15")
    assert (ah.covered, ah.noticed, ah.hidden, payload.hidden) == ("all", "all", False, True)
    assert [len(part.cells) for part in found.parts] == [20, 24, 4]
    assert header.cells[4].words == "octet 4: noticed: the ICV is wrong (XfrmInStateProtoError)"
    assert header.cells[2].words.endswith("never saw the packet (total length)")
    assert found.legend[0] == ("icv", "noticed: the ICV is wrong", "4-5, 12-15, 20-47")


@pytest.mark.parametrize(("at", "outcome"), [(30, "taken"), (1, "icv")])
def test_it_says_where_the_two_are_not_the_same(tmp_path: Path, at: int, outcome: str) -> None:
    facts = synthetic.coverage()
    facts["flips"][at]["outcome"] = outcome
    assert load(tmp_path, facts).sentences[-1] == "The two are not the same."


def test_an_octet_that_was_not_tried_says_so(tmp_path: Path) -> None:
    facts = synthetic.coverage()
    del facts["flips"][5]
    found = load(tmp_path, facts)
    assert found.parts[0].cells[5].words == "octet 5: not tried"
    assert found.sentences[-1] == "The two are not the same."


@pytest.mark.parametrize(
    "facts",
    [None, [], {}, {"octets": ""}, {"octets": 7}, {"octets": "00" * 5000}, {"octets": None, "parts": 3}],
)
def test_without_octets_there_is_no_map(tmp_path: Path, facts: object) -> None:
    assert load(tmp_path, facts) is None


def test_parts_and_flips_that_make_no_sense_are_no_exception(tmp_path: Path) -> None:
    facts = synthetic.coverage() | {
        "parts": [{"name": 1, "at": -5, "octets": 1e9}, "part", {}],
        "flips": [{"at": "x"}, {"at": 3.5}, 7, {"at": 2, "outcome": "nonsense"}],
        "covered": ["a", -1, 99999, True],
        "ip_decides": [1],
    }
    assert load(tmp_path, facts) is not None


def test_ranges() -> None:
    found = [coverage.ranges(numbers) for numbers in ([], [3], [1, 2, 3, 7, 9, 10])]
    assert found == ["", "3", "1-3, 7, 9-10"]
