"""A run is replayable: the same seed, the same virtual time, the same ladder up to SPIs, nonces and keys.

`make test` plays a sample twice. IKELAB_REPLAY=all plays every scenario of the catalogue twice, IKELAB_REPLAY=nat those
of one group; only scenarios that need a real clock cannot be replayed. What else differs has its reason in EXCUSED.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lab.history import replay
from lab.history.differences import Changed, RunDiff, diff
from lab.peers.registry import peer
from lab.run import catalogue
from tests import collected

ROOT = Path(__file__).parents[2]
WISH = os.environ.get("IKELAB_REPLAY", "")
GROUPS = ("conformance", "esp", "faults", "ikev1", "ikev2", "nat", "routing", "soak", "timing")
# Of each kind one: both versions, rekeying, a message lost, a collision that is not for nonces to decide, XFRM, a NAT.
SAMPLE = (
    "ikev2/plain-tunnel:ours>strongswan-6.1",
    "ikev2/rekey-child-sa/with-pfs-left:strongswan>ours",
    "ikev1/main-mode:ours>strongswan",
    "faults/ike-auth-response-lost:strongswan>ours",
    "faults/collision/child-delete:ours>strongswan",
    "nat/mapping-change-shown-by-esp:ours>strongswan",
)
# (beginning of the id, why chance decides something there that is seen on the wire)
NONCES = (
    "where both sides rekey one SA the lowest of four nonces decides (RFC 7296 2.8.1), and strongSwan's have no seed"
)
AGAIN = "charon, told TEMPORARY_FAILURE, draws by the time of day at which it began when to try again"
AT_ONCE = "two clients begin at one instant: the kernel decides who is first, and the addresses are lent in that order"
ROUTERS = "FRR's ospfd varies its timers without a seed, and whoever waits for an adjacency waits by them"
LIVES = "charon draws lifetimes by the time of day at which it began"
EXCUSED = {
    "faults/collision/ike-ike": NONCES,
    "faults/collision/child-child": NONCES,
    "faults/collision/ike-child": AGAIN,
    "faults/collision/child-ike": AGAIN,
    "faults/impaired-path/corrupted": "which bit of a packet netem turns over has no seed",
    "ikev2/followup-collision": NONCES,
    "ikev2/crossing-rekeyings": NONCES,
    "timing/lifetimes": LIVES,
    "soak/": LIVES,
    "nat/two-clients": AT_ONCE,
    "nat/fifty-clients": AT_ONCE,
    "routing/": ROUTERS,
    "esp/trap": "the selector names the port of the packet that sprang the trap, and the kernel draws that",
}
SECONDS = "charon counts silence in whole seconds of a clock that began at no whole one"
EXCUSED_TIMES = {
    "nat/mapping-change-found-by-liveness": SECONDS,
    "timing/keepalives": SECONDS,
    "timing/retransmission": SECONDS,
}

pytestmark = [pytest.mark.guest, pytest.mark.slow]


def played(out: Path, select: tuple[str, ...]) -> Path:
    command = [sys.executable, "-m", "lab", "run", *select, "--seed", "11", "-j", "1", "--out", str(out)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=3600, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return out


def twice(tmp_path: Path, select: tuple[str, ...]) -> RunDiff:
    first, again = (played(tmp_path / name, select) for name in ("first", "again"))
    return diff(first, again, exact=True)


def not_the_same(found: RunDiff) -> list[str]:
    """Every scenario whose second ladder is another one, with the first thing that is; no other verdict is excused."""
    return [
        f"{one.id} {one.pairing}: {one.verdicts}, {one.differences[:1]}"
        for one in found.changed
        if one.flipped or not excused(one)
    ]


def excused(one: Changed) -> bool:
    """Whether what differs has its reason in one of the tables, or comes of a peer that spins.

    Such a peer runs in a guest in which computing takes virtual time (lab.run.batches), as much as it does just then:
    its messages are the same, but other packets go between them.
    """
    kinds = {difference.kind for difference in one.differences}
    if kinds <= {replay.TIME, replay.PACKET} and any(peer(name).spins for name in one.pairing.split(">")):
        return True
    tables = (EXCUSED, EXCUSED_TIMES) if kinds == {replay.TIME} else (EXCUSED,)
    return any(one.id.startswith(name) for table in tables for name in table)


def test_a_sample_gives_the_same_ladders_again(tmp_path):
    found = twice(tmp_path, SAMPLE)
    assert found.alike + len(found.changed) >= len(SAMPLE) and not found.gone and not found.new
    assert not_the_same(found) == []


def test_every_excuse_is_about_a_scenario():
    ids = collected.names()
    for name in (*EXCUSED, *EXCUSED_TIMES):
        assert any(one.startswith(name) for one in ids), f"there is no {name} any more"


@pytest.mark.timeout(4 * 3600)
@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.skipif(not WISH, reason="takes an hour: IKELAB_REPLAY=all, or the name of one group")
def test_the_catalogue_gives_the_same_ladders_again(group, tmp_path):
    if WISH not in ("all", group):
        pytest.skip(f"IKELAB_REPLAY={WISH} asks for another group")
    scenarios = [one for one in catalogue.collect() if one.id.startswith(f"{group}/") and one.clock != "real"]
    found = twice(tmp_path, tuple(f"{one.id}:{one.pairing}" for one in scenarios))
    assert found.alike + len(found.changed) == len(scenarios) and not found.gone and not found.new
    assert not_the_same(found) == []


def test_all_groups_are_named():
    assert {name.partition("/")[0] for name in collected.names()} == set(GROUPS)
