"""A made-up run of scenarios that the comparison and the claims look at: passed, failed and missing."""

import json
from pathlib import Path
from typing import Any

from tests.report.synthetic import run_json

Facts = dict[str, Any]
FIRST = "ikev1/messages-until-the-first-packet/"
SPI = "a1b2c3d4e5f60718:5d2e9b7c40f1a683"
FILES = ("collisions", "timing")


def ike1(exchange: str, payloads: str, sender: str = "left", **more: Any) -> Facts:
    """One message of IKEv1."""
    return _entry("IKEv1", exchange, payloads, sender, **more)


def ike2(exchange: str, payloads: str, number: int, *, response: bool = False, **more: Any) -> Facts:
    """One message of IKEv2, of an exchange that left or `asker` began."""
    asker = more.pop("asker", "left")
    other = "right" if asker == "left" else "left"
    sender = other if response else asker
    return _entry("IKEv2", exchange, payloads, sender, message_id=number, response=response, **more)


def esp(**more: Any) -> Facts:
    """One ESP packet."""
    return _entry(more.pop("protocol", "ESP"), "", "", "left", **{"src": "203.0.113.2", "dst": "198.51.100.2", **more})


def _entry(protocol: str, exchange: str, payloads: str, sender: str, **more: Any) -> Facts:
    return {
        "protocol": protocol, "exchange": exchange or None, "payloads": payloads.split(), "from": sender,
        "to": "right" if sender == "left" else "left", "src": "203.0.113.2:500", "dst": "198.51.100.2:500",
        "message_id": 0, "response": None, "encrypted": False, "retransmit_of": None, "lost": False, "spi": SPI,
        **more,
    }  # fmt: skip


def numbered(*entries: Facts) -> list[Facts]:
    """The entries as a ladder, one each 0.5 s."""
    return [{"n": n, "t_sent": 100 + n / 2, **entry} for n, entry in enumerate(entries)]


def main_mode() -> list[Facts]:
    """Main Mode and one Quick Mode."""
    whats = (("SA", "left"), ("SA", "right"), ("KE NONCE", "left"), ("KE NONCE", "right"))
    clear = [ike1("Main Mode", what, side) for what, side in whats]
    sealed = [ike1("Main Mode", "ID HASH", side, encrypted=True) for side in ("left", "right")]
    return [*clear, *sealed, *quick_mode(7)]


def quick_mode(number: int) -> list[Facts]:
    """Three messages without a key exchange."""
    whats = (("HASH SA NONCE ID ID", "left"), ("HASH SA NONCE ID ID", "right"), ("HASH", "left"))
    return [ike1("Quick Mode", what, side, message_id=number, encrypted=True) for what, side in whats]


def handshake() -> list[Facts]:
    """IKE_SA_INIT and IKE_AUTH."""
    return [
        ike2("IKE_SA_INIT", "SAi1 KEi Ni", 0, spi="a1b2c3d4e5f60718:0000000000000000"),
        ike2("IKE_SA_INIT", "SAr1 KEr Nr", 0, response=True),
        ike2("IKE_AUTH", "IDi AUTH SAi2 TSi TSr", 1, encrypted=True),
        ike2("IKE_AUTH", "IDr AUTH SAr2 TSi TSr", 1, response=True, encrypted=True),
    ]


def write(path: Path, *results: Facts) -> Path:
    """A run of these results, each from `result`."""
    listed = []
    for one in results:
        found = {key: value for key, value in one.items() if key not in ("ladder", *FILES)}
        place = path / found["dir"]
        place.mkdir(parents=True)
        (place / "result.json").write_text(json.dumps(found))
        (place / "ladder.json").write_text(json.dumps(numbered(*one["ladder"])))
        for name in FILES:
            if name in one:
                (place / f"{name}.json").write_text(json.dumps(one[name]))
        listed.append(found)
    path.mkdir(exist_ok=True)
    (path / "run.json").write_text(json.dumps(run_json(listed)))
    return path


def result(name: str, ladder: list[Facts], pairing: str = "ours>strongswan", **more: Any) -> Facts:
    """One result that passed, unless `more` says otherwise."""
    initiator, _, responder = pairing.partition(">")
    return {
        "id": name, "title": "", "pairing": pairing, "verdict": "passed", "reason": "", "duration_s": 1.0,
        "topology": "direct", "initiator": initiator, "responder": responder, "clauses": [], "negotiated": {},
        "dir": f"scenarios/{name}/{initiator}-to-{responder}", "ladder": ladder, **more,
    }  # fmt: skip


def collisions(**more: Any) -> Facts:
    """The collisions.json of two orders, in the second of which right said something against 2.25."""
    plain = {"answers": {"left": ["SA", "Nr"], "right": []}, "views": {"left": [1, 1], "right": [1, 1]}}
    counted = {"agree": True, "sent": 20, "lost": 1, "deviations": {}}
    odd = {"agree": False, "views": {"left": [1, 1], "right": [1, 2]}, "deviations": {"right": ["answered nothing"]}}
    plays = [{"order": ["LQ", "RQ", "LR", "RR"], **plain, **counted}]
    plays.append({"order": ["LQ", "LR", "RQ", "RR"], **plain, **counted, **odd, **more})
    return {"left": "rekey child", "right": "delete child", "survivors": {"ike": 1, "child": 0}, "plays": plays}


def timing(**more: Any) -> Facts:
    """The timing.json of one measurement of each kind."""
    cells = [{"timeout_s": 15, "lost": True, "follows_at": 2}, {"timeout_s": 30, "lost": False, "follows_at": 1}]
    measured = [
        {
            "what": "retransmission",
            "exchange": "IKE_AUTH",
            "sent_s": [0, 4.0002, 11.2],
            "gave_up_s": 24.2,
            "after_s": 30,
        },
        {"what": "mappings", "keepalive_s": 20, "cells": cells},
        {"what": "mappings", "keepalive_s": 0, "cells": [cells[0] | {"follows_at": 0}]},
        {"what": "lifetimes", "of": "CHILD SA", "earliest_s": 3240, "latest_s": 3600, "lived_s": [3300.5, 3590]},
        {"what": "expiry", "of": "half-open IKE SA", "lasted_s": 30.1, "note": "until it is gone"},
    ]
    return {"peer": "ours", "measured": measured, **more}


def write_proven(path: Path) -> Path:
    """Both versions counted in both roles, one identity shown and one failed cookie; nothing else was run."""
    other = "strongswan>ours"
    return write(
        path,
        result(f"{FIRST}main-mode", [*main_mode(), esp()]),
        result(f"{FIRST}main-mode", [*main_mode(), esp()], other),
        result(f"{FIRST}ikev2", [*handshake(), esp()]),
        result(f"{FIRST}ikev2", handshake(), other, verdict="failed", reason="No packet ever came."),
        result("ikev2/cookie", handshake(), verdict="failed", reason="No cookie was demanded."),
        result("faults/collision/child-delete", [], collisions=collisions()),
        result("faults/collision/child-delete", [], other, verdict="failed", reason="left could not rekey."),
        result("ikev2/additional-key-exchange/both", [], verdict="unsupported", reason="strongswan lacks mlkem768."),
    )
