"""Divide scenarios among guests.

Rules: a scenario that needs real time goes to a guest with a real clock, all others share guests with virtual time;
neighbours in the list go to different guests, because neighbours cost alike; a guest is worth its boot only for a
handful of scenarios; attempts never share a guest.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from lab.plugin.meta import Scenario

WORTH_A_GUEST = 4


@dataclass(frozen=True, slots=True)
class Batch:
    """What one guest runs."""

    number: int
    virtual: bool
    attempt: int
    scenarios: tuple[Scenario, ...]


def divide(
    scenarios: Sequence[Scenario], jobs: int, *, attempt: int = 1, first: int = 1, virtual: bool = True
) -> list[Batch]:
    """Batches for these scenarios; `virtual=False` where no virtual time is to be had (the host's kernel)."""
    patient = [one for one in scenarios if virtual and one.clock != "real"]
    hasty = [one for one in scenarios if one not in patient]
    batches: list[Batch] = []
    for group, clock in ((patient, True), (hasty, False)):
        width = min(jobs, -(-len(group) // WORTH_A_GUEST))
        for start in range(width):
            share = tuple(group[start::width])
            batches.append(Batch(first + len(batches), clock, attempt, share))
    return batches


def left_over(batch: Batch, finished: set[tuple[str, str]]) -> list[Scenario]:
    """The scenarios of a batch that have no result."""
    return [one for one in batch.scenarios if (one.id, str(one.pairing)) not in finished]
