"""The recorded captures under tests/captures: strongSwan on both sides, so nothing of ours took part in them."""

import json
from pathlib import Path

from lab.evidence import capture, keys, ladder, places

CAPTURES = Path(__file__).parents[1] / "captures"
NAMES = sorted(path.name for path in CAPTURES.iterdir() if path.is_dir())


def told_to_misbehave(directory: Path, node: str) -> None:
    """Say so of a node in a copy of a recorded run."""
    file = directory / "topology.json"
    topology = json.loads(file.read_text())
    topology["nodes"][node]["impaired"] = True
    file.write_text(json.dumps(topology))


def frames(name: str) -> list[capture.Frame]:
    return capture.read(CAPTURES / name / "raw.pcapng")


def keys_of(name: str) -> keys.Keys:
    return keys.read(CAPTURES / name / "keys.json")


def places_of(name: str) -> places.Places:
    return places.read(CAPTURES / name / "topology.json")


def ladder_of(name: str) -> list[ladder.Entry]:
    return ladder.build(frames(name), keys_of(name), places_of(name))
