"""From how a test function ended to a verdict.

passed      it returned, and the checks of the evidence held
failed      an assertion did not hold, or a peer died: this is about the peers
unsupported a peer lacks what the scenario needs
unresolved  anything else: the lab broke, or the scenario has a bug; says nothing about the peers
"""

from dataclasses import dataclass
from typing import Final

import pytest

from lab.evidence.results import VerdictWord
from lab.peers.base import PeerFault, Unsupported

PASSED: Final = "passed"
FAILED: Final = "failed"
UNSUPPORTED: Final = "unsupported"
UNRESOLVED: Final = "unresolved"
ABOUT_PEERS = (AssertionError, PeerFault, pytest.fail.Exception)


@dataclass(frozen=True, slots=True)
class Verdict:
    """A verdict's word and one sentence why."""

    word: VerdictWord
    reason: str = ""


def judge(error: BaseException | None) -> Verdict:
    """The verdict on a test function that ended with this exception, or with none."""
    if error is None:
        return Verdict(PASSED)
    if isinstance(error, pytest.skip.Exception | Unsupported):
        return Verdict(UNSUPPORTED, sentence(error))
    if isinstance(error, ABOUT_PEERS):
        return Verdict(FAILED, sentence(error))
    if isinstance(error, KeyboardInterrupt):
        return Verdict(UNRESOLVED, "interrupted")
    return Verdict(UNRESOLVED, f"{type(error).__name__}: {sentence(error)}")


def sentence(error: BaseException) -> str:
    """The message of an error: its own words, without the introspection that pytest appends below them."""
    return str(error).strip().partition("\n")[0] or type(error).__name__
