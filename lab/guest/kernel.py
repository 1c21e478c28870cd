"""The kernel layer: a static User Mode Linux binary built from Debian's newest linux-source.

The source tree and the objects stay in `kernel-HASH.work` until the binary is published, so an interrupted build goes
on where it stopped. The build fails if an option of kernel.config did not survive: a kernel without it would only fail
later, in a scenario, and less clearly.
"""

import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from lab.errors import UnfitError
from lab.guest import cache, recipe
from lab.guest.apt import Apt
from lab.guest.mirror import Mirror
from lab.progress import Progress

TOOLS = ("gcc", "make", "flex", "bison", "bc", "xz", "tar", "dpkg-deb")
WORK = ".work"
SPACE = 2 << 30
# Large parts of the source that no option of ours can reach.
UNREAD = ("Documentation", "drivers/gpu/drm/*/*.[ch]", "tools/testing", "sound/*/*.[ch]", "drivers/media/*/*.[ch]")
MAKE = ("make", "ARCH=um", "SUBARCH=x86_64")


def build(target: Path, place: Path, mirror: Mirror, progress: Progress) -> dict[str, str | int | float]:
    """Build `target`/linux; what was built from what, for the record."""
    _need_tools()
    work = work_directory(target)
    work.mkdir(parents=True, exist_ok=True)
    _need_space(work)
    origin = _source(work, place, mirror, progress)
    began = time.monotonic()
    objects = _compile(work, progress)
    took = time.monotonic() - began
    shutil.copy(work / "objects/linux", target / "linux")
    subprocess.run(["strip", str(target / "linux")], check=True)
    shutil.copy(work / "objects/.config", target / "config")
    release = (work / "objects/include/config/kernel.release").read_text().strip()
    cache.remove(work)
    return {"source": origin, "release": release, "objects": objects, "build_s": round(took, 1)}


def work_directory(target: Path) -> Path:
    """Where the kernel layer `target` is compiled."""
    return target.with_name(target.name.removesuffix(cache.UNFINISHED) + WORK)


def _need_tools() -> None:
    missing = [tool for tool in TOOLS if not shutil.which(tool)]
    if missing:
        packages = " ".join("xz-utils" if tool == "xz" else tool for tool in missing)
        raise UnfitError(f"the kernel build needs {', '.join(missing)}", fix=f"apt-get install {packages} libc6-dev")


def _need_space(work: Path) -> None:
    free = shutil.disk_usage(work).free
    if free < SPACE and not (work / "source.txt").exists():
        raise UnfitError(
            f"{work.parent} has {free >> 20} MB free, the kernel build needs {SPACE >> 20} MB", fix="make room"
        )


def _source(work: Path, place: Path, mirror: Mirror, progress: Progress) -> str:
    """Have the unpacked source in `work`/source; the Debian package it came from."""
    done = work / "source.txt"
    if done.exists():
        return done.read_text()
    origin, package = _download(place, mirror, progress)
    progress("unpack kernel source", 0, 0)
    source = work / "source"
    cache.remove(source)
    source.mkdir()
    for step in _unpack(package, work, source):
        ran = subprocess.run(step, capture_output=True, text=True, check=False)
        if ran.returncode:
            raise UnfitError(
                f"cannot unpack {package.name}: {ran.stderr.strip()[-200:]}", fix="make room and run it again"
            )
    (source / "Documentation").mkdir(exist_ok=True)
    (source / "Documentation/Kconfig").write_text("")
    cache.remove(work / "package")
    package.unlink()
    done.write_text(origin)
    return origin


def _download(place: Path, mirror: Mirror, progress: Progress) -> tuple[str, Path]:
    """Fetch the newest linux-source of the first suite that has one recent enough."""
    for suite in recipe.KERNEL_SUITES:
        progress(f"kernel source in {suite}", 0, 0)
        apt = Apt(place / f"apt-{suite}", mirror, [suite])
        apt.update()
        name = newest(apt.names(r"^linux-source-[0-9.]+$"))
        if name:
            (file,) = apt.fetch([apt.alone(name)], progress)
            return f"{name} {apt.candidate(name)}", file
    oldest = ".".join(map(str, recipe.KERNEL_OLDEST))
    raise UnfitError(
        f"the Debian mirror offers no linux-source >= {oldest} in {', '.join(recipe.KERNEL_SUITES)}",
        fix="set IKELAB_DEBIAN_MIRROR to a mirror that carries one of these suites",
    )


def newest(lines: list[str]) -> str | None:
    """The newest linux-source-X.Y that is recent enough, out of `apt-cache search` lines."""
    found = [match for line in lines if (match := re.match(r"linux-source-(\d+)\.(\d+)\b", line))]
    versions = {(int(match[1]), int(match[2])): match[0] for match in found}
    recent = [version for version in versions if version >= recipe.KERNEL_OLDEST]
    return versions[max(recent)] if recent else None


def _unpack(package: Path, work: Path, source: Path) -> Iterator[list[str]]:
    yield ["dpkg-deb", "-x", str(package), str(work / "package")]
    (archive,) = (work / "package/usr/src").glob("linux-source-*.tar.xz")
    exclude = [f"--exclude=*/{path}" for path in UNREAD]
    yield ["tar", "-xf", str(archive), "-C", str(source), "--strip-components=1", *exclude]


def _compile(work: Path, progress: Progress) -> int:
    """Configure and compile; the number of objects."""
    objects = work / "objects"
    objects.mkdir(exist_ok=True)
    if not (objects / ".config").exists():
        progress("configure kernel", 0, 0)
        environment = {**os.environ, "KCONFIG_ALLCONFIG": str(recipe.KERNEL_CONFIG)}
        _make(work, ["allnoconfig"], environment)
    lost = lost_options((objects / ".config").read_text())
    if lost:
        raise UnfitError(f"this kernel source lacks options the lab needs: {', '.join(lost)}", fix="report this")
    log = work / "build.log"
    # make must not go on compiling when this process is killed: the next build would meet it in the same directory.
    with_us = ["setpriv", "--pdeathsig", "TERM", "--"]
    command = [
        *with_us,
        *MAKE,
        f"O={objects}",
        "-C",
        str(work / "source"),
        f"-j{len(os.sched_getaffinity(0))}",
        "linux",
    ]
    with log.open("w") as said, subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=said, text=True, env=os.environ | {"LC_ALL": "C"}
    ) as make:  # fmt: skip
        assert make.stdout is not None
        for count, _ in enumerate(line for line in make.stdout if line.startswith("  CC ")):
            progress("compile kernel", min(count, recipe.KERNEL_OBJECTS), recipe.KERNEL_OBJECTS)
    if make.returncode:
        raise UnfitError(f"the kernel does not compile: {_first_error(log)}", fix=f"see {log}")
    return sum(1 for _ in objects.rglob("*.o"))


def _make(work: Path, goals: list[str], environment: dict[str, str]) -> None:
    command = [*MAKE, "-s", f"O={work / 'objects'}", "-C", str(work / "source"), *goals]
    ran = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if ran.returncode:
        raise UnfitError(f"make {goals[0]} failed: {ran.stderr.strip()[-300:]}", fix="ikelab image clean, then again")


def lost_options(config: str) -> list[str]:
    """Lines of kernel.config that did not survive in a finished .config."""
    wanted = recipe.KERNEL_CONFIG.read_text().split("# --- older names")[0]
    have = set(config.splitlines())
    return [line for line in wanted.splitlines() if line.startswith("CONFIG_") and line not in have]


def _first_error(log: Path) -> str:
    lines = log.read_text(errors="replace").splitlines()
    return next((line for line in lines if "error" in line.lower()), lines[-1] if lines else "no message")
