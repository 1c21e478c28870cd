"""What a disturbance cost: stretches, words and the picture, and words for facts that are missing or wrong."""

import json
from pathlib import Path

import pytest

from lab.report import outage
from lab.report.facts import Doubts
from tests.report import synthetic


def load(tmp_path: Path, facts: object) -> list[outage.Outage]:
    (tmp_path / "routing.json").write_text(json.dumps(facts))
    return outage.load(tmp_path, Doubts())


def test_it_says_and_draws_when_nothing_was_answered(tmp_path: Path) -> None:
    (found,) = load(tmp_path, synthetic.routing())
    assert found.event == "restart of the peer"
    assert found.sentences[:3] == [
        "Watched for 10.2 s.",
        "30 of 100 echo requests stayed without reply.",
        "For 3.00 s in a row none was answered.",
    ]
    assert found.lost == ["4.00 s to 7.00 s"]
    assert found.sides[0] == ("left", ["10", "3", "3", "7", "2", "2.5 s"])
    assert found.sides[1][1][3:5] == ["counted anew", "0"]
    assert found.drawn.count('class="lost"') == 1 and found.drawn.count('class="answered"') == 2
    assert 'x="320" y="16" width="240" height="24" class="lost"' in found.drawn
    assert "10 s</text>" in found.drawn and 'aria-hidden="true"' in found.drawn


def test_what_lost_nothing_says_so(tmp_path: Path) -> None:
    facts = synthetic.routing()
    facts["events"][0]["echoes"] |= {"lost": 0, "outage_s": 0.0, "series": [[0.1 * n, True] for n in range(20)]}
    (found,) = load(tmp_path, facts)
    assert "All 100 echo requests were answered." in found.sentences and not found.lost
    assert 'class="lost"' not in found.drawn


def test_single_lost_echoes_are_stretches_of_their_own() -> None:
    runs = outage.stretches([(0.0, True), (0.1, False), (0.2, True), (0.3, False)], 0.1)
    assert [(run.start, round(run.end, 6), run.answered) for run in runs] == [
        (0.0, 0.1, True), (0.1, 0.2, False), (0.2, 0.3, True), (0.3, 0.4, False),
    ]  # fmt: skip
    assert outage.stretches([], 0.1) == []


@pytest.mark.parametrize("facts", [None, [], {}, {"events": 7}, {"events": [None]}])
def test_without_events_there_is_nothing(tmp_path: Path, facts: object) -> None:
    assert load(tmp_path, facts) == []


@pytest.mark.parametrize(
    "series", [None, 5, [[]], [[None, True]], [["x", 1]], [[-1, True]], [[1e300, True]], [[0, True]], [[5, False]] * 9]
)
def test_what_makes_no_sense_is_no_exception(tmp_path: Path, series: object) -> None:
    event = {"event": 5, "echoes": {"series": series, "every_s": "x"}, "hellos": {"left": None}, "adjacencies": []}
    (found,) = load(tmp_path, {"events": [event]})
    assert found.event == "5" and found.sides == [("left", ["", "", "", "counted anew", "", ""])]


def test_the_axis_never_has_too_many_ticks() -> None:
    for end in (0.01, 1.0, 13.0, 59.0, 7300.0, 99999.0):
        drawn = outage.drawing([outage.Stretch(0.0, end, answered=True)])
        assert drawn.count('class="tick"') <= outage.MOST_TICKS + 1
