"""What scenarios that measure time leave for the report's page "Time": timing.json, one object for each measurement.

    retransmission  when one datagram was sent again and again, and when its sender gave up      seconds from the first
    mappings        which times of a NAT box a tunnel survived, for one interval of keepalives   a row of the matrix
    lifetimes       how long each SA lived until its rekeying began                              seconds
    expiry          how long something lasted that nobody ended                                  seconds

Rules: every figure is read from the capture or from the clock of the scenario, none from what a peer claims.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from lab.plugin.sight import Entry

SCHEMA = "ikelab.timing/1"


def facts(peer: str, measured: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """timing.json: what was measured of one peer."""
    return {"schema": SCHEMA, "peer": peer, "measured": list(measured)}


def retransmission(exchange: str, sent: Sequence[Entry], gave_up_s: float) -> dict[str, Any]:
    """A datagram and its repetitions, to the tenth of a millisecond."""
    began = sent[0]["t_sent"]
    at = [round(entry["t_sent"] - began, 4) for entry in sent]
    return {"what": "retransmission", "exchange": exchange, "sent_s": at, "gave_up_s": round(gave_up_s, 3)}


def mappings(keepalive_s: int, cells: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """A row of the matrix. A cell has `timeout_s`, `lost` (what comes from outside) and `follows_at`: which packet from
    inside was the first to be answered again, 0 if none was.
    """
    return {"what": "mappings", "keepalive_s": keepalive_s, "cells": list(cells)}


def lifetimes(of: str, earliest_s: float, latest_s: float, lived: Sequence[float]) -> dict[str, Any]:
    """How long SAs of a kind lived, and the bounds that the configuration gives."""
    figures = [round(one, 3) for one in lived]
    return {"what": "lifetimes", "of": of, "earliest_s": earliest_s, "latest_s": latest_s, "lived_s": figures}


def expiry(of: str, lasted_s: float, note: str) -> dict[str, Any]:
    """Something that ended by itself."""
    return {"what": "expiry", "of": of, "lasted_s": round(lasted_s, 3), "note": note}


def gaps(entries: Sequence[Entry]) -> list[float]:
    """Seconds from each packet to the next."""
    return [later["t_sent"] - earlier["t_sent"] for earlier, later in pairwise(entries)]
