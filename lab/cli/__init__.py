"""The command `ikelab`: thin click commands, one file each; `main` turns the lab's errors into exit codes.

Data goes to stdout, logs and progress to stderr. The exit codes are part of the published contract (docs/contracts.md):
0 all passed, 1 a scenario failed, 2 usage or configuration, 3 unfit environment, 4 nothing selected, 5 the lab broke,
130 interrupted.
"""

import errno
import importlib
import sys

import click
from click.shell_completion import CompletionItem

from lab import __version__
from lab.errors import BrokenError, ConfigError, LabError, UnfitError

# name -> (module, attribute): a command's module is imported only when the command runs, so that `ikelab version`
# does not wait for scapy and mininet.
COMMANDS = {
    "run": ("lab.cli.run", "run"),
    "list": ("lab.cli.run", "list_"),
    "up": ("lab.cli.up", "up"),
    "down": ("lab.cli.down", "down"),
    "status": ("lab.cli.status", "status"),
    "exec": ("lab.cli.execute", "exec_"),
    "shell": ("lab.cli.execute", "shell"),
    "logs": ("lab.cli.logs", "logs"),
    "capture": ("lab.cli.capture", "capture"),
    "link": ("lab.cli.link", "link"),
    "nat": ("lab.cli.nat", "nat"),
    "gate": ("lab.cli.gate", "gate"),
    "decode": ("lab.cli.decode", "decode"),
    "peer": ("lab.cli.peer", "peer"),
    "validate": ("lab.cli.validate", "validate"),
    "daemon": ("lab.cli.daemon", "daemon"),
    "ctl": ("lab.cli.ctl", "ctl"),
    "doctor": ("lab.cli.doctor", "doctor"),
    "graph": ("lab.cli.graph", "graph"),
    "image": ("lab.cli.image", "image"),
    "report": ("lab.cli.report", "report"),
    "history": ("lab.cli.history", "history"),
    "explain": ("lab.cli.explain", "explain"),
    "completion": ("lab.cli.completion", "completion"),
    "version": ("lab.cli.version", "version"),
}
# What the completion scripts set (`ikelab completion`), whatever name we were called by.
COMPLETE = "_IKELAB_COMPLETE"
# Those of a run are `lab.run.main`'s, 4 (nothing selected) among them.
EXIT_FAILED, EXIT_USAGE, EXIT_UNFIT, EXIT_BROKEN, EXIT_INTERRUPTED = 1, 2, 3, 5, 130


class Commands(click.Group):
    """A group that imports the module of a command when the command is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names, in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return one command."""
        if cmd_name not in COMMANDS:
            return None
        module, attribute = COMMANDS[cmd_name]
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """The names that begin so: a shell that waits for them imports no command."""
        if incomplete.startswith("-"):
            return super().shell_complete(ctx, incomplete)
        return [CompletionItem(name) for name in COMMANDS if name.startswith(incomplete)]


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="ikelab")
def cli() -> None:
    """An IPsec interoperability lab: emulated NATs, our own IKE/ESP stack, real peers, proof from captured packets."""


def exit_code(error: BaseException) -> int | None:
    """The documented exit code of an error, or None for a bug that must surface."""
    match error:
        case ConfigError():
            return EXIT_USAGE
        case UnfitError():
            return EXIT_UNFIT
        case BrokenError() | LabError():
            return EXIT_BROKEN
        case KeyboardInterrupt():
            return EXIT_INTERRUPTED
        case OSError() if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES):
            return EXIT_UNFIT
    return None


def sentence(error: LabError | OSError) -> str:
    """Cause and next step; what was finished before a disk filled up stays where it is."""
    if not isinstance(error, OSError):
        return str(error)
    where = f" ({error.filename})" if error.filename else ""
    step = "free some space" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "change the permissions"
    return f"{error.strerror}{where}: {step} or choose another place, and run again; finished results are kept"


def usage(error: click.ClickException) -> str:
    """What is wrong with a command line, and where to read how it should be."""
    words = " ".join(error.format_message().split()).rstrip(".")
    context = error.ctx if isinstance(error, click.UsageError) else None
    return f"{words}; `{context.command_path} --help` shows how" if context else words


def main() -> None:
    """Run the command line; every expected failure is one sentence on stderr and its exit code."""
    try:
        sys.exit(cli.main(prog_name="ikelab", standalone_mode=False, complete_var=COMPLETE) or 0)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        sys.exit(error.exit_code)
    except click.ClickException as error:
        click.echo(f"ikelab: {usage(error)}", err=True)
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("ikelab: interrupted", err=True)
        sys.exit(EXIT_INTERRUPTED)
    except (LabError, OSError) as error:
        code = exit_code(error)
        if code is None:
            raise
        click.echo(f"ikelab: {sentence(error)}", err=True)
        sys.exit(code)
