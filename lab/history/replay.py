"""Two runs of one seed in virtual time: the same packets in the same order at the same times, or what is not so.

Stricter than `messages`, which compares what different code or different peers do: here one packet answers to one
packet by its place among those from its sender to its receiver, ESP, AH and keepalives as well. What different nodes
send at one instant has no order: two processes are ready at once, and the kernel takes either; that of all others
follows from their times. What chance decides anew is not looked at (SPIs, nonces, keys, the message IDs of IKEv1), nor
are lengths of IKE messages, since signatures differ in length.
"""

from collections.abc import Sequence
from typing import Any

from lab.history.messages import IKE, Difference, Entry

# Reading the clock moves it by 256 ns, and charon counts whole milliseconds, whose fractions add up.
TOLERANCE_S = 0.006
PACKET, TIME = "packet", "time"
_SAME = ("protocol", "exchange", "response", "from", "to", "encrypted", "opened", "lost", "duplicates", "seq", "udp")


def compare(before: Sequence[Entry], after: Sequence[Entry]) -> list[Difference]:
    """Of each way the first packet that is not the same, how many there are, or the first at another time."""
    old, new = _ways(before), _ways(after)
    began, again = (min((entry["t_sent"] for entry in ladder), default=0.0) for ladder in (before, after))
    found: list[Difference] = []
    for way in dict.fromkeys((*old, *new)):
        pair = old.get(way, []), new.get(way, [])
        found += _packets(way, *pair) or _times(way, *pair, again - began)
    return found


def _ways(ladder: Sequence[Entry]) -> dict[str, list[Entry]]:
    """The packets from each node to each other, in the order sent."""
    found: dict[str, list[Entry]] = {}
    for entry in ladder:
        found.setdefault(f"from {entry['from']} to {entry['to']}", []).append(entry)
    return found


def _packets(way: str, old: Sequence[Entry], new: Sequence[Entry]) -> list[Difference]:
    rows, again = _told(old), _told(new)
    for number, (was, now) in enumerate(zip(rows, again, strict=False)):
        if was != now:
            return [Difference(PACKET, f"packet {number} {way}", _words(was), _words(now))]
    if len(rows) != len(again):
        return [Difference(PACKET, f"packets {way}", str(len(rows)), str(len(again)))]
    return []


def _times(way: str, old: Sequence[Entry], new: Sequence[Entry], later: float) -> list[Difference]:
    for number, (one, two) in enumerate(zip(old, new, strict=True)):
        off = two["t_sent"] - one["t_sent"] - later
        if abs(off) > TOLERANCE_S:
            return [Difference(TIME, f"packet {number} {way}", "", f"{off:+.4f} s")]
    return []


def _told(entries: Sequence[Entry]) -> list[dict[str, Any]]:
    """What of each packet must be the same; repetitions name the place of their first among these entries."""
    places = {entry["n"]: place for place, entry in enumerate(entries)}
    return [_row(entry) | {"repeats": places.get(entry.get("retransmit_of"))} for entry in entries]


def _row(entry: Entry) -> dict[str, Any]:
    found = {name: entry.get(name) for name in _SAME}
    if entry["protocol"] in IKE:
        found["payloads"] = " ".join(entry["payloads"])
        if entry["protocol"] == "IKEv2":
            found["message_id"] = entry["message_id"]
    else:
        found["length"] = entry.get("length")
    return found


def _words(row: dict[str, Any]) -> str:
    return " ".join(f"{name}={value}" for name, value in row.items() if value not in (None, False, ""))
