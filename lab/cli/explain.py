"""`ikelab explain RUN/SCENARIO`: why a negotiation failed, in plain words."""

import json
from dataclasses import asdict
from pathlib import Path

import click

from lab.errors import ConfigError
from lab.evidence.results import read_result, scenario_directories
from lab.report.why import Account, account

SCHEMA = "ikelab.explain/1"


@click.command()
@click.argument("place", metavar="RUN/SCENARIO", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object for each pairing.")
def explain(place: Path, as_json: bool) -> None:
    """Say why negotiations failed in a scenario, from its messages and the logs of both daemons.

    RUN/SCENARIO is a directory of a run, such as reports/out/latest/ikev2/wrong-psk; all its pairings are explained.
    """
    for run, directory in _directories(place):
        result, found = read_result(directory, run), account(directory)
        if as_json:
            findings = [asdict(one) for one in found.findings]
            head = {"schema": SCHEMA, "id": result.id, "pairing": result.pairing, "verdict": result.verdict}
            click.echo(json.dumps({**head, "conclusion": found.conclusion, "findings": findings}))
        else:
            _say(
                f"{result.id} {result.pairing}: {result.verdict}{f', {result.reason}' if result.reason else ''}", found
            )


def _directories(place: Path) -> list[tuple[Path, Path]]:
    """The scenario directories that a path means, with the run's; `scenarios/` may be left out of the path."""
    for run in (place, *place.parents):
        if (run / "run.json").is_file():
            below = place.relative_to(run)
            meant = run / (below if below.parts[:1] in ((), ("scenarios",)) else Path("scenarios") / below)
            found = [(run, one) for one in scenario_directories(run) if one == meant or meant in one.parents]
            if found:
                return found
            raise ConfigError(
                f"the run holds no scenario {below}; `ikelab history` and run.json name them", file=str(run)
            )
    raise ConfigError("no run directory is above this (run.json is what it lacks)", file=str(place))


def _say(head: str, found: Account) -> None:
    click.echo(head)
    if not found.conclusion:
        click.echo("    nothing was refused, no daemon complained, and every request had its answer")
    for sentence in found.conclusion:
        click.echo(f"    {sentence}")
    for one in found.findings if found.conclusion else ():
        click.echo(f"      {one.node}: {one.words} ({one.proof})")
