"""Sections of RFCs have local places and words of our own; every clause of the catalogue is among them."""

import re
from pathlib import Path

from lab.report import sections

ROOT = Path(__file__).parents[2]


def test_all_ways_to_name_a_section_lead_to_one_place() -> None:
    for name in ("7296#2.8", "rfc7296:2.8", "7296 2.8", "RFC 7296, 2.8".replace(",", "")):
        assert sections.address(name) == "rfcs.html#rfc7296-2.8"
    assert sections.address("rfc7296:99.9") == sections.address("a draft") == ""


def test_every_clause_that_a_scenario_names_has_words() -> None:
    marked = re.compile(r"mark\.rfc\(([^)]*)\)")
    files = sorted((ROOT / "scenarios").rglob("test_*.py"))
    named = {
        key for file in files for call in marked.findall(file.read_text()) for key in re.findall(r'"([^"]+)"', call)
    }
    assert len(named) > 100
    assert [key for key in sorted(named) if not sections.about(key)] == []


def test_every_section_that_a_payload_tree_names_has_words() -> None:
    quoted = re.compile(r'"(\d{4} \d+(?:\.\d+)*)"')
    named = {key for file in (ROOT / "lab" / "evidence").glob("*.py") for key in quoted.findall(file.read_text())}
    assert len(named) > 20
    assert [key for key in sorted(named) if not sections.about(key)] == []


def test_what_a_run_checks_is_listed_even_without_words() -> None:
    found = dict(sections.listed(["7296#99.1", "rubbish"]))
    (odd,) = [one for one in found["RFC 7296"] if one.key == "rfc7296:99.1"]
    assert (odd.words, odd.clause) == ("", "7296#99.1")
    assert list(found) == sorted(found, key=lambda rfc: int(rfc.split()[1]))
