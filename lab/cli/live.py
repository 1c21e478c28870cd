"""What the commands for a running lab have in common: which lab, one question, one job."""

import os
import shutil
import signal
import sys
import termios
import tty
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import click

from lab.life import records
from lab.life.client import Client
from lab.life.records import Record


def labs(ctx: click.Context, parameter: click.Parameter, typed: str) -> list[str]:
    """Names of labs that begin so."""
    return [name for name in records.names() if name.startswith(typed)]


lab_option = click.option(
    "--lab", "name", default="", metavar="NAME", help="Which lab, where several are up; also by IKELAB_LAB.",
    shell_complete=labs,
)  # fmt: skip


def _of_the_lab(what: Callable[[Any], Any]) -> Callable[[click.Context, click.Parameter, str], list[str]]:
    def complete(ctx: click.Context, parameter: click.Parameter, typed: str) -> list[str]:
        try:
            from lab.emulation import topology  # noqa: PLC0415  (only when a name is completed)

            record = records.choose(str(ctx.params.get("name") or ""))
            return [name for name in what(topology.load(record.topology_file)) if name.startswith(typed)]
        except Exception:  # noqa: BLE001  (a completion never complains)
            return []

    return complete


nodes = _of_the_lab(lambda topology: topology.nodes)
links = _of_the_lab(lambda topology: topology.links)
boxes = _of_the_lab(lambda topology: [name for name, spec in topology.nodes.items() if spec.kind == "nat"])
places = _of_the_lab(
    lambda topology: [
        *(name for name, spec in topology.nodes.items() if spec.kind in ("router", "nat")),
        *topology.links,
    ]
)


def ask(record: Record, command: str, **arguments: Any) -> Any:
    """The answer of a lab to a command that is done at once."""
    with Client(record.socket) as client:
        return client.ask(command, **arguments)


def collect(record: Record, command: str, **arguments: Any) -> tuple[int, bytes, bytes]:
    """Run a job to its end: its exit code, output and errors."""
    out, err = bytearray(), bytearray()
    with Client(record.socket) as client:
        code = client.run(command, arguments, out=out.extend, err=err.extend)
    return code, bytes(out), bytes(err)


def pass_through(record: Record, command: str, *, with_input: bool = False, **arguments: Any) -> int:
    """Run a job whose output is ours, and whose input where that is wanted; its exit code."""
    with Client(record.socket) as client:
        return client.run(
            command, arguments, out=writer(1), err=writer(2), input_from=sys.stdin.fileno() if with_input else -1
        )


def at_terminal(record: Record, **arguments: Any) -> int:
    """Run a program in a node at a terminal that is ours: raw, and of our size whenever that changes."""
    with ExitStack() as stack:
        told, tell = os.pipe()
        os.set_blocking(tell, False)
        stack.callback(os.close, told)
        stack.callback(os.close, tell)
        stack.callback(signal.signal, signal.SIGWINCH, signal.getsignal(signal.SIGWINCH))
        stack.callback(signal.set_wakeup_fd, signal.set_wakeup_fd(tell, warn_on_full_buffer=False))
        signal.signal(signal.SIGWINCH, lambda *_: None)
        stdin = sys.stdin.fileno()
        stack.callback(termios.tcsetattr, stdin, termios.TCSADRAIN, termios.tcgetattr(stdin))
        tty.setraw(stdin)
        client = stack.enter_context(Client(record.socket))
        arguments |= {"size": _size(), "term": os.environ.get("TERM", "")}
        return client.run("exec", arguments, out=writer(1), err=writer(2), input_from=stdin, resized=_size, wake=told)


def _size() -> tuple[int, int]:
    columns, rows = shutil.get_terminal_size()
    return rows, columns


def writer(descriptor: int) -> Callable[[bytes], None]:
    """Writes all of what it is given to a descriptor."""

    def write(data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(descriptor, rest) :]

    return write
