"""What tshark says of each frame of a capture with a profile, asked by tshark itself or, faster, by sharkd.

One row for a frame: the payloads that tshark shows, whether it decrypted and found authentic what was sealed, and what
it complains about. What must be there, and what a difference means, is `witness`'s.
"""

import os
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory

from lab.errors import BrokenError, UnfitError
from lab.evidence.datagram import Sighting
from lab.evidence.sharkd import Server, Unable, lines, values, whole
from lab.wire import pcapng
from lab.wire.ids_v1 import PayloadType1

FIX = "apt-get install --no-install-recommends tshark"
_FIELDS = (
    "frame.number", "isakmp.messageid", "isakmp.typepayload", "isakmp.enc.decrypted",
    "isakmp.ikev2.integrity_checksum", "esp.spi", "esp.icv_good", "esp.icv_bad", "esp.protocol", "_ws.malformed",
    "_ws.expert.severity", "_ws.expert.message", "frame.comment",
)  # fmt: skip
# A TCP segment inside is seen at every capture point. Put together it would contradict itself, and tshark would give
# up before the trailer of ESP.
_APART = ("tcp.desegment_tcp_streams", "FALSE")
_FILTER, _PAYLOADS = "isakmp or esp", "isakmp.typepayload"
# From this size on (octets of a capture), telling of each frame costs more than starting tshark.
_FOR_SHARKD = 1 << 21
_SHARKD_S = 60.0
_ERROR = 0x800000
# tshark lists proposal and transform substructures among the payloads; those of IKEv2 have the numbers of IKEv1.
_SUBSTRUCTURES = (0, int(PayloadType1.P), int(PayloadType1.T))


def find() -> str:
    """The path of tshark; raises UnfitError where there is none."""
    found = shutil.which("tshark")
    if found is None:
        raise UnfitError("tshark is not installed", fix=FIX)
    return found


@lru_cache(maxsize=1)
def version() -> str:
    """The version of tshark, such as `4.0.17`."""
    answer = subprocess.run([find(), "--version"], capture_output=True, text=True, check=False, timeout=60)
    words = answer.stdout.split()
    return words[2].rstrip(".") if len(words) > 2 else "of unknown version"


@dataclass(frozen=True, slots=True)
class Row:
    """What tshark says of one frame."""

    payloads: tuple[int, ...]
    ike_decrypted: bool
    ike_forged: bool
    icv_good: bool
    icv_bad: bool
    next_headers: tuple[int, ...]
    complaint: str


def dissect(pcap: Path, profile: Path, *, limit_s: float = 300.0) -> tuple[dict[int, Row], list[str]]:
    """What tshark says of every IPsec frame, and what it complains about as a whole.

    sharkd says the same in a fraction of the time; where it says nothing, tshark itself has the word.
    """
    try:
        return _by_sharkd(pcap, profile, limit_s), []
    except Unable:
        return _by_tshark(pcap, profile, limit_s)


def _by_sharkd(pcap: Path, profile: Path, limit_s: float) -> dict[int, Row]:
    """The rows by frame number; Unable where sharkd cannot tell."""
    if not pcap.exists() or pcap.stat().st_size > _FOR_SHARKD or not whole(pcap):
        raise Unable("better told by tshark, as a whole")
    if not (profile / "preferences").exists() or len(lines(profile / "decode_as_entries")) > 0:
        raise Unable("it takes no such profile")
    columns = {f"column{number}": f"{name}:0" for number, name in enumerate(_FIELDS)}
    with Server.shared().session(min(limit_s, _SHARKD_S)) as session:
        session.configure(profile)
        session.ask("setconf", name=_APART[0], value=_APART[1])
        if (session.ask("load", file=str(pcap.absolute())) or {}).get("status") != "OK":
            raise Unable("the capture is not whole")
        found = session.ask("frames", filter=_FILTER, **columns)
        cells = {frame["num"]: dict(zip(_FIELDS, frame["c"], strict=True)) for frame in found}
        # A column shows the names of payloads, of which those of both versions are alike; the tree has their numbers.
        told = [number for number, cell in cells.items() if cell[_PAYLOADS]]
        wishes = [{"frame": number, "proto": True} for number in told]
        for number, answer in zip(told, session.ask_all("frame", wishes), strict=True):
            cells[number][_PAYLOADS] = ",".join(values(answer["tree"], _PAYLOADS))
    return dict(_row(cell | {"frame.number": str(number)}) for number, cell in cells.items())


def _by_tshark(pcap: Path, profile: Path, limit_s: float = 300.0) -> tuple[dict[int, Row], list[str]]:
    """The rows by frame number, and what tshark complains about."""
    fields = [word for name in _FIELDS for word in ("-e", name)]
    options = ["-n", "-o", ":".join(_APART), "-Y", _FILTER, "-T", "fields", "-E", "separator=/t"]
    command = [find(), "-r", str(pcap), *options, *fields]
    environment = {**os.environ, "WIRESHARK_CONFIG_DIR": str(profile.absolute()), "LC_ALL": "C.UTF-8"}
    try:
        answer = subprocess.run(command, capture_output=True, env=environment, check=False, timeout=limit_s)
    except subprocess.TimeoutExpired:
        raise BrokenError(f"tshark took more than {limit_s:.0f} s on {pcap.name}") from None
    if answer.returncode < 0:  # ended by a signal, Ctrl-C for one: that says nothing about the capture
        raise BrokenError(f"tshark was ended by signal {-answer.returncode} while it read {pcap.name}")
    stderr = answer.stderr.decode(errors="replace").splitlines()
    # Refused table rows and torn files are reported so; being root, or a missing plugin, is not.
    complaints = [line.removeprefix("tshark:").strip() for line in stderr if line.startswith("tshark:")]
    if answer.returncode != 0:
        complaints.append(f"tshark ended with status {answer.returncode}")
    return dict(_rows(answer.stdout.decode(errors="replace").splitlines())), complaints


def dissect_apart(
    pcap: Path, profile: Path, seen: Iterable[Sighting], without: frozenset[int]
) -> tuple[dict[int, Row], list[str]]:
    """The same, each capture point alone: tshark would mix the fragments that several points saw of one packet.

    A point that saw the same octets in the same order as another one needs no look of its own. The frames of the
    indices `without` are left out.
    """
    whole = pcapng.decode(pcap.read_bytes())
    points: dict[str, list[Sighting]] = {}
    for sighting in seen:
        points.setdefault(sighting.point, []).append(sighting)
    rows: dict[int, Row] = {}
    complaints: list[str] = []
    looked: dict[tuple[tuple[bytes, int], ...], list[int]] = {}
    for number, interface in enumerate(whole.interfaces):
        here = [one for one in points.get(interface.name, []) if one.frames[-1] not in without]
        told = [frame + 1 for one in here for frame in one.frames]
        alike = looked.setdefault(tuple((one.content, len(one.frames)) for one in here), told)
        if alike is told and told:
            numbers = [n for n, p in enumerate(whole.packets, 1) if p.interface == number and n - 1 not in without]
            found, more = _dissect_some(whole, number, numbers, profile)
            rows |= found
            complaints += more
        rows |= {n: rows[other] for n, other in zip(told, alike, strict=True) if other in rows}
    return rows, complaints


def _dissect_some(
    whole: pcapng.Capture, interface: int, numbers: Sequence[int], profile: Path
) -> tuple[dict[int, Row], list[str]]:
    """What tshark says of these frames of one capture point, by their numbers in the whole capture."""
    with TemporaryDirectory(prefix="ikelab-") as scratch:
        part = Path(scratch) / "part.pcapng"
        with part.open("wb") as file:
            writer = pcapng.PcapngWriter(file.write)
            writer.interface(whole.interfaces[interface].name, whole.interfaces[interface].link_type)
            for n in numbers:
                writer.packet(replace(whole.packets[n - 1], interface=0))
        found, complaints = dissect(part, profile)
    return {numbers[n - 1]: row for n, row in found.items()}, complaints


def _rows(lines: Iterable[str]) -> Iterator[tuple[int, Row]]:
    for line in lines:
        cells = dict(zip(_FIELDS, line.split("\t"), strict=False))
        if cells.get("frame.number", "").isdigit():
            yield _row(cells)


def _row(cells: dict[str, str]) -> tuple[int, Row]:
    severity = cells.get("_ws.expert.severity", "")
    severe = "Error" in severity or any(number >= _ERROR for number in _numbers(cells, "_ws.expert.severity"))
    # A packet comment counts as expert information too.
    message = cells.get("_ws.expert.message", "").replace(cells.get("frame.comment", "") + ",", "")
    complaint = "malformed" if cells.get("_ws.malformed") else ""
    return (
        int(cells["frame.number"]),
        Row(
            payloads=tuple(n for n in _numbers(cells, _PAYLOADS) if n not in _SUBSTRUCTURES),
            ike_decrypted=bool(cells.get("isakmp.enc.decrypted")),
            ike_forged=bool(cells.get("isakmp.ikev2.integrity_checksum")),
            icv_good=_true(cells, "esp.icv_good"),
            icv_bad=_true(cells, "esp.icv_bad"),
            next_headers=_numbers(cells, "esp.protocol"),
            complaint=complaint or (message if severe else ""),
        ),
    )


def _true(cells: dict[str, str], name: str) -> bool:
    """Whether any value of a field is true: tshark writes 1, sharkd True."""
    return not {"1", "True"}.isdisjoint(cells.get(name, "").split(","))


def _numbers(cells: dict[str, str], name: str) -> tuple[int, ...]:
    """All values of a field; a cell that holds something else gives none."""
    words = cells.get(name, "").split(",")
    try:
        return tuple(int(word, 0) for word in words if word)
    except ValueError:
        return ()
