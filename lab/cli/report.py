"""`ikelab report`: make the pages of a run directory again, and open them."""

import json
from pathlib import Path

import click

from lab.errors import ConfigError
from lab.report import build as build_pages


@click.group()
def report() -> None:
    """Make a run's HTML report again from its files, or open it."""


@report.command()
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def build(directory: Path, as_json: bool) -> None:
    """Write DIR/index.html and a page for every scenario in the run directory DIR."""
    index = build_pages(directory)
    if as_json:
        click.echo(json.dumps({"schema": "ikelab.report/1", "index": str(index)}))
    else:
        click.echo(str(index))


@report.command(name="open")
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
def open_(directory: Path) -> None:
    """Open DIR/index.html in the browser; it is written first if it is not there yet."""
    index = directory / "index.html"
    if not index.is_file():
        index = build_pages(directory)
    if click.launch(str(index)) != 0:
        raise ConfigError("no browser could be started; open this file in one", file=str(index.resolve()))
