"""Filters: what each word means, and what is said of a wrong one."""

from random import Random

import pytest

from lab.emulation.gate.filter import KINDS, Filter, parse
from lab.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("ESP", {"kind": "ESP"}),
        ("every ESP", {"kind": "ESP", "first": 1, "last": None}),
        ("5th ESP", {"first": 5, "last": 5}),
        ("2nd to 4th any", {"kind": "any", "first": 2, "last": 4}),
        ("3rd on keepalive", {"first": 3, "last": None}),
        ("IKE", {"kind": "IKE", "response": None}),
        ("IKE response", {"kind": "IKE", "response": True}),
        ("IKE_AUTH", {"kind": "exchange", "exchange": 35, "response": None}),
        ("2nd IKE_AUTH response", {"exchange": 35, "response": True, "first": 2, "last": 2}),
        ("IKE_AUTH request 7", {"response": False, "message_id": 7}),
        ("1st INFORMATIONAL request 4294967295 to right", {"message_id": 0xFFFFFFFF, "goes_to": "right"}),
        ("MAIN_MODE message", {"exchange": 2, "version": 1}),
        ("INFORMATIONAL message", {"exchange": 5, "version": 1}),
        ("CREATE_CHILD_SA request from left with N(REKEY_SA) with SA without KEi",
         {"came_from": "left", "holding": ("N(REKEY_SA)", "SA"), "lacking": ("KEi",)}),
        ("IKE with SKF(1/3)", {"holding": ("SKF(1/3)",)}),
        ("  IKE_AUTH\trequest ", {"text": "IKE_AUTH request"}),
    ],
)  # fmt: skip
def test_words(text: str, fields: dict[str, object]) -> None:
    found = parse(text)
    assert {name: getattr(found, name) for name in fields} == fields


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "ends where what it is about"),
        ("2nd", "ends where what it is about"),
        ("IKE_AUHT request", r"word 1: the gate does not know `IKE_AUHT` \(did you mean IKE_AUTH\?\)"),
        ("esp", r"did you mean ESP\?"),
        ("0th ESP", "`0th` is no number"),
        ("3 ESP", "write 1st, 2nd"),
        ("4th to 2nd ESP", "ends before it begins"),
        ("4th to right ESP", "`right` is no number"),
        ("IKE_AUTH request 4294967296", "32 bits"),
        ("IKE_AUTH request response", "word 3: `response` is not expected here"),
        ("ESP from", "ends where the name of a node"),
        ("ESP from left from right", "`from` was said already"),
        ("ESP with SA", "only messages of IKE have payloads"),
        ("IKE with N(REKEY)", r"no notify `REKEY` \(did you mean REKEY_SA\?\)"),
        ("IKE with (", "is no payload"),
        ("MAIN_MODE", "ends where `message`"),
        ("MAIN_MODE request", "write `MAIN_MODE message`"),
        ("IKE_AUTH message", "`message` is not expected"),
        ("ESP " * 200, "at most 400 characters"),
    ],
)
def test_mistakes(text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        parse(text)


def test_any_words_at_all_are_a_filter_or_a_config_error() -> None:
    """Never a traceback; and what was read once reads the same again."""
    draw = Random(6)
    words = [*KINDS, "IKE_AUTH", "MAIN_MODE", "request", "response", "message", "from", "to", "with", "without"]
    words += ["left", "2nd", "9th", "on", "every", "N(REKEY_SA)", "SA", "7", "-1", "N(", "\0", "é", "99999999999th"]
    read = 0
    for _ in range(5000):
        text = " ".join(draw.choices(words, k=draw.randrange(6)))
        try:
            found = parse(text)
        except ConfigError:
            continue
        read += 1
        assert parse(found.text) == found
    assert read > 100, "the words never made a filter"


def test_counts() -> None:
    third: Filter = parse("3rd to 4th ESP")
    assert [n for n in range(1, 8) if third.turn(n)] == [3, 4]
    assert [n for n in range(1, 8) if parse("ESP").counted(2, None).turn(n)] == [2, 3, 4, 5, 6, 7]
    with pytest.raises(ConfigError, match="counts packets from 1"):
        parse("ESP").counted(0, 1)
