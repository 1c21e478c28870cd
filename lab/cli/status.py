"""`ikelab status`: the labs that are up, or one of them with its nodes, daemons and SAs."""

import json
from typing import Any

import click

from lab.cli.live import ask, collect, labs
from lab.errors import BrokenError
from lab.life import records
from lab.life.records import Record

SCHEMA = "ikelab.status/1"


@click.command()
@click.argument("name", default="", shell_complete=labs)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def status(name: str, *, as_json: bool) -> None:
    """Show what is up: all labs where there are several, else the lab NAME with its nodes, daemons and SAs."""
    known = records.names()
    found = [record for one in known if (record := records.read(one)) is not None]
    if name or len(known) < 2:
        _one(name or next(iter(known), ""), as_json=as_json)
    elif as_json:
        click.echo(json.dumps({"schema": SCHEMA, "labs": [_head(record) for record in found]}))
    else:
        for record in found:
            click.echo(_line(record))


def _one(name: str, *, as_json: bool) -> None:
    record = records.choose(name)
    facts = _head(record) | _inside(record)
    if as_json:
        click.echo(json.dumps({"schema": SCHEMA, "labs": [facts]}))
        return
    click.echo(_line(record))
    for node, spec in facts["nodes"].items():
        click.echo(f"  {node}: {spec['kind']}, {spec['addresses']}")
    for node, daemon in facts["daemons"].items():
        click.echo(f"  {node} runs {daemon['peer']} {daemon['version']}{_trouble(daemon)}")
        for sa in daemon["sas"]:
            click.echo(f"    {_sa(sa)}")


def _head(record: Record) -> dict[str, Any]:
    names = ("name", "topology", "kernel", "clock", "owner", "started", "state")
    return {name: getattr(record, name) for name in names} | {"peers": dict(record.peers)}


def _inside(record: Record) -> dict[str, Any]:
    network = ask(record, "describe")
    addresses: dict[str, list[str]] = {node: [] for node in network["nodes"]}
    for link in network["links"].values():
        for node, end in link["ends"].items():
            addresses[node].append(f"{end['interface']} {' '.join(end['addresses'])}")
    nodes = {
        node: {"kind": spec["kind"], "addresses": ", ".join(addresses[node])} for node, spec in network["nodes"].items()
    }
    code, out, err = collect(record, "daemons")
    if code:
        raise BrokenError(f"the daemons could not be asked: {err.decode(errors='replace').strip()}")
    impaired = {name: link["impair"] for name, link in network["links"].items() if link["impair"]}
    return {"nodes": nodes, "impaired": impaired, "daemons": json.loads(out)}


def _line(record: Record) -> str:
    clock = ", virtual clock" if record.clock == "virtual" else ""
    return (
        f"{record.name}: {record.state}, {record.topology} on the {record.kernel} kernel{clock}, since {record.started}"
    )


def _trouble(daemon: dict[str, Any]) -> str:
    return f" ({daemon['error']})" if daemon.get("error") else ""


def _sa(sa: dict[str, Any]) -> str:
    children = ", ".join(f"{child['name']} {child['state']}" for child in sa["children"])
    return f"{sa['name']}: {sa['state']}, {sa['role']}, {sa['spi_i']}_i {sa['spi_r']}_r; {children or 'no children'}"
