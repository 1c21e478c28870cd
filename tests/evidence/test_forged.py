"""What a scenario put on a link itself is known by its content, and passed over by the witnesses."""

from dataclasses import replace
from pathlib import Path

import pytest

from lab.errors import BrokenError
from lab.evidence import forged, places
from lab.evidence.datagram import sightings
from tests.evidence.made import PLACES, crossing, esp, frame, in_time


def test_there_and_back(tmp_path: Path) -> None:
    assert forged.read(tmp_path) == frozenset()
    forged.write([b"one", b"two", b"one"], tmp_path)
    assert forged.read(tmp_path) == {forged.fingerprint(b"one"), forged.fingerprint(b"two")}


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"contents": 7}'])
def test_a_broken_file_is_said(tmp_path: Path, text: str) -> None:
    (tmp_path / forged.FILE).write_text(text)
    with pytest.raises(BrokenError, match=r"forged\.json"):
        forged.read(tmp_path)


def test_what_a_link_changed_is_what_left_no_gateway_like_that() -> None:
    altered = esp(1)[:-1] + b"!"
    seen = list(
        sightings(in_time(crossing(0, esp(1), upto=3), [frame(9, "right:wan", "203.0.113.2", "192.168.2.2", altered)]))
    )
    assert forged.changed(seen, replace(PLACES, corrupted=True)) == {forged.fingerprint(altered)}
    assert forged.changed(seen, PLACES) == frozenset(), "no link was told to change anything"


def test_the_topology_says_which_links_changed_packets() -> None:
    nodes, ends = {"left": {"kind": "gateway"}}, {"left": {"interface": "wan", "addresses": ["192.0.2.1/24"]}}
    for corrupted in (True, False):
        link = {"ends": ends, **({"corrupted": True} if corrupted else {})}
        assert places.of_topology({"nodes": nodes, "links": {"wan": link}}).corrupted is corrupted
