"""Which message of its mode one of IKEv1 is: Main Mode 1 to 6, Aggressive Mode 1 to 3, Quick Mode 1 to 3.

The message ID does not tell: in phase 1 it is 0 throughout, in phase 2 it is the same in the whole exchange. So the
messages are counted, and one that is sent again keeps its number.
"""

from collections.abc import Sequence
from typing import Any

Entry = dict[str, Any]
MODES = frozenset({"Main Mode", "Aggressive Mode", "Quick Mode", "Transaction"})


def number(entries: Sequence[Entry]) -> None:
    """Give the ladder entries of these modes their `step`, counted from 1 within each exchange."""
    counts: dict[tuple[str, str, int], int] = {}
    for entry in entries:
        if entry["exchange"] not in MODES:
            continue
        if entry["retransmit_of"] is not None:
            entry["step"] = entries[entry["retransmit_of"]]["step"]
            continue
        key = (entry["spi"].partition(":")[0], entry["exchange"], entry["message_id"])
        counts[key] = entry["step"] = counts.get(key, 0) + 1


def title(entry: Entry) -> str:
    """A message of IKE by its place: `IKE_AUTH request 1`, `Main Mode message 3`, `Quick Mode message 2 of 0bad`."""
    exchange, message_id = entry["exchange"], entry["message_id"]
    if entry["protocol"] != "IKEv1":
        return f"{exchange} {'response' if entry['response'] else 'request'} {message_id}"
    of = f" of {message_id:08x}" if message_id else ""
    return f"{exchange} message {entry['step']}{of}" if "step" in entry else f"{exchange} message{of}"
