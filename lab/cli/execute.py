"""`ikelab exec` and `ikelab shell`: programs in a node of a running lab."""

import sys

import click

from lab.cli.live import at_terminal, lab_option, nodes, pass_through
from lab.life import records

SHELL = ("bash", "-i")


@click.command("exec", context_settings={"ignore_unknown_options": True})
@click.argument("node", shell_complete=nodes)
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@click.option("-i", "--input", "with_input", is_flag=True, help="Give it our standard input.")
@click.option("-t", "--tty", "terminal", is_flag=True, help="Give it our terminal.")
@lab_option
def exec_(node: str, command: tuple[str, ...], name: str, *, with_input: bool, terminal: bool) -> int:
    """Run COMMAND in NODE: ikelab exec NODE -- COMMAND; its exit code is ours."""
    record = records.choose(name)
    if terminal and sys.stdin.isatty():
        return at_terminal(record, node=node, argv=list(command))
    return pass_through(record, "exec", with_input=with_input, node=node, argv=list(command))


@click.command()
@click.argument("node", shell_complete=nodes)
@lab_option
def shell(node: str, name: str) -> int:
    """Be in NODE with a shell."""
    record = records.choose(name)
    if sys.stdin.isatty():
        return at_terminal(record, node=node, argv=list(SHELL))
    return pass_through(record, "exec", with_input=True, node=node, argv=["bash"])
