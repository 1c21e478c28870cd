"""Writes the pages of a run: the index, one for each result, the comparison, the claims, the collisions and time.

Rules of this file: autoescape is always on; a file appears whole or not at all; one page that cannot be written does
not take the others with it.
"""

import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from multiprocessing import get_context
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from lab import __version__
from lab.errors import ConfigError
from lab.history.differences import RunDiff
from lab.progress import Progress, silent
from lab.report import (
    aligned,
    assets,
    banner,
    claims,
    collided,
    compared,
    detail,
    index,
    model,
    outage,
    scenario,
    sections,
    side_by_side,
    throughput,
    timed,
    trend,
    words,
)
from lab.report.model import Result, Run

WORTH_A_PROCESS, SHARE = 50, 10  # pages


def build(run_dir: Path, progress: Progress = silent) -> Path:
    """Write `index.html`, what it links to, and a page in every scenario's directory; returns the path of the index.

    ConfigError if `run_dir` is no run directory at all.
    """
    if not (run_dir / "run.json").exists() and not (run_dir / "scenarios").is_dir():
        raise ConfigError("this is no run directory (neither run.json nor scenarios/)", file=str(run_dir))
    run = model.load_run(run_dir)
    linked = [one for one in run.results if one.directory and (run_dir / one.directory).is_dir()]
    _write_scenarios(run_dir, run, linked, progress)
    _write(run_dir / "compared.html", _compared(run_dir, run))
    _write(run_dir / "claims.html", _claims(run))
    _write(run_dir / "collisions.html", _collisions(run_dir, run))
    _write(run_dir / "timing.html", _timing(run_dir, run))
    _write(run_dir / sections.PAGE, _sections(run))
    target = run_dir / "index.html"
    _write(target, _index(run, trend.load(run_dir)))
    return target


def differences(found: RunDiff, target: Path) -> None:
    """Write the page of what two runs differ in."""
    target.parent.mkdir(parents=True, exist_ok=True)
    pairs = side_by_side.pairs(found, target.parent)
    _write(target, _render("differences.html", "", found=found, pairs=pairs))


def _write_scenarios(run_dir: Path, run: Run, linked: Sequence[Result], progress: Progress) -> None:
    """All pages of results; many of them by as many processes as there are CPUs."""
    what, count = "write the report", len(linked)
    processes = min(len(os.sched_getaffinity(0)), count // WORTH_A_PROCESS)
    shares = [range(start, min(start + SHARE, count)) for start in range(0, count, SHARE)]
    progress(what, 0, count)
    if processes < 2:
        for share in shares:
            _write_some(run_dir, run, linked, share)
            progress(what, share.stop, count)
        return
    with ProcessPoolExecutor(processes, mp_context=get_context("fork")) as pool:
        for share, done in [(share, pool.submit(_write_some, run_dir, run, linked, share)) for share in shares]:
            done.result()
            progress(what, share.stop, count)


def _write_some(run_dir: Path, run: Run, linked: Sequence[Result], places: Iterable[int]) -> None:
    for place in places:
        before, after = linked[max(0, place - 1) : place], linked[place + 1 : place + 2]
        _write_scenario(run_dir, run, linked[place], before, after)


def _index(run: Run, past: trend.Trend) -> str:
    pairings, groups = index.matrix(run.results)
    return _render(
        "index.html",
        "index.js",
        run=run,
        pairings=pairings,
        groups=groups,
        sections=index.by_group(run.results),
        troubles=index.troubles(run.results),
        clauses=index.clauses(run.results),
        slowest=index.slowest(run.results),
        environment=banner.environment(run),
        rfcs=sections,
        past=past,
        index=index,
        banner=banner,
    )


def _compared(run_dir: Path, run: Run) -> str:
    lines = compared.table(run_dir, run)
    return _render("compared.html", "", run=run, lines=lines, most=compared.MOST_LINKS, index=index)


def _claims(run: Run) -> str:
    pairings, judged = claims.judge(run)
    return _render("claims.html", "", run=run, pairings=pairings, judged=judged, index=index)


def _collisions(run_dir: Path, run: Run) -> str:
    return _render("collisions.html", "", run=run, pairs=collided.table(run_dir, run), index=index)


def _timing(run_dir: Path, run: Run) -> str:
    return _render("timing.html", "", run=run, page=timed.page(run_dir, run), index=index)


def _sections(run: Run) -> str:
    """The page that the sections' names on all other pages lead to."""
    listed = sections.listed(clause for one in run.results for clause in one.clauses)
    return _render("rfcs.html", "", listed=listed, anchor=sections.anchor)


def _write_scenario(run_dir: Path, run: Run, result: Result, before: Sequence[Result], after: Sequence[Result]) -> None:
    assert result.directory is not None
    page = scenario.load(run_dir / result.directory, result)
    text = _render(
        "scenario.html",
        "scenario.js",
        run=run,
        page=page,
        result=result,
        before=before[0] if before else None,
        after=after[0] if after else None,
        up=index.up_to_index(result.directory),
        index=index,
        dump=detail.dump,
        linked=aligned.linked,
        columns=scenario.columns,
        columns_of_outage=outage.COLUMNS,
        columns_of_traffic=throughput.COLUMNS,
        sections=scenario.sections(page),
        section=sections.address,
        levels=sections.level,
    )
    _write(run_dir / result.directory / "index.html", text)


def _render(template: str, script: str, **values: object) -> str:
    style, code = assets.static("style.css"), assets.static("copy.js") + (assets.static(script) if script else "")
    return (
        _environment()
        .get_template(template)
        .render(
            **values,
            words=words,
            verdicts=list(model.Verdict),
            policy=assets.policy(style, code),
            style=Markup(style),
            script=Markup(code),
            version=__version__,
        )
    )


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(assets.folder() / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _write(path: Path, text: str) -> None:
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.write_text(text, encoding="utf-8", errors="replace", newline="\n")
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
