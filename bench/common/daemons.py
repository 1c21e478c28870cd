"""Daemons as benchmarks measure them: when they answer, what they log, and the CPU time they have used."""

import os
import subprocess
import time
from pathlib import Path

from lab.daemon.client import Client
from lab.errors import UnfitError
from lab.ike.swanctl import Section

TICKS = os.sysconf("SC_CLK_TCK")
READY_S, POLL_S = 60, 0.02


def wait_for(process: "subprocess.Popen[bytes]", control: Path) -> None:
    """Wait until our daemon answers at its control socket; UnfitError where it ended or takes too long."""
    deadline = time.monotonic() + READY_S
    while True:
        try:
            Client(control).close()
            return
        except UnfitError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise
            time.sleep(POLL_S)


def log_in_ordinary_words(daemon: Section) -> None:
    """Take what a scenario wants to know out of charon's log: it costs time that no user pays."""
    log = daemon.sections["filelog"].sections["main"].values
    for group in ("ike", "chd", "knl", "mgr"):
        del log[group]


def cpu_seconds(pid: int) -> float:
    """What a process, its children apart, has used so far: user and system (proc(5), fields 14 and 15)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS
