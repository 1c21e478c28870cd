"""The files of a scenario: texts shown in the page within bounds, and links to everything.

Rules of this file: a link is a percent-encoded relative path that stays inside the scenario's directory; a text is cut
at a line and says how much is missing; unreadable octets become replacement characters.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from markupsafe import escape

from lab.report import facts
from lab.report.facts import Facts, legible
from lab.report.model import inside

LOG_LIMIT = 64_000
CONFIG_LIMIT = 24_000
MOST_TEXTS = 6
MOST_LISTED = 60
NOTES = {
    "wire.pcapng": "Everything as captured, one interface per capture point",
    "clear.pcapng": "The same, decrypted: opens in any Wireshark without keys",
    "wireshark-profile.zip": "Wireshark profile that decrypts wire.pcapng (Edit, Configuration Profiles, Import)",
    "keys.json": "Keys of every IKE SA and CHILD SA: lab keys, worth nothing elsewhere",
    "ladder.json": "The message ladder, for programs",
    "detail.json": "Every message decrypted: payload trees and octets",
    "result.json": "The verdict with its steps and evidence, for programs",
    "sas.json": "Security associations as both peers reported them",
    "coverage.json": "Octets that the ICV covers",
    "forged.json": "Fingerprints of what the scenario itself put on a link",
    "nat.json": "NAT boxes and their mappings",
    "probe.pcapng": "The datagrams that asked the NAT boxes how they behave",
    "topology.json": "The network as it was built",
    "topology.svg": "Its drawing",
    "routing.json": "What a disturbance cost the routing",
    "counters.json": "What both peers counted",
    "tshark.json": "What tshark made of wire.pcapng",
}
FOLDERS = {"wireshark": "Part of the Wireshark profile", "logs": "Log", "configs": "Configuration"}


@dataclass(frozen=True, slots=True)
class Text:
    """A text file. `missing` is a sentence about what is left out, or empty."""

    name: str
    address: str
    size: int
    content: str
    missing: str


@dataclass(frozen=True, slots=True)
class Download:
    """A file to take away. Without an address it is missing; without a size it is a directory."""

    name: str
    address: str
    size: int | None
    meaning: str


def address(name: str) -> str:
    """A safe link to a file beside the page, or an empty string."""
    path = inside(name)
    return "./" + quote(path.as_posix()) if path else ""


def logs(directory: Path) -> list[Text]:
    """The logs with their ends; what is left out is at the beginning, because verdicts fall at the end."""
    return [_tail(directory, path) for path in _files(directory / "logs")[:MOST_TEXTS]]


def configs(directory: Path) -> list[Text]:
    """The configurations with their beginnings."""
    return [_head(directory, path) for path in _files(directory / "configs")[:MOST_TEXTS]]


def downloads(directory: Path, evidence: Sequence[Facts]) -> list[Download]:
    """The files to take away: what result.json names as evidence, with its notes, then everything else there."""
    notes = {facts.text(item, "file"): facts.text(item, "note") for item in evidence}
    named = [name for name in [*notes, *NOTES] if name]
    there = [path.relative_to(directory).as_posix() for path in _files(directory) if path.name != "index.html"]
    order = [name for name in dict.fromkeys(named) if name in there or name in notes]
    rest = [name for name in there if name not in order]
    return [_download(directory, name, notes.get(name, "")) for name in (order + rest)[:MOST_LISTED]]


def _download(directory: Path, name: str, note: str) -> Download:
    path = inside(name)
    there = path is not None and (directory / path).exists()
    size = _size(directory / path) if path and (directory / path).is_file() else None
    meaning = note or NOTES.get(name) or FOLDERS.get(name.partition("/")[0], "")
    return Download(legible(name), address(name) if there else "", size, meaning if there else f"{meaning} (missing)")


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _head(directory: Path, path: Path) -> Text:
    size, content = _size(path), _decoded(_read(path, 0, CONFIG_LIMIT))
    kept = content[: _fitting(content, CONFIG_LIMIT)]
    cut = size > CONFIG_LIMIT or len(kept) < len(content)
    return _text(directory, path, size, kept, "The rest is left out here." if cut else "")


def _tail(directory: Path, path: Path) -> Text:
    size = _size(path)
    content = _decoded(_read(path, max(0, size - LOG_LIMIT), LOG_LIMIT))
    kept = content[len(content) - _fitting(content, LOG_LIMIT) :]
    cut = size > LOG_LIMIT or len(kept) < len(content)
    if cut:
        kept = kept.partition("\n")[2] or kept
    return _text(directory, path, size, kept, "The beginning is left out here." if cut else "")


def _fitting(content: str, limit: int) -> int:
    """How many characters still fit into the limit when they are escaped for the page."""
    return int(len(content) * min(1.0, limit / max(1, len(escape(content)))))


def _decoded(octets: bytes) -> str:
    return legible(octets.decode(errors="replace"))


def _text(directory: Path, path: Path, size: int, content: str, missing: str) -> Text:
    name = path.relative_to(directory).as_posix()
    return Text(legible(name.partition("/")[2]), address(name), size, content, missing)


def _read(path: Path, start: int, limit: int) -> bytes:
    try:
        with path.open("rb") as source:
            source.seek(start)
            return source.read(limit).replace(b"\r\n", b"\n")
    except OSError as error:
        return f"cannot be read: {error.strerror}".encode()
