"""`ikelab doctor`: what this machine has and lacks for the lab, and how to mend each lack."""

import json
import sys
from dataclasses import asdict

import click

from lab.cli import EXIT_UNFIT
from lab.guest import doctor as look


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def doctor(as_json: bool) -> None:
    """Check what guest and host mode need; exit code 3 if guest mode, the default, lacks something."""
    found = look.checks()
    if as_json:
        click.echo(json.dumps({"schema": "ikelab.doctor/1", "checks": [asdict(check) for check in found]}))
    else:
        for check in found:
            click.echo(_line(check))
    if look.missing(found, look.GUEST, look.BUILD, look.EVIDENCE):
        sys.exit(EXIT_UNFIT)


def _line(check: look.Check) -> str:
    if check.ok:
        return f"ok       {check.what}: {check.found}"
    return f"MISSING  {check.what}: {check.found} (needed by {check.needed_by}; mend it: {check.fix})"
