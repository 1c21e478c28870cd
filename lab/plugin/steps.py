"""The steps of a scenario: what it was doing, when, and how each step ended."""

from collections.abc import Callable

from lab.evidence.results import Step, VerdictWord
from lab.plugin.verdict import PASSED, UNRESOLVED, Verdict


class Steps:
    """A list of steps of which at most the last is open. A new step closes the one before as passed."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock, self._began = clock, clock()
        self._open: Step | None = None
        self.done: list[Step] = []

    @property
    def now(self) -> float:
        """Seconds since the scenario began."""
        return self._clock() - self._began

    @property
    def current(self) -> str:
        """The name of the open step, or of the last one."""
        return self.done[-1].name if self.done else ""

    def begin(self, name: str, detail: str = "") -> None:
        """Open a step."""
        self._close(PASSED)
        self._open = Step(name=name, verdict=UNRESOLVED, at_s=round(self.now, 6), detail=detail)
        self.done.append(self._open)

    def note(self, detail: str) -> None:
        """Say more about the step that is open."""
        if self._open is not None:
            self._open.detail = "; ".join(part for part in (self._open.detail, detail) if part)

    def add(self, name: str, verdict: VerdictWord, detail: str = "") -> None:
        """Add a step that is over already."""
        self._close(PASSED)
        self.done.append(Step(name=name, verdict=verdict, at_s=round(self.now, 6), detail=detail))

    def end(self, verdict: Verdict) -> None:
        """Close the open step with the scenario's verdict; a reason goes to its detail."""
        if self._open is not None and verdict.reason:
            self.note(verdict.reason)
        self._close(verdict.word)

    def _close(self, verdict: VerdictWord) -> None:
        if self._open is not None:
            self._open.verdict = verdict
            self._open = None
