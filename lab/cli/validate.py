"""`ikelab validate FILE`: check a topology or a swanctl.conf without starting anything."""

from pathlib import Path

import click

from lab.emulation import topology
from lab.errors import ConfigError
from lab.ike import config
from lab.templates.template import read as read_template


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def validate(file: Path) -> None:
    """Check a topology (.yaml), a connection (.conf) or a peer's template (.toml); errors name file, line and key."""
    if file.suffix in (".yaml", ".yml"):
        found = topology.load(file)
        click.echo(f"{file}: a topology of {len(found.nodes)} nodes and {len(found.links)} links")
    elif file.suffix == ".conf":
        read = config.load(_text(file), str(file))
        click.echo(f"{file}: {len(read.connections)} connections")
    elif file.suffix == ".toml":
        template = read_template(file)
        click.echo(f"{file}: a peer of {len(template.commands)} commands and {len(template.abilities)} abilities")
    else:
        raise ConfigError("neither a topology (.yaml), a connection (.conf) nor a peer (.toml)", file=str(file))


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(f"not UTF-8 text: {error.reason} at octet {error.start}", file=str(file)) from error
