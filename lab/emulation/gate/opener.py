"""Opens IKE messages at the gate with the keys that the peers have logged by now.

A peer logs the keys of an SA as soon as it has them. Where a message does not open, the logs are read again, if they
have grown; a message that a rule must look into is worth a moment's patience, since the log may be a little late.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.emulation.gate.packet import Packet
from lab.errors import BrokenError
from lab.evidence import keys
from lab.evidence.keyring import Keyring
from lab.evidence.reading import Reader, Reading

MOST_READ = 1000  # messages; then the reader begins anew, since it keeps what it has read
PATIENCE_S, TRIES = 0.002, 5
LogReader = Callable[[Path], Mapping[str, Any]]


@dataclass(slots=True)
class KeyLog:
    """A peer's log, what reads it, and how large it was when it was last read."""

    path: Path
    read: LogReader
    size: int = -1


class Opener:
    """The names of the payloads of a message, as soon as they can be known."""

    def __init__(self) -> None:
        self._logs: list[KeyLog] = []
        self._parts: dict[Path, Mapping[str, Any]] = {}
        self._reader = Reader(Keyring(keys.Keys()))
        self._count = 0
        self.unopened = 0

    def follow(self, logs: Sequence[KeyLog]) -> None:
        """Read keys from these logs as well."""
        self._logs = [*(log for log in self._logs if log.path not in {new.path for new in logs}), *logs]

    def names(self, packet: Packet) -> tuple[str, ...] | None:
        """The decrypted payloads of an IKE message; None where no key fits, or it is none."""
        if packet.sighting is None or packet.header is None:
            return None
        for attempt in range(TRIES):
            reading = self._read(packet)
            if reading.opened is not False:
                return reading.payloads
            if not self._refresh() and attempt:
                break
            if self._logs:
                time.sleep(PATIENCE_S)
        self.unopened += 1
        return None

    def _read(self, packet: Packet) -> Reading:
        assert packet.sighting is not None
        self._count += 1
        if self._count > MOST_READ:
            self._renew()
        return self._reader.read(packet.sighting)

    def _refresh(self) -> bool:
        """Whether the logs have grown; then their keys are known from now on."""
        grown = False
        for log in self._logs:
            size = log.path.stat().st_size if log.path.exists() else -1
            if size != log.size:
                log.size, grown = size, True
                self._parts[log.path] = log.read(log.path)
        if grown:
            self._renew()
        return grown

    def _renew(self) -> None:
        self._count = 0
        try:
            self._reader = Reader(Keyring(keys.merge(self._parts.values())))
        except BrokenError:
            self._reader = Reader(Keyring(keys.Keys()))
