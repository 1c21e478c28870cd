"""Collisions (RFC 7296 2.25): both sides begin something at once, and the four messages arrive in every possible order.

    LQ, RQ    the requests of left and right, both sent before either arrives
    LR, RR    the responses to them: LR comes from right, RR from left
    order     one of the six in which each response arrives after its request; `said` has it in words

Rules of this file:
- What 2.25 says is a SHOULD for a responder that is at something itself: rekeying, or closing. It is said here as the
  responses it may give (`expected`), by what it was at when the request arrived.
- A deviation names its side. Ours is a failure of the scenario; that of another peer is an observation.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from itertools import permutations
from typing import Any, Literal

SCHEMA = "ikelab.collisions/1"
ORDERS = [order for order in permutations(("LQ", "RQ", "LR", "RR")) if order.index("LQ") < order.index("LR")
          and order.index("RQ") < order.index("RR")]  # fmt: skip
STEPS = {"LQ": "left asks", "RQ": "right asks", "LR": "right answers", "RR": "left answers"}
BUSY, GONE = "N(TEMPORARY_FAILURE)", "N(CHILD_SA_NOT_FOUND)"
ACTIONS = ("rekey child", "rekey ike", "delete child", "delete ike")
SIDES = ("left", "right")


def said(order: Sequence[str]) -> str:
    """`left asks, right asks, right answers, left answers`."""
    return ", ".join(STEPS[message] for message in order)


def request(action: str, side: str) -> str:
    """The gate's filter for the request of an action."""
    return {
        "rekey child": f"CREATE_CHILD_SA request from {side} with N(REKEY_SA)",
        "rekey ike": f"CREATE_CHILD_SA request from {side} with SA without N(REKEY_SA)",
        "delete child": f"INFORMATIONAL request from {side} with D",
        "delete ike": f"INFORMATIONAL request from {side} with D",
    }[action]


def response(action: str, side: str) -> str:
    """The gate's filter for the response that the other side sends to it."""
    return f"{request(action, side).split()[0]} response from {other(side)}"


def other(side: str) -> str:
    """The other side."""
    return "right" if side == "left" else "left"


Stage = Literal["asking", "refused", "done"]


def expected(own: str, theirs: str, stage: Stage) -> tuple[str, ...]:
    """What a side may answer to a request while it is at something itself, as a payload of the response or `empty`.

    `stage` is how far its own request is: not answered yet, refused, or done; what it then does (closing the old SA)
    may be under way or over. Without anything in the tuple the request need not be answered at all.
    """
    if stage == "asking":
        return _at_it(own, theirs)
    if stage == "refused":
        return _at_nothing(theirs)
    if own == "delete ike":
        return ()
    if theirs == "rekey child":
        return (BUSY, GONE)  # the SA is being closed, or is gone (2.25.1)
    if theirs == "rekey ike":
        return (BUSY,) if own == "rekey ike" else (BUSY, "SA")  # 2.25.2; a child may still be closing (2.25.1)
    return ("D", "empty")


def _at_nothing(theirs: str) -> tuple[str, ...]:
    """What is answered as usual; a side that was refused may be at its next attempt already, and be busy with that."""
    if theirs.startswith("rekey"):
        return ("SA", BUSY)
    return ("D",) if theirs == "delete child" else ("empty",)


def _at_it(own: str, theirs: str) -> tuple[str, ...]:
    """The same before the response to its own request has come."""
    if theirs == "delete ike":
        return ("empty",)  # 2.25.2: reply as usual
    if theirs == "delete child":
        return ("empty",) if own == "delete child" else ("D",)  # 2.25.1, 2.25.2
    if own == theirs:
        return ("SA",)  # both rekey the same: reply as usual, and let the nonces decide
    return (BUSY,)  # a child while the IKE SA is rekeyed, the IKE SA while a child is, or what is being closed


def survivors(left: str, right: str) -> tuple[int, int]:
    """How many IKE SAs and CHILD SAs both sides have in the end, where nobody begins anything else."""
    actions = {left, right}
    if "delete ike" in actions:
        return 0, 0
    return 1, 0 if "delete child" in actions else 1


@dataclass(frozen=True, slots=True)
class Play:
    """One order, played: the responses' payloads (None: none came), the SAs of both sides in the end, the ping."""

    order: tuple[str, ...]
    answers: dict[str, list[str] | None]
    views: dict[str, tuple[int, int]]
    agree: bool
    sent: int
    lost: int
    deviations: dict[str, list[str]] = field(default_factory=dict)


def deviations(left: str, right: str, play: Play) -> Iterator[tuple[str, str]]:
    """(side, sentence) for everything that is not as 2.25 has it; the side is `both` where only the end is wrong."""
    actions = {"left": left, "right": right}
    for asker in SIDES:
        side = other(asker)
        stage = _stage(play, side)
        allowed = expected(actions[side], actions[asker], stage)
        got = play.answers[asker]
        if allowed and not any(_is(got, one) for one in allowed):
            at = {"asking": "while at", "refused": "refused in", "done": "done with"}[
                stage
            ] + f" its own {actions[side]}"
            found = "nothing" if got is None else " ".join(got) or "empty"
            yield side, f"answered {found} to the {actions[asker]} {at}, where {' or '.join(allowed)} was due"
    if not play.agree:
        yield (
            "both",
            f"the sides list different SAs: left {_sas(play.views['left'])}, right {_sas(play.views['right'])}",
        )
    elif play.views["left"] != survivors(left, right):
        yield "both", f"{_sas(play.views['left'])} are left, not {_sas(survivors(left, right))}"


def _sas(counts: Sequence[int]) -> str:
    """`1 IKE SA and 2 CHILD SAs`."""
    return " and ".join(f"{n} {kind} SA{'s' * (n != 1)}" for n, kind in zip(counts, ("IKE", "CHILD"), strict=True))


def _stage(play: Play, side: str) -> Stage:
    """How far a side's own request was when the other's came."""
    own, theirs = ("LR", "RQ") if side == "left" else ("RR", "LQ")
    if play.order.index(own) > play.order.index(theirs):
        return "asking"
    return "refused" if {BUSY, GONE} & set(play.answers[side] or ()) else "done"


def _is(got: list[str] | None, wanted: str) -> bool:
    return got is not None and (not got if wanted == "empty" else wanted in got)


def facts(left: str, right: str, plays: Sequence[Play]) -> dict[str, Any]:
    """collisions.json."""
    survive = survivors(left, right)
    return {
        "schema": SCHEMA,
        "left": left,
        "right": right,
        "survivors": {"ike": survive[0], "child": survive[1]},
        "plays": [asdict(play) for play in plays],
    }
