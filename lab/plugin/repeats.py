"""What RFC 7296 2.1 to 2.3 say must be seen when one message of an exchange is lost, doubled, late or out of order.

    lost        it never arrives                      duplicated  it arrives twice
    late        it arrives after its repeat           swapped     it arrives right behind its repeat

Rules of this file:
- Facts come from the ladder (sight.Entry) of one exchange: its requests and responses, repeats included.
- A request is repeated only as long as no response has come; a response only because a request came again (2.1). Both
  repeats are bit for bit what was sent first, under the same message ID (2.1, 2.2).
- A request that comes again while the first is at work has no answer yet that could be sent again. One that comes when
  a later one has come need not be answered: the window has moved on (2.3). Neither may do anything else.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from lab.plugin import proofs
from lab.plugin.sight import Entry, Ladder, line

FAULTS = ("lost", "duplicated", "late", "swapped")
AT_ONCE_S = 0.001
LATE_S = 6.0  # beyond the first retransmission, before the second


@dataclass(frozen=True, slots=True)
class Round:
    """One exchange with one fault: who asks, which of its messages suffers, and when (seconds since 1970) it was."""

    exchange: str
    fault: str
    response: bool
    asker: str
    began: float
    ended: float

    def __str__(self) -> str:
        return f"{self.exchange} {'response' if self.response else 'request'}, {self.asker} asking, {self.fault}"

    def messages(self, ladder: Ladder) -> tuple[list[Entry], list[Entry]]:
        """Requests and responses of the exchange: the first of its kind that the asker began in that time."""
        within = [e for e in ladder.ike(self.exchange) if self.began <= e["t_sent"] <= self.ended]
        requests = [e for e in within if not e["response"] and e["from"] == self.asker]
        assert requests, f"{self}: no request was sent: {ladder.words()}"
        same = [e for e in within if _exchange(e) == _exchange(requests[0])]
        answers = [e for e in same if e["response"] and e["from"] != self.asker]
        return [e for e in same if not e["response"] and e["from"] == self.asker], answers


def _exchange(entry: Entry) -> tuple[int, str]:
    """What the messages of an exchange of an asker have in common: message ID and the initiator's SPI."""
    return entry["message_id"], entry["spi"][:16]


def judge(one: Round, ladder: Ladder, schedule: Sequence[float], tolerance: float) -> str:
    """What was seen, in words; AssertionError where it is not as the RFC has it. `schedule` is that of the requests."""
    requests, responses = one.messages(ladder)
    repeats = 1 if one.fault == "duplicated" else 2
    proofs.schedule(requests, schedule[:repeats], tolerance)
    _alike(one, responses)
    _suffered(one, (responses if one.response else requests)[0])
    arrived = sum(not e["lost"] for e in requests) + sum(e.get("duplicates", 0) for e in requests)
    least = 1 + sum(_wants_answer(e, responses[0], ladder) for e in requests)
    found = f"{arrived} requests arrived, {len(responses)} responses were sent"
    assert least <= len(responses) <= arrived, f"{one}: {found}, not at least {least}"
    begun = [e for e in ladder.ike(one.exchange, response=False, sender=one.asker, again=False) if _within(one, e)]
    assert len(begun) == 1, f"{one}: {len(begun)} exchanges came of it, not one"
    unanswered = arrived - len(responses)
    silence = f"; {unanswered} that came while the first was at work, or too late, unanswered" if unanswered else ""
    return f"{len(requests)} equal requests, {len(responses)} equal responses{silence}"


def _wants_answer(request: Entry, answer: Entry, ladder: Ladder) -> bool:
    """Whether a request that came again must be answered again: an answer was out, and no later request had come."""
    if request["lost"] or request["t_received"] <= answer["t_sent"] + AT_ONCE_S:
        return False
    later = [e for e in ladder.ike(response=False, sender=request["from"]) if e["spi"][:16] == request["spi"][:16]]
    came = [e["t_received"] for e in later if e["message_id"] > request["message_id"] and not e["lost"]]
    return bool(min(came, default=request["t_received"]) >= request["t_received"])


def _within(one: Round, entry: Entry) -> bool:
    return bool(one.began <= entry["t_sent"] <= one.ended)


def _alike(one: Round, responses: Sequence[Entry]) -> None:
    assert responses, f"{one}: no response was sent"
    other = [e for e in responses[1:] if e["retransmit_of"] != responses[0]["n"]]
    assert not other, f"{one}: a response to the same request differs from the first: {line(other[0])}"


def _suffered(one: Round, entry: Entry) -> None:
    """The fault did happen, to this message."""
    took = None if entry["lost"] else entry["t_received"] - entry["t_sent"]
    happened = {
        "lost": entry["lost"],
        "duplicated": entry.get("duplicates", 0) == 1,
        "late": took is not None and abs(took - LATE_S) < 0.1,
        "swapped": took is not None and took > 1.0,
    }
    assert happened[one.fault], f"{one}: that did not happen to the first: {line(entry)}, under way for {took} s"
