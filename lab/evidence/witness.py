"""tshark as an independent witness: with the run's profile it must decrypt every sealed IKE message and ESP packet.

What counts as decrypted, and why it proves something:
- IKE: tshark shows decrypted data, no complaint about the integrity checksum, and the same payloads as our own decoder.
- A message in fragments: of one frame at least tshark shows the payloads of the whole, as our decoder has them.
  IKEv1 has no integrity checksum, and only its payloads tell: a wrong key or IV shows others, or malformed ones.
- ESP: tshark says that the ICV is good, and shows the same next header as our own decoder.
- Neither has a malformed part. Frames are counted from the capture by our decoder, so that one which tshark takes for
  something else is missed, not forgotten.
An algorithm that tshark does not know is `unsupported`, by name: its packets are neither proof nor problem. So are the
messages sealed with keys that IKE_INTERMEDIATE has renewed since, and those of the second of two sides whose pre-shared
keys differ: tshark takes one set of keys for a pair of SPIs. A message with ID_NULL it must decrypt and find authentic,
but calls malformed: it reads an identity where none may be. Of IKEv1, whose IVs tshark takes from the messages before,
it cannot tell those that a capture point saw again, or before the end of phase 1; for the same reason each capture
point is looked at alone there.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lab.evidence import capture, tshark, wireshark
from lab.evidence.datagram import Sighting, sightings
from lab.evidence.forged import fingerprint
from lab.evidence.keyring import Keyring
from lab.evidence.keys import Keys, latest
from lab.evidence.places import Places
from lab.evidence.reading import Reader, Reading
from lab.evidence.tshark import Row
from lab.wire.ids import IdType, PayloadType
from lab.wire.ids_v1 import PayloadType1
from lab.wire.payloads import decode_chain
from lab.wire.payloads_v2 import ID
from lab.wire.sealed import Encrypted

_DUMMY = 59
NOWHERE = Places()
EARLIER, ID_NULL = "earlier keys of an IKE SA", IdType.ID_NULL.name
OTHER_SIDE = "the other side's keys of an ISAKMP SA"
REPEATED, EARLY = "repeated messages of IKEv1", "messages of IKEv1 before the end of phase 1"


@dataclass(frozen=True, slots=True)
class Problem:
    """What tshark could not confirm; `frame` counts from 1, as Wireshark does (0: the whole capture)."""

    frame: int
    text: str


@dataclass(slots=True)
class TsharkReport:
    """How many packets tshark was to decrypt, and how many it did.

    `unsupported` counts packets by algorithm, `impaired` those that are wrong and were meant to be.
    """

    version: str = ""
    ike_total: int = 0
    ike_decrypted: int = 0
    esp_total: int = 0
    esp_decrypted: int = 0
    unsupported: dict[str, int] = field(default_factory=dict)
    impaired: int = 0
    problems: list[Problem] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether everything that tshark can decrypt was decrypted and found right."""
        return not self.problems

    def pass_over(self, why: str) -> None:
        """Count a packet that is neither proof nor problem."""
        self.unsupported[why] = self.unsupported.get(why, 0) + 1

    def sentence(self) -> str:
        """The result in words."""
        text = f"tshark {self.version} decrypted {self.ike_decrypted} of {self.ike_total} IKE messages"
        text += f" and {self.esp_decrypted} of {self.esp_total} ESP packets, each counted wherever it was captured"
        if self.unsupported:
            text += "; it does not know " + ", ".join(f"{name} ({n})" for name, n in sorted(self.unsupported.items()))
        if self.impaired:
            text += f"; {self.impaired} are wrong on purpose"
        if self.problems:
            first = self.problems[0]
            text += f"; {len(self.problems)} problems, the first in frame {first.frame}: {first.text}"
        return text


def verify(
    pcap: Path, profile: Path, keys: Keys, where: Places = NOWHERE, forged: frozenset[str] = frozenset()
) -> TsharkReport:
    """Run tshark on a capture with a profile and compare what it decrypts with what must be there.

    What is wrong with an IKE message of a node that is told to misbehave is counted, and no problem. What was `forged`
    (fingerprints of contents) opens with no key, and is passed over.
    """
    seen = sightings(capture.read(pcap))
    reader, unknown = Reader(Keyring(keys)), _unknown(keys)
    newest = latest(keys)
    last = reader if len(newest.ike) == len(keys.ike) else Reader(Keyring(newest))
    pieces = any(len(sighting.frames) > 1 for sighting in seen)
    first_version = any(reader.read(sighting).isakmp for sighting in seen)
    again = dict(_without_iv(seen, reader))
    apart = pieces or first_version
    rows, complaints = (
        tshark.dissect_apart(pcap, profile, seen, frozenset(again)) if apart else tshark.dissect(pcap, profile)
    )
    report = TsharkReport(tshark.version(), problems=[Problem(0, text) for text in complaints])
    for sighting in seen:
        reading = reader.read(sighting)
        if forged and fingerprint(sighting.content) in forged:
            continue
        if sighting.frames[-1] in again:
            report.ike_total += 1
            report.pass_over(again[sighting.frames[-1]])
        elif reading.opened and not last.read(sighting).opened:
            report.ike_total += 1
            report.pass_over(OTHER_SIDE if reading.isakmp else EARLIER)
        elif reading.encrypted and reading.protocol in ("IKEv1", "IKEv2", "ESP"):
            row = rows.get(sighting.frames[-1] + 1)
            _judge(report, sighting, reading, row, unknown, where.owner(sighting.src) in where.impaired)
    report.problems += _not_whole(seen, reader, rows)
    return report


def _without_iv(seen: Iterable[Sighting], reader: Reader) -> Iterator[tuple[int, str]]:
    """The indices of frames with an encrypted IKEv1 message for which tshark has a wrong IV, and why."""
    known: set[tuple[str, bytes]] = set()
    begun: dict[tuple[str, str], dict[int, list[int]]] = {}
    early: set[tuple[str, str, int]] = set()
    for sighting in seen:
        reading, index = reader.read(sighting), sighting.frames[-1]
        if reading.isakmp is None or not reading.encrypted:
            continue
        number, place = reading.message_id or 0, (sighting.point, reading.spi)
        if (sighting.point, sighting.body) in known:
            yield index, REPEATED
        elif (*place, number) in early:
            yield index, EARLY
        elif number:
            begun.setdefault(place, {}).setdefault(number, []).append(index)
        else:  # phase 1 was not over: whatever came before, and the rest of those exchanges, have other IVs
            for before, indices in begun.pop(place, {}).items():
                early.add((*place, before))
                yield from ((one, EARLY) for one in indices)
        known.add((sighting.point, sighting.body))


def _unknown(keys: Keys) -> dict[str, str]:
    """SPI -> algorithm, for the SAs that tshark cannot decrypt, or whose ICV it cannot check."""
    found = {}
    for entry in keys.ike:
        if entry.version == 1:
            continue
        if wireshark.ike_row(entry) is None or not wireshark.checked(entry.integ):
            found[f"{entry.spi_i}:{entry.spi_r}"] = entry.encr if wireshark.checked(entry.integ) else entry.integ or ""
    for child in (one for one in keys.child if one.protocol == "ESP"):
        if child.esn:  # 4.0 computes every ICV as if there were 32 bits, and its table has no column for more
            found[child.spi] = "ESN"
        elif wireshark.esp_name(child) is None or not wireshark.checked(child.integ):
            found[child.spi] = child.encr if wireshark.checked(child.integ) else child.integ or ""
    return found


def _judge(
    report: TsharkReport,
    sighting: Sighting,
    reading: Reading,
    row: Row | None,
    unknown: dict[str, str],
    impaired: bool,
) -> None:
    ike = reading.protocol != "ESP"
    report.ike_total += ike
    report.esp_total += not ike
    if reading.spi in unknown:
        report.pass_over(unknown[reading.spi])
        return
    wrong = _wrong_ike(reading, row) if ike else _wrong_esp(reading, row)
    if wrong and _nameless(reading, row):
        report.pass_over(ID_NULL)
    elif wrong and ike and impaired:
        report.impaired += 1
    elif wrong:
        report.problems.append(Problem(sighting.frames[-1] + 1, wrong))
    else:
        report.ike_decrypted += ike
        report.esp_decrypted += not ike


def _wrong_ike(reading: Reading, row: Row | None) -> str:
    what = f"{reading.exchange} message {reading.message_id}"
    if row is None:
        return f"{what} is no IKE message to tshark"
    if not row.ike_decrypted and reading.isakmp is None:
        return f"{what} was not decrypted"
    if row.ike_forged:
        return f"{what} has a wrong integrity checksum"
    if row.complaint:
        return f"{what}: {row.complaint}"
    expected = _types(reading)
    if expected is not None and row.payloads != expected:
        return f"{what} has the payloads {_named(row.payloads)} to tshark and {_named(expected)} to us"
    return ""


def _nameless(reading: Reading, row: Row | None) -> bool:
    """Whether all that tshark holds against a message is an ID payload of type ID_NULL (RFC 7619 2.2)."""
    if row is None or not row.ike_decrypted or row.ike_forged or reading.chain is None or reading.note:
        return False
    inside = decode_chain(reading.first_inside, reading.chain)
    return any(isinstance(payload, ID) and payload.id_type == IdType.ID_NULL for payload in inside)


def _types(reading: Reading) -> tuple[int, ...] | None:
    """The payload types that our decoder found, SK before what was inside it; None where we could not open it."""
    message = reading.message
    if reading.isakmp is not None and reading.chain is not None:
        return tuple(int(payload.type) for payload in reading.isakmp.opened(reading.chain).payloads)
    if message is None or reading.chain is None or not isinstance(message.sealed, Encrypted) or reading.note:
        return None
    inside = decode_chain(reading.first_inside, reading.chain)
    return tuple(int(payload.type) for payload in (*message.payloads, *inside))


def _not_whole(seen: Sequence[Sighting], reader: Reader, rows: dict[int, Row]) -> Iterator[Problem]:
    """Messages in fragments that we put together and tshark did not, although it opened their last fragment.

    Which frame completes one depends on the order at the capture point, so any will do.
    """
    shown = {row.payloads for row in rows.values()}
    told: set[tuple[int, ...]] = set()
    for sighting, reading in zip(seen, reader.read_all(seen), strict=True):
        row = rows.get(sighting.frames[-1] + 1)
        if not reading.whole or reading.note or row is None or not row.ike_decrypted or row.ike_forged:
            continue
        inside = decode_chain(reading.first_inside, reading.chain or b"")
        types = (int(PayloadType.SKF), *(int(payload.type) for payload in inside))
        if types not in shown | told:
            told.add(types)
            what = f"{reading.exchange} message {reading.message_id} in fragments"
            yield Problem(sighting.frames[-1] + 1, f"{what} shows {_named(types)} to us and never to tshark")


def _named(types: Iterable[int]) -> str:
    return (
        " ".join((PayloadType if number > PayloadType1.NAT_OA else PayloadType1)(number).name for number in types)
        or "none"
    )


def _wrong_esp(reading: Reading, row: Row | None) -> str:
    what = f"ESP {reading.spi} sequence {reading.seq}"
    if row is None:
        return f"{what} is no ESP packet to tshark"
    if row.icv_bad:
        return f"{what} has a wrong ICV"
    if not row.icv_good:
        return f"{what} was not decrypted and checked"
    if row.complaint:
        return f"{what}: {row.complaint}"
    # Of a dummy packet tshark shows no next header.
    shown = row.next_headers or (_DUMMY,)
    if reading.esp is not None and reading.esp.next_header not in shown:
        theirs = ", ".join(map(str, row.next_headers)) or "nothing"
        return f"{what} holds protocol {reading.esp.next_header} to us and {theirs} to tshark"
    return ""
