"""`ikelab peer check NAME`: what a peer can do of what the lab asks for, tried in the guest."""

import json
from collections import Counter

import click

from lab.cli import EXIT_FAILED
from lab.cli import completion as complete
from lab.peers.registry import peer as known
from lab.plugin.verdict import FAILED, PASSED, UNSUPPORTED
from lab.run import probed

SCHEMA = "ikelab.peer-check/1"
SIGNS = {PASSED: "ok", FAILED: "XX", UNSUPPORTED: "--"}


@click.group()
def peer() -> None:
    """Peers that you bring along."""


@peer.command()
@click.argument("name", shell_complete=complete.peers)
@click.option("--json", "as_json", is_flag=True, help="Machine-readable.")
def check(name: str, as_json: bool) -> int:
    """Try a peer with our own stack: one PSK tunnel in each role, step by step.

    Exit code 1 says that a step failed; what the peer cannot do is `unsupported` and no failure.
    """
    row = known(name)
    steps = probed.check(row.name, (lambda _: None) if as_json else _show)
    counts = Counter(step["verdict"] for step in steps)
    if as_json:
        click.echo(json.dumps({"schema": SCHEMA, "peer": row.name, "counts": counts, "steps": steps}, indent=1))
    else:
        click.echo(", ".join(f"{counts[verdict]} {verdict}" for verdict in SIGNS if counts[verdict]))
    return EXIT_FAILED if counts[FAILED] else 0


def _show(step: probed.Step) -> None:
    """A line for each step; below it, why it did not pass."""
    click.echo(f"{SIGNS[step['verdict']]} {step['verdict']:<11}  {step['role']:<9}  {step['step']}")
    if step["reason"]:
        click.echo(f"   {step['reason']}")
