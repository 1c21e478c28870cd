"""What a packet gate recorded, as marks on the ladder and as a sentence; a record that cannot be read is said so."""

import json
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest

from lab.errors import BrokenError
from lab.evidence import gates
from lab.evidence.capture import Frame
from lab.evidence.forged import fingerprint
from lab.evidence.keys import Keys
from lab.evidence.places import Places
from lab.evidence.scene import Scene
from lab.wire.packets import IPv4
from lab.wire.pcapng import Direction

PLACES = Places(
    {"203.0.113.2": "left", "198.51.100.2": "right"}, {"left": "gateway", "internet": "router", "right": "gateway"}
)
POINTS = (("left:wan", True), ("internet:left", False), ("internet:right", True), ("right:wan", False))
FIRST = 1_800_000_000


def way(content: bytes, sent: float, held: float = 0.0, stages: int = 4) -> list[Frame]:
    """ESP from left to right, seen at its capture points until it is gone; the gate holds it for so long."""
    packet = IPv4(IPv4Address("203.0.113.2"), IPv4Address("198.51.100.2"), 50, content).encode()
    frames = []
    for stage, (point, out) in enumerate(POINTS[:stages]):
        at = FIRST + sent + (held if stage > 1 else 0)
        direction = Direction.OUTBOUND if out else Direction.INBOUND
        frames.append(Frame(int(at * 1e9), point, bytes(12) + b"\x08\0" + packet, direction=direction))
    return frames


def event(action: str, t: float, content: bytes, **more: Any) -> dict[str, Any]:
    return {"t": FIRST + t, "rule": 1, "action": action, "content": fingerprint(content), **more}


def marked(frames: list[Frame], action: str, *events: dict[str, Any]) -> list[list[str] | None]:
    """The marks of each entry of the ladder."""
    scene = Scene(sorted(frames, key=lambda frame: frame.time_ns), Keys(), PLACES)
    rule = {"rule": 1, "action": action, "words": "", "seen": 1, "acted": 1, "ran": "user space"}
    gates.mark(scene, {"gates": [{"node": "internet", "rules": [rule], "events": list(events)}]})
    return [entry.get("gate") for entry in scene.ladder]


ONE, TWO = b"\0\0\1\0" + bytes(30), b"\0\0\1\0" + bytes(29) + b"\1"


def test_the_mark_is_on_the_datagram_that_was_there_at_that_time() -> None:
    """The first of two equal ones was held; the other, which came later, was not."""
    frames = way(ONE, 1.0, held=4.0) + way(ONE, 5.0) + way(TWO, 2.0)
    found = marked(frames, "hold", event("hold", 1.0, ONE), event("release", 5.0, ONE, held_s=4.0))
    assert found == [["held 4.000 s"], None, None]


@pytest.mark.parametrize(
    ("action", "done", "said"),
    [
        ("drop", "drop", "dropped"),
        ("duplicate", "duplicate", "duplicated"),
        ("corrupt", "corrupt", "changed"),
        ("order", "absorb", "dropped as a repeat of what is held"),
        ("hold", "kept", "held to the end"),
    ],
)
def test_words(action: str, done: str, said: str) -> None:
    assert marked(way(ONE, 1.0, stages=2), action, event(done, 1.0, ONE)) == [[said]]


def test_swapped_and_unknown_content() -> None:
    released = event("release", 5.0, ONE, held_s=4.0)
    assert marked(way(ONE, 1.0, held=4.0), "swap", released) == [["swapped with its successor after 4.000 s"]]
    assert marked(way(ONE, 1.0), "drop", event("drop", 1.0, TWO)) == [None]
    assert marked(way(ONE, 1.0), "drop", event("drop", 0.5, ONE)) == [None], "it was not there yet"


def test_the_record(tmp_path: Path) -> None:
    assert gates.read(tmp_path) == {"gates": []}
    rules = [{"words": "drop ESP", "ran": "nftables", "seen": 3, "acted": 2}]
    record = {"gates": [{"node": "internet", "rules": rules, "events": [{"made": "ab"}, {}], "unrecorded": 7}]}
    (tmp_path / gates.FILE).write_text(json.dumps(record))
    assert gates.read(tmp_path) == record and gates.made(record) == {"ab"}
    assert gates.sentence(record) == "drop ESP (at internet, in nftables, 2 of 3 packets); 7 events are not recorded"
    record["gates"][0]["rules"] = [rules[0] | {"words": f"drop ESP {n}"} for n in range(6)]
    said = gates.sentence(record)
    assert "drop ESP 0" in said and "drop ESP 5" not in said and "3 more in gate.json" in said
    (tmp_path / gates.FILE).write_text("[")
    with pytest.raises(BrokenError, match="gate"):
        gates.read(tmp_path)
