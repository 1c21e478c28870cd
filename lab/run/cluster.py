"""A run on many machines: parts of it as tasks of a Dask cluster (`--cluster URL`, or `local` for this machine alone).

    client    scenarios -> parts of PART -> tasks          what comes back is unpacked into the run directory
    worker    a guest of its own for each part, and the check of what it captured -> results, and their files packed

Rules: a worker needs the same code, the guest image and tshark, and shares no directory with us. When one dies, Dask
gives its part to another; what dies too often is `unresolved`, and nothing else is lost.
"""

import importlib
import io
import os
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from lab.errors import BrokenError, ConfigError, UnfitError
from lab.evidence.results import Result
from lab.run import kernels, source
from lab.run.batches import Batch, divide
from lab.run.crew import Crew, unresolved
from lab.run.options import Options
from lab.run.progress import Screen
from lab.run.refused import refused

LOCAL = "local"
PART = 4
# So many workers may die under one part before it is given up; another cluster has a limit of its own.
DEATHS = 10
CONNECT_S = 10


@dataclass(frozen=True, slots=True)
class Part:
    """What a task needs to know."""

    options: Options
    source: str
    batch: Batch


@dataclass(frozen=True, slots=True)
class Parcel:
    """One result as a worker sends it: its files as a tar archive."""

    result: Result
    files: bytes
    versions: dict[str, str]


def work(part: Part) -> list[Parcel]:
    """On a worker: run a part in a guest of its own. BrokenError where the worker has other code."""
    if (here := source.digest()) != part.source:
        raise BrokenError(f"a worker has other code ({here}) than this run ({part.source}); bring it up to date")
    with TemporaryDirectory(prefix="ikelab-") as scratch, open(os.devnull, "w") as nowhere:
        out = Path(scratch)
        with Screen([one.id for one in part.batch.scenarios], nowhere) as screen:
            crew = Crew(part.options, kernels.runner(part.options.kernel), out, screen)
            try:
                batches = divide(part.batch.scenarios, 1, attempt=part.batch.attempt, virtual=crew.runner.virtual)
                results = list(crew.work(batches))
            finally:
                crew.close()
        return [Parcel(one, _packed(out / one.dir), crew.versions()) for one in results]


def _packed(directory: Path) -> bytes:
    """All files below a directory, as a zip; Debian 12's Python cannot yet unpack a tar without trusting it."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as packed:
        for path in sorted(directory.rglob("*")):
            packed.write(path, path.relative_to(directory))
    return archive.getvalue()


class ClusterCrew:
    """Does what `Crew` does, on a cluster."""

    def __init__(self, options: Options, runner: kernels.Runner, out: Path, screen: Screen) -> None:
        self.options, self.runner, self.out, self.screen = options, runner, out, screen
        self._versions: dict[str, str] = {}
        self._cluster: Any = None
        self._distributed = _dask()
        self.client = self._connected(options.cluster)

    def _connected(self, url: str) -> Any:
        """A client of the cluster at `url`, or of one that lives as long as this run."""
        distributed = self._distributed
        if url == LOCAL:
            importlib.import_module("dask.config").set({"distributed.scheduler.allowed-failures": DEATHS})
            quiet = {"dashboard_address": None, "silence_logs": "ERROR"}
            self._cluster = distributed.LocalCluster(n_workers=self.options.jobs, threads_per_worker=1, **quiet)
            return distributed.Client(self._cluster)
        try:
            return distributed.Client(url, timeout=CONNECT_S)
        except (OSError, ValueError) as error:
            raise ConfigError(f"no Dask scheduler answers at {url!r}: {error}") from error

    def work(self, batches: Sequence[Batch]) -> Iterator[Result]:
        """Run batches to their end; results as the workers send them."""
        told = replace(self.options, jobs=1, out=None, junit=None, cluster="")
        parts = [Part(told, source.digest(), batch) for batch in _parts(batches)]
        tasks = {self.client.submit(work, part, pure=False): part for part in parts}
        for task in self._distributed.as_completed(tasks):
            yield from self._arrived(task, tasks[task].batch)
            task.release()

    def _arrived(self, task: Any, batch: Batch) -> Iterator[Result]:
        try:
            parcels: list[Parcel] = task.result()
        except self._distributed.scheduler.KilledWorker:
            reason = "too many workers died under it"
            found = [unresolved(self.out, batch, one, reason, self.options.seed) for one in batch.scenarios]
            for result in found:
                self.screen.result(result)
            yield from found
            return
        for parcel in parcels:
            with zipfile.ZipFile(io.BytesIO(parcel.files)) as packed:
                packed.extractall(self.out / parcel.result.dir)
            self._versions |= parcel.versions
            self.screen.result(parcel.result, refused(self.out / parcel.result.dir))
            yield parcel.result

    def versions(self) -> dict[str, str]:
        """What the peers said their versions are."""
        return self._versions

    def close(self) -> None:
        """Leave the cluster; one of our own ends with its workers."""
        self.client.close()
        if self._cluster is not None:
            self._cluster.close()


def _parts(batches: Sequence[Batch]) -> list[Batch]:
    """Small batches: what a dead worker takes with it is done again."""
    return [
        replace(batch, scenarios=batch.scenarios[start : start + PART])
        for batch in batches
        for start in range(0, len(batch.scenarios), PART)
    ]


def crew(options: Options, runner: kernels.Runner, out: Path, screen: Screen) -> Crew | ClusterCrew:
    """Who does the work: guests on this machine, or a cluster."""
    return (ClusterCrew if options.cluster else Crew)(options, runner, out, screen)


def _dask() -> Any:
    """Dask distributed: it takes a second to import, and without the extra `cluster` it is not there."""
    try:
        return importlib.import_module("distributed")
    except ImportError:
        raise UnfitError("--cluster needs Dask", fix="pip install 'ikelab[cluster]'") from None
