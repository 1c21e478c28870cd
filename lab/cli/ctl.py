"""`ikelab ctl`: commands to a running daemon: by its control socket, or by the node of a running lab that it is in."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import click

from lab.cli.in_lab import InLab, Talk
from lab.daemon.client import Client, Refused

FAILED = 1
STATS_SCHEMA = "ikelab.stats/1"
T = TypeVar("T")


Place = Path | tuple[str, str]  # a control socket, or a lab and a node of it


class OfANode(click.Group):
    """A group whose commands may stand behind the name of a node."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Take the node away from in front of the command."""
        for place, word in enumerate(args):
            if word in self.commands:
                break
            if not word.startswith("-") and (place == 0 or args[place - 1] not in ("--control", "--lab")):
                ctx.meta["node"] = args.pop(place)
                break
        return super().parse_args(ctx, args)


@click.group(cls=OfANode, subcommand_metavar="[NODE] COMMAND [ARGS]...")
@click.option("--control", type=click.Path(path_type=Path), help="The socket given to `ikelab daemon --control`.")
@click.option("--lab", "name", default="", metavar="NAME", help="The lab that NODE is of, where several are up.")
@click.pass_context
def ctl(context: click.Context, control: Path | None, name: str) -> None:
    """Give a command to a running daemon; exit code 1 when it could not do it.

    The daemon is the one in NODE of a running lab, or the one that listens at --control.
    """
    node = context.meta.get("node", "")
    if bool(node) == (control is not None):
        raise click.UsageError("say which daemon: a NODE of a running lab, or --control SOCKET")
    context.obj = control or (name, node)


def _ask(place: Place, use: Callable[[Talk], T]) -> T:
    """Talk to the daemon; a refusal is one sentence and exit code 1."""
    try:
        if isinstance(place, Path):
            with Client(place) as client:
                return use(client)
        return use(InLab(*place))
    except Refused as refusal:
        click.echo(f"ikelab: {refusal}", err=True)
        sys.exit(FAILED)


def _show_event(fields: dict[str, object]) -> None:
    rest = " ".join(f"{name}={value}" for name, value in fields.items() if name != "event")
    click.echo(f"{fields.get('event')} {rest}", err=True)


timeout_option = click.option("--timeout", type=click.FloatRange(min=0), help="Seconds to wait for the outcome.")


@ctl.command()
@click.argument("child")
@timeout_option
@click.pass_obj
def initiate(control: Place, child: str, timeout: float | None) -> None:
    """Bring CHILD up and wait until it is."""
    _ask(control, lambda client: client.call("initiate", on_event=_show_event, child=child, timeout=timeout))


@ctl.command()
@click.argument("name", required=False)
@click.option("--child", "is_child", is_flag=True, help="NAME is a child, also where an IKE SA has the same name.")
@timeout_option
@click.pass_obj
def terminate(control: Place, name: str | None, is_child: bool, timeout: float | None) -> None:
    """Delete the IKE SAs called (or numbered) NAME, else the children called NAME; without NAME everything."""

    def use(client: Talk) -> object:
        what = _meant(client, name, is_child)
        return client.call("terminate", on_event=_show_event, timeout=timeout, **what)

    _ask(control, use)


def _meant(client: Talk, name: str | None, is_child: bool) -> dict[str, object]:
    if name is None:
        return {}
    sas = _sas(client)
    ikes = {str(value) for sa in sas for value in (sa["name"], sa.get("number"))}
    return {"ike": name} if name in ikes and not is_child else {"child": name}


def _sas(client: Talk) -> list[dict[str, object]]:
    sas = client.call("list-sas")
    assert isinstance(sas, list)
    return sas


@ctl.command()
@click.argument("name")
@click.option("--child", "is_child", is_flag=True, help="NAME is a child, also where an IKE SA has the same name.")
@timeout_option
@click.pass_obj
def rekey(control: Place, name: str, is_child: bool, timeout: float | None) -> None:
    """Replace the keys of the IKE SAs called (or numbered) NAME, else of the children called NAME."""

    def use(client: Talk) -> object:
        return client.call("rekey", on_event=_show_event, timeout=timeout, **_meant(client, name, is_child))

    _ask(control, use)


@ctl.command()
@click.argument("ike", required=False)
@click.pass_obj
def liveness(control: Place, ike: str | None) -> None:
    """Ask the peer of IKE (all peers without it) whether it lives."""
    _ask(control, lambda client: client.call("liveness", ike=ike))


@ctl.command()
@click.argument("ike", required=False)
@click.option("--from", "local", help="Our address to go on from; without it the one in use.")
@timeout_option
@click.pass_obj
def move(control: Place, ike: str | None, local: str | None, timeout: float | None) -> None:
    """Have the peer of IKE (all peers without it) update our addresses with MOBIKE, and wait until it has."""

    def use(client: Talk) -> object:
        return client.call("move", on_event=_show_event, ike=ike, local=local, timeout=timeout)

    _ask(control, use)


@ctl.command()
@click.argument("gateway")
@click.argument("ike", required=False)
@click.pass_obj
def redirect(control: Place, gateway: str, ike: str | None) -> None:
    """Send the peer of IKE (all peers without it) to GATEWAY, an address or a name (RFC 5685)."""
    _ask(control, lambda client: client.call("redirect", gateway=gateway, ike=ike))


@ctl.command("list-sas")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_obj
def list_sas(control: Place, as_json: bool) -> None:
    """Show all IKE SAs and their children."""
    sas = _ask(control, _sas)
    if as_json:
        click.echo(json.dumps({"schema": "ikelab.sas/1", "sas": sas}))
        return
    for sa in sas:
        click.echo(_ike_line(sa))
        children = sa["children"]
        assert isinstance(children, list)
        for child in children:
            click.echo(_child_line(child))


def _ike_line(sa: dict[str, object]) -> str:
    ends = [f"{sa[f'{side}_host']}[{sa[f'{side}_port']}]" for side in ("local", "remote")]
    return f"{sa['name']}: {sa['state']}, {sa['role']}, {' - '.join(ends)}, {sa['spi_i']}_i {sa['spi_r']}_r"


def _child_line(child: dict[str, object]) -> str:
    sides = [", ".join(map(str, child[side])) for side in ("local_ts", "remote_ts")]  # type: ignore[call-overload]
    protocol = f"{child['protocol']}{' in UDP' if child['encap'] else ''}"
    return (
        f"  {child['name']}: {child['state']}, {child['mode']}, {protocol}, "
        f"{child['spi_in']}_in {child['spi_out']}_out, {sides[0]} === {sides[1]}, "
        f"in {child['packets_in']} packets {child['bytes_in']} octets, "
        f"out {child['packets_out']} packets {child['bytes_out']} octets"
    )


@ctl.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_obj
def stats(control: Place, as_json: bool) -> None:
    """Show the daemon's counters: tables, dropped packets by reason, turns of its loop."""
    found = _ask(control, lambda client: client.call("stats"))
    assert isinstance(found, dict)
    if as_json:
        click.echo(json.dumps({"schema": STATS_SCHEMA, **found}))
        return
    for part in ("endpoint", "drops", "loop"):
        for name, value in found[part].items():
            click.echo(f"{part:9} {name}: {value}")


@ctl.command()
@click.pass_obj
def events(control: Place) -> None:
    """Print events as JSON lines until the daemon ends."""

    def use(client: Talk) -> None:
        for event in client.events():
            click.echo(json.dumps(event))

    _ask(control, use)


@ctl.command()
@click.pass_obj
def stop(control: Place) -> None:
    """End the daemon: delete all SAs first."""
    _ask(control, lambda client: client.call("stop"))
