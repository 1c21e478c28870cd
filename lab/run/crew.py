"""Guests at work: threads that boot them, one loop that follows them, a pool that checks what they finish.

Rules: only the calling thread touches results and the screen. A scenario that takes too long ends its guest, because a
process that spins stops virtual time for ever (see `limits`); what its guest had not come to goes into a new one, and
the scenario itself is `unresolved`. Ctrl-C ends all guests before it is passed on.
"""

import math
import queue
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from lab.evidence.results import Result, write_result
from lab.life.paused import Paused
from lab.plugin.meta import Scenario
from lab.plugin.selection import Plan
from lab.run.batches import Batch, divide, left_over
from lab.run.check import check
from lab.run.follow import Finished, Follower
from lab.run.inside import EVENTS, PLAN
from lab.run.kernels import Ended, Runner
from lab.run.limits import Limit, Meter
from lab.run.options import Options
from lab.run.progress import Screen
from lab.run.refused import refused
from lab.run.step import Stepping

POLL_S = 0.04
# As the limit of a scenario; by the clock alone.
BOOT_LIMIT_S, GUEST_LIMIT_S = 60.0, 3600.0
STEPS = "step"
CHECKERS = 2


@dataclass(slots=True)
class Worker:
    """One guest: its batch, what follows it, and how it ended."""

    batch: Batch
    follower: Follower
    directory: Path
    paused: Paused | None = None
    stepping: Stepping | None = None
    stop: threading.Event = field(default_factory=threading.Event)
    output: list[str] = field(default_factory=list)
    ended: Ended | None = None
    error: BaseException | None = None
    why_stopped: str = ""
    meter: Meter = field(init=False)
    limit: Limit = field(init=False)

    def __post_init__(self) -> None:
        self.meter = Meter(self.paused or self.stepping)
        self.limit = Limit(self.meter.cpu_s)

    @property
    def current(self) -> Scenario | None:
        """The scenario that it has begun and not finished."""
        named = self.follower.current
        return next((one for one in self.batch.scenarios if (one.id, str(one.pairing)) == named), None)


class Crew:
    """Runs batches, as many at once as `-j` says."""

    def __init__(self, options: Options, runner: Runner, out: Path, screen: Screen) -> None:
        self.options, self.runner, self.out, self.screen = options, runner, out, screen
        self._pool = ThreadPoolExecutor(CHECKERS, thread_name_prefix="check")
        self._checks: queue.SimpleQueue[Future[Result]] = queue.SimpleQueue()
        self._checking = 0
        self._workers: list[Worker] = []
        self._threads: list[threading.Thread] = []
        self._number = 0

    def work(self, batches: Sequence[Batch]) -> Iterator[Result]:
        """Run batches to their end; results as they are ready, one per scenario."""
        waiting = list(batches)
        running: list[Worker] = []
        while waiting or running or self._checking:
            while batch := self._next(waiting, running):
                waiting.remove(batch)
                running.append(self._boot(batch))
            for worker in list(running):
                self._look(worker)
                if worker.ended is not None or worker.error is not None:
                    running.remove(worker)
                    waiting += self._buried(worker)
            self.screen.now([" ".join(w.follower.current) for w in running if w.follower.current])
            yield from self._checked()
            time.sleep(POLL_S)

    # -- guests

    def _next(self, waiting: Sequence[Batch], running: Sequence[Worker]) -> Batch | None:
        """The batch to begin now, if any: beside several guests, one with a real clock is no burden, since it waits.

        It comes when the others have begun, as they are to have a CPU each, and it to share one.
        """
        if not waiting:
            return None
        patient = [worker for worker in running if worker.batch.virtual]
        hasty = len(running) - len(patient)
        burden = len(patient) + max(0, hasty - 1) if self.options.jobs > 1 else len(running)
        if burden < self.options.jobs:
            return waiting[0]
        begun = all(worker.follower.current or worker.follower.finished for worker in patient)
        spare = self.options.jobs > 1 and not hasty and begun
        return next((batch for batch in waiting if spare and not batch.virtual), None)

    def _boot(self, batch: Batch) -> Worker:
        """Write the batch's plan and start its guest."""
        self._number += 1
        directory = self.out / "batches" / str(self._number)
        directory.mkdir(parents=True)
        jobs = tuple((one.id, str(one.pairing)) for one in batch.scenarios)
        files = tuple(dict.fromkeys(one.nodeid.partition("::")[0] for one in batch.scenarios))
        Plan(jobs, batch.attempt, files).write(directory / PLAN)
        paused = Paused(self.runner.kind, virtual=batch.virtual) if self.options.pause_on_failure else None
        stepping = Stepping(directory / STEPS, self.screen) if self.options.step else None
        worker = Worker(batch, Follower(batch, directory / EVENTS), directory, paused, stepping)
        self._workers.append(worker)
        thread = threading.Thread(target=self._guest, args=(worker,), name=f"guest-{self._number}", daemon=True)
        self._threads.append(thread)
        thread.start()
        return worker

    def _guest(self, worker: Worker) -> None:
        """In a thread: run the guest, keep its output."""
        place = f"OUT/{worker.directory.relative_to(self.out).as_posix()}"
        arguments = ["--out=OUT", f"--batch={place}", f"--seed={self.options.seed}"]
        if worker.paused is not None:
            arguments.append(f"--pause={worker.paused.socket}")
        if worker.stepping is not None:
            arguments.append(f"--step={place}/{STEPS}")
        try:
            with (worker.directory / "output.txt").open("w") as log:

                def output(line: str) -> None:
                    worker.output.append(line)
                    log.write(line + "\n")

                worker.ended = self.runner.run(
                    self.out,
                    arguments,
                    virtual=worker.batch.virtual,
                    limit_s=math.inf if self._patient(worker) else GUEST_LIMIT_S,
                    output=output,
                    stop=worker.stop,
                    attached=worker.meter,
                    counts=worker.batch.counts,
                )
        except BaseException as error:  # noqa: BLE001  (carried to the thread that can raise it)
            worker.error = error
        finally:
            if worker.paused is not None:
                worker.paused.close()

    def _look(self, worker: Worker) -> None:
        """Take what a guest has finished; end it if it is stuck."""
        for finished in worker.follower.read():
            self._check(finished)
        current = worker.current
        limit = current.limit_s if current else BOOT_LIMIT_S
        self._keep(worker)
        if worker.stepping is not None:
            worker.stepping.look(worker.current)
        if worker.stop.is_set() or self._patient(worker):
            return
        worker.why_stopped = worker.limit.passed(worker.follower.current, worker.follower.busy_s, limit)
        if worker.why_stopped:
            worker.stop.set()

    @staticmethod
    def _patient(worker: Worker) -> bool:
        """Whether a guest may take as long as somebody looks at it."""
        return worker.paused is not None or worker.stepping is not None

    def _keep(self, worker: Worker) -> None:
        """Give the network of a scenario that pauses a name, as long as it does; one may pause right after another."""
        event, paused = worker.follower.paused, worker.paused
        if paused is None or event == paused.event:
            return
        paused.resumed()
        if not event:
            return
        name = paused.announce(event).name
        self.screen.say(f"{event['id']} {event['pairing']} failed; its network is up as `{name}`")
        look = f"ikelab status {name}, ikelab shell NODE --lab {name}"
        self.screen.say(f"    look with {look}; go on with ikelab down {name}")

    def _buried(self, worker: Worker) -> list[Batch]:
        """A guest has ended: what it left undone, as new batches, without the scenario that it ended in."""
        if worker.error is not None:
            raise worker.error
        for finished in worker.follower.read():
            self._check(finished)
        rest = left_over(worker.batch, worker.follower.finished)
        if not rest:
            return []
        reason = worker.why_stopped or f"the guest ended: {worker.ended.reason if worker.ended else ''}"
        culprit = worker.current if worker.current in rest else None
        if culprit is None and not worker.follower.finished:
            # It did not come to its first scenario: another guest would do no better.
            words = [line for line in worker.output if line.strip()]
            for one in rest:
                self._unresolved(worker.batch, one, f"{reason}; {words[-1] if words else 'it said nothing'}")
            return []
        if culprit is not None:
            self._unresolved(worker.batch, culprit, reason)
            rest.remove(culprit)
        return divide(rest, 1, attempt=worker.batch.attempt, virtual=self.runner.virtual)

    def _unresolved(self, batch: Batch, scenario: Scenario, reason: str) -> None:
        """A result for a scenario that could not write its own."""
        result = unresolved(self.out, batch, scenario, reason, self.options.seed)
        self._check(Finished((scenario.id, str(scenario.pairing)), result.dir, None))

    # -- checks

    def _check(self, finished: Finished) -> None:
        """Hand a finished scenario to the pool."""
        self._checking += 1
        future = self._pool.submit(check, self.out / finished.directory, self.out, finished.duration_s)
        future.add_done_callback(self._checks.put)

    def _checked(self) -> Iterator[Result]:
        """Results that the pool has looked at."""
        while True:
            try:
                result = self._checks.get_nowait().result()
            except queue.Empty:
                return
            self._checking -= 1
            self.screen.result(result, refused(self.out / result.dir))
            yield result

    # -- the end

    def versions(self) -> dict[str, str]:
        """What the peers said their versions are."""
        found: dict[str, str] = {}
        for worker in self._workers:
            found |= worker.follower.versions
        return found

    def close(self) -> None:
        """End every guest that still runs, and wait for it."""
        for worker in self._workers:
            worker.stop.set()
        for thread in self._threads:
            thread.join(10.0)
        self._pool.shutdown(wait=True, cancel_futures=True)


def unresolved(out: Path, batch: Batch, scenario: Scenario, reason: str, seed: int) -> Result:
    """Write a result for a scenario that could not write its own."""
    directory = Plan(attempt=batch.attempt).directory(scenario)
    result = Result(
        id=scenario.id,
        pairing=str(scenario.pairing),
        verdict="unresolved",
        reason=reason,
        initiator=scenario.pairing.initiator,
        responder=scenario.pairing.responder,
        clauses=list(scenario.clauses),
        title=scenario.title,
        reproduce=scenario.command(seed),
        attempts=["unresolved"],
        dir=directory.as_posix(),
    )
    write_result(result, out / directory)
    return result
