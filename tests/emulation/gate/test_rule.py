"""Rules from lines of JSON: what each field may be."""

from typing import Any

import pytest

from lab.emulation.gate import rule as rules
from lab.errors import ConfigError


def test_fields() -> None:
    held = rules.read({"action": "hold", "filter": "ESP", "until": "2nd IKE", "for": "250ms", "through": "east"})
    assert (held.filter.text, held.until and held.until.text, held.seconds, held.through) == (
        "ESP",
        "2nd IKE",
        0.25,
        "east",
    )
    assert rules.read({"action": "drop", "filter": "ESP"}).words == "drop ESP"
    assert rules.read({"action": "corrupt", "filter": "5th ESP", "octet": 40}).words == "corrupt 5th ESP at octet 40"
    assert rules.read({"action": "delay", "filter": "ESP", "for": 5}).words == "delay ESP for 5 s"
    ordered = rules.read({"action": "order", "filters": ["ESP", "AH"], "gather": 2})
    assert ordered.words == "order ESP | AH" and len(ordered.every_filter) == 2


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        ({}, "the gate can drop, hold"),
        ({"action": ["drop"], "filter": "ESP"}, "the gate can drop, hold"),
        ({"action": "drop"}, "ends where what it is about"),
        ({"action": "drop", "filter": 5}, "filter is text"),
        ({"action": "drop", "filter": "ESP", "octet": 1}, "drop takes a filter alone, not octet"),
        ({"action": "hold", "filter": "ESP", "until": {}}, "until is text"),
        ({"action": "delay", "filter": "ESP"}, "wants to know `for` how long"),
        ({"action": "delay", "filter": "ESP", "for": "long"}, "`for` is a number of seconds"),
        ({"action": "delay", "filter": "ESP", "for": float("nan")}, "`for` is a number of seconds"),
        ({"action": "hold", "filter": "ESP", "for": 1e9}, "at most 600 s"),
        ({"action": "hold", "filter": "ESP", "for": True}, "`for` is a number of seconds"),
        ({"action": "corrupt", "filter": "ESP", "octet": -1}, "octet is a whole number"),
        ({"action": "corrupt", "filter": "ESP", "mask": 0}, "mask is a whole number from 1"),
        ({"action": "order", "filters": ["ESP"]}, "2 to 16 filters"),
        ({"action": "order", "filters": ["ESP", 1]}, "a filter is text"),
        ({"action": "order", "filters": "ESP"}, "2 to 16 filters"),
    ],
)
def test_mistakes(request_: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        rules.read(request_)
