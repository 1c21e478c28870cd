"""Progress of what takes its time, on stderr: a bar per step with the time left, or a line per step for a file."""

from collections.abc import Iterator
from contextlib import contextmanager

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

ERRORS = Console(stderr=True)


class Bars:
    """Called with a step, how much of it is done, and how much there is; see `lab.progress`."""

    def __init__(self, progress: Progress, *, lines: bool) -> None:
        self._progress, self._lines = progress, lines
        self._tasks: dict[str, TaskID] = {}

    def __call__(self, what: str, done: int, total: int) -> None:
        """Show that `done` of `total` of a step is finished; a total of 0 is unknown."""
        if what not in self._tasks:
            self._tasks[what] = self._progress.add_task(what, total=total or None)
            if self._lines:
                click.echo(f"ikelab: {what}", err=True)
        self._progress.update(self._tasks[what], completed=done, total=total or None)


@contextmanager
def bars(*, lines: bool = False) -> Iterator[Bars]:
    """Bars for as long as the work goes on; with `lines`, each step is a line where stderr is no terminal."""
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    terminal = ERRORS.is_terminal
    with Progress(*columns, console=ERRORS, disable=not terminal, transient=not lines) as progress:
        yield Bars(progress, lines=lines and not terminal)
