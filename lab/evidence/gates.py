"""gate.json (schema ikelab.gate/1): what the packet gates of a run did, and its marks on the ladder.

A ladder entry that a gate acted on has `gate`, a list of words: `held 4.000 s`, `dropped`, `duplicated`, ... An event
belongs to the datagram of its content that came to the gate when it did.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from lab.errors import BrokenError
from lab.evidence.datagram import Sighting
from lab.evidence.forged import fingerprint
from lab.evidence.ladder import Entry
from lab.evidence.scene import Scene

FILE, MOST_SAID = "gate.json", 3
_DONE = {
    "drop": "dropped", "duplicate": "duplicated", "corrupt": "changed", "record": "recorded",
    "absorb": "dropped as a repeat of what is held", "kept": "held to the end", "overflow": "not held",
    "follow": "sent on when the one before it, of an order, was dealt with",
}  # fmt: skip
_WAITED = {
    "hold": "held",
    "delay": "delayed",
    "swap": "swapped with its successor after",
    "order": "put in order after",
}
_EARLY_S = 1e-4  # the engine's clock and the capture's differ by less


def read(directory: Path) -> dict[str, Any]:
    """gate.json; without a gate if there is no such file."""
    try:
        found: dict[str, Any] = msgspec.json.decode((directory / FILE).read_bytes(), type=dict[str, Any])
    except FileNotFoundError:
        return {"gates": []}
    except msgspec.DecodeError as error:
        raise BrokenError(f"{FILE}: {error}") from error
    return found


def made(record: Mapping[str, Any]) -> frozenset[str]:
    """The fingerprints of the contents that gates made by changing others."""
    return frozenset(event["made"] for gate in record["gates"] for event in gate["events"] if "made" in event)


def sentence(record: Mapping[str, Any]) -> str:
    """Which rules ran where, and to how many packets they did something; of many rules the first."""
    rules = [(gate["node"], rule) for gate in record["gates"] for rule in gate["rules"]]
    said = [
        f"{rule['words']} (at {node}, in {rule['ran']}, {rule['acted']} of {rule['seen']} packets)"
        for node, rule in rules[:MOST_SAID]
    ]
    if len(rules) > MOST_SAID:
        said.append(f"{len(rules) - MOST_SAID} more in {FILE}")
    left_out = sum(gate.get("unrecorded", 0) for gate in record["gates"])
    return "; ".join([*said, *([f"{left_out} events are not recorded"] if left_out else [])]) or "no rule"


def mark(scene: Scene, record: Mapping[str, Any]) -> None:
    """Say in the ladder's entries what gates did to them."""
    for gate in record["gates"]:
        actions = {rule["rule"]: rule["action"] for rule in gate["rules"] if "rule" in rule}
        arrivals = _arrivals(scene, gate["node"])
        for event in gate["events"]:
            said = _words(event, actions)
            entry = _entry(arrivals.get(event["content"], ()), event)
            if said and entry is not None:
                entry.setdefault("gate", []).append(said)


def _arrivals(scene: Scene, node: str) -> dict[str, list[tuple[Sighting, Entry]]]:
    """For each content the sightings at which it came to a node, with their entries."""
    found: dict[str, list[tuple[Sighting, Entry]]] = {}
    for flight, entry in zip(scene.flights, scene.ladder, strict=True):
        for sighting in flight.sightings:
            if sighting.node == node:
                found.setdefault(fingerprint(sighting.content), []).append((sighting, entry))
                break  # the first sighting there is where it came in
    return found


def _entry(arrivals: Sequence[tuple[Sighting, Entry]], event: Mapping[str, Any]) -> Entry | None:
    came = event["t"] - event.get("held_s", 0.0) + _EARLY_S
    fitting = [(sighting.last_ns, entry) for sighting, entry in arrivals if sighting.last_ns / 1e9 <= came]
    return max(fitting, key=lambda one: one[0], default=(0, None))[1]


def _words(event: Mapping[str, Any], actions: Mapping[int, str]) -> str:
    if event["action"] == "release":
        return f"{_WAITED.get(actions.get(event['rule'], ''), 'held')} {event['held_s']:.3f} s"
    return _DONE.get(event["action"], "")
