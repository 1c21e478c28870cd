"""The verdict on an exchange that lost, doubled or delayed a message, from ladders written by hand."""

from typing import Any

import pytest

from lab.plugin.repeats import Round, judge
from lab.plugin.sight import Ladder

SCHEDULE = (0.0, 4.0)


def entry(n: int, t: float, took: float | None, *, response: bool = False, **more: Any) -> dict[str, Any]:
    """A message of IKE_AUTH: left asks, right answers."""
    ways = {"from": "right", "to": "left"} if response else {"from": "left", "to": "right"}
    received = None if took is None else t + took
    plain = {"exchange": "IKE_AUTH", "protocol": "IKEv2", "message_id": 1, "spi": "a" * 16, "payloads": ["IDi"]}
    times = {"t_sent": t, "t_received": received, "lost": received is None}
    return {"n": n, "response": response, "retransmit_of": None, **plain, **ways, **times, **more}


def verdict(fault: str, *entries: dict[str, Any], response: bool = False) -> str:
    return judge(Round("IKE_AUTH", fault, response, "left", 0.0, 30.0), Ladder(entries), SCHEDULE, 0.006)


LOST = (entry(0, 1, None), entry(1, 5, 0, retransmit_of=0), entry(2, 5, 0, response=True))


def test_as_the_rfc_has_it() -> None:
    assert verdict("lost", *LOST) == "2 equal requests, 1 equal responses"
    late = entry(0, 1, 6.0), entry(1, 5, 0, retransmit_of=0), entry(2, 5, 0, response=True)
    assert "2 equal responses" in verdict("late", *late, entry(3, 7, 0, response=True, retransmit_of=2))
    newer = entry(3, 5.5, 0, exchange="INFORMATIONAL", message_id=2)
    assert "unanswered" in verdict("late", *late, newer), "the window has moved on"
    doubled = entry(0, 1, 0, duplicates=1), entry(1, 1, 0, response=True)
    assert "1 that came while the first was at work" in verdict("duplicated", *doubled)
    answers = entry(1, 1, None, response=True), entry(3, 5, 0, response=True, retransmit_of=1)
    assert verdict("lost", entry(0, 1, 0), answers[0], entry(2, 5, 0, retransmit_of=0), answers[1], response=True)


@pytest.mark.parametrize(
    ("fault", "entries", "said"),
    [
        ("lost", (LOST[0], {**LOST[1], "retransmit_of": None}, LOST[2]), "differs from its first datagram"),
        ("lost", (LOST[0], {**LOST[1], "t_sent": 5.1}, LOST[2]), "sent at 0.000, 4.100 s instead"),
        ("lost", (LOST[0], LOST[2]), "sent 1 times, not 2"),
        ("lost", LOST[:2], "no response was sent"),
        ("lost", (*LOST, entry(3, 6, 0, response=True)), "a response to the same request differs"),
        ("lost", (*LOST, entry(3, 6, 0, response=True, retransmit_of=2)), "1 requests arrived, 2 responses"),
        ("lost", (*LOST, entry(3, 6, 0, message_id=2)), "2 exchanges came of it"),
        ("late", LOST, "that did not happen to the first"),
        ("late", (entry(0, 1, 6.0), *LOST[1:]), "2 requests arrived, 1 responses were sent, not at least 2"),
        ("duplicated", (entry(0, 1, 0), entry(1, 1, 0, response=True)), "that did not happen"),
        ("lost", (entry(0, 40, 0),), "no request was sent"),
    ],
)  # fmt: skip
def test_what_is_against_it(fault: str, entries: tuple[dict[str, Any], ...], said: str) -> None:
    with pytest.raises(AssertionError, match=said):
        verdict(fault, *entries)
