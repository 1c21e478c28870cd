"""Several attempts at one scenario become one result.

Rules: a failure is never tried again, because that would hide it; what the lab broke is tried once more in a fresh
guest. Attempts that end differently make the scenario `flaky`, never `passed`. Attempt 1 keeps the scenario's
directory, later ones lie below it as `attempt-N`.
"""

from collections.abc import Sequence

from msgspec.structs import replace

from lab.evidence.results import Result


def merge(attempts: Sequence[Result]) -> Result:
    """The first attempt's result with the verdict on all of them."""
    first, words = attempts[0], [attempt.verdict for attempt in attempts]
    if len(set(words)) == 1:
        return replace(first, attempts=words)
    telling = next((attempt for attempt in attempts if attempt.verdict != "passed"), first)
    verdict = "flaky" if "passed" in words else "failed" if "failed" in words else telling.verdict
    number = attempts.index(telling) + 1
    reason = f"attempt {number} of {len(attempts)} was {telling.verdict}: {telling.reason}"
    return replace(first, verdict=verdict, reason=reason, attempts=words)


def failed(result: Result) -> bool:
    """Whether any attempt failed."""
    return "failed" in (result.verdict, *result.attempts)
