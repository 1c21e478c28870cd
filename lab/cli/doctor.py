"""`ikelab doctor`: what this machine has and lacks for the lab, and how to mend each lack."""

import json
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict

import click

from lab.cli import EXIT_UNFIT
from lab.guest import doctor as look
from lab.life import records

LIVE = "ikelab up"
NEEDED = (look.GUEST, look.BUILD, look.EVIDENCE)


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
        click.echo("\n".join(conclusion(found)))
    if look.missing(found, *NEEDED):
        sys.exit(EXIT_UNFIT)


def conclusion(found: Sequence[look.Check]) -> list[str]:
    """What to take from all the lines: whether scenarios can be run, and what else could not be."""
    lacking = look.missing(found, *NEEDED)
    said = f"lacks {', '.join(check.what for check in lacking)}" if lacking else "all there"
    others = Counter(check.needed_by for check in found if not check.ok and check.needed_by not in NEEDED)
    first = f"scenarios in a guest, which is the default: {said}"
    rest = ", ".join(f"{mode} ({number})" for mode, number in others.items())
    return [first, *([f"marked -- and not needed for these: {rest}"] if rest else [])]


def _left_behind() -> look.Check:
    """Whether labs that died have left something."""
    known = [record for name in records.names() if (record := records.read(name)) is not None]
    dead = [record.name for record in known if record.state.startswith("gone")]
    found = f"left by labs that died: {', '.join(dead)}" if dead else "nothing"
    fix = "; ".join(f"ikelab down {name}" for name in dead)
    return look.Check("left-behind", "what dead labs left", found, not dead, LIVE, fix, "none")


def _line(check: look.Check) -> str:
    """`ok       nftables NAT: works (host mode: nat/)`; only what guest mode needs is MISSING, all else `--`."""
    needed = check.needed_by + ("" if check.scenarios == "none" else f": {check.scenarios}")
    if check.ok:
        return f"ok       {check.what}: {check.found} ({needed})"
    sign = "MISSING" if check.needed_by in NEEDED else "--     "
    return f"{sign}  {check.what}: {check.found} ({needed}; mend it: {check.fix})"
