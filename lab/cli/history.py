"""`ikelab history`: the runs there were, what became of a scenario in them, and what is flaky."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import msgspec

from lab.cli.bars import bars
from lab.history.store import History, Past
from lab.history.trend import Flaky, flaky, trend
from lab.run.options import DEFAULT_PARENT
from lab.run.past import SCHEMA, index_file

LETTERS = {"passed": ".", "failed": "F", "flaky": "~", "unsupported": "-", "unresolved": "?"}


@click.command()
@click.argument("select", metavar="[SCENARIO]", required=False)
@click.option("--last", type=click.IntRange(min=1), default=20, show_default=True, help="How many runs to look at.")
@click.option("--rebuild", is_flag=True, help="Make the index again from the run directories first.")
@click.option(
    "--runs", "parents", multiple=True, type=click.Path(path_type=Path, exists=True, file_okay=False), metavar="DIR",
    help="With --rebuild: a run directory, or one that holds some, beside reports/out.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def history(select: str | None, last: int, rebuild: bool, parents: tuple[Path, ...], as_json: bool) -> None:
    """Show the last runs and what is flaky in them, or the verdicts on the scenarios whose id begins with SCENARIO."""
    file = index_file()
    with History.at(file) as past:
        if rebuild or parents:
            with bars() as progress:
                past.rebuild((DEFAULT_PARENT, *parents), progress)
        past.forget_gone()
        runs = past.runs(last)
        unsteady = [one for one in flaky(past, runs) if one.id.startswith(select or "")]
        strips = _strips(past, runs, select) if select else {}
    if as_json:
        click.echo(json.dumps(msgspec.to_builtins(_facts(runs, unsteady, strips))))
    elif not runs:
        click.echo("no run is known; `ikelab run` adds its own, `ikelab history --rebuild` looks for earlier ones")
    elif select:
        _show_strips(select, strips, unsteady)
    else:
        _show_runs(runs, unsteady)


def _facts(runs: Sequence[Past], unsteady: Sequence[Flaky], strips: dict[tuple[str, str], list[str]]) -> dict[str, Any]:
    found: dict[str, Any] = {"schema": SCHEMA, "runs": trend(runs), "flaky": list(unsteady)}
    if strips:
        found["scenarios"] = [
            {"id": name, "pairing": pair, "verdicts": words} for (name, pair), words in strips.items()
        ]
    return found


def _strips(past: History, runs: Sequence[Past], select: str) -> dict[tuple[str, str], list[str]]:
    """The verdicts by scenario and pairing, the oldest run first; empty where a run does not have it."""
    found: dict[tuple[str, str], list[str]] = {}
    for place, run in enumerate(reversed(runs)):
        for one in past.verdicts(run):
            if one.id.startswith(select):
                words = found.setdefault((one.id, one.pairing), [""] * len(runs))
                words[place] = one.verdict
    return dict(sorted(found.items()))


def _show_runs(runs: Sequence[Past], unsteady: Sequence[Flaky]) -> None:
    for run in runs:
        took = "interrupted" if run.duration_s is None else f"{run.duration_s:.0f} s"
        counts = ", ".join(f"{run.counts[word]} {word}" for word in LETTERS if run.counts.get(word))
        click.echo(f"{run.run_id}  {took:>11}  {counts or 'no results'}  {_near(run.directory)}")
    _say_flaky(unsteady)


def _near(directory: Path) -> str:
    here = Path.cwd()
    return str(directory.relative_to(here) if directory.is_relative_to(here) else directory)


def _show_strips(select: str, strips: dict[tuple[str, str], list[str]], unsteady: Sequence[Flaky]) -> None:
    if not strips:
        click.echo(f"no known run has a scenario whose id begins with {select}")
        return
    width = max(len(f"{name}  {pair}") for name, pair in strips)
    for (name, pair), words in strips.items():
        click.echo(f"{f'{name}  {pair}':<{width}}  {''.join(LETTERS.get(word, ' ') for word in words)}")
    click.echo("the oldest run first; " + ", ".join(f"{letter} {word}" for word, letter in LETTERS.items()))
    _say_flaky(unsteady)


def _say_flaky(unsteady: Sequence[Flaky]) -> None:
    for one in unsteady:
        click.echo(f"flaky: {one.id} {one.pairing} passed {one.passed} of {one.total} under equal conditions")
