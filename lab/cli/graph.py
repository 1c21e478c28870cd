"""`ikelab graph TOPOLOGY`: a topology as a drawing."""

import click

from lab.cli import completion as complete
from lab.cli.live import labs
from lab.emulation import graph as drawing
from lab.emulation import topology
from lab.life import records


@click.command()
@click.argument("name", metavar="[TOPOLOGY]", default="", shell_complete=complete.topologies)
@click.option("--svg", "form", flag_value="svg", default=True, help="SVG (the default).")
@click.option("--dot", "form", flag_value="dot", help="Graphviz.")
@click.option("--mermaid", "form", flag_value="mermaid", help="Mermaid.")
@click.option("--lab", "lab_name", default="", metavar="NAME", shell_complete=labs, help="Which running lab.")
def graph(name: str, form: str, lab_name: str) -> None:
    """Draw a topology, given by its name or its file; without either, that of a running lab."""
    draw = {"svg": drawing.svg, "dot": drawing.dot, "mermaid": drawing.mermaid}[form]
    click.echo(draw(topology.load(name or records.choose(lab_name).topology_file)))
