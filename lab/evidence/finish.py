"""From what lies in a scenario directory to its evidence files.

    in     raw.pcapng (or wire.pcapng of an earlier time), keys.json, topology.json
    out    ladder.json, detail.json, wire.pcapng, clear.pcapng, wireshark/, wireshark-profile.zip

Rules of this file:
- Can be run again with the same outcome; raw.pcapng is removed once wire.pcapng holds all of it.
- Whatever the capture holds, there is a ladder. A file that cannot be made is a failed step, not an exception.
- `check` is apart because it needs tshark, which the guest does not have: it runs on the host.
"""

from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from lab.evidence import annotate, capture, clear, detail, forged, gates, keys, ladder, places, wireshark, witness
from lab.evidence.datagram import sightings
from lab.evidence.files import write_atomically, write_json
from lab.evidence.results import Evidence
from lab.evidence.scene import Scene

RAW, WIRE, CLEAR, PROFILE = "raw.pcapng", "wire.pcapng", "clear.pcapng", "wireshark"


@dataclass(frozen=True, slots=True)
class FinishReport:
    """What came out: the ladder, the evidence files, and sentences on what the evidence itself says against the run."""

    ladder: list[ladder.Entry]
    evidence: list[Evidence] = field(default_factory=list)
    messages: dict[str, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def finish(directory: Path) -> FinishReport:
    """Make all evidence files of a scenario directory; raises BrokenError if there is no readable capture."""
    source = directory / RAW if (directory / RAW).exists() else directory / WIRE
    known = keys.read(directory / "keys.json")
    scene = Scene(capture.read(source), known, places.read(directory / "topology.json"))
    gates.mark(scene, gates.read(directory))
    tables = wireshark.tables(known, scene.sightings)
    write_atomically(directory / "ladder.json", _lines(scene.ladder))
    write_atomically(directory / "detail.json", _lines(detail.build(scene)))
    write_atomically(directory / WIRE, annotate.encode(scene, tables.secrets))
    write_atomically(directory / CLEAR, clear.encode(scene))
    wireshark.write_profile(tables, directory / PROFILE)
    (directory / RAW).unlink(missing_ok=True)
    return FinishReport(scene.ladder, _evidence(tables), ladder.count(scene.ladder), _problems(scene))


def _lines(entries: list[ladder.Entry]) -> bytes:
    """A JSON list with one entry on a line: small, and still to be read and compared by line."""
    return b"[\n" + b",\n".join(msgspec.json.encode(entry) for entry in entries) + b"\n]\n"


def _evidence(tables: wireshark.Tables) -> list[Evidence]:
    unknown = sorted({algorithm for _, _, algorithm in tables.unsupported})
    without = f"; Wireshark 4.0 does not know {', '.join(unknown)}" if unknown else ""
    return [
        Evidence(kind="capture", file=WIRE, note="every link, as captured, with a line on each packet"),
        Evidence(kind="capture", file=CLEAR, note="the same conversation decrypted; opens in any Wireshark"),
        Evidence(kind="profile", file=f"{PROFILE}-profile.zip", note=f"a profile that decrypts {WIRE}{without}"),
        Evidence(kind="keys", file="keys.json", note="the keys that both sides logged; lab keys, worth nothing"),
        Evidence(kind="ladder", file="ladder.json", note="every message, decrypted"),
        Evidence(kind="detail", file="detail.json", note="the octets and fields of every message"),
    ]


def _problems(scene: Scene) -> list[str]:
    """What the evidence itself says against the run; what was changed or made up under way is no peer's doing.

    Nor is it a finding that an IKE message is wrong whose sender was told to misbehave.
    """
    impaired = scene.places.impaired
    sent = [
        entry
        for entry in scene.ladder
        if _own(scene, entry) and (entry["protocol"] in ("ESP", "AH") or entry["from"] not in impaired)
    ]
    return [
        *keys.disagreements(scene.keys),
        *scene.reader.refused,
        *(f"#{e['n']} {e['protocol']} {e['spi']} opens with no key" for e in sent if e["opened"] is False),
        *(f"#{e['n']} {e['protocol']}: {e['note']}" for e in sent if e.get("note")),
    ]


def _own(scene: Scene, entry: ladder.Entry) -> bool:
    """Whether its sender made it: a router makes nothing, and a gateway may pass on what is not for it."""
    first = entry["hops"][0]["src"]
    owner = scene.places.owner(first.rpartition(":")[0] if entry["udp"] else first)
    return not scene.places.forwards(entry["from"]) and owner in (None, entry["from"])


def check(directory: Path) -> witness.TsharkReport:
    """Let tshark decrypt the finished capture; raises UnfitError where tshark is not installed. Writes tshark.json."""
    known = keys.read(directory / "keys.json")
    where = places.read(directory / "topology.json")
    made_up = forged.read(directory) | gates.made(gates.read(directory))
    if where.corrupted:
        made_up |= forged.changed(sightings(capture.read(directory / WIRE)), where)
    report = witness.verify(directory / WIRE, directory / PROFILE, known, where, made_up)
    facts = {"schema": "ikelab.tshark/1", "sentence": report.sentence(), **msgspec.to_builtins(report)}
    write_json(directory / "tshark.json", facts)
    return report
