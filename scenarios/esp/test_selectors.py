"""Several selectors on each side: narrowed one by one, listed alike by both sides, and each carries its packets."""

import pytest

from lab.evidence.network import packet
from lab.matrix import DEFAULT, ON_XFRM
from lab.plugin.tunnel import Tunnel
from lab.wire.packets import ESP_NUMBER
from lab.wire.pcapng import Direction

EVERY_PLANE = tuple(map(str, (*DEFAULT, *ON_XFRM)))
WIDE = {"local_ts": "10.1.0.0/24, 2001:db8:1::/64", "remote_ts": "10.2.0.0/24, 2001:db8:2::/64, 10.9.0.0/24"}
NARROW = {"local_ts": "10.2.0.8/29, 2001:db8:2::/65", "remote_ts": "10.1.0.0/25, 2001:db8:1::/64"}
AGREED = {"left": ["10.1.0.0/25", "2001:db8:1::/64"], "right": ["10.2.0.8/29", "2001:db8:2::/65"]}


def ping(lab, target):
    """Whether an echo request of the left host to this address comes back."""
    argv = ["ping", "-n", "-c", "1", "-W", "1", target]
    return lab.network.node("left-host").run(argv, timeout=30).returncode == 0


def sent(lab):
    """How many ESP packets left the left gateway."""
    frames = (f for f in lab.frames() if (f.point, f.direction) == ("left:wan", Direction.OUTBOUND))
    return sum((ip := packet(frame)) is not None and ip.protocol == ESP_NUMBER for frame in frames)


@pytest.mark.rfc("7296#2.9", "4301#4.4.1")
@pytest.mark.needs("tunnel")
@pytest.mark.pairings(*EVERY_PLANE)
def test_several_selectors(lab, left, right):
    """Of three networks offered for one side two are left, both narrower; what is outside them does not enter ESP."""
    lab.up("dual-stack", left=Tunnel(child=WIDE), right=Tunnel(child=NARROW))
    lab.establish()
    lab.step("narrowed", f"{AGREED['left']} and {AGREED['right']}, on both sides")
    for gateway, other in ((left, right), (right, left)):
        (child,) = gateway.children()
        found = sorted(child["local_ts"]), sorted(child["remote_ts"])
        assert found == (AGREED[gateway.name], AGREED[other.name]), f"{gateway} lists {found}"

    lab.step("carried", "an echo of each family, inside the selectors")
    for target in (lab.inner("right"), lab.topology.attachment("right-host").address(6)):
        before = sent(lab)
        assert ping(lab, target), f"{target} does not answer"
        assert sent(lab) == before + 1, f"the ping to {target} was not in ESP"
    lab.step("outside", "the other gateway's address was offered, and is outside what was agreed")
    before = sent(lab)
    assert not ping(lab, "10.2.0.1"), "a packet outside the selectors was answered"
    assert sent(lab) == before, "a packet outside the selectors left in ESP"
