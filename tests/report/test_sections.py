"""Sections of RFCs have local places and words of our own; every clause of the catalogue is among them."""

import importlib.util
import re
import signal
import subprocess
import sys
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
    assert sections.level("7296#2.25.1") == "SHOULD"
    assert sections.level("5723#4.1") == "MAY"
    assert sections.level("2328#10.5") == sections.level("7296#99.1") == "-"


def test_the_tool_counts_words_in_a_section_and_not_in_those_under_it_that_have_a_row(tmp_path: Path) -> None:
    (tmp_path / "rfc7296.txt").write_text(TEXT)
    found = rfc_levels.sections(TEXT)
    assert rfc_levels.levels(found["2.1"]) == {"MUST": 1, "MAY": 1}
    assert rfc_levels.levels(found["2.8"]) == {}
    assert rfc_levels.levels(found["2.8.1"]) == {"SHOULD": 2}
    wrong = list(rfc_levels.table(tmp_path, check=True))
    assert "rfc7296:2.8 is MUST, but its text has no such word" in wrong
    assert [line for line in wrong if line.startswith(("rfc7296:2.1 ", "rfc7296:2.21 "))] == []
    rows = [line.split("\t")[:3] for line in rfc_levels.table(tmp_path, check=False)]
    assert ["rfc7296:2.1", "MUST", "MUST 1"] in rows
    assert ["rfc7296:2.2", "MUST", "no such heading"] in rows


def test_the_tool_counts_the_sections_under_a_row_that_have_none(tmp_path: Path) -> None:
    assert "rfc7296:2.21" in sections.known() and "rfc7296:2.21.3" not in sections.known()
    assert rfc_levels.row_of("rfc7296", "2.21.3") == "2.21"
    assert rfc_levels.row_of("rfc7296", "2.21.2") == "2.21.2"
    (tmp_path / "rfc7296.txt").write_text(TEXT)
    assert rfc_levels.Texts(tmp_path).counts("rfc7296", "2.21") == {"MUST": 1}


def test_the_tool_takes_small_letters_where_there_are_no_capitals(tmp_path: Path) -> None:
    (tmp_path / "rfc2328.txt").write_text(SET_IN)
    counts = rfc_levels.Texts(tmp_path).counts
    assert counts("rfc2328", "10.5") == {"MUST": 1}
    assert counts("rfc2328", "A") == {"SHOULD": 1}
    assert counts("rfc2328", "10.3") is None, "a number in prose was taken for a heading"


def test_the_tool_ends_without_a_word_when_nobody_reads_on(tmp_path: Path) -> None:
    (tmp_path / "rfc7296.txt").write_text(TEXT)
    program = subprocess.Popen(
        [sys.executable, ROOT / "tools" / "rfc_levels.py", tmp_path], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert program.stdout is not None and program.stderr is not None
    program.stdout.close()
    assert program.stderr.read() == b""
    assert program.wait() == -signal.SIGPIPE
    program.stderr.close()


# Not the RFC's words, only its shape: contents, headings, capitals and lower case.
TEXT = """
   2.1. Timers . . . . . . . . . . . . . 12
2.1.  Timers of a Made-Up Text, Phase 1

   Somebody MUST do it, and MAY do more. Others must not count.

2.8.  Replacing

   Nothing is asked here.

2.8.1.  Under It

   It SHOULD be so, which is RECOMMENDED.

2.21.  Above Another

   Nothing is asked here either.

2.21.2.  With a Row

   This MAY be.

2.21.3.  Without a Row

   This MUST be.
"""

# The same of an older one.
SET_IN = """
    10.5     Taking hellos ................ 96

    10.5.  Taking hellos

        Their values must agree, as section
    10.3.  says too.

Appendix A
   It should be so.
"""
