"""Reading a run directory that others wrote, perhaps half: a wrong type is a missing value, never an exception.

Rules of this file: nothing here raises for bad content. What could not be read is told to `Doubts`, and the page
shows it, so that a gap in the evidence is visible instead of silent.
"""

import json
import re
from dataclasses import dataclass, field
from pathlib import Path

Facts = dict[str, object]


@dataclass
class Doubts:
    """What could not be read, in sentences for the reader of the page."""

    sentences: list[str] = field(default_factory=list)

    def add(self, sentence: str) -> None:
        """Note one gap, once."""
        if sentence not in self.sentences:
            self.sentences.append(sentence)


def load(path: Path, doubts: Doubts, *, needed: bool = False) -> object:
    """The JSON value in `path`, or None; that there is no such file is a doubt only if it is needed."""
    try:
        octets = path.read_bytes()
        found = json.loads(octets)
        return _legible(found) if _SUSPECT.search(octets) else found
    except FileNotFoundError:
        if needed:
            doubts.add(f"{path.name} is missing.")
    except (OSError, ValueError, RecursionError) as error:
        doubts.add(f"{path.name} cannot be read: {str(error)[:200]}.")
    return None


# A file without any of this, and without an escape that could stand for it, holds nothing else: most files are such.
_SUSPECT = re.compile(rb"[^ -~\n\r\t]|\\[ubfr]")
# Whatever is not plain ASCII has to be looked at.
_PERHAPS = re.compile(r"[^ -~\n\t]")


def legible(text: str) -> str:
    """The text with what does not print (controls, bidirectional overrides, lone surrogates) made visible."""
    if text.isprintable():
        return text
    return _PERHAPS.sub(lambda char: char[0] if char[0].isprintable() else "\ufffd", text)


def _legible(value: object) -> object:
    if isinstance(value, str):
        return legible(value)
    if isinstance(value, list):
        return [_legible(item) for item in value]
    if isinstance(value, dict):
        return {legible(str(key)): _legible(item) for key, item in value.items()}
    return value


def table(value: object, key: str = "") -> Facts:
    """A JSON object (that of `key` inside `value`, if given); anything else is an empty one."""
    found = value.get(key) if key and isinstance(value, dict) else value if not key else None
    return {str(name): item for name, item in found.items()} if isinstance(found, dict) else {}


def rows(value: object, key: str = "") -> list[Facts]:
    """The objects in a JSON list; other items are left out."""
    return [table(item) for item in entries(value, key) if isinstance(item, dict)]


def entries(value: object, key: str = "") -> list[object]:
    """A JSON list, or an empty one."""
    found = value.get(key) if key and isinstance(value, dict) else value if not key else None
    return list(found) if isinstance(found, list) else []


def texts(value: object, key: str = "") -> list[str]:
    """The strings and numbers of a JSON list as strings."""
    return [str(item) for item in entries(value, key) if isinstance(item, str | int | float)]


def text(value: object, key: str, default: str = "") -> str:
    """A string; numbers are written out."""
    found = value.get(key) if isinstance(value, dict) else None
    if isinstance(found, bool) or not isinstance(found, str | int | float):
        return default
    return str(found)


def number(value: object, key: str) -> float | None:
    """A finite number, or None."""
    found = value.get(key) if isinstance(value, dict) else None
    if isinstance(found, bool) or not isinstance(found, int | float) or found != found or abs(found) > 1e18:
        return None
    return float(found)


def whole(value: object, key: str) -> int | None:
    """A whole number, or None."""
    found = number(value, key)
    return int(found) if found is not None and found == int(found) else None


def flag(value: object, key: str) -> bool:
    """True only for JSON true."""
    return isinstance(value, dict) and value.get(key) is True
