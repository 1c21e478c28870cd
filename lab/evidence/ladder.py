"""ladder.json: one entry per datagram under way, in the order sent.

n              index in the list; detail.json has the octets and the payload tree under the same index
t_sent         seconds since 1970 at the tap of its sender, t_received at the tap of its receiver or null
from, to       node names
src, dst       `address:port` at the sender's tap (no port for bare ESP, AH, GRE)
protocol       IKEv1, IKEv2, ESP, AH, GRE, NAT-keepalive, unknown
payloads       decrypted names; ["SK"] where no key fits; of a message in fragments they follow the last one
encrypted      sealed on the wire; `opened` says whether a key fitted (null where nothing was sealed), of AH, which
               encrypts nothing, whether the ICV is right
retransmit_of  n of the first datagram with the same octets from the same node, or null
lost           never seen at the receiver's tap
spi            `initiator:responder` of IKE, 8 hex digits of ESP and AH
length         octets of the IKE message or ESP packet, without UDP header and non-ESP marker
hops           [{point, t, src, dst}] at every capture point, so that NAT rewrites show; `fragments` if in pieces
udp            whether it travelled in UDP
auth           how the sender proves itself; only with AUTH
cp             attributes of a Configuration payload, in words; only with CP
step           which message of its mode it is, from 1; only in IKEv1's modes and in Transaction (steps.py)
inner          what was inside ESP or AH, in words; of ESP only where it was opened
duplicates     copies that the network made; only where there were any
gate           what the packet gate did to it, in words (gates.py); only where it did something
note           what is wrong with it; only where something is
"""

from collections.abc import Iterable, Sequence
from typing import Any

from lab.evidence import steps
from lab.evidence.capture import Frame
from lab.evidence.datagram import Sighting, sightings
from lab.evidence.flights import Flight, flights
from lab.evidence.keyring import Keyring
from lab.evidence.keys import Keys
from lab.evidence.order import in_order
from lab.evidence.places import Places
from lab.evidence.reading import Reader, Reading

Entry = dict[str, Any]


def seconds(time_ns: int) -> float:
    """Nanoseconds as seconds with 6 digits: more would be lost in a float of today's time."""
    return round(time_ns / 1e9, 6)


def build(frames: Sequence[Frame], keys: Keys, places: Places) -> list[Entry]:
    """The ladder of a capture."""
    seen = sightings(frames)
    return assemble(in_order(flights(seen, places), seen), Reader(Keyring(keys)), {f.node for f in frames})


def assemble(found: Sequence[Flight], reader: Reader, tapped: set[str]) -> list[Entry]:
    """The entries of these flights; `tapped` are the nodes that have a capture point."""
    firsts: dict[tuple[str, str, bytes], int] = {}
    entries = []
    readings = reader.read_all(flight.first for flight in found)
    for n, (flight, reading) in enumerate(zip(found, readings, strict=True)):
        key = (flight.sender, flight.first.kind, flight.first.content)
        # All keepalives are equal; that makes none of them a retransmission.
        original = firsts.setdefault(key, n) if reading.protocol != "NAT-keepalive" else n
        entries.append(_entry(n, flight, reading, None if original == n else original, tapped))
    steps.number(entries)
    return entries


def _entry(n: int, flight: Flight, reading: Reading, original: int | None, tapped: set[str]) -> Entry:
    first, arrival = flight.first, flight.arrival
    entry: Entry = {
        "n": n,
        "t_sent": seconds(flight.sent_ns),
        "t_received": seconds(arrival.last_ns) if arrival else None,
        "from": flight.sender,
        "to": flight.receiver,
        "src": first.source,
        "dst": first.destination,
        "protocol": reading.protocol,
        "exchange": reading.exchange,
        "message_id": reading.message_id,
        "response": reading.response,
        "payloads": list(reading.payloads),
        "encrypted": reading.encrypted,
        "opened": reading.opened,
        "retransmit_of": original,
        "lost": arrival is None and flight.receiver in tapped,
        "spi": reading.spi,
        "seq": reading.seq,
        "length": len(first.body),
        "udp": first.udp,
        "hops": [_hop(sighting) for sighting in flight.sightings],
    }
    extras = {
        "inner": reading.inner,
        "auth": reading.auth,
        "cp": list(reading.cp),
        "duplicates": flight.duplicates,
        "note": reading.note,
    }
    return entry | {name: value for name, value in extras.items() if value}


def _hop(sighting: Sighting) -> Entry:
    hop: Entry = {
        "point": sighting.point,
        "t": seconds(sighting.last_ns),
        "src": sighting.source,
        "dst": sighting.destination,
    }
    return hop | ({"fragments": len(sighting.frames)} if len(sighting.frames) > 1 else {})


_COUNTED = {
    "IKE_SA_INIT": "ikev2_init",
    "IKE_AUTH": "ikev2_auth",
    "IKE_SESSION_RESUME": "ikev2_resume",
    "CREATE_CHILD_SA": "ikev2_create_child",
    "INFORMATIONAL": "ikev2_informational",
    "IKE_INTERMEDIATE": "ikev2_intermediate",
    "IKE_FOLLOWUP_KE": "ikev2_followup_ke",
    "Main Mode": "ikev1_phase1",
    "Aggressive Mode": "ikev1_phase1",
    "Quick Mode": "ikev1_phase2",
    "Informational": "ikev1_informational",
    "Transaction": "ikev1_transaction",
}


def count(entries: Iterable[Entry]) -> dict[str, int]:
    """Messages by kind, as result.json has them: retransmissions are counted apart and not again as messages."""
    counts: dict[str, int] = {}
    for entry in entries:
        names = {"ESP": "esp", "AH": "ah", "GRE": "gre", "NAT-keepalive": "keepalive", "unknown": "unknown"}
        name = _COUNTED.get(entry["exchange"] or "", names.get(entry["protocol"], "other"))
        if entry["retransmit_of"] is not None:
            name = "retransmissions"
        counts[name] = counts.get(name, 0) + 1
        if entry["lost"]:
            counts["lost"] = counts.get("lost", 0) + 1
    return counts
