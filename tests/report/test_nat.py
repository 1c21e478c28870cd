"""NAT boxes on a page: the probe beside the promise, the timeline in the ladder's seconds, and whatever is missing."""

import json
from pathlib import Path

from lab.report import nat
from lab.report.facts import Doubts

LADDER = [{"t_sent": 1000.5}, {"t_sent": 1000.25}, {"t_sent": None}]
NAT = {
    "boxes": {"left-nat": {"by": "nftables", "ports": "random", "ipsec_helper": True}},
    "probe": [{"property": "mapping", "promised": "endpoint-independent", "found": "address-dependent"}],
    "timeline": [
        {"t": 1000.25, "event": "created", "node": "left-nat", "protocol": "udp", "inside": "192.168.1.2:500",
         "outside": "203.0.113.2:500", "seen_by": ["198.51.100.2:500"]},
        {"t": 1010.0, "event": "rebound", "node": "left-nat", "detail": "remap: {4500: 34500}"},
    ],
    "mappings": [{"node": "left-nat", "inside": "192.168.1.2:500"}],
}  # fmt: skip


def loaded(directory: Path, content: object, ladder: object = LADDER) -> nat.Nat:
    (directory / "nat.json").write_text(json.dumps(content))
    (directory / "ladder.json").write_text(json.dumps(ladder))
    return nat.load(directory, Doubts())


def test_what_the_page_shows(tmp_path: Path) -> None:
    found = loaded(tmp_path, NAT)
    assert found.boxes == [("left-nat", "ports random, ipsec helper yes; by nftables")]
    captions = [caption for caption, _ in found.tables()]
    assert captions == [
        "What was promised, and what the probe found", "What became of the mappings", "Mappings at the end",
    ]  # fmt: skip
    first, second = found.timeline
    assert (first["seconds"], second["seconds"]) == ("0.000", "9.750"), "seconds since the first message"
    assert list(first) == ["seconds", "event", "node", "inside", "outside", "seen_by"]
    assert second["detail"] == "remap: {4500: 34500}"


def test_without_a_ladder_times_begin_with_themselves(tmp_path: Path) -> None:
    assert [row["seconds"] for row in loaded(tmp_path, NAT, []).timeline] == ["0.000", "0.000"]


def test_what_others_wrote(tmp_path: Path) -> None:
    assert not nat.load(tmp_path, Doubts())
    assert not loaded(tmp_path, {"boxes": [], "probe": 7, "timeline": {"t": 1}, "mappings": None})
    assert loaded(tmp_path, [{"node": "left-nat"}]).mappings == [{"node": "left-nat"}], "as it was written once"
    odd = loaded(tmp_path, {"boxes": {"x": 7}, "timeline": [{"t": "soon", "event": "created"}, 3]})
    assert odd.boxes == [("x", "as by default; by ")] and odd.timeline == [{"seconds": "", "event": "created"}]
