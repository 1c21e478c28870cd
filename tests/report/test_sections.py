"""Sections of RFCs have local places and words of our own; every clause of the catalogue is among them."""

import importlib.util
import re
from pathlib import Path

from lab.report import sections

ROOT = Path(__file__).parents[2]
_spec = importlib.util.spec_from_file_location("rfc_levels", ROOT / "tools" / "rfc_levels.py")
assert _spec is not None and _spec.loader is not None
rfc_levels = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(rfc_levels)


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


def test_every_section_has_a_level_and_words() -> None:
    for section in sections.known().values():
        assert section.level in (*sections.LEVELS, sections.UNLEVELLED), section.key
        assert section.words, section.key
    assert sections.level("7296#2.1") == "MUST"
    assert sections.level("4303#2.7") == "SHOULD"
    assert sections.level("5723#4.1") == "MAY"
    assert sections.level("2328#10.5") == sections.level("7296#99.1") == "-"


def test_the_tool_counts_words_in_a_section_and_not_in_those_under_it(tmp_path: Path) -> None:
    (tmp_path / "rfc7296.txt").write_text(TEXT)
    found = rfc_levels.sections(TEXT)
    assert rfc_levels.levels(found["2.1"]) == {"MUST": 1, "MAY": 1}
    assert rfc_levels.levels(found["2.8"]) == {}
    assert rfc_levels.levels(found["2.8.1"]) == {"SHOULD": 2}
    (wrong,) = rfc_levels.table(tmp_path, check=True)
    assert wrong == "rfc7296:2.8 is MUST, but its text has no such word"
    rows = [line.split("\t")[:3] for line in rfc_levels.table(tmp_path, check=False)]
    assert ["rfc7296:2.1", "MUST", "MUST 1"] in rows
    assert ["rfc7296:2.2", "MUST", "no such heading"] in rows


# Not the RFC's words, only its shape: contents, headings, capitals and lower case.
TEXT = """
   2.1. Timers . . . . . . . . . . . . . 12
2.1.  Timers of a Made-Up Text

   Somebody MUST do it, and MAY do more. Others must not count.

2.8.  Replacing

   Nothing is asked here.

2.8.1.  Under It

   It SHOULD be so, which is RECOMMENDED.
"""
