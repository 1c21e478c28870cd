"""Throughput and latency of ESP from the ladder: figures, pictures, and nothing where there is little to see."""

import json
from pathlib import Path
from typing import Any

import pytest

from lab.report import throughput
from lab.report.facts import Doubts


def packet(n: int, **more: Any) -> dict[str, Any]:
    base = {"t_sent": 100.0 + n, "t_received": 100.02 + n, "from": "left", "to": "right", "protocol": "ESP"}
    return {"n": n, "length": 125, "lost": False, **base, **more}


def load(tmp_path: Path, ladder: object) -> list[throughput.Way]:
    (tmp_path / "ladder.json").write_text(json.dumps(ladder))
    return throughput.load(tmp_path, Doubts())


def test_the_figures_are_those_of_the_packets(tmp_path: Path) -> None:
    ladder = [packet(n) for n in range(10)] + [packet(10, t_received=None, lost=True)]
    (way,) = load(tmp_path, ladder + [packet(n, **{"from": "right"}) for n in range(3)])
    assert way.name == "left \u2192 right"
    # 11 packets of 1000 bits in 10 s; one of them in a sixth of a second.
    assert way.figures == ["11", "1", "1375", "1.1 kbit/s", "6.0 kbit/s", "20.0 ms", "20.0 ms"]
    assert way.throughput.count("<rect") == 11
    assert way.latency is not None and way.latency.count("<circle") == 10


def test_many_packets_are_thinned_out(tmp_path: Path) -> None:
    (way,) = load(tmp_path, [packet(n, t_sent=100 + n / 1000, t_received=100.001 + n / 1000) for n in range(5000)])
    assert way.latency is not None and way.latency.count("<circle") <= throughput.MOST_DOTS
    assert way.throughput.count("<rect") == throughput.BINS


def test_packets_that_take_no_time_make_no_picture_of_latency(tmp_path: Path) -> None:
    (way,) = load(tmp_path, [packet(n, t_received=100.00001 + n) for n in range(10)])
    assert way.latency is None and way.throughput.count("<rect") == 10


def test_few_packets_and_other_protocols_make_no_picture(tmp_path: Path) -> None:
    assert load(tmp_path, [packet(n) for n in range(throughput.FEWEST - 1)]) == []
    assert load(tmp_path, [packet(n, protocol="IKEv2") for n in range(20)]) == []


@pytest.mark.parametrize("odd", [{"length": -5}, {"t_received": 1.0}, {"t_sent": "now"}, {"t_sent": 100.0}])
def test_odd_content_raises_nothing(tmp_path: Path, odd: dict[str, Any]) -> None:
    load(tmp_path, [packet(n, **odd) for n in range(20)])


def test_all_at_one_moment(tmp_path: Path) -> None:
    (way,) = load(tmp_path, [packet(0, t_received=None) for _ in range(9)])
    assert way.latency is None and way.throughput.count("<rect") == 1
