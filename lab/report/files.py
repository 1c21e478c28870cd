"""The files of a scenario: texts shown in the page within bounds, and links to everything.

Rules of this file: a link is a percent-encoded relative path that stays inside the scenario's directory; a text is cut
at a line and says how much is missing; unreadable octets become replacement characters.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from lab.report.model import inside

LOG_LIMIT = 64_000
CONFIG_LIMIT = 24_000
MOST_TEXTS = 6
MOST_LISTED = 60
KNOWN = {
    "wire.pcapng": "Everything as captured, one interface per capture point",
    "clear.pcapng": "The same, decrypted: opens in any Wireshark without keys",
    "wireshark-profile.zip": "Wireshark profile that decrypts wire.pcapng (Edit, Configuration Profiles, Import)",
    "wireshark.zip": "Wireshark profile that decrypts wire.pcapng (Edit, Configuration Profiles, Import)",
    "keys.json": "Keys of every IKE SA and CHILD SA: lab keys, worth nothing elsewhere",
    "ladder.json": "The message ladder, for programs",
    "detail.json": "Every message decrypted: payload trees and octets",
    "result.json": "The verdict with its steps and evidence, for programs",
    "sas.json": "Security associations as both peers reported them",
    "nat.json": "NAT mappings",
    "topology.json": "The network as it was built",
    "topology.svg": "Its drawing",
}


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
    """A file to take away."""

    name: str
    address: str
    size: int
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


def downloads(directory: Path) -> list[Download]:
    """All files of the scenario: the well-known ones first, in the order of `KNOWN`."""
    named = [directory / name for name in KNOWN if (directory / name).is_file()]
    folders = [path for name in ("wireshark", "logs", "configs") for path in _files(directory / name)]
    others = [path for path in _files(directory, deep=False) if path not in named and path.name != "index.html"]
    return [_download(directory, path) for path in (named + others + folders)[:MOST_LISTED]]


def _download(directory: Path, path: Path) -> Download:
    name = path.relative_to(directory).as_posix()
    meaning = KNOWN.get(name, {"wireshark": "Part of the Wireshark profile", "logs": "Log"}.get(name.split("/")[0], ""))
    if name.startswith("configs/"):
        meaning = "Configuration"
    return Download(name, address(name), _size(path), meaning)


def _files(folder: Path, *, deep: bool = True) -> list[Path]:
    found: Iterable[Path] = folder.rglob("*") if deep else folder.glob("*")
    return sorted(path for path in found if path.is_file() and not path.name.startswith("."))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _head(directory: Path, path: Path) -> Text:
    kept, size = _read(path, 0, CONFIG_LIMIT), _size(path)
    missing = "" if size <= CONFIG_LIMIT else "The rest is left out here."
    return _text(directory, path, size, kept, missing)


def _tail(directory: Path, path: Path) -> Text:
    size = _size(path)
    start = max(0, size - LOG_LIMIT)
    kept = _read(path, start, LOG_LIMIT)
    if start:
        kept = kept.partition(b"\n")[2] or kept
    missing = f"The first {size - len(kept):,} octets are left out here." if start else ""
    return _text(directory, path, size, kept, missing)


def _text(directory: Path, path: Path, size: int, kept: bytes, missing: str) -> Text:
    name = path.relative_to(directory).as_posix()
    shown = "".join(
        char if char in "\n\t" or char.isprintable() else "\ufffd" for char in kept.decode(errors="replace")
    )
    return Text(name.partition("/")[2], address(name), size, shown, missing)


def _read(path: Path, start: int, limit: int) -> bytes:
    try:
        with path.open("rb") as source:
            source.seek(start)
            return source.read(limit).replace(b"\r\n", b"\n")
    except OSError as error:
        return f"cannot be read: {error.strerror}".encode()
