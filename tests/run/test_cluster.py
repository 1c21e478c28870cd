"""Runs on a Dask cluster: what a worker sends arrives whole, and a worker that dies takes nothing with it."""

import json
import os
import signal
import threading
import time
from pathlib import Path

import pytest

from lab.errors import BrokenError, ConfigError, UnfitError
from lab.plugin.meta import Scenario
from lab.run import catalogue, cluster, kernels, main, source
from lab.run.cluster import LOCAL, PART, ClusterCrew
from lab.run.options import Options
from tests.run.test_run import PAIRING, PretendedKernel

distributed = pytest.importorskip("distributed")


@pytest.fixture
def pretended(monkeypatch):
    kernel = PretendedKernel()
    monkeypatch.setattr(kernels, "runner", lambda kind, suite=None: kernel)
    return kernel


@pytest.fixture
def scheduler():
    """A cluster in this process, whose workers see what the test pretends."""
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, processes=False, dashboard_address=None) as found:
        yield found.scheduler_address


def scenarios(monkeypatch, *names):
    found = [Scenario(name, PAIRING, "", "", ()) for name in names]
    monkeypatch.setattr(catalogue, "collect", lambda **_: found)


def test_results_and_their_files_arrive(monkeypatch, tmp_path, pretended, scheduler):
    scenarios(monkeypatch, "a/passed", "b/failed", "c/dies", *(f"d{n}/passed" for n in range(8)))
    code, out = main.run(Options(out=tmp_path / "out", cluster=scheduler))
    facts = json.loads((out / "run.json").read_text())
    assert code == 1 and facts["counts"] == {
        "passed": 9, "failed": 1, "unsupported": 0, "unresolved": 1, "flaky": 0
    }  # fmt: skip
    assert pretended.boots > -(-11 // PART)
    assert facts["versions"]["strongswan"] == "6.0.1"
    assert all((out / one["dir"] / "result.json").is_file() for one in facts["results"])


def test_a_worker_with_other_code_is_refused(monkeypatch, tmp_path, pretended, scheduler):
    scenarios(monkeypatch, "a/passed")
    digests = iter(["run", "client", *["worker"] * 9])
    monkeypatch.setattr(source, "digest", lambda: next(digests))
    with pytest.raises(BrokenError, match=r"a worker has other code \(worker\) than this run \(client\)"):
        main.run(Options(out=tmp_path / "out", cluster=scheduler))


def test_no_scheduler_answers(monkeypatch, tmp_path, pretended):
    monkeypatch.setattr(cluster, "CONNECT_S", 0.2)
    scenarios(monkeypatch, "a/passed")
    for url in ("tcp://127.0.0.1:9", "nonsense://x"):
        with pytest.raises(ConfigError, match="no Dask scheduler answers"):
            main.run(Options(out=tmp_path / "out", cluster=url))


def test_without_dask_the_next_step_is_said(monkeypatch, tmp_path, pretended):
    def absent(name):
        raise ImportError(name)

    scenarios(monkeypatch, "a/passed")
    monkeypatch.setattr(cluster.importlib, "import_module", absent)
    with pytest.raises(UnfitError, match=r"pip install 'ikelab\[cluster\]'"):
        main.run(Options(out=tmp_path / "out", cluster=LOCAL))


@pytest.mark.guest
@pytest.mark.slow
@pytest.mark.skipif("IKELAB_SLOW" not in os.environ, reason="takes minutes: IKELAB_SLOW=1 runs it")
def test_killing_three_workers_loses_nothing(monkeypatch, tmp_path):
    """Real workers with real guests; each is killed while it is at work."""
    killed: list[int] = []

    def kill(client):
        while len(killed) < 3:
            busy = [worker for worker, tasks in client.processing().items() if tasks]
            pids = client.run(os.getpid)
            for worker in busy[:1]:
                if (pid := pids.get(worker)) and pid not in killed:
                    killed.append(pid)
                    os.kill(pid, signal.SIGKILL)
            time.sleep(2.0)  # lets the next part begin, so that the next death is one in the middle of it

    began = ClusterCrew.work

    def work(crew, batches):
        threading.Thread(target=kill, args=(crew.client,), daemon=True).start()
        yield from began(crew, batches)

    monkeypatch.setattr(ClusterCrew, "work", work)
    code, out = main.run(Options(select=("nat/two-clients-ikev1",), out=tmp_path / "out", cluster=LOCAL, jobs=2))
    facts = json.loads((Path(out) / "run.json").read_text())
    assert len(killed) == 3
    assert code == 0 and facts["counts"]["passed"] == len(facts["results"]) >= 8
