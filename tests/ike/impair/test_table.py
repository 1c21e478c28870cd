"""The table of impairments: well-formed rows, names that are told apart, and documentation that agrees with it."""

import re
from collections import Counter
from pathlib import Path

import pytest

from lab.errors import ConfigError
from lab.ike.config import load
from lab.ike.impair import table
from lab.ike.impair.row import Impairment, Outcome, Side

ROWS = [row for subject in table.SUBJECTS for row in subject.ROWS]
EACH = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
DOCUMENT = Path(__file__).parents[3] / "docs" / "impairments.md"


def test_names_are_unique_and_many() -> None:
    assert [name for name, count in Counter(row.name for row in ROWS).items() if count > 1] == []
    assert len(table.TABLE) == len(ROWS) >= 40


@EACH
def test_a_row_says_all_that_a_reader_needs(row: Impairment) -> None:
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", row.name)
    assert re.fullmatch(r"\d{4}#\d+(\.\d+)*", row.clause)
    assert row.about and not row.about.endswith(".")
    assert row.outcome is not Outcome.REFUSED or row.notify or row.side is Side.RESPONSE, "refused with what?"
    assert row.notify is None or row.notify.is_error
    assert row.response is None or (row.side is Side.BOTH and row.response is not row.outcome)


def test_the_documentation_has_the_rows_as_they_are() -> None:
    written = [line for line in DOCUMENT.read_text().splitlines() if line.startswith("| `")]
    assert written == [table.markdown(row) for row in ROWS]


def test_a_list_of_names_keeps_its_order() -> None:
    found = load("ikelab {\n impair = icv-missing, auth-wrong,\n}").settings.impair
    assert [row.name for row in found] == ["icv-missing", "auth-wrong"]


def test_an_unknown_name_is_an_error_with_line_and_near_matches() -> None:
    with pytest.raises(ConfigError, match=r"a\.conf:2: impair: .*'icv-misses'; near it are icv-missing"):
        load("ikelab {\n impair = icv-misses\n}", "a.conf")


def test_a_name_that_is_like_none_leads_to_the_list() -> None:
    with pytest.raises(ValueError, match="ikelab list impairments"):
        table.named("qqqqqqqqqqqqq")
