"""`ikelab nat`: the NAT boxes of a running lab."""

import json
from typing import Any

import click

from lab.cli.live import ask, boxes, lab_option
from lab.errors import ConfigError
from lab.life import records

SCHEMA = "ikelab.nat/1"
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


@click.group()
def nat() -> None:
    """Look into the NAT boxes of a running lab, and change how they behave."""


@nat.command()
@click.argument("node", default="", shell_complete=boxes)
@json_option
@lab_option
def show(node: str, name: str, *, as_json: bool) -> None:
    """What NODE (all boxes without it) translates now, and what became of its mappings."""
    _print(ask(records.choose(name), "nat-show", node=node), as_json=as_json)


@nat.command()
@click.argument("node", shell_complete=boxes)
@click.option("--address", help="Another outside address of its own.")
@click.option("--ports", help="preserve, random or a range like 20000-29999.")
@click.option("--remap", multiple=True, metavar="PORT=OUTSIDE", help="A fixed outside port for a UDP source port.")
@json_option
@lab_option
def rebind(
    node: str, address: str | None, ports: str | None, remap: tuple[str, ...], name: str, *, as_json: bool
) -> None:
    """Have NODE forget its mappings, and map otherwise from now on."""
    changes = {key: value for key, value in (("address", address), ("ports", ports)) if value is not None}
    wishes: dict[str, Any] = {**changes, **({"remap": dict(map(_ports, remap))} if remap else {})}
    _print(ask(records.choose(name), "nat-rebind", node=node, changes=wishes), as_json=as_json)


@nat.command()
@click.argument("node", shell_complete=boxes)
@json_option
@lab_option
def reboot(node: str, name: str, *, as_json: bool) -> None:
    """Switch NODE off and on: it forgets all it has learnt."""
    _print(ask(records.choose(name), "nat-reboot", node=node), as_json=as_json)


@nat.command("set-timeout")
@click.argument("node", shell_complete=boxes)
@click.option("--udp", default="", help="For mappings that were not answered: 15s.")
@click.option("--stream", default="", help="For those that are long in use: 60s.")
@json_option
@lab_option
def set_timeout(node: str, udp: str, stream: str, name: str, *, as_json: bool) -> None:
    """Have NODE forget UDP mappings after so long without a packet."""
    if not udp and not stream:
        raise ConfigError("say which time is to change: --udp, --stream or both")
    _print(ask(records.choose(name), "nat-set-timeout", node=node, udp=udp, stream=stream), as_json=as_json)


def _ports(text: str) -> tuple[int, int]:
    inside, equals, outside = text.partition("=")
    if not (equals and inside.isdecimal() and outside.isdecimal()):
        raise ConfigError(f"--remap {text}: write PORT=OUTSIDE, like 4500=34500")
    return int(inside), int(outside)


def _print(facts: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"schema": SCHEMA, **facts}))
        return
    for box, behaviour in facts["boxes"].items():
        click.echo(f"{box}: {', '.join(f'{key} {value}' for key, value in behaviour.items())}")
    for one in facts["mappings"]:
        click.echo(f"  {one['node']}: {one['protocol']} {one['inside']} -> {one['outside']} with {one['remote']}")
    for one in facts["timeline"]:
        what = " ".join(str(one[key]) for key in ("protocol", "inside", "outside", "detail") if one.get(key))
        click.echo(f"  {one['t']:.3f} {one['node']} {one['event']} {what}".rstrip())
