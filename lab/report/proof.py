"""Which results of a run prove something: what a table names, found among what was run.

Rules of this file: a name is that of one scenario, or of a family when it ends in a slash; what was not run is said
with the command that runs it.
"""

import shlex
from collections.abc import Iterable
from dataclasses import dataclass

from lab.report.model import Result, Verdict


@dataclass(frozen=True, slots=True)
class Proof:
    """What is shown, in words, and the scenario (`nat/forced/left`) or family (`nat/forced/`) that shows it."""

    what: str
    select: str

    @property
    def family(self) -> bool:
        """Whether several scenarios may be meant."""
        return self.select.endswith("/")

    @property
    def command(self) -> str:
        """The command that runs it."""
        return f"ikelab run {shlex.quote(self.select)}"

    @property
    def group(self) -> str:
        """The group of its scenarios."""
        return self.select.partition("/")[0]

    def means(self, scenario: str) -> bool:
        """Whether this scenario id is meant."""
        return scenario.startswith(self.select) if self.family else scenario == self.select

    def found(self, results: Iterable[Result]) -> list[Result]:
        """Its results, in their order."""
        return [one for one in results if self.means(one.id)]


def worst(results: Iterable[Result]) -> Verdict | None:
    """The gravest verdict; what is unsupported counts only if nothing else is there. None without results."""
    found = {one.verdict for one in results}
    tried = found - {Verdict.UNSUPPORTED}
    return min(tried or found, key=lambda verdict: verdict.gravity, default=None)
