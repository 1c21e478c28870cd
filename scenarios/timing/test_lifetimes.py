"""Lifetimes at the production defaults, over days: when SAs are rekeyed, and how much chance there is in it."""

import time

import pytest

from lab.plugin import timing
from lab.plugin.tunnel import Tunnel

DAY_S, DAYS = 86400, 3
# RFC 7296 2.8 leaves lifetimes to each side, and wants jitter. Both daemons: 4 h and 1 h, less up to a tenth by chance.
IKE_S, CHILD_S, DRAWN = 4 * 3600, 3600, 0.1
NEVER = {"rekey_time": "0"}
TOLERANCE_S = 2.0


@pytest.mark.rfc("7296#2.8")
@pytest.mark.needs("rekey")
@pytest.mark.clock("virtual")
def test_lifetimes(lab, left, right):
    """Three days without a word about lifetimes: each SA is rekeyed in its last tenth, and no two at one age."""
    lab.up("direct", right=Tunnel(connection=NEVER, child=NEVER))
    lab.establish()
    lab.step("days", f"{DAYS} days in which only lifetimes make anybody speak")
    began = time.monotonic()
    lab.until(lambda: time.monotonic() >= began + DAYS * DAY_S, "the days are over", 2 * DAYS * DAY_S, every=3600.0)
    lab.ping()

    lab.step("rekeyed", "each in its last tenth")
    asked = lab.ladder().ike("CREATE_CHILD_SA", response=False, again=False)
    strangers = [entry for entry in asked if entry["from"] != "left"]
    assert not strangers, f"right rekeyed although it was told never to: {strangers[0]}"
    children = [entry for entry in asked if "N(REKEY_SA)" in entry["payloads"]]
    ike = [entry for entry in asked if "TSi" not in entry["payloads"]]
    (first,) = lab.ladder().ike("IKE_AUTH", response=True)
    measured = [
        judged("IKE SA", [first, *ike], IKE_S),
        judged("CHILD SA", [first, *children], CHILD_S),
    ]
    lab.leave("timing.json", timing.facts(left.peer.name, measured))
    lab.prove_protected()


def judged(of, entries, lifetime):
    """Every SA was rekeyed between nine tenths of its lifetime and the whole, spread over what lies between."""
    lived, earliest = timing.gaps(entries), lifetime * (1 - DRAWN)
    assert len(lived) >= DAYS * DAY_S // lifetime, f"an {of} was rekeyed {len(lived)} times in {DAYS} days"
    off = [age for age in lived if not earliest - TOLERANCE_S <= age <= lifetime + TOLERANCE_S]
    assert not off, f"an {of} was rekeyed at the age of {off[0]:.0f} s, not between {earliest:.0f} and {lifetime} s"
    spread = max(lived) - min(lived)
    assert spread > (lifetime - earliest) / 2, f"all of {len(lived)} {of}s lived alike, within {spread:.0f} s"
    return timing.lifetimes(of, earliest, lifetime, lived)
