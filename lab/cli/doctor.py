"""`ikelab doctor`: what this machine has and lacks for the lab, and how to mend each lack."""

import json
import sys
from dataclasses import asdict

import click

from lab.cli import EXIT_UNFIT
from lab.guest import doctor as look
from lab.life import records

LIVE = "ikelab up"


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def doctor(as_json: bool) -> None:
    """Check what guest and host mode need; exit code 3 if guest mode, the default, lacks something."""
    found = [*look.checks(), _left_behind()]
    if as_json:
        click.echo(json.dumps({"schema": "ikelab.doctor/1", "checks": [asdict(check) for check in found]}))
    else:
        for check in found:
            click.echo(_line(check))
    if look.missing(found, look.GUEST, look.BUILD, look.EVIDENCE):
        sys.exit(EXIT_UNFIT)


def _left_behind() -> look.Check:
    """Whether labs that died have left something."""
    known = [record for name in records.names() if (record := records.read(name)) is not None]
    dead = [record.name for record in known if record.state.startswith("gone")]
    found = f"left by labs that died: {', '.join(dead)}" if dead else "nothing"
    fix = "; ".join(f"ikelab down {name}" for name in dead)
    return look.Check("left-behind", "what dead labs left", found, not dead, LIVE, fix, "none")


def _line(check: look.Check) -> str:
    """`ok       nftables NAT: works (host mode: nat/)`."""
    needed = check.needed_by + ("" if check.scenarios == "none" else f": {check.scenarios}")
    if check.ok:
        return f"ok       {check.what}: {check.found} ({needed})"
    return f"MISSING  {check.what}: {check.found} ({needed}; mend it: {check.fix})"
