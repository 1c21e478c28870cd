"""What a scenario sees on the wire: the ladder of the capture, with the questions scenarios ask of it.

Rules: every answer is a list of ladder entries (evidence.ladder says what they hold), in the order sent; nothing here
asserts. Retransmissions are entries like any other, and are only left out where a question says so.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from lab.evidence.steps import title

Entry = dict[str, Any]
# Notifies by which a side says what it can do; the page of the result has them in its messages.
ANNOUNCED = ("_SUPPORTED)", "_SOURCE_IP)", "_DESTINATION_IP)", "_HASH_ALGORITHMS)", "EAP_ONLY_AUTHENTICATION)")


class Ladder:
    """The datagrams of a capture, in the order sent."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self.entries = list(entries)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)

    def ike(
        self,
        exchange: str = "",
        *,
        response: bool | None = None,
        sender: str = "",
        payload: str = "",
        again: bool = True,
    ) -> list[Entry]:
        """IKE messages: of an exchange, in a direction, of a sender, with a payload; `again=False` without repeats."""
        return [
            entry
            for entry in self.entries
            if entry["protocol"] in ("IKEv1", "IKEv2")
            and (not exchange or entry["exchange"] == exchange)
            and (response is None or entry["response"] == response)
            and (not sender or entry["from"] == sender)
            and (not payload or payload in entry["payloads"])
            and (again or entry["retransmit_of"] is None)
        ]

    def esp(self, sender: str = "") -> list[Entry]:
        """ESP packets, of one sender or of both."""
        return self.protected(sender, "ESP")

    def protected(self, sender: str = "", protocol: str = "ESP") -> list[Entry]:
        """ESP or AH packets, of one sender or of both."""
        return [e for e in self.entries if e["protocol"] == protocol and (not sender or e["from"] == sender)]

    def keepalives(self, sender: str = "") -> list[Entry]:
        """NAT keepalives."""
        return [e for e in self.entries if e["protocol"] == "NAT-keepalive" and (not sender or e["from"] == sender)]

    def sealed(self) -> list[Entry]:
        """Entries that no key of ours has opened."""
        return [entry for entry in self.entries if entry["opened"] is False]

    def words(self) -> str:
        """The IKE messages in one line, for the message of an assertion."""
        return ", ".join(line(entry) for entry in self.ike()) or "no IKE message"


def line(entry: Entry) -> str:
    """One message in words: `left IKE_SA_INIT request 0 {SA KE No}`, without what a side only says that it can do."""
    lost = " (lost)" if entry["lost"] else ""
    payloads = [name for name in entry["payloads"] if not (name.startswith("N(") and name.endswith(ANNOUNCED))]
    return f"{entry['from']} {title(entry)} {{{' '.join(payloads)}}}{lost}"
