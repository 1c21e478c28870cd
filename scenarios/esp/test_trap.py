"""A trap: no IKE and no SA until a packet wants them, and then by that packet (RFC 4301 4.4.1, 5.1)."""

import pytest

from lab.matrix import DEFAULT, ON_XFRM
from lab.plugin.tunnel import Tunnel

EVERY_PLANE = tuple(map(str, (*DEFAULT, *ON_XFRM)))
SETTLED_S = 10


@pytest.mark.rfc("4301#4.4.1", "4301#5.1")
@pytest.mark.needs("tunnel", "ah")
@pytest.mark.pairings(*EVERY_PLANE)
@pytest.mark.parametrize("protocol", ["esp", "ah"])
def test_trap(lab, left, right, protocol):
    """The first packet of a host brings the SAs up; after they were deleted the next one does so again, at once."""
    ah = Tunnel(esp=None, child={"ah_proposals": "sha256"})
    wanted = Tunnel() if protocol == "esp" else ah
    trap = Tunnel(esp=wanted.esp, child={**wanted.child, "start_action": "trap"})
    lab.up("direct", left=trap, right=wanted)
    assert not lab.ladder().ike(), "there was IKE before any packet"
    for number in ("first", "second"):
        lab.step(f"{number} packet", "a datagram of the left host's to the right one, and the handshake it asks for")
        lab.network.node("left-host").run(["bash", "-c", f"echo > /dev/udp/{lab.inner('right')}/9"])
        for gateway in (left, right):
            lab.until(gateway.children, f"{gateway} lists an installed CHILD SA", SETTLED_S)
        lab.ping()
        lab.step("deleted", f"{left} deletes the IKE SA")
        assert left.driver.terminate(ike="gw").up
        lab.until(lambda: not left.sas() and not right.sas(), "no SA on either side", SETTLED_S)
    ladder = lab.prove_protected(protocol.upper())
    asked = ladder.ike("IKE_SA_INIT", response=False, again=False)
    assert [entry["from"] for entry in asked] == ["left", "left"], (
        f"not one handshake for each packet: {ladder.words()}"
    )
