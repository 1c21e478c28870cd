"""`ikelab version`."""

import json
import platform

import click

from lab import __version__


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def version(as_json: bool) -> None:
    """Print the version of ikelab and of the Python that runs it."""
    if as_json:
        click.echo(
            json.dumps({"schema": "ikelab.version/1", "ikelab": __version__, "python": platform.python_version()})
        )
    else:
        click.echo(f"ikelab {__version__} (Python {platform.python_version()})")
