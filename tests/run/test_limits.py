"""When a guest has been at one thing too long: a busy machine is no reason."""

import os
import subprocess
import sys

from lab.run.limits import PATIENCE, Limit, Meter, session_cpu_s


class Guest:
    """Computes for a part of the time that passes by the clock, or cannot be asked."""

    def __init__(self, share: float | None) -> None:
        self.share, self.busy_s = share, 0.0

    def cpu_s(self) -> float | None:
        return None if self.share is None else 1000.0 + self.share * self.busy_s


def ended(share: float | None, limit_s: float = 60.0) -> tuple[float, str]:
    """When a guest that never comes to an end is ended, by the clock, and why."""
    guest = Guest(share)
    limit = Limit(guest.cpu_s)
    while not (why := limit.passed("a scenario", guest.busy_s, limit_s)):
        guest.busy_s += 1.0
    return guest.busy_s, why


def test_what_spins_is_ended_at_its_limit():
    when, why = ended(1.0)
    assert 60 < when <= 62 and why == "it computed for more than 60 s"


def test_what_others_keep_from_computing_has_more_time():
    when, why = ended(0.5)
    assert 100 < when <= 122 and why == "it computed for more than 60 s"


def test_what_waits_is_ended_by_the_clock():
    assert ended(0.0) == (60 * PATIENCE + 1, "it took more than 180 s of real time")


def test_without_processes_to_ask_the_clock_decides():
    assert ended(None) == (61.0, "it took more than 60 s of real time")


def test_the_next_scenario_begins_anew():
    guest = Guest(1.0)
    limit = Limit(guest.cpu_s)
    for what in ("one", "another", "a third"):
        for guest.busy_s in (0.0, 20.0, 40.0, 59.0):
            assert limit.passed(what, guest.busy_s, 60.0) == ""
    # Also where nobody looked in between: what was computed before is not counted.
    guest.busy_s, guest.share = 100.0, 5.0
    assert limit.passed("a fourth", guest.busy_s, 60.0) == ""


def test_the_processor_time_of_a_guest_is_that_of_its_whole_session():
    spin = "import time\nwhile time.process_time() < 0.4: pass\n"
    stay = f"{spin}print(flush=True)\ninput()"
    children = (
        f"import subprocess, sys\nfor program in ({spin!r}, {stay!r}): subprocess.run([sys.executable, '-c', program])"
    )
    with subprocess.Popen(
        [sys.executable, "-c", children], stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        meter = Meter()
        assert meter.cpu_s() is None
        meter.begun(process.pid, None)
        used = meter.cpu_s()
        process.communicate(b"\n")
    assert 0.75 <= used < 10
    assert session_cpu_s(process.pid) is None
    assert session_cpu_s(os.getsid(0)) is not None
