"""`ikelab graph TOPOLOGY`: a topology as a drawing."""

import click

from lab.cli import completion as complete
from lab.emulation import graph as drawing
from lab.emulation import topology


@click.command()
@click.argument("name", metavar="TOPOLOGY", shell_complete=complete.topologies)
@click.option("--svg", "form", flag_value="svg", default=True, help="SVG (the default).")
@click.option("--dot", "form", flag_value="dot", help="Graphviz.")
@click.option("--mermaid", "form", flag_value="mermaid", help="Mermaid.")
def graph(name: str, form: str) -> None:
    """Draw a topology, given by its name or its file."""
    draw = {"svg": drawing.svg, "dot": drawing.dot, "mermaid": drawing.mermaid}[form]
    click.echo(draw(topology.load(name)))
