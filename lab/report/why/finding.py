"""One thing that bears on why a negotiation failed."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """`node` said or did it at `t` (seconds since 1970); `proof` is the message or the line of a log.

    `refusal` marks what ended an exchange or left it without an answer, which is `unanswered` then; `reason` what a
    daemon gave as its reason, `offered` what a daemon that was refused had offered. The reasons of a refusal
    are those of `silent`, who had the message and did not answer, or else those of `node` itself.
    """

    t: float
    node: str
    words: str
    proof: str
    refusal: bool = False
    reason: bool = False
    offered: bool = False
    silent: str = ""
    unanswered: bool = False
