"""What the user asked for, checked."""

import os
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from lab.errors import ConfigError
from lab.matrix import ROLES
from lab.peers.registry import peer
from lab.plugin.meta import Scenario
from lab.run.shard import Shard

KERNELS = ("auto", "guest", "host")
DEFAULT_PARENT = Path("reports", "out")
LATEST = "latest"
# What a run directory of ours holds at its top; anything else in DIR is somebody else's.
PAGES = ("index.html", "compared.html", "claims.html", "collisions.html", "timing.html", "rfcs.html", "diff.html")
OWN = frozenset(
    {"run.json", "events.jsonl", "history.json", *PAGES, "scenarios", "batches", "reports", "static", "junit.xml"}
)


@dataclass(frozen=True, slots=True)
class Options:
    """The options of `ikelab run`; `suite` is a directory with scenarios of the user's own.

    Of the selected scenarios `failed` keeps those that did not end well in the last run, `failed_in` those of that run.
    """

    select: tuple[str, ...] = ()
    out: Path | None = None
    jobs: int = field(default_factory=lambda: max(1, len(os.sched_getaffinity(0))))
    kernel: str = "auto"
    peers: tuple[str, ...] = ()
    role: str = "both"
    seed: int = 1
    repeat: int = 1
    junit: Path | None = None
    pause_on_failure: bool = False
    step: bool = False
    failed: bool = False
    failed_in: Path | None = None
    shard: str = "1/1"
    cluster: str = ""
    suite: Path | None = None
    command: Sequence[str] = ("ikelab", "run")

    def check(self) -> None:
        """Raise ConfigError for what cannot be meant."""
        for name in self.peers:
            peer(name)
        if self.role not in ROLES:
            raise ConfigError(f"--role is one of {', '.join(ROLES)}, not {self.role!r}")
        if self.kernel not in KERNELS:
            raise ConfigError(f"--kernel is one of {', '.join(KERNELS)}, not {self.kernel!r}")
        Shard.parse(self.shard)
        if self.jobs < 1 or self.repeat < 1:
            raise ConfigError("-j and --repeat are at least 1")
        if self.pause_on_failure and self.cluster:
            raise ConfigError("--pause-on-failure and --cluster exclude each other: nobody can look into a worker")
        if self.step and (self.cluster or self.kernel == "host" or self.pause_on_failure):
            raise ConfigError("--step holds one guest of this machine: no --cluster, --kernel host, --pause-on-failure")
        if self.suite is not None and self.cluster:
            raise ConfigError("--suite and --cluster exclude each other: the workers have the lab's own scenarios")
        if self.suite is not None and not self.suite.is_dir():
            raise ConfigError(f"there is no directory {self.suite}; --suite names one with scenarios of your own")

    def reproduce(self, scenario: Scenario) -> str:
        """The command that runs exactly this scenario again."""
        command = scenario.command(self.seed)
        return f"{command} --suite {shlex.quote(str(self.suite))}" if self.suite else command


def run_directory(options: Options, run_id: str) -> Path:
    """The directory of the run, emptied of an earlier run; ConfigError if it holds anything else."""
    out = options.out or DEFAULT_PARENT / run_id
    if out.is_symlink():
        out = out.resolve()
    if out.exists() and not out.is_dir():
        raise ConfigError(f"{out} is a file; name a directory with --out")
    if out.is_dir():
        strangers = sorted(path.name for path in out.iterdir() if path.name not in OWN)
        if strangers:
            raise ConfigError(f"{out} holds {strangers[0]!r}, which no run wrote; name another directory with --out")
    return out


def new_run_id() -> str:
    """A name for a run: the time it began, to the second."""
    return datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
