"""The process of the packet gate: `python -m lab.peers.gatekeeper` with a socket as standard input.

It stands here and not beside the gate because it reads the keys that peers log, each in its own way.
"""

import os
import signal
import socket
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from lab.emulation import linux
from lab.emulation.gate.server import IGNORED, Server
from lab.evidence.keys import of_log
from lab.peers.base import KeyLogKind
from lab.peers.charon_log import read_keys

READERS: Mapping[KeyLogKind, Callable[..., Mapping[str, Any]]] = {"jsonl": of_log, "charon": read_keys}


def reader(kind: str, source: str) -> Callable[[Path], Mapping[str, Any]]:
    """What reads a key log of this kind; KeyError if there is none."""
    return partial(_read, READERS[kind], source)  # type: ignore[index]


def _read(read: Callable[..., Mapping[str, Any]], source: str, path: Path) -> Mapping[str, Any]:
    with path.open(errors="replace") as lines:
        return read(lines, source)


def main() -> None:
    """Serve until the lab hangs up."""
    linux.die_with_parent()
    for number in IGNORED:
        signal.signal(number, signal.SIG_IGN)
    with socket.socket(fileno=os.dup(sys.stdin.fileno())) as lab:
        Server(lab, reader).serve()


if __name__ == "__main__":
    main()
