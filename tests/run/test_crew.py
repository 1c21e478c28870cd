"""Which guest begins when: no process is started here."""

from types import SimpleNamespace

import pytest

from lab.life import records
from lab.life.paused import Paused
from lab.matrix import Pairing
from lab.plugin.meta import Scenario
from lab.run.batches import Batch
from lab.run.crew import Crew, Worker
from lab.run.follow import Follower
from lab.run.options import Options

SCENARIOS = (Scenario("some/thing", Pairing("ours", "strongswan"), "", ""),)
VIRTUAL, REAL = Batch(1, True, 1, SCENARIOS), Batch(2, False, 1, SCENARIOS)


def worker(batch, tmp_path, *, begun=True):
    follower = Follower(batch, tmp_path / "events")
    follower.current = ("some/thing", "ours>strongswan") if begun else None
    return Worker(batch, follower, tmp_path)


@pytest.fixture
def next_of(tmp_path):
    """Asks a crew of so many jobs what it begins next: running guests as (batch, begun)."""

    def ask(jobs, waiting, *running):
        crew = Crew(Options(jobs=jobs), None, tmp_path, None)
        found = crew._next(waiting, [worker(batch, tmp_path, begun=begun) for batch, begun in running])
        crew.close()
        return found

    return ask


def test_as_many_as_jobs_in_their_order(next_of):
    assert next_of(2, [VIRTUAL, REAL]) == VIRTUAL
    assert next_of(2, [VIRTUAL, REAL], (VIRTUAL, False)) == VIRTUAL
    assert next_of(2, [VIRTUAL], (VIRTUAL, True), (VIRTUAL, True)) is None
    assert next_of(2, []) is None


def test_one_with_a_real_clock_comes_on_top_when_the_others_have_begun(next_of):
    both = (VIRTUAL, True), (VIRTUAL, True)
    assert next_of(2, [VIRTUAL, REAL], *both) == REAL
    assert next_of(2, [REAL], (VIRTUAL, True), (VIRTUAL, False)) is None
    assert next_of(2, [REAL], *both, (REAL, True)) is None


def test_what_was_left_over_does_not_wait_for_the_real_clock(next_of):
    assert next_of(2, [VIRTUAL], (VIRTUAL, True), (REAL, True)) == VIRTUAL


def test_one_job_is_one_guest_at_a_time(next_of):
    assert next_of(1, [REAL], (VIRTUAL, True)) is None
    assert next_of(1, [VIRTUAL], (REAL, True)) is None


def test_one_that_pauses_right_after_another_has_a_name_of_its_own(tmp_path, monkeypatch):
    """Resumed and paused again between two looks at the events."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    followed = SimpleNamespace(paused={})
    at_work = SimpleNamespace(follower=followed, paused=Paused("guest", virtual=True))
    crew = SimpleNamespace(screen=SimpleNamespace(say=lambda _text: None))
    topologies = []
    for name in ("direct", "nat-both", ""):
        followed.paused = {"id": "one/of", "pairing": name, "topology": name} if name else {}
        Crew._keep(crew, at_work)
        topologies.append([records.read(lab).topology for lab in records.names()])
    at_work.paused.close()
    assert topologies == [["direct"], ["nat-both"], []]
