"""NAT keepalives against the memory of NAT boxes: which interval keeps which mapping, and what becomes of the tunnel.

Each row of the matrix is a scenario: one interval of keepalives, and a NAT that forgets UDP mappings after 15 to 300 s
and draws a new port for the next one. The tunnel is quiet for as long as it takes, then somebody behind the responder
wants to reach the initiator's side.
"""

import time

import pytest

from lab.plugin import timing
from lab.plugin.tunnel import Tunnel

TIMEOUTS_S = (15, 30, 60, 120, 180, 300)
QUIET_S, POLL_S = 400, 20.0
DEFAULT_S, MOST_PINGS = 20, 3


@pytest.mark.rfc("3948#4", "7296#2.23")
@pytest.mark.needs("nat-t")
@pytest.mark.clock("virtual")
@pytest.mark.parametrize("interval", [0, 10, DEFAULT_S, 50, 110], ids=lambda s: f"every-{s}-s" if s else "never")
def test_keepalives(lab, left, right, interval):
    """Keepalives hold the mapping of a NAT that remembers for longer than their interval, and no other."""
    settings = {} if interval == DEFAULT_S else {"keep_alive": str(interval)}
    lab.up("nat-forgets", left=Tunnel(settings=settings))
    lab.establish()
    cells = [cell(lab, timeout) for timeout in TIMEOUTS_S]
    lab.leave("timing.json", timing.facts(left.peer.name, [timing.mappings(interval, cells)]))

    lab.step("kept", "a mapping lives as long as keepalives come sooner than it is forgotten")
    for one in cells:
        kept = 0 < interval < one["timeout_s"]
        said = f"with keepalives every {interval} s and a NAT that forgets after {one['timeout_s']} s"
        assert one["lost"] is not kept, f"{said} the tunnel was {'lost' if one['lost'] else 'not lost'}"
        assert one["follows_at"], f"{said} the responder did not follow to the new mapping"
    spaced = [gap for gap in timing.gaps(lab.ladder().keepalives("left")) if gap < QUIET_S / 2]
    assert bool(spaced) is (interval > 0), f"{len(spaced)} keepalives, at an interval of {interval} s"
    off = [gap for gap in spaced if not interval - 0.1 <= gap <= interval + 1.1]
    assert len(off) <= len(TIMEOUTS_S), f"keepalives are {off[0]:.1f} s apart, not {interval} s"


def cell(lab, timeout):
    """Quiet for a while; then whether the left side can be reached, and whether it can after it has said something."""
    lab.step(f"{timeout} s", f"the NAT forgets after that; nothing is sent for {QUIET_S} s")
    lab.network.nat("left-nat").set_timeout(f"{timeout}s", f"{timeout}s")
    assert lab.ping_once(), "the tunnel carries nothing while its mapping is fresh"
    began = time.monotonic()
    lab.until(lambda: time.monotonic() >= began + QUIET_S, "the time is over", 2 * QUIET_S, every=POLL_S)
    lost = not lab.ping_back()
    # The first packet from a new port may be answered to the old one still: what it shows goes the kernel's way.
    follows = next((number for number in range(1, MOST_PINGS + 1) if lab.ping_once()), 0)
    return {"timeout_s": timeout, "lost": lost, "follows_at": follows}
