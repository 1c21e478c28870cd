"""Divide scenarios among guests.

Rules: a scenario that needs real time goes to a guest with a real clock, all others share guests with virtual time.
That stands still while somebody computes, so a peer that spins until another thread gets on would stop it for ever:
its scenarios have guests of their own, in which computing takes time as well. The longest come first, each to the guest
that has least to do (`durations` estimates), so that guests end together; a guest is worth its boot only for a handful
of scenarios; attempts never share a guest. A guest with a real clock mostly waits, so one of them does where it ends
before the others.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from lab.peers.registry import peer
from lab.plugin.meta import Scenario
from lab.run.durations import estimate

WORTH_A_GUEST = 4


@dataclass(frozen=True, slots=True)
class Batch:
    """What one guest runs."""

    number: int
    virtual: bool
    attempt: int
    scenarios: tuple[Scenario, ...]
    # Computing takes time as well; where time is real it always does.
    counts: bool = False


def divide(
    scenarios: Sequence[Scenario], jobs: int, *, attempt: int = 1, first: int = 1, virtual: bool = True
) -> list[Batch]:
    """Batches for these scenarios; `virtual=False` where no virtual time is to be had (the host's kernel)."""
    patient = [one for one in scenarios if virtual and one.clock != "real"]
    hasty = [one for one in scenarios if one not in patient]
    spinning = [one for one in patient if _spins(one)]
    calm = [one for one in patient if one not in spinning]
    batches: list[Batch] = []
    for group, clock, counts in ((calm, True, False), (spinning, True, True), (hasty, False, False)):
        width = min(jobs, -(-len(group) // WORTH_A_GUEST))
        if not clock and _seconds(group) <= _seconds(patient) / jobs:
            width = min(width, 1)
        batches += [
            Batch(first + len(batches) + n, clock, attempt, share, counts)
            for n, share in enumerate(_fair(group, width))
        ]
    return batches


def _spins(scenario: Scenario) -> bool:
    """Whether one of the two peers may poll in a loop (`Peer.spins`)."""
    return any(peer(name).spins for name in (scenario.pairing.initiator, scenario.pairing.responder))


def _fair(group: Sequence[Scenario], width: int) -> list[tuple[Scenario, ...]]:
    """`width` shares that take about the same time, the longest scenarios first in each; alike ones part."""
    shares: list[list[Scenario]] = [[] for _ in range(width)]
    loads = [0.0] * width
    for one in sorted(group, key=estimate, reverse=True):
        least = loads.index(min(loads))
        shares[least].append(one)
        loads[least] += estimate(one)
    return [tuple(share) for share in shares]


def _seconds(group: Sequence[Scenario]) -> float:
    return sum(map(estimate, group))


def left_over(batch: Batch, finished: set[tuple[str, str]]) -> list[Scenario]:
    """The scenarios of a batch that have no result."""
    return [one for one in batch.scenarios if (one.id, str(one.pairing)) not in finished]
