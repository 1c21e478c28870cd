"""What an observer learns about who is there: every identity that is readable on the wire.

The auditor of a passive observer has the capture and nothing else. It lists the identities in payloads that travelled
in clear, and finds the octets of identities that somebody may suspect anywhere in a frame, encrypted or not, whatever
they are part of. The auditor of an active attacker has besides the keys that this attacker itself came to, no others.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from lab.evidence.capture import Frame
from lab.evidence.datagram import sightings
from lab.evidence.keyring import Keyring
from lab.evidence.keys import Keys
from lab.evidence.reading import Reader, Reading
from lab.ike.credentials import Identity
from lab.wire.ids import IdType
from lab.wire.ids_v1 import ExchangeType1
from lab.wire.payloads import decode_chain
from lab.wire.payloads_v1 import ID1
from lab.wire.payloads_v2 import ID


@dataclass(frozen=True, slots=True, order=True)
class Seen:
    """An identity that was readable: who it is, in which exchange, and where the message came from."""

    identity: str
    exchange: str
    source: str


def readable(frames: Sequence[Frame], known: Keys | None = None) -> list[Seen]:
    """The identities of all ID payloads in clear or under `known` keys, each once, in the order sent."""
    reader = Reader(Keyring(known or Keys()))
    found: dict[Seen, None] = {}
    for sighting in sightings(frames):
        reading = reader.read(sighting)
        for payload in _payloads(reading):
            who = str(Identity(IdType(payload.id_type), payload.data))
            found[Seen(who, reading.exchange or "", sighting.source)] = None
    return list(found)


def _payloads(reading: Reading) -> Iterator[ID | ID1]:
    """The ID payloads of a message, outside and inside of what was opened."""
    every: list[object] = [*(reading.message.payloads if reading.message else ())]
    if reading.isakmp is not None:
        # In phase 2 the same payload holds a traffic selector.
        phase_1 = reading.isakmp.exchange in (ExchangeType1.MAIN_MODE, ExchangeType1.AGGRESSIVE_MODE)
        opened = reading.isakmp if reading.chain is None else reading.isakmp.opened(reading.chain)
        every += opened.payloads if phase_1 else ()
    elif reading.chain is not None:
        every += decode_chain(reading.first_inside, reading.chain)
    yield from (payload for payload in every if isinstance(payload, ID | ID1))


def leaked(frames: Sequence[Frame], suspected: Iterable[str]) -> set[str]:
    """Those of the suspected names whose octets stand in any frame."""
    return {name for name in suspected if any(name.encode() in frame.data for frame in frames)}
