"""`ikelab completion SHELL`: the script that lets a shell complete our commands, and what it completes names with."""

import re

import click
from click.shell_completion import get_completion_class

from lab.cli import COMPLETE
from lab.emulation import topology
from lab.errors import ConfigError
from lab.peers.registry import peers as known_peers
from lab.run.catalogue import scenarios_directory

SHELLS = {
    "bash": 'eval "$(ikelab completion bash)" in ~/.bashrc',
    "zsh": 'eval "$(ikelab completion zsh)" in ~/.zshrc, behind compinit',
    "fish": "ikelab completion fish > ~/.config/fish/completions/ikelab.fish",
}
_TEST = re.compile(r"^def test_(\w+)", re.MULTILINE)


@click.command(epilog="Enable it by " + "; ".join(SHELLS.values()) + ".")
@click.argument("shell", type=click.Choice(list(SHELLS)))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the completion script for a shell."""
    found = get_completion_class(shell)
    if found is None:
        raise ConfigError(f"click has no completion for {shell}")
    script = found(ctx.find_root().command, {}, "ikelab", COMPLETE)
    click.echo(found.source_template % script.source_vars())


def scenarios(ctx: click.Context, parameter: click.Parameter, typed: str) -> list[str]:
    """SELECT words that begin so, read from the files without running them: ids without their parameters."""
    found = {
        f"{file.parent.relative_to(root).as_posix()}/{name.replace('_', '-')}"
        for root in (scenarios_directory(),)
        for file in root.rglob("test_*.py")
        for name in _TEST.findall(file.read_text(encoding="utf-8"))
    }
    groups = {f"{name.partition('/')[0]}/" for name in found}
    return sorted(one for one in (found if "/" in typed else groups) if one.startswith(typed))


def topologies(ctx: click.Context, parameter: click.Parameter, typed: str) -> list[str]:
    """Topologies of the lab that begin so."""
    return [name for name in topology.names() if name.startswith(typed)]


def peers(ctx: click.Context, parameter: click.Parameter, typed: str) -> list[str]:
    """Peers that begin so."""
    return [name for name in known_peers() if name.startswith(typed)]
