"""Writing evidence: a reader sees a whole file or none, whatever happens to the writer."""

import os
from pathlib import Path
from typing import Any

import msgspec


def write_atomically(path: Path, data: bytes) -> None:
    """Write beside the target and rename over it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.write_bytes(data)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def write_json(path: Path, value: Any) -> None:
    """Write a value as JSON for people to read: one indent per level."""
    write_atomically(path, msgspec.json.format(msgspec.json.encode(value), indent=1) + b"\n")


def append_line(path: Path, value: Any) -> None:
    """Append one JSON value on a line of its own, in one write, so that a kill tears at most the last line."""
    line = msgspec.json.encode(value) + b"\n"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        os.write(descriptor, line)
    finally:
        os.close(descriptor)
