"""One thing that bears on why a negotiation failed."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """`node` said or did it at `t` (seconds since 1970); `proof` is the message or the line of a log.

    `refusal` marks what ended an exchange or left it without an answer; `reason` what a daemon gave as its reason,
    `offered` what a daemon that was refused had offered. The reasons that belong to a refusal are those of `silent`,
    who did not answer, or else those of `node` itself.
    """

    t: float
    node: str
    words: str
    proof: str
    refusal: bool = False
    reason: bool = False
    offered: bool = False
    silent: str = ""
