"""forged.json (schema ikelab.forged/1): what a scenario itself put on a link, so that nobody takes it for a peer's.

What an impaired link made of a packet is known by what no sender's own tap has seen.

Known by the SHA-256 of a datagram's content (`Sighting.content`), which is what a hop leaves alone.
"""

from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

import msgspec

from lab.errors import BrokenError
from lab.evidence.datagram import Sighting
from lab.evidence.files import write_json
from lab.evidence.places import Places
from lab.wire.pcapng import Direction

FILE, SCHEMA = "forged.json", "ikelab.forged/1"


def fingerprint(content: bytes) -> str:
    """How a content is known."""
    return sha256(content).hexdigest()


def changed(sightings: Iterable[Sighting], where: Places) -> frozenset[str]:
    """Where links change packets: the fingerprints of what did not leave any gateway like that."""
    if not where.corrupted:
        return frozenset()
    seen: set[str] = set()
    sent: set[str] = set()
    senders = set(where.peers())
    for sighting in sightings:
        own = sighting.node in senders and sighting.direction == Direction.OUTBOUND
        (sent if own else seen).add(fingerprint(sighting.content))
    return frozenset(seen - sent)


def write(contents: Iterable[bytes], directory: Path) -> None:
    """Write forged.json."""
    known = sorted({fingerprint(content) for content in contents})
    write_json(directory / FILE, {"schema": SCHEMA, "contents": known})


def read(directory: Path) -> frozenset[str]:
    """The fingerprints in forged.json; none if there is no such file."""
    try:
        found = msgspec.json.decode((directory / FILE).read_bytes(), type=dict[str, str | list[str]])
    except FileNotFoundError:
        return frozenset()
    except msgspec.DecodeError as error:
        raise BrokenError(f"{FILE}: {error}") from error
    return frozenset(found.get("contents", ()))
