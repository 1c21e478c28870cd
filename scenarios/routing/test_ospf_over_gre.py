"""OSPF between two gateways: nothing without GRE, everything with it, and GRE inside ESP."""

import itertools
import time

import pytest

from lab.matrix import DEFAULT, ON_XFRM, OUR_PEERS
from lab.peers.frr_conf import DEFAULT as DEFAULT_TIMERS
from lab.peers.frr_conf import FAST
from lab.plugin import routing
from lab.plugin.tunnel import Tunnel
from lab.wire.ospf import OspfType

pytestmark = pytest.mark.limit(240)
EVERY_PLANE = tuple(map(str, (*DEFAULT, *ON_XFRM)))
OVER_IPV6 = {"transport": "IPv6 | ESP | GRE | IPv4", "tunnel": "IPv6 | ESP | IPv6 | GRE | IPv4"}
INSIDE = {"transport": "IPv4 | ESP | GRE | IPv4", "tunnel": "IPv4 | ESP | IPv4 | GRE | IPv4"}
PINGS = 5
SOON_S = 0.2


@pytest.mark.rfc("2328#A.1", "4301#4.4.1")
@pytest.mark.needs("tunnel")
@pytest.mark.pairings(*EVERY_PLANE)
def test_no_adjacency_without_gre(lab, left, right):
    """No OSPF hello comes through an IPsec tunnel between two networks: it goes to a group that no selector takes."""
    lab.up("direct")
    lab.establish()
    lab.ping()
    routing.routers(lab, FAST, link="wan")

    lab.step("hellos", "both routers say hello to 224.0.0.5 for twice the time after which a neighbour is dead")

    def hellos(name):
        return routing.sent(routing.heard(lab.packets()), name, OspfType.HELLO)

    wanted = 2 * FAST.dead // FAST.hello
    for name in ("left", "right"):
        lab.until(lambda n=name: len(hellos(n)) >= wanted, f"{name} has sent {wanted} hellos", 30.0, every=0.5)

    lab.step("nothing", "no hello came out at the other end, and none was in ESP")
    lab.prove_protected()
    said = routing.heard(lab.packets())
    for name in ("left", "right"):
        routing.layered([one.packet for one in routing.sent(said, name)], "IPv4 | OSPF")
        came = routing.arrived(said, name)
        assert not came, f"an OSPF packet of {name} came out at {came[0].packet.point}: {came[0].packet.names}"
        seen = lab.routers[name].neighbors()
        assert not seen, f"ospfd on {name} has a neighbour: {seen[0]}"


@pytest.mark.rfc("2784#2", "2328#10", "4303#3.1")
@pytest.mark.needs("tunnel", "transport")
@pytest.mark.pairings(*EVERY_PLANE)
@pytest.mark.parametrize("mode", INSIDE)
def test_gre_over_esp(lab, left, right, mode):
    """OSPF over GRE in ESP: FULL on both sides, routes learned, hosts behind both gateways reach each other."""
    routing.up(lab, "direct", Tunnel(child=routing.GRE_ONLY | {"mode": mode}))
    adjacent(lab, INSIDE[mode])


@pytest.mark.rfc("2784#2", "2473#3.1", "4303#3.1")
@pytest.mark.needs("tunnel", "transport")
@pytest.mark.pairings(str(DEFAULT[0]))
@pytest.mark.parametrize("mode", OVER_IPV6)
def test_gre_over_ipv6(lab, left, right, mode):
    """The same over IPv6: GRE of our data plane with the kernel's, which puts a destination option before it."""
    routing.up(lab, "dual-stack", Tunnel(child=routing.GRE_ONLY | {"mode": mode}), version=6)
    adjacent(lab, OVER_IPV6[mode])


@pytest.mark.rfc("2784#2", "2473#3.1", "4303#3.1")
@pytest.mark.needs("tunnel", "transport")
@pytest.mark.pairings(*map(str, ON_XFRM))
def test_kernel_gre_over_ipv6(lab, left, right):
    """The same with the kernel's GRE and ESP at both ends: in a tunnel where our IKE began, else in transport mode."""
    mode = "tunnel" if left.peer.name in OUR_PEERS else "transport"
    routing.up(lab, "dual-stack", Tunnel(child=routing.GRE_ONLY | {"mode": mode}), version=6)
    adjacent(lab, OVER_IPV6[mode])


def adjacent(lab, around):
    """FULL on both sides, the hosts reach each other, and these headers are around everything."""
    lab.establish()
    routing.routers(lab, FAST)
    routing.converge(lab)
    routing.ping(lab, PINGS)

    lab.step("layers", f"{around} | OSPF, and the same around the echoes of the hosts")
    packets = lab.packets()
    said = routing.heard(packets)
    for name in ("left", "right"):
        routing.layered([one.packet for one in routing.sent(said, name)], f"{around} | OSPF")
        for kind in (OspfType.HELLO, OspfType.DATABASE_DESCRIPTION, OspfType.LINK_STATE_UPDATE):
            assert routing.sent(said, name, kind), f"{name} became FULL without a {kind.name}"
    routing.carried(lab, packets, around, PINGS)


@pytest.mark.rfc("2328#9.5", "2328#10.3")
@pytest.mark.needs("transport")
@pytest.mark.clock("virtual")
@pytest.mark.pairings(*map(str, (*DEFAULT, ON_XFRM[1])))
def test_default_timers(lab, left, right):
    """With the timers of RFC 2328: a hello every 10 s, a silent neighbour dead after 40 s, and well again after it."""
    routing.up(lab, "direct", Tunnel(child=routing.GRE_ONLY | {"mode": "transport"}))
    lab.establish()
    routing.routers(lab, DEFAULT_TIMERS)
    routing.converge(lab, 60.0)

    lab.step("silence", "nothing passes between the gateways any more")
    lab.network.block("left", "right")
    began = time.time()
    for name in ("left", "right"):
        router = lab.routers[name]
        lab.until(lambda r=router: not r.neighbors(), f"ospfd on {name} has given its neighbour up", 60.0, every=0.05)
    took = time.time() - began
    for name in ("left", "right"):
        router = lab.routers[name]
        # The next computation of routes may be put off for 5 s (`timers throttle spf`).
        lab.until(
            lambda r=router: not any(route.via for route in r.routes()),
            f"ospfd on {name} has no route through a dead neighbour",
            10.0,
            every=0.05,
        )

    lab.step("again", "everything passes, and the adjacency forms anew")
    lab.network.unblock("left", "right")
    routing.converge(lab, 60.0)
    routing.ping(lab, PINGS)

    lab.step("on time", "hellos every 10 s; dead 40 s after the last one that came")
    said = routing.heard(lab.packets())
    last = [routing.arrived(said, name, OspfType.HELLO) for name in ("left", "right")]
    deaths = [max(one.t for one in came if one.t < began) + DEFAULT_TIMERS.dead for came in last]
    late = began + took - max(deaths)
    assert abs(late) < SOON_S, f"the last neighbour was given up {late:.3f} s after it was due"
    for name in ("left", "right"):
        times = [one.t for one in routing.sent(said, name, OspfType.HELLO)]
        gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
        off = [gap for gap in gaps if abs(gap - DEFAULT_TIMERS.hello) > SOON_S]
        # One more hello may go out at once when a neighbour is heard for the first time.
        assert len(off) <= 2 * len(lab.gateways), f"{name} sent hellos {gaps} s apart"
        assert len(gaps) > len(off), f"{name} sent too few hellos to tell: {times}"
