"""`ikelab run` and `ikelab list`."""

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from lab.cli import completion as complete
from lab.crypto.listing import algorithms
from lab.emulation import topology
from lab.ike.impair.table import listing as impairments
from lab.matrix import ROLES
from lab.peers.registry import peers as known_peers
from lab.report import sections
from lab.run import catalogue
from lab.run.main import NOTHING
from lab.run.main import run as carry_out
from lab.run.options import KERNELS, Options

LIST_SCHEMA = "ikelab.list/1"
KINDS = ("scenarios", "topologies", "peers", "clauses", "algorithms", "impairments")


@click.command()
@click.argument("select", nargs=-1, shell_complete=complete.scenarios)
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="Directory of the run.")
@click.option("-j", "--jobs", type=click.IntRange(min=1), help="Guests at once; one per CPU without it.")
@click.option("--kernel", type=click.Choice(KERNELS), default="auto", help="Where to run; auto is the guest.")
@click.option(
    "--peer", "peers", multiple=True, metavar="NAME", shell_complete=complete.peers,
    help="Only pairings with our stack and this peer.",
)  # fmt: skip
@click.option("--role", type=click.Choice(ROLES), default="both", help="Only pairings with our stack in this role.")
@click.option("--seed", type=int, default=1, show_default=True, help="Seed of everything random that the lab decides.")
@click.option("--repeat", type=click.IntRange(min=1), default=1, help="Run every scenario so many times.")
@click.option("--junit", type=click.Path(path_type=Path, dir_okay=False), help="Also write JUnit XML.")
@click.option("--shard", default="1/1", metavar="I/N", help="Only part I of N; `ikelab report merge` joins the parts.")
@click.option("--cluster", default="", metavar="URL", help="Run on a Dask cluster; `local` makes one of -j workers.")
@click.option("--pause-on-failure", is_flag=True, help="Keep the network of a failed scenario as a live lab.")
@click.option("--failed", is_flag=True, help="Only what failed, was unresolved or flaky in the last run.")
@click.option(
    "--failed-in", type=click.Path(path_type=Path, exists=True, file_okay=False), metavar="DIR",
    help="The same, of the run in DIR.",
)  # fmt: skip
@click.option("--step", is_flag=True, help="Hold each IKE message until Enter, one scenario at a time.")
@click.option("--suite", type=click.Path(path_type=Path), help="Scenarios of your own, instead of the lab's.")
@click.option("--json", "as_json", is_flag=True, help="Print run.json on stdout in the end.")
def run(as_json: bool, jobs: int | None, **given: Any) -> int:
    """Run scenarios and write a report.

    SELECT is a scenario id or a prefix of it (`nat/`, `ikev2/rekey`), `ID:PAIRING`, or a clause (`rfc7296:2.8`).
    """
    options = Options(**given, command=("ikelab", *sys.argv[1:]))
    if options.step:
        options = replace(options, jobs=1)
    elif jobs:
        options = replace(options, jobs=jobs)
    code, out = carry_out(options)
    if code == NOTHING:
        only = "--failed" if options.failed or options.failed_in else "these options"
        wishes = " ".join(options.select) or only
        click.echo(f"ikelab: nothing is selected by {wishes}; `ikelab list scenarios` shows what there is", err=True)
    elif as_json and out is not None:
        click.echo((out / "run.json").read_text())
    return code


@click.command("list")
@click.argument("kind", type=click.Choice(KINDS))
@click.option("--json", "as_json", is_flag=True, help="Machine-readable.")
def list_(kind: str, as_json: bool) -> None:
    """List what there is."""
    rows = _ROWS[kind]()
    if as_json:
        click.echo(json.dumps({"schema": LIST_SCHEMA, kind: rows}, indent=1))
        return
    width = max((len(row["name"]) for row in rows), default=0)
    for row in rows:
        level = f"{row['level']:<6}  " if "level" in row else ""
        click.echo(f"{row['name']:<{width}}  {level}{row['about']}")


def _scenarios() -> list[dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for one in catalogue.collect(everything=True):
        row = found.setdefault(one.id, {"name": one.id, "about": one.title, "clauses": one.clauses, "pairings": []})
        row["pairings"].append(str(one.pairing))
    return list(found.values())


def _clauses() -> list[dict[str, Any]]:
    found: dict[str, list[str]] = {}
    for one in catalogue.collect(everything=True):
        for clause in one.clauses:
            names = found.setdefault(clause, [])
            names.extend([one.id] if one.id not in names else [])
    ordered = sorted(found.items(), key=lambda item: [int(n) if n.isdigit() else 0 for n in _numbers(item[0])])
    return [
        {
            "name": f"rfc{clause.replace('#', ':')}",
            "level": sections.level(clause),
            "about": ", ".join(names),
            "scenarios": names,
        }
        for clause, names in ordered
    ]


def _numbers(clause: str) -> list[str]:
    return clause.replace("#", ".").split(".")


def _topologies() -> list[dict[str, Any]]:
    return [{"name": name, "about": topology.load(name).description} for name in topology.names()]


def _peers() -> list[dict[str, Any]]:
    return [
        {"name": peer.name, "about": peer.title, "abilities": sorted(peer.abilities)} for peer in known_peers().values()
    ]


def _algorithms() -> list[dict[str, Any]]:
    return [{"name": str(row["keyword"]), "about": str(row["name"]), **row} for row in algorithms()]


_ROWS: dict[str, Callable[[], list[dict[str, Any]]]] = {
    "scenarios": _scenarios,
    "clauses": _clauses,
    "topologies": _topologies,
    "peers": _peers,
    "algorithms": _algorithms,
    "impairments": impairments,
}
