"""The host's end of a lab that a run keeps: the network of a scenario that failed, until somebody says `down`.

In a guest its line is there from the boot on; it gets a name and a record when the scenario pauses, and loses both when
the run goes on. It belongs to the run: `down` asks the server to end, and never ends the run.
"""

import contextlib
import itertools
import os
import shutil
import socket
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lab.errors import ConfigError
from lab.life import records
from lab.life.porter import Porter
from lab.life.records import Process, Record


class Paused:
    """What one guest (or one process on the host's kernel) of a run is paused by.

    `event` says which scenario's network has a name now; it is empty where none has.
    """

    def __init__(self, kernel: str, *, virtual: bool) -> None:
        self._kernel, self._clock = kernel, "virtual" if virtual else "real"
        self._directory = records.scratch()
        self.socket = self._directory / records.SOCKET
        self._over = threading.Event()
        self._record: Record | None = None
        self.event: Mapping[str, Any] = {}
        self._line, self._theirs = socket.socketpair()

    @property
    def line(self) -> int:
        """The guest's end of the line."""
        return self._theirs.fileno()

    def begun(self, _pid: int, _directory: Path) -> None:
        """The guest runs, and has its end."""
        self._theirs.close()
        listener = records.listen(self.socket)
        threading.Thread(target=self._carry, args=(listener,), daemon=True).start()

    def _carry(self, listener: socket.socket) -> None:
        with self._line, listener:
            Porter(self._line.fileno(), listener=listener).serve(self._over.is_set)

    def announce(self, event: Mapping[str, Any]) -> Record:
        """A scenario has paused: give its network a name, `paused-1` or the next that is free."""
        for number in itertools.count(1):
            with contextlib.suppress(ConfigError):
                directory = records.new(f"paused-{number}")
                break
        record = Record(
            name=directory.name,
            topology=str(event.get("topology")),
            peers=event.get("peers") or {},
            kernel=self._kernel,
            clock=self._clock,
            owner="run",
            started=datetime.now(UTC).isoformat(timespec="seconds"),
            ready=True,
            processes=(Process.of("run", os.getpid()),),
            directories=(str(self._directory),),
        )
        record.topology_file.write_text(str(event.get("file")), encoding="utf-8")
        record.socket.symlink_to(self.socket)
        record.write()
        self._record, self.event = record, event
        return record

    def resumed(self) -> None:
        """The run goes on."""
        if self._record is not None:
            self._record.changed(directories=()).remove()
            self._record, self.event = None, {}

    def close(self) -> None:
        """The guest has ended."""
        self.resumed()
        self._over.set()
        self._theirs.close()
        shutil.rmtree(self._directory, ignore_errors=True)
