"""GRE of our own data plane with the kernel's, or our own, at the other end: every option of RFC 2784 and RFC 2890."""

import pytest

from lab.matrix import DEFAULT
from lab.plugin import routing
from lab.plugin.tunnel import Tunnel
from lab.wire.gre import GREPacket
from lab.wire.pcapng import Direction

OPTIONS = {
    "plain": {},
    "key": {"key": 7},
    "checksum": {"checksum": True},
    "sequence": {"sequence": True},
    "all": {"key": 0xDEADBEEF, "checksum": True, "sequence": True},
}
INSIDE = {"transport": "IPv4 | ESP | GRE | IPv4", "tunnel": "IPv4 | ESP | IPv4 | GRE | IPv4"}
COUNT = 5


@pytest.mark.rfc("2784#2.1", "2890#2")
@pytest.mark.needs("transport")
@pytest.mark.pairings(*map(str, DEFAULT), "ours>ours")
@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_gre_options(lab, left, right, options):
    """Both ends take each other's GRE packets, and these have in both directions what was asked for."""
    routing.up(lab, "direct", Tunnel(child=routing.GRE_ONLY | {"mode": "transport"}), **options)
    lab.establish()
    ping(lab)

    lab.step("headers", "what every GRE header has")
    wanted = options.get("key"), options.get("checksum", False)
    for name in ("left", "right"):
        sent = [p for p in lab.packets() if p.point == f"{name}:wan" and p.direction == Direction.OUTBOUND]
        found = [GREPacket.decode(p.last("GRE")) for p in sent if p.last("ICMP")]
        assert len(found) >= COUNT, f"{name} sent {len(found)} echoes in GRE"
        for gre in found:
            assert (gre.key, gre.checksummed) == wanted, f"{name} sent key {gre.key}, checksum {gre.checksummed}"
        numbers = [gre.sequence for gre in found]
        first = numbers[0]
        expected = [first + n for n in range(len(found))] if options.get("sequence") else [None] * len(found)
        assert numbers == expected, f"{name} numbered its packets {numbers}"


@pytest.mark.rfc("2784#2", "4301#4.4.1")
@pytest.mark.needs("transport", "tunnel")
@pytest.mark.pairings(str(DEFAULT[0]))
@pytest.mark.parametrize("mode", INSIDE)
def test_kernel_gre_over_our_esp(lab, left, right, mode):
    """GRE devices of the kernel at both ends, at ours ESP in user space below: routes lead GRE to our TUN device."""
    routing.up(lab, "direct", Tunnel(child=routing.GRE_ONLY | {"mode": mode}), kernel=True)
    lab.establish()
    ping(lab)
    lab.step("layers", f"{INSIDE[mode]} | ICMP, both ways")
    for name in ("left", "right"):
        sent = [p for p in lab.packets() if p.point == f"{name}:wan" and p.direction == Direction.OUTBOUND]
        echoes = [p for p in sent if p.last("ICMP")]
        routing.layered(echoes, f"{INSIDE[mode]} | ICMP")
        assert len(echoes) >= COUNT, f"{name} sent {len(echoes)} echoes in GRE"


def ping(lab):
    """From one end of the GRE link to the other."""
    target = routing.ADDRESSES["right"].partition("/")[0]
    lab.step("ping", f"{COUNT} echo requests from one end of the GRE link to the other")
    done = lab.network.node("left").run(["ping", "-n", "-c", str(COUNT), "-i", "0.2", "-W", "2", target])
    words = done.stdout.strip().splitlines()
    assert done.returncode == 0, f"the ping through GRE failed: {words[-1] if words else done.stderr}"
