"""`ikelab gate`: the packet gates of a running lab; filters and actions are those of docs/gate.md."""

import json
from collections.abc import Callable
from typing import Any

import click

from lab.cli.live import ask, lab_option, places
from lab.life import records

SCHEMA = "ikelab.gate-rules/1"
at_option = click.option(
    "--at", default="", metavar="PLACE", shell_complete=places,
    help="A router, a NAT box or a link next to one; between left and right without it.",
)  # fmt: skip
for_option = click.option("--for", "seconds", help="So long at most: 5s, 20ms.")
Command = Callable[..., Any]


@click.group()
def gate() -> None:
    """Drop, hold, release, double, swap, delay or change packets of a running lab.

    FILTER says which packets: `ikelab gate drop "2nd IKE_AUTH response"`, `... hold CREATE_CHILD_SA request from left`.
    """


def _rule(action: str, about: str, *options: Callable[[Command], Command]) -> None:
    """A command that puts a rule of this action in force."""

    def place(words: tuple[str, ...], at: str, name: str, **given: Any) -> None:
        named = {"for" if key == "seconds" else key: value for key, value in given.items() if value is not None}
        rule = {"action": action, "filter": " ".join(words), **named}
        found = ask(records.choose(name), "gate-place", at=at, rule=rule)
        click.echo(f"rule {found['rule']} at {found['node']}, in {found['ran']}")

    place.__doc__ = about
    for option in (*options, at_option, lab_option, click.argument("words", metavar="FILTER", nargs=-1, required=True)):
        place = option(place)
    gate.command({"duplicate": "dup"}.get(action, action))(place)


_rule("drop", "Drop the packets that FILTER means.")
_rule(
    "hold", "Hold them until they are released, or until a packet comes that another filter means.", for_option,
    click.option("--until", metavar="FILTER", help="Release them when such a packet comes."),
)  # fmt: skip
_rule(
    "delay",
    "Let them go on so much later.",
    click.option("--for", "seconds", required=True, help="How long: 5s, 20ms."),
)
_rule("duplicate", "Let them go on twice.")
_rule("swap", "Let each go on right behind the next of its kind from its side.", for_option)
_rule(
    "corrupt", "Change one octet of them.",
    click.option("--octet", type=int, default=0, show_default=True, help="Counted from 0."),
    click.option("--mask", type=int, default=255, show_default=True, help="Changed by exclusive or with this."),
)  # fmt: skip
_rule("record", "Keep their octets in the gate's record, and let them pass.")


@gate.command()
@click.argument("rule", type=int, required=False)
@lab_option
def release(rule: int | None, name: str) -> None:
    """Let go what RULE holds (all rules without it)."""
    found = ask(records.choose(name), "gate-release", **({} if rule is None else {"rule": rule}))
    click.echo(f"{found['released']} released")


@gate.command()
@click.argument("rule", type=int)
@lab_option
def remove(rule: int, name: str) -> None:
    """Take RULE away; what it holds goes on."""
    ask(records.choose(name), "gate-remove", rule=rule)


@gate.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@lab_option
def show(name: str, *, as_json: bool) -> None:
    """Show the rules in force, with what they have seen and done."""
    rules = ask(records.choose(name), "gate-show")
    if as_json:
        click.echo(json.dumps({"schema": SCHEMA, "rules": rules}))
        return
    for one in rules:
        counts = f"seen {one['seen']}, acted {one['acted']}, held {one['held']}"
        click.echo(f"{one['rule']}: {one['words']} at {one['node']}, in {one['ran']}: {counts}")


@gate.command()
@at_option
@lab_option
def events(at: str, name: str) -> None:
    """Print the record of a gate as JSON lines."""
    for event in ask(records.choose(name), "gate-events", at=at):
        click.echo(json.dumps(event))
