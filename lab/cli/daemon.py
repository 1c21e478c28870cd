"""`ikelab daemon`: our own IKE daemon in the foreground."""

import sys
from pathlib import Path

import click

from lab.daemon.main import BACKENDS, SEED_VARIABLE, main


@click.command()
@click.option("--config", required=True, type=click.Path(path_type=Path), help="The swanctl.conf to serve.")
@click.option("--backend", type=click.Choice(BACKENDS), default=BACKENDS[0], show_default=True, help="Who carries ESP.")
@click.option("--control", type=click.Path(path_type=Path), help="Take commands at this unix socket.")
@click.option("--run-dir", type=click.Path(path_type=Path), help="Write daemon.log and events.jsonl here.")
@click.option("--keylog", type=click.Path(path_type=Path), help="Write keys.jsonl, with all secret keys, here.")
@click.option("--seed", envvar=SEED_VARIABLE, help="Draw all randomness from this word: repeatable and not secret.")
@click.option("--impair", multiple=True, metavar="NAME", help="Send this wrongly, once; may be given several times.")
def daemon(
    config: Path,
    backend: str,
    control: Path | None,
    run_dir: Path | None,
    keylog: Path | None,
    seed: str | None,
    impair: tuple[str, ...],
) -> None:
    """Serve the connections of a configuration until SIGTERM, Ctrl-C or `ikelab ctl stop`.

    Without --run-dir the log goes to stderr. `ikelab list impairments` shows what --impair knows.
    """
    sys.exit(main(config, backend=backend, control=control, run_dir=run_dir, keylog=keylog, seed=seed, impair=impair))
