"""What beside kernels the lab uses of this machine: Python, the clock, tshark, a browser, and ports for a daemon."""

import errno
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.util import find_spec

EVIDENCE, TESTS, DAEMON = "every scenario's evidence", "make test", "ikelab daemon on this machine"
ALL, NONE = "all", "none"
Row = tuple[str, str, str, bool, str, str, str]  # the fields of doctor.Check
BOOTSTRAP = "tools/bootstrap.sh"
OLDEST_PYTHON = (3, 11)
COARSEST_S = 1e-6
# The development version of Wireshark from which on it reads keys of ESP in a capture; those before need the profile.
READS_ESP_KEYS = (4, 7)
PORTS = (500, 4500)


def rows() -> Iterator[Row]:
    """One row per need."""
    version = sys.version.split()[0]
    ok = sys.version_info[:2] >= OLDEST_PYTHON
    yield _row("python", "Python", version, ok, EVIDENCE, "use Python 3.11 or newer", ALL)
    resolution = time.get_clock_info("monotonic").resolution
    ok = resolution <= COARSEST_S
    yield _row(
        "clock", "the monotonic clock", f"{resolution:g} s fine", ok, EVIDENCE, "use another clock source",
        "those that need a real clock",
    )  # fmt: skip
    yield from _tshark()
    chromium = program_version("chromium", "--version", r"\d+\.\d+\S*")
    yield _row("chromium", "chromium", chromium or "missing", bool(chromium), TESTS, BOOTSTRAP, NONE)
    lacking = [name for name in ("playwright", "axe_playwright_python") if find_spec(name) is None]
    found = f"missing: {', '.join(lacking)}" if lacking else "there"
    yield _row("browser", "what drives the browser", found, not lacking, TESTS, 'pip install ".[browser]"', NONE)
    vagrant = program_version("vagrant", "--version", r"\d+\.\d+\S*")
    yield _row("vagrant", "vagrant", vagrant or "missing", bool(vagrant), TESTS, BOOTSTRAP, NONE)
    yield from map(_port, PORTS)


def _row(check: str, what: str, found: str, ok: bool, needed_by: str, fix: str, scenarios: str) -> Row:
    return check, what, found, ok, needed_by, "" if ok else fix, scenarios


def _tshark() -> Iterator[Row]:
    version = program_version("tshark", "--version", r"\d+\.\d+\.\d+")
    yield _row("tshark", "tshark", version or "missing", bool(version), EVIDENCE, BOOTSTRAP, ALL)
    if version and version != "unknown":
        new = tuple(map(int, version.split(".")[:2])) >= READS_ESP_KEYS
        way = "from the capture itself" if new else "from wireshark-profile.zip beside each capture"
        yield _row("tshark-esp", "where this tshark gets the keys of ESP", way, True, EVIDENCE, "", ALL)


def _port(number: int) -> Row:
    what = f"UDP port {number} is free"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind(("", number))
        except OSError as error:
            if error.errno == errno.EACCES:
                fix = "run ikelab daemon as root, or give it CAP_NET_BIND_SERVICE"
                return _row(f"port-{number}", what, "not tried: needs root", False, DAEMON, fix, NONE)
            fix = f"stop what listens there (ss -ulpn sport = :{number})"
            return _row(f"port-{number}", what, os.strerror(error.errno or 0), False, DAEMON, fix, NONE)
    return _row(f"port-{number}", what, "yes", True, DAEMON, "", NONE)


def program_version(program: str, option: str, pattern: str) -> str | None:
    """The version a program tells, "unknown" if it tells none, None if it is missing."""
    if not shutil.which(program):
        return None
    try:
        said = subprocess.run([program, option], capture_output=True, text=True, check=False, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"
    found = re.search(pattern, said.stdout)
    return found[0] if found else "unknown"
