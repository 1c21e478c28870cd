"""`ikelab link set`: impair a link of a running lab."""

import json

import click

from lab.cli.live import ask, lab_option, links, nodes
from lab.errors import ConfigError
from lab.life import records

IMPAIRMENTS = ("delay", "jitter", "loss", "bursts", "reorder", "duplicate", "corrupt", "rate", "mtu")
NONE = "none"


@click.group()
def link() -> None:
    """Change the links of a running lab."""


@link.command("set")
@click.argument("link_name", metavar="LINK", shell_complete=links)
@click.option("--from", "sender", default="", metavar="NODE", shell_complete=nodes, help="Only packets of this end.")
@click.option("--delay", help="One way: 20ms, 1.5s; `none` takes it away, as for all of these.")
@click.option("--jitter", help="How much the delay varies: 5ms.")
@click.option("--loss", help="How many packets are lost: 1%.")
@click.option("--bursts", help="Losses in bursts: begin=1%,end=25%, and loss= within one, between= outside.")
@click.option("--reorder", help="How many packets overtake those that are delayed: 5%.")
@click.option("--duplicate", help="How many packets arrive twice: 1%.")
@click.option("--corrupt", help="How many packets have a bit turned over: 1%.")
@click.option("--rate", help="At most so fast: 10mbit.")
@click.option("--mtu", help="The largest IP packet, in octets.")
@lab_option
def set_(link_name: str, sender: str, name: str, **given: str | None) -> None:
    """Have LINK delay, lose or slow down packets from now on, both ways or those of one end."""
    changes = {key: _value(key, text) for key, text in given.items() if text is not None}
    if not changes:
        raise ConfigError(f"say what is to change: {', '.join(f'--{key}' for key in IMPAIRMENTS)}")
    found = ask(records.choose(name), "link-set", link=link_name, changes=changes, **{"from": sender})
    click.echo(json.dumps(found))


def _value(key: str, text: str) -> str | int | dict[str, str] | None:
    if text == NONE:
        return None
    if key == "bursts":
        return _bursts(text)
    if key == "mtu":
        if not text.isdecimal():
            raise ConfigError(f"--mtu {text}: a number of octets, or none")
        return int(text)
    return text


def _bursts(text: str) -> dict[str, str]:
    """`begin=1%,end=25%` as the mapping that a topology file has."""
    found = dict(part.strip().partition("=")[::2] for part in text.split(","))
    if not all(found.values()):
        raise ConfigError(f"--bursts {text}: begin=1%,end=25%, and loss= or between= where wanted; or none")
    return found
