"""`ikelab up TOPOLOGY`: a lab that stays."""

import json
from pathlib import Path

import click

from lab.cli import completion as complete
from lab.emulation import topology as topologies
from lab.errors import ConfigError
from lab.guest import image
from lab.life import bench, keeper, records, wire
from lab.run.options import KERNELS


@click.command()
@click.argument("topology", shell_complete=complete.topologies)
@click.option(
    "--peer", "peers", multiple=True, metavar="NODE=NAME",
    help="The peer in a gateway, or none; left=ours and right=strongswan without it.",
)  # fmt: skip
@click.option("--name", default="", help="What the lab is called; the topology's name without it.")
@click.option("--kernel", type=click.Choice(KERNELS), default="auto", help="Where it stands; auto is the guest.")
@click.option("--virtual", is_flag=True, help="A virtual clock: it leaps while commands wait, and stands still else.")
@click.option("--json", "as_json", is_flag=True, help="Print the lab as JSON.")
def up(topology: str, peers: tuple[str, ...], name: str, kernel: str, *, virtual: bool, as_json: bool) -> None:
    """Build TOPOLOGY (a name or a file), start its peers, and leave it up for other commands."""
    found = topologies.load(topology)
    chosen = bench.peers(found, peers)
    kernel = "guest" if kernel == "auto" else kernel
    if virtual and kernel == "host":
        raise ConfigError("--virtual needs the guest: the clock of the host is real")
    if kernel == "guest":
        image.locate()
    text = Path(found.file).read_text(encoding="utf-8")
    name = name or found.name
    request = {
        "name": found.name, "file": found.file, "topology": text, "peers": chosen, "kernel": kernel, "virtual": virtual,
    }  # fmt: skip
    said = keeper.start(name, request, lambda what: click.echo(what, err=True))
    if said["event"] == "failed":
        raise wire.error(said["kind"], said["text"])
    record = records.choose(name)
    if as_json:
        click.echo(json.dumps({"schema": records.SCHEMA, "name": name, "socket": str(record.socket)}))
        return
    who = ", ".join(f"{peer} in {node}" for node, peer in chosen.items()) or "no peers"
    click.echo(f"{name} is up: {who}", err=True)
    if "left" in chosen and "right" in chosen:
        click.echo(f"next: ikelab ctl left initiate net; ikelab status; ikelab down {name}", err=True)
