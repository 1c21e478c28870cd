"""Two runs of one seed in virtual time: the same packets in the same order at the same times, or what is not so.

Stricter than `messages`, which compares what different code or different peers do: here one packet answers to one
packet by its place in the ladder, ESP, AH and keepalives as well. What chance decides anew (SPIs, nonces, keys, the
message IDs of IKEv1) is not looked at, and lengths of IKE messages are not, since signatures differ in length.
"""

from collections.abc import Sequence
from typing import Any

from lab.history.messages import IKE, Difference, Entry

# Reading the clock moves it by 256 ns, and how often a process reads it depends on chance too (keys that are long).
TOLERANCE_S = 0.001
_SAME = ("protocol", "exchange", "response", "from", "to", "encrypted", "opened", "lost", "duplicates", "seq", "udp")


def compare(before: Sequence[Entry], after: Sequence[Entry]) -> list[Difference]:
    """The first packet that is not the same, how many there are, and the first at another time."""
    rows, again = ([_told(entry) for entry in ladder] for ladder in (before, after))
    number = next((n for n, pair in enumerate(zip(rows, again, strict=False)) if pair[0] != pair[1]), None)
    if number is not None:
        return [Difference("replay", f"packet {number}", _words(rows[number]), _words(again[number]))]
    if len(rows) != len(again):
        return [Difference("replay", "packets", str(len(rows)), str(len(again)))]
    for n, (one, two) in enumerate(zip(before, after, strict=True)):
        was, now = one["t_sent"] - before[0]["t_sent"], two["t_sent"] - after[0]["t_sent"]
        if abs(was - now) > TOLERANCE_S:
            return [Difference("replay", f"time of packet {n}", f"{was:.4f} s", f"{now:.4f} s")]
    return []


def _told(entry: Entry) -> dict[str, Any]:
    """What of a packet must be the same."""
    found = {name: entry.get(name) for name in _SAME}
    found["repeats"] = entry.get("retransmit_of")
    if entry["protocol"] in IKE:
        found["payloads"] = " ".join(entry["payloads"])
        if entry["protocol"] == "IKEv2":
            found["message_id"] = entry["message_id"]
    else:
        found["length"] = entry.get("length")
    return found


def _words(row: dict[str, Any]) -> str:
    return " ".join(f"{name}={value}" for name, value in row.items() if value not in (None, False, ""))
