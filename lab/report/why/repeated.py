"""A message that is repeated until something follows, of either version of IKE, and the finding that nothing did."""

from dataclasses import dataclass

from lab.report import facts
from lab.report.facts import Facts
from lab.report.why.finding import Finding


@dataclass(slots=True)
class Repeated:
    """A message that waits: how often it was sent, how often it arrived, when last, and whether something followed."""

    entry: Facts
    times: int = 0
    arrived: int = 0
    answered: bool = False
    last: float = 0.0

    def again(self, entry: Facts) -> None:
        """It was sent (again)."""
        self.times += 1
        self.arrived += arrived(entry)
        self.last = sent(entry)

    @property
    def over_s(self) -> float:
        """Seconds from the first to the last time."""
        return self.last - sent(self.entry)

    def finding(self, words: str) -> Finding:
        """That it stayed without an answer; where it arrived, the log of who was silent may say why."""
        silent = facts.text(self.entry, "to") if self.arrived else ""
        sender, when = facts.text(self.entry, "from"), sent(self.entry)
        return Finding(when, sender, words, proof(self.entry), refusal=True, silent=silent, unanswered=True)


def sent(entry: Facts) -> float:
    """When its first octet left."""
    return facts.number(entry, "t_sent") or 0.0


def arrived(entry: Facts) -> bool:
    """Whether the receiver had it."""
    return not facts.flag(entry, "lost") and facts.number(entry, "t_received") is not None


def proof(entry: Facts) -> str:
    """Where in the evidence it stands."""
    return f"message {facts.text(entry, 'n')} of the ladder"
