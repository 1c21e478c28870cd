"""`ikelab decode FILE.pcapng`: the message ladder of a capture, in the terminal."""

import json
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Column, Table

from lab.errors import BrokenError, ConfigError
from lab.evidence import capture, keys, ladder, places
from lab.evidence.steps import title

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.argument("file", type=FILE)
@click.option("--keys", "key_file", type=FILE, help="keys.json; by default the one beside the capture.")
@click.option("--json", "as_json", is_flag=True, help="Print the ladder as JSON.")
def decode(file: Path, key_file: Path | None, as_json: bool) -> None:
    """Print the message ladder of a capture, decrypted as far as keys are known."""
    known = keys.read(key_file or file.with_name("keys.json"))
    try:
        frames = capture.read(file)
    except BrokenError as error:  # here it is the user's file, not the lab's
        raise ConfigError(f"not a pcapng capture: {error}", file=str(file)) from error
    entries = ladder.build(frames, known, places.read(file.with_name("topology.json")))
    if as_json:
        click.echo(json.dumps({"schema": "ikelab.ladder/1", "messages": entries}))
    else:
        Console(soft_wrap=True).print(_table(entries))


def _table(entries: list[dict[str, Any]]) -> Table:
    table = Table("n", "sent (s)", "took (ms)", "from", "to", Column("message", overflow="fold"), "fate")
    first = entries[0]["t_sent"] if entries else 0.0
    for entry in entries:
        taken = "" if entry["t_received"] is None else f"{(entry['t_received'] - entry['t_sent']) * 1000:.3f}"
        place = (str(entry["n"]), f"{entry['t_sent'] - first:.6f}", taken, entry["from"], entry["to"] or "")
        table.add_row(*place, _words(entry), _fate(entry))
    return table


def _words(entry: dict[str, Any]) -> str:
    if entry["exchange"] is None:
        inner = f": {entry['inner']}" if entry.get("inner") else ""
        number = "" if entry["seq"] is None else f" {entry['spi']} seq {entry['seq']}"
        return f"{entry['protocol']}{number}{inner}"
    return f"{title(entry)} {{{' '.join(entry['payloads'])}}}"


def _fate(entry: dict[str, Any]) -> str:
    again = "" if entry["retransmit_of"] is None else f"again {entry['retransmit_of']}"
    return " ".join(word for word in (again, "lost" if entry["lost"] else "", entry.get("note", "")) if word)
