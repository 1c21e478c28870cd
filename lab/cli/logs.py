"""`ikelab logs`: what the daemons of a running lab say."""

import click

from lab.cli.live import lab_option, nodes, pass_through
from lab.life import records


@click.command()
@click.argument("node", default="", shell_complete=nodes)
@click.option("-f", "--follow", is_flag=True, help="Go on as they grow, until Ctrl-C.")
@lab_option
def logs(node: str, name: str, *, follow: bool) -> int:
    """Print the logs of NODE's daemon, or of all, each line with its node in front."""
    return pass_through(records.choose(name), "logs", node=node, follow=follow)
