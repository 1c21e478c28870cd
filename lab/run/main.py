"""The course of a run: select, divide, boot, follow, check, merge, report - and the exit code.

    collect -> batches -> a thread per guest -> this thread follows what they report -> a pool checks every finished
    scenario's capture with tshark while the guests go on -> run.json -> report

Rules: results are written as they arise and stay readable however the run ends; an interrupted run still gets its
run.json and its report. The exit code is the contract's: 0, 1 a scenario failed, 4 nothing selected, 5 the lab broke.
"""

import shlex
import shutil
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from lab import __version__
from lab.evidence.results import Kernel, Result, ResultWriter, Run, write_result
from lab.plugin.meta import Scenario
from lab.report import pages
from lab.run import attempts, catalogue, cluster, junit, kernels, past, source
from lab.run.batches import divide
from lab.run.cluster import ClusterCrew
from lab.run.crew import Crew
from lab.run.follow import Key
from lab.run.options import DEFAULT_PARENT, LATEST, OWN, Options, new_run_id, run_directory
from lab.run.progress import Screen, summary
from lab.run.shard import Shard

PASSED, FAILED, NOTHING, BROKEN = 0, 1, 4, 5


def run(options: Options) -> tuple[int, Path | None]:
    """Carry out a run; its exit code and its directory (none if nothing was selected). May raise LabErrors."""
    options.check()
    found = catalogue.collect(directory=options.suite, peers=options.peers, role=options.role)
    selected = catalogue.select(found, options.select)
    if options.failed or options.failed_in is not None:
        bad = past.failures(options.failed_in)
        selected = [one for one in selected if (one.id, str(one.pairing)) in bad]
    scenarios = Shard.parse(options.shard).of_all(selected)
    if not scenarios:
        return NOTHING, None
    results, out = carry_out(scenarios, options)
    return exit_code(results), out


def carry_out(scenarios: Sequence[Scenario], options: Options) -> tuple[list[Result], Path]:
    """Run these scenarios and write the report; their results, and the directory of the run."""
    runner = kernels.runner(options.kernel, options.suite)
    run_id = new_run_id()
    out = run_directory(options, run_id)
    _empty(out)
    writer = ResultWriter(out, _head(options, runner, run_id))
    with Screen([one.id for one in scenarios] * options.repeat, bar=not options.step) as screen:
        crew = cluster.crew(options, runner, out, screen)
        interrupted = True
        try:
            results = _attempts(crew, writer, scenarios, options)
            interrupted = False
        finally:
            crew.close()
            finished = writer.finish(interrupted=interrupted)
            if options.suite is None:  # the index compares runs of the lab's own scenarios
                past.remember(out, screen.say)
            index = pages.build(out, screen.step)
            _link_latest(out, options, screen)
    if options.junit:
        junit.write(results, options.junit, seed=options.seed)
    screen.say(summary(results, finished.counts, finished.duration_s or 0.0))
    screen.say(f"report: {index}")
    return results, out


def _head(options: Options, runner: kernels.Runner, run_id: str) -> Run:
    return Run(
        run_id=run_id,
        started=datetime.now(UTC).isoformat(timespec="seconds"),
        command=shlex.join(options.command),
        seed=options.seed,
        kernel=Kernel(kind=runner.kind, release=runner.release),
        versions={"ikelab": __version__, "source": source.digest()},
    )


def _attempts(
    crew: Crew | ClusterCrew, writer: ResultWriter, scenarios: Sequence[Scenario], options: Options
) -> list[Result]:
    """All attempts at all scenarios: as many as were asked for, and one more at what the lab broke."""
    found: dict[Key, list[Result]] = {}
    wanted = list(scenarios)
    by_key = {(one.id, str(one.pairing)): one for one in scenarios}
    for attempt in range(1, options.repeat + 2):
        if attempt > options.repeat:
            wanted = [one for one in scenarios if found[one.id, str(one.pairing)][-1].verdict == "unresolved"]
            crew.screen.more([one.id for one in wanted])
        for result in crew.work(divide(wanted, options.jobs, attempt=attempt, virtual=crew.runner.virtual)):
            tried = found.setdefault((result.id, result.pairing), [])
            tried.append(result)
            if options.suite:
                result.reproduce = options.reproduce(by_key[result.id, result.pairing])
            merged = attempts.merge(tried)
            write_result(merged, crew.out / merged.dir)
            writer.add(merged)
    writer.run.versions.update(crew.versions())
    return [attempts.merge(tried) for tried in found.values()]


def exit_code(results: Iterable[Result]) -> int:
    """1 if any attempt failed, else 5 if the lab broke and could not make up for it, else 0."""
    results = list(results)
    if any(attempts.failed(result) for result in results):
        return FAILED
    return BROKEN if any(result.verdict == "unresolved" for result in results) else PASSED


def _empty(out: Path) -> None:
    """Remove what an earlier run left in the directory; nothing else is in there (`run_directory` has looked)."""
    out.mkdir(parents=True, exist_ok=True)
    for name in OWN:
        path = out / name
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def _link_latest(out: Path, options: Options, screen: Screen) -> None:
    """Point `reports/out/latest` to a run that named no directory of its own."""
    link = DEFAULT_PARENT / LATEST
    if options.out is not None:
        return
    if link.is_symlink() or not link.exists():
        link.unlink(missing_ok=True)
        link.symlink_to(out.name, target_is_directory=True)
    else:
        screen.say(f"{link} is a directory and stays what it is; remove it, and it will point to the latest run")
