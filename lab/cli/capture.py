"""`ikelab capture LINK`: what passes a link of a running lab, live."""

import sys
from pathlib import Path

import click

from lab.cli.live import lab_option, links, writer
from lab.errors import ConfigError
from lab.life import records
from lab.life.client import Client
from lab.life.records import Record


@click.command()
@click.argument("link", shell_complete=links)
@click.option("-w", "--write", "target", default="-", show_default=True, help="File for the pcapng, or - for stdout.")
@click.option("--at", default="", metavar="NODE", help="Only as this end of the link sees it.")
@lab_option
def capture(link: str, target: str, at: str, name: str) -> int:
    """Capture what passes LINK from now on, until Ctrl-C: ikelab capture LINK -w - | wireshark -k -i -"""
    record = records.choose(name)
    if target == "-":
        if sys.stdout.isatty():
            raise ConfigError("pcapng on a terminal is of no use: give -w FILE, or pipe it into wireshark -k -i -")
        return _run(record, link, at, 1)
    with Path(target).open("wb", buffering=0) as file:
        return _run(record, link, at, file.fileno())


def _run(record: Record, link: str, at: str, descriptor: int) -> int:
    with Client(record.socket) as client:
        return client.run("capture", {"link": link, "at": at}, out=writer(descriptor), err=writer(2))
