"""What an observer without any key learns about who is there: every identity that is readable on the wire.

The auditor has the capture and nothing else. It lists the identities in payloads that travelled in clear, and finds the
octets of identities that somebody may suspect anywhere in a frame, encrypted or not, whatever they are part of.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from lab.evidence.capture import Frame
from lab.evidence.datagram import sightings
from lab.evidence.keyring import Keyring
from lab.evidence.keys import Keys
from lab.evidence.reading import Reader
from lab.ike.credentials import Identity
from lab.wire.ids import IdType
from lab.wire.payloads_v1 import ID1
from lab.wire.payloads_v2 import ID


@dataclass(frozen=True, slots=True, order=True)
class Seen:
    """An identity that was readable: who it is, in which exchange, and where the message came from."""

    identity: str
    exchange: str
    source: str


def readable(frames: Sequence[Frame]) -> list[Seen]:
    """The identities of all ID payloads in clear, each once, in the order in which they were sent."""
    reader = Reader(Keyring(Keys()))
    found: dict[Seen, None] = {}
    for sighting in sightings(frames):
        reading = reader.read(sighting)
        older = reading.isakmp.payloads if reading.isakmp else ()
        for payload in (*(reading.message.payloads if reading.message else ()), *older):
            if isinstance(payload, ID | ID1):
                who = str(Identity(IdType(payload.id_type), payload.data))
                found[Seen(who, reading.exchange or "", sighting.source)] = None
    return list(found)


def leaked(frames: Sequence[Frame], suspected: Iterable[str]) -> set[str]:
    """Those of the suspected names whose octets stand in any frame."""
    return {name for name in suspected if any(name.encode() in frame.data for frame in frames)}
