"""`ikelab image build|status|clean`: the guest kernel and its root file system in the cache."""

import json

import click
from rich.console import Console
from rich.table import Table

from lab.cli.bars import bars
from lab.guest import image as guest_image


@click.group()
def image() -> None:
    """Build, show or remove the guest kernel and its root file system."""


@image.command()
def build() -> None:
    """Build what is missing; safe to interrupt and repeat."""
    with bars(lines=True) as progress:
        built = guest_image.build(progress)
    click.echo(f"guest kernel {built.release} is ready: {built.kernel}", err=True)


@image.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def status(as_json: bool) -> None:
    """Say what is built, and why a part would be built again."""
    rows = guest_image.status()
    if as_json:
        click.echo(json.dumps({"schema": "ikelab.image/1", "layers": rows}))
        return
    table = Table("layer", "state", "MB", "where")
    for row in rows:
        state = "ready" if row["present"] else f"missing: {row['reason']}"
        table.add_row(row["layer"], state, str(row["bytes"] // 1_000_000), row["path"])
    Console().print(table)
    older = [path for row in rows for path in row["older"]]
    if older:
        click.echo(f"{len(older)} layers of older recipes: `ikelab image clean --older` removes them", err=True)


@image.command()
@click.option("--older", is_flag=True, help="Keep what today's recipe uses.")
def clean(older: bool) -> None:
    """Remove the image from the cache."""
    freed = guest_image.clean(older_only=older)
    click.echo(f"{freed // 1_000_000} MB freed", err=True)
