"""Debian packages through apt, without touching the host: own sources, own lists, own package state.

Only the host's network settings (proxy, certificates, retries) are taken over. Nothing is installed: packages are
resolved against an empty system, downloaded, verified against the archive's signatures and unpacked by `base`.
"""

import contextlib
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from lab.errors import UnfitError
from lab.guest.mirror import KEYRING, Mirror
from lab.progress import Progress

NETWORK = re.compile(
    r"^Acquire::(http|https|Retries|ForceIPv4|ForceIPv6|Check-Valid-Until|Check-Date)\b", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Package:
    """One package file of the archive."""

    name: str
    version: str
    file: str
    size: int


class Apt:
    """An isolated apt directory for one set of suites."""

    def __init__(self, place: Path, mirror: Mirror, suites: Sequence[str]) -> None:
        self._place = place
        self._config = place / "apt.conf"
        for name in ("lists/partial", "state", "cache/archives/partial", "packages"):
            (place / name).mkdir(parents=True, exist_ok=True)
        (place / "status").write_text("")
        (place / "sources.list").write_text("".join(_source(mirror, suite) for suite in suites))
        self._config.write_text(_settings(place) + _network())

    @property
    def archives(self) -> Path:
        """Where downloaded packages lie: not where apt would look, as it names no address for a file it has."""
        return self._place / "packages"

    def update(self) -> None:
        """Fetch the package lists."""
        if not Path(KEYRING).exists():
            raise UnfitError(f"{KEYRING} is missing", fix="apt-get install debian-archive-keyring")
        self._run("apt-get", "update", "-q", "--error-on=any")

    def names(self, pattern: str) -> list[str]:
        """Names of packages that match a regular expression."""
        return self._run("apt-cache", "search", "--names-only", pattern, "-q").split("\n")

    def candidate(self, name: str) -> str:
        """The version that would be taken."""
        found = re.search(r"Candidate: (\S+)", self._run("apt-cache", "policy", name))
        return found.group(1) if found else "(none)"

    def closure(self, names: Sequence[str]) -> list[Package]:
        """These packages and all they depend on, as files of the archive."""
        text = self._run("apt-get", "install", "-q", "-y", "--print-uris", "--no-install-recommends", *names)
        return [_package(line) for line in text.splitlines() if line.startswith("'")]

    def alone(self, name: str) -> Package:
        """One package without what it depends on."""
        text = self._run("apt-get", "download", "-q", "--print-uris", name, cwd=self._place)
        (line,) = (line for line in text.splitlines() if line.startswith("'"))
        return _package(line)

    def fetch(self, packages: Sequence[Package], progress: Progress) -> list[Path]:
        """Download package files that are not here yet; apt checks each against the signed lists."""
        wanted = {self.archives / package.file: package for package in packages}
        missing = [package for path, package in wanted.items() if not _complete(path, package)]
        if missing:
            _need_space(self.archives, sum(package.size for package in missing))
            for package in missing:
                (self.archives / package.file).unlink(missing_ok=True)
            self._download(missing, progress)
        return list(wanted)

    def _download(self, packages: Sequence[Package], progress: Progress) -> None:
        """Let apt fetch these, and watch the files grow."""
        names = [f"{package.name}={package.version}" for package in packages]
        total = sum(package.size for package in packages) >> 20

        def watch() -> None:
            here = (self.archives / package.file for package in packages)
            progress("download (MB)", min(sum(_size(file) for file in here) >> 20, total), total)

        self._run("apt-get", "download", "-q", *names, cwd=self.archives, watch=watch)

    def _run(self, *command: str, cwd: Path | None = None, watch: Callable[[], None] = lambda: None) -> str:
        environment = {
            **os.environ,
            "APT_CONFIG": str(self._config),
            "LC_ALL": "C",
            "DEBIAN_FRONTEND": "noninteractive",
        }
        with subprocess.Popen(
            command, env=environment, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            while True:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    out, errors = process.communicate(timeout=0.5)
                    break
                watch()
        if process.returncode:
            said = [line for line in errors.splitlines() if line.startswith(("E:", "W:"))] or [errors.strip()]
            name = " ".join(command[:2])
            raise UnfitError(f"{name} failed: {said[0]}", fix="check the network and the Debian mirror")
        return out


def _source(mirror: Mirror, suite: str) -> str:
    address = mirror.security if suite.endswith("-security") else mirror.archive
    return f"deb [signed-by={KEYRING}] {address} {suite} main\n" if address else ""


def _settings(place: Path) -> str:
    """apt settings that keep every path below `place`."""
    return f"""\
APT::Architecture "amd64";
APT::Architectures {{ "amd64"; }};
APT::Sandbox::User "root";
APT::Install-Recommends "false";
APT::Get::AllowUnauthenticated "false";
Acquire::Languages "none";
Debug::NoLocking "true";
Dir::Etc::Main "/dev/null";
Dir::Etc::Parts "/dev/null";
Dir::Etc::Preferences "/dev/null";
Dir::Etc::PreferencesParts "/dev/null";
Dir::Etc::SourceParts "/dev/null";
Dir::Etc::SourceList "{place}/sources.list";
Dir::State "{place}/state";
Dir::State::Lists "{place}/lists";
Dir::State::Status "{place}/status";
Dir::Cache "{place}/cache";
"""


def _network() -> str:
    """The host's own network settings of apt."""
    dump = subprocess.run(["apt-config", "dump"], capture_output=True, text=True, check=False).stdout
    return "".join(line + "\n" for line in dump.splitlines() if NETWORK.match(line))


def _package(line: str) -> Package:
    """Read a line of `--print-uris`: 'address' file size checksum."""
    _, file, size, *_ = line.split()
    name, version, _ = file.removesuffix(".deb").split("_")
    return Package(name=name, version=unquote(version), file=file, size=int(size))


def _complete(path: Path, package: Package) -> bool:
    return _size(path) == package.size


def _size(path: Path) -> int:
    """Bytes of a file; 0 while it is not there."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _need_space(place: Path, size: int) -> None:
    free = shutil.disk_usage(place).free
    if free < size:
        raise UnfitError(f"{place} has {free >> 20} MB free, {size >> 20} MB are needed", fix="make room")
