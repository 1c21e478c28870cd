"""Two ladders of one scenario, message by message.

Messages answer to one another by IKE SA, exchange, message ID, direction and occurrence (a repetition is the second
occurrence). The IKE SAs that a node began are numbered as they appear, and so are the message IDs of IKEv1, which
chance decides. What different IKE SAs say at one time has no order. ESP, AH and keepalives are only counted.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from msgspec import Struct

from lab.history import payloads

Entry = Mapping[str, Any]
IKE = ("IKEv1", "IKEv2")
# A message may be this much later or earlier than before, whichever is more.
TOLERANCE_S, TOLERANCE_SHARE = 0.25, 0.1


class Difference(Struct, frozen=True):
    """One thing that is not as before; what is absent is an empty text."""

    kind: str
    where: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a scenario left of its messages: ladder.json and detail.json."""

    ladder: Sequence[Entry]
    detail: Sequence[Entry]

    def tree(self, n: int) -> Sequence[payloads.Node]:
        """The payload tree of an entry; of a repetition that of its first."""
        entry = self.detail[n] if n < len(self.detail) else {}
        if "same_as" in entry and entry["same_as"] != n:
            return self.tree(entry["same_as"])
        return entry.get("tree") or ()


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where a message stands in its scenario, in words that do not change from run to run."""

    sa: tuple[str, int]
    exchange: str
    message_id: int
    direction: str
    way: str
    occurrence: int

    def __str__(self) -> str:
        again = f", time {self.occurrence}" if self.occurrence > 1 else ""
        owner, number = self.sa
        of = f" in IKE SA {number} of {owner}" if number > 1 else ""
        return f"{self.exchange} {self.direction} {self.message_id} from {self.way}{of}{again}"


def placed(ladder: Sequence[Entry]) -> dict[Place, Entry]:
    """The IKE messages of a ladder by their places, in the order sent."""
    sas: dict[str, tuple[str, int]] = {}
    ids: dict[tuple[tuple[str, int], int], int] = {}
    times: Counter[tuple[Any, ...]] = Counter()
    found: dict[Place, Entry] = {}
    for entry in ladder:
        if entry["protocol"] not in IKE:
            continue
        owner = str(entry["from"])
        begun = sum(of == owner for of, _ in sas.values())
        sa = sas.setdefault(str(entry["spi"]).partition(":")[0], (owner, begun + 1))
        number = int(entry["message_id"] or 0)
        if entry["protocol"] == "IKEv1" and number:
            number = ids.setdefault((sa, number), 1 + sum(of == sa for of, _ in ids))
        direction = {True: "response", False: "request", None: "message"}[entry["response"]]
        way = f"{owner} to {entry['to']}" if entry["to"] else owner
        key = (sa, str(entry["exchange"]), number, direction, way)
        times[key] += 1
        found[Place(*key, times[key])] = entry
    return found


def compare(before: Recorded, after: Recorded, *, tolerance_s: float = TOLERANCE_S) -> list[Difference]:
    """What is different in the messages of a scenario; nothing if only chance made a difference."""
    old, new = placed(before.ladder), placed(after.ladder)
    found = [*_order(old, new)]
    for place in dict.fromkeys((*old, *new)):
        if place not in new:
            found.append(Difference("gone", str(place), _names(old[place]), ""))
        elif place not in old:
            found.append(Difference("new", str(place), "", _names(new[place])))
        else:
            found += _message(place, (before, old[place]), (after, new[place]))
    return found + _times(old, new, tolerance_s) + _counts(before.ladder, after.ladder)


def _names(entry: Entry) -> str:
    return "{" + " ".join(entry["payloads"]) + "}"


def _order(old: Mapping[Place, Entry], new: Mapping[Place, Entry]) -> list[Difference]:
    """Whether what both runs have was sent in the same order, by IKE SA."""
    found = []
    for sa in dict.fromkeys(place.sa for place in old):
        both = [place for place in old if place in new and place.sa == sa]
        again = [place for place in new if place in old and place.sa == sa]
        first = next((pair for pair in zip(both, again, strict=True) if pair[0] != pair[1]), None)
        if first:
            found.append(Difference("order", "first message sent in another order", str(first[0]), str(first[1])))
    return found


def _message(place: Place, before: tuple[Recorded, Entry], after: tuple[Recorded, Entry]) -> list[Difference]:
    """One message in both runs."""
    (old, was), (new, now) = before, after
    found = [
        Difference(name, str(place), str(was.get(name) or "no"), str(now.get(name) or "no"))
        for name in ("lost", "duplicates", "encrypted", "opened", "udp")
        if (was.get(name) or False) != (now.get(name) or False)
    ]
    if was["payloads"] != now["payloads"]:
        found.append(Difference("payloads", str(place), _names(was), _names(now)))
    changed = payloads.compare(payloads.fields(old.tree(was["n"])), payloads.fields(new.tree(now["n"])))
    return found + [Difference("field", f"{place}: {path}", value, other) for path, value, other in changed]


def _times(old: Mapping[Place, Entry], new: Mapping[Place, Entry], tolerance_s: float) -> list[Difference]:
    """Messages that were sent much earlier or later after the first one."""
    if not old or not new:
        return []
    began, again = (next(iter(each.values()))["t_sent"] for each in (old, new))
    found = []
    for place in old:
        if place in new:
            was, now = old[place]["t_sent"] - began, new[place]["t_sent"] - again
            if abs(now - was) > max(tolerance_s, TOLERANCE_SHARE * abs(was)):
                found.append(Difference("time", str(place), f"{was:.3f} s", f"{now:.3f} s"))
    return found


def _counts(before: Sequence[Entry], after: Sequence[Entry]) -> list[Difference]:
    """How many packets of what is not IKE each side sent."""
    old, new = _counted(before), _counted(after)
    return [
        Difference("count", f"{protocol} from {sender}", str(old[protocol, sender]), str(new[protocol, sender]))
        for protocol, sender in sorted({*old, *new})
        if old[protocol, sender] != new[protocol, sender]
    ]


def _counted(ladder: Sequence[Entry]) -> Counter[tuple[str, str]]:
    return Counter((str(one["protocol"]), str(one["from"])) for one in ladder if one["protocol"] not in IKE)
