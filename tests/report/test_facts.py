from pathlib import Path

import pytest

from lab.report import facts
from lab.report.facts import Doubts


def test_values_of_the_wrong_type_are_missing() -> None:
    value = {"a": True, "b": "x", "c": [1, {"d": 2}, None], "e": 1e30, "f": float("nan"), "g": 2.5}
    assert [facts.text(value, key) for key in "abceg"] == ["", "x", "", "1e+30", "2.5"]
    assert [facts.number(value, key) for key in "abcefg"] == [None, None, None, None, None, 2.5]
    assert (facts.whole(value, "g"), facts.whole({"n": 3.0}, "n")) == (None, 3)
    assert (facts.flag(value, "a"), facts.flag(value, "b")) == (True, False)
    assert (facts.rows(value, "c"), facts.texts(value, "c")) == ([{"d": 2}], ["1"])
    assert facts.table([]) == facts.table(value, "c") == {} and facts.entries(7, "c") == []


def test_a_missing_file_is_a_doubt_only_where_it_is_needed(tmp_path: Path) -> None:
    doubts = Doubts()
    assert facts.load(tmp_path / "x.json", doubts) is None and doubts.sentences == []
    assert facts.load(tmp_path / "x.json", doubts, needed=True) is None
    assert doubts.sentences == ["x.json is missing."]


@pytest.mark.parametrize("content", [b"{", b"\xff", b"[" * 100_000, b""])
def test_a_broken_file_is_a_doubt(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.json").write_bytes(content)
    doubts = Doubts()
    assert facts.load(tmp_path / "x.json", doubts) is None
    assert doubts.sentences[0].startswith("x.json cannot be read: ")


def test_what_does_not_print_is_made_visible(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text('{"a\\u0000": ["\\u202eb", "\\ud800", "\\u001b[31m", "two\\nlines", "\\u00e9"]}')
    assert facts.load(tmp_path / "x.json", Doubts()) == {
        "a\ufffd": ["\ufffdb", "\ufffd", "\ufffd[31m", "two\nlines", "\u00e9"]
    }
