"""What this machine has and lacks, for guests and for host mode: each check names what needs it and the fix.

A check looks, it never repairs. The ones for host mode try the real thing in a network namespace that lasts for one
command, because a kernel's configuration says less than an attempt.
"""

import os
import platform
import shutil
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from lab.errors import UnfitError
from lab.guest import boot, cache, contain, doctor_host, doctor_tools, image, kernel, mirror, workplace
from lab.guest.doctor_tools import ALL, BOOTSTRAP, EVIDENCE

GUEST, BUILD = "guest mode", "building the guest image"
__all__ = ["BUILD", "EVIDENCE", "GUEST", "Check", "checks", "missing"]


@dataclass(frozen=True, slots=True)
class Check:
    """One question to this machine: `found` is the answer in words, `fix` is empty where nothing need be done.

    `needed_by` is a mode of the lab, `scenarios` which of its scenarios, in words.
    """

    id: str
    what: str
    found: str
    ok: bool
    needed_by: str
    fix: str
    scenarios: str = ALL


Look = Callable[[], Check]


def checks(*, guest: bool = True, host: bool = True) -> list[Check]:
    """Look at everything that the wanted modes need; takes about a second."""
    looks: list[Look] = []
    if guest:
        looks += [_machine, _layers, _boots, _memory, _cpus, _containment, _compiler, _debian_mirror, _cache_space]
    found = [look() for look in looks] + [Check(*row) for row in doctor_tools.rows()]
    return found + [Check(*row) for row in doctor_host.rows()] if host else found


def missing(found: Iterable[Check], *needed_by: str) -> list[Check]:
    """The failed checks that matter to these."""
    return [check for check in found if not check.ok and check.needed_by in needed_by]


def _machine() -> Check:
    machine = platform.machine()
    fix = "" if machine == "x86_64" else "use an x86_64 machine, or --kernel host"
    return Check("machine", "processor", machine, not fix, GUEST, fix)


def _layers() -> Check:
    lacking = [layer for layer in image.layers() if layer.needed and not layer.present]
    if lacking:
        found = "; ".join(f"no {layer.kind} layer: {image.why(layer)}" for layer in lacking)
        return Check("image", "guest image", found, False, GUEST, "ikelab image build")
    return Check("image", "guest image", f"complete, kernel {image.locate().release}", True, GUEST, "")


def _boots() -> Check:
    what = "a guest boots"
    with tempfile.TemporaryDirectory() as results:
        try:
            source = Path(__file__).parents[2]
            done = boot.run(["true"], source=source, results=Path(results), output=lambda _: None, limit_s=20)
        except UnfitError as error:
            return Check("boot", what, error.text, False, GUEST, error.fix)
    if done.exit_code == 0:
        return Check("boot", what, f"yes, in {done.duration_s:.2f} s", True, GUEST, "")
    fix = "a container or a security policy may forbid ptrace and seccomp: try outside of it"
    return Check("boot", what, done.reason, False, GUEST, fix)


def _memory() -> Check:
    try:
        place = workplace.place_for(workplace.LEAST_FREE)
    except UnfitError as error:
        return Check("memory", "room for a guest's memory", error.text, False, GUEST, error.fix)
    free = shutil.disk_usage(place).free >> 20
    slow = "" if place == Path("/dev/shm") else "; /dev/shm is too small or forbids programs, guests are slower"
    fix = "mount -o remount,size=2G,exec /dev/shm" if slow else ""
    return Check("memory", "room for a guest's memory", f"{free} MB in {place}{slow}", True, GUEST, fix)


def _cpus() -> Check:
    mine = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(mine)})
        os.sched_setaffinity(0, mine)
    except OSError as error:
        return Check("cpus", "pinning to a CPU", str(error.strerror), False, GUEST, "allow sched_setaffinity")
    return Check("cpus", "pinning to a CPU", f"{len(mine)} CPUs, pinning works", True, GUEST, "")


def _containment() -> Check:
    what = "guests kept from the host's files"
    if os.geteuid() != 0:
        return Check("containment", what, "not root: a guest can do no more than you", True, GUEST, "")
    if contain.possible():
        return Check("containment", what, "yes: all but the results is read-only", True, GUEST, "")
    found = "no: root may not make namespaces here, so a guest has all rights of this root"
    return Check("containment", what, found, True, GUEST, "run the lab as an ordinary user")


def _compiler() -> Check:
    lacking = [tool for tool in kernel.TOOLS if not shutil.which(tool)]
    found = f"missing: {', '.join(lacking)}" if lacking else "all there"
    return Check("compiler", "tools for the kernel build", found, not lacking, BUILD, _bootstrap(lacking))


def _debian_mirror() -> Check:
    try:
        found = mirror.find()
    except UnfitError as error:
        return Check("mirror", "Debian mirror", error.text, False, BUILD, error.fix)
    if not Path(mirror.KEYRING).exists():
        return Check("mirror", "Debian mirror", "no archive keys", False, BUILD, _bootstrap(["debian-archive-keyring"]))
    return Check("mirror", "Debian mirror", found.archive, True, BUILD, "")


def _cache_space() -> Check:
    place = cache.directory()
    there = next(folder for folder in (place, *place.parents) if folder.exists())
    free = shutil.disk_usage(there).free
    done = all(layer.present for layer in image.layers() if layer.needed)
    ok = os.access(there, os.W_OK) and (done or free >= kernel.SPACE)
    fix = "" if ok else f"make {kernel.SPACE >> 20} MB of room, or set XDG_CACHE_HOME to a place that has it"
    return Check("cache", "room in the cache", f"{free >> 20} MB in {place}", ok, BUILD, fix)


def _bootstrap(lacking: list[str]) -> str:
    return BOOTSTRAP if lacking else ""
