"""Progress of a run on stderr: a bar on a terminal, one line per finished scenario anywhere else."""

import statistics
import sys
from collections.abc import Mapping, Sequence
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.text import Text

from lab.evidence.results import Result
from lab.run import durations

STYLES = {"passed": "green", "failed": "bold red", "unsupported": "dim", "unresolved": "bold yellow", "flaky": "yellow"}
# A verdict is told by word and sign, never by colour alone.
SIGNS = {"passed": "ok", "failed": "XX", "unsupported": "--", "unresolved": "!!", "flaky": "~~"}


class Screen:
    """What the user sees while a run goes on.

    The bar advances by what scenarios usually take (`durations`), so that the time left is more than a count.
    """

    def __init__(self, ids: Sequence[str], stream: TextIO | None = None, *, bar: bool = True) -> None:
        """`ids` are the scenarios to come, one for each result; `bar`: not where somebody is asked."""
        self.console = Console(file=stream or sys.stderr, highlight=False, soft_wrap=True)
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[done]}/{task.fields[count]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("left"),
            console=self.console,
            transient=True,
            disable=not (bar and self.console.is_terminal),
            speed_estimate_period=120.0,
        )
        self._done, self._count, self._seconds = 0, len(ids), _seconds(ids)
        self._task = self._bar.add_task("booting", total=self._seconds, done=0, count=self._count)

    def __enter__(self) -> "Screen":
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def now(self, running: Sequence[str]) -> None:
        """Name what is running."""
        self._bar.update(self._task, description=", ".join(running) or "checking")

    def step(self, what: str, done: int, total: int) -> None:
        """What comes behind the scenarios; see `lab.progress`."""
        self._bar.update(self._task, description=f"{what} ({done} of {total})")

    def more(self, ids: Sequence[str]) -> None:
        """There is more to do than was thought (a retry)."""
        self._count += len(ids)
        self._seconds += _seconds(ids)
        self._bar.update(self._task, total=self._seconds, count=self._count)

    def result(self, result: Result, refused: Sequence[str] = ()) -> None:
        """One scenario has its verdict; `refused` says what was refused in it and why, a sentence each."""
        line = Text()
        line.append(f"{SIGNS[result.verdict]} {result.verdict:<11}", style=STYLES[result.verdict])
        took = f"{result.duration_s:6.2f} s" if result.duration_s is not None else "        "
        line.append(f" {took}  {result.id}  {result.pairing}")
        if result.reason and result.verdict != "passed":
            line.append(f"\n   {result.reason}", style="dim" if result.verdict == "unsupported" else "")
        for sentence in refused:
            line.append(f"\n   {sentence}", style="dim")
        self.console.print(line)
        self._done += 1
        self._bar.update(self._task, advance=durations.of_id(result.id), done=self._done)

    def say(self, text: str) -> None:
        """A sentence, above the bar."""
        self.console.print(Text(text))


def _seconds(ids: Sequence[str]) -> float:
    return sum(map(durations.of_id, ids))


def summary(results: Sequence[Result], counts: Mapping[str, int], duration_s: float) -> str:
    """The last line of a run."""
    times = sorted(result.duration_s for result in results if result.duration_s is not None)
    parts = [f"{count} {word}" for word, count in counts.items() if count]
    text = f"{', '.join(parts) or 'nothing ran'} in {duration_s:.1f} s"
    if times:
        text += f"; a scenario takes {statistics.median(times):.2f} s (median), {times[-1]:.2f} s at most"
    return text
