"""One line on a datagram, as packet comments and the terminal show it."""

from typing import Any

from lab.evidence.steps import title


def line(entry: dict[str, Any]) -> str:
    """`#3 left > right: IKE_AUTH request 1 {IDi AUTH SAi2 TSi TSr}` and what is special about it."""
    parts = [f"#{entry['n']} {entry['from']} > {entry['to']}: {_what(entry)}"]
    if entry["retransmit_of"] is not None:
        parts.append(f"retransmission of #{entry['retransmit_of']}")
    if entry["lost"]:
        parts.append("lost")
    parts += [f"{said} at the gate" for said in entry.get("gate", ())]
    if entry.get("note"):
        parts.append(entry["note"])
    return ", ".join(parts)


def _what(entry: dict[str, Any]) -> str:
    if entry["exchange"]:
        return f"{title(entry)} {{{' '.join(entry['payloads'])}}}"
    if entry["protocol"] in ("ESP", "AH"):
        inner = f" {{{entry['inner']}}}" if entry.get("inner") else ""
        udp = " in UDP" if entry["udp"] else ""
        return f"{entry['protocol']}{udp} spi {entry['spi']} seq {entry['seq']}{inner}"
    return str(entry["protocol"])
