"""`ikelab down`: end a lab, and leave nothing of it behind."""

import click

from lab.cli.live import ask, labs
from lab.errors import BrokenError, ConfigError
from lab.life import records


@click.command()
@click.argument("name", default="", shell_complete=labs)
@click.option("--all", "everything", is_flag=True, help="All labs of yours, and what is left of those that died.")
def down(name: str, *, everything: bool) -> None:
    """End the lab NAME (the only one without it); what a killed lab left behind is taken away too."""
    known = records.names()
    if everything and name:
        raise ConfigError("name a lab, or give --all")
    if not known and everything:
        click.echo("no lab is up", err=True)
        return
    chosen = known if everything else [_one(name, known)]
    for one in chosen:
        _down(one)
        click.echo(f"{one} is down", err=True)


def _one(name: str, known: list[str]) -> str:
    if not known:
        raise ConfigError("no lab is up")
    if not name and len(known) > 1:
        raise ConfigError(f"several labs are up ({', '.join(known)}): name one, or give --all")
    if name and name not in known:
        raise ConfigError(f"no lab is called `{name}`; there are {', '.join(known)}")
    return name or known[0]


def _down(name: str) -> None:
    record = records.read(name)
    if record is None:
        records.forget(name)
    elif record.owner == "run" and record.alive:
        try:  # the run goes on with the scenario that it paused
            ask(record, "down")
        except BrokenError as error:
            raise BrokenError(f"the run that paused `{name}` does not answer: {error.args[0]}") from error
    else:
        record.remove()
