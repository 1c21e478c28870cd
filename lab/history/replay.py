"""Two runs of one seed in virtual time: the same packets in the same order at the same times, or what is not so.

Stricter than `messages`, which compares what different code or different peers do: here one packet answers to one
packet by its place among those of its two ends, ESP, AH and keepalives as well. What different pairs of ends say at one
time has no order: two processes are ready at once, and the kernel takes either. What chance decides anew is not looked
at (SPIs, nonces, keys, the message IDs of IKEv1), nor are lengths of IKE messages, since signatures differ in length.
"""

from collections.abc import Sequence
from typing import Any

from lab.history.messages import IKE, Difference, Entry

# Reading the clock moves it by 256 ns, and charon counts whole milliseconds, whose fractions add up.
TOLERANCE_S = 0.006
PACKET, TIME = "packet", "time"
_SAME = ("protocol", "exchange", "response", "from", "to", "encrypted", "opened", "lost", "duplicates", "seq", "udp")


def compare(before: Sequence[Entry], after: Sequence[Entry]) -> list[Difference]:
    """For each pair of ends the first packet that is not the same, how many there are, or the first at another time."""
    old, new = _conversations(before), _conversations(after)
    began, again = (ladder[0]["t_sent"] if ladder else 0.0 for ladder in (before, after))
    found: list[Difference] = []
    for ends in dict.fromkeys((*old, *new)):
        pair = old.get(ends, []), new.get(ends, [])
        found += _packets(ends, *pair) or _times(ends, *pair, again - began)
    return found


def _conversations(ladder: Sequence[Entry]) -> dict[str, list[Entry]]:
    """The packets of each pair of ends, in the order sent."""
    found: dict[str, list[Entry]] = {}
    for entry in ladder:
        ends = " and ".join(sorted(str(entry[end]) for end in ("from", "to")))
        found.setdefault(ends, []).append(entry)
    return found


def _packets(ends: str, old: Sequence[Entry], new: Sequence[Entry]) -> list[Difference]:
    rows, again = _told(old), _told(new)
    for number, (was, now) in enumerate(zip(rows, again, strict=False)):
        if was != now:
            return [Difference(PACKET, f"packet {number} between {ends}", _words(was), _words(now))]
    if len(rows) != len(again):
        return [Difference(PACKET, f"packets between {ends}", str(len(rows)), str(len(again)))]
    return []


def _times(ends: str, old: Sequence[Entry], new: Sequence[Entry], later: float) -> list[Difference]:
    for number, (one, two) in enumerate(zip(old, new, strict=True)):
        off = two["t_sent"] - one["t_sent"] - later
        if abs(off) > TOLERANCE_S:
            return [Difference(TIME, f"packet {number} between {ends}", "", f"{off:+.4f} s")]
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
