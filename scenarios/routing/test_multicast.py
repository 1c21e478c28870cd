"""OSPF in IPsec without GRE: selectors that take every packet, and XFRM interfaces (route-based tunnels)."""

import pytest

from lab.emulation.xfrm_interface import XfrmInterface
from lab.matrix import ON_XFRM
from lab.peers.frr_conf import FAST
from lab.plugin import routing
from lab.plugin.tunnel import Tunnel
from lab.wire.ospf import OspfType

pytestmark = pytest.mark.limit(180)
EVERYTHING = {"local_ts": "0.0.0.0/0", "remote_ts": "0.0.0.0/0"}
INSIDE = "IPv4 | ESP | IPv4"
SIDES = ("left", "right")
DEVICE, IF_IDS = "ipsec1", {"left": 0x1001, "right": 0x2002}
PINGS, HELLOS = 5, 3


@pytest.mark.rfc("4301#4.4.1", "2328#10.5")
@pytest.mark.needs("tunnel")
@pytest.mark.pairings(str(ON_XFRM[0]))
def test_selectors_that_take_a_group(lab, left, right):
    """Policies for every packet take hellos to 224.0.0.5 too, and OSPF becomes FULL - but hosts are cut off."""
    lab.up("direct", Tunnel(child=EVERYTHING))
    lab.establish()
    routing.routers(lab, FAST, link="wan")

    lab.step("hellos", "both routers say hello to 224.0.0.5 out of their outer interfaces")
    for name in SIDES:
        lab.until(
            lambda n=name: len(hellos(lab, n)) >= HELLOS, f"{HELLOS} hellos of {name} have crossed", 30.0, every=0.5
        )
    said = routing.heard(lab.packets())
    for name in SIDES:
        routing.layered([one.packet for one in routing.sent(said, name)], f"{INSIDE} | OSPF")
        ends = {routing.inner_ends(one.packet) for one in routing.arrived(said, name, OspfType.HELLO)}
        assert ends == {(lab.network.node(name).address("wan"), "224.0.0.5")}, (
            f"the hellos of {name} have the ends {ends}"
        )
        seen = lab.routers[name].neighbors()
        assert not seen, f"ospfd on {name} has a neighbour on no network of its own: {seen[0]}"

    lab.step("common network", "an address of one network on both outer interfaces, and the adjacency is FULL")
    for name in SIDES:
        lab.network.node(name).run(["ip", "address", "add", routing.ADDRESSES[name], "dev", "wan"])
    for name in SIDES:
        lab.until(lab.routers[name].full, f"ospfd on {name} is FULL with its neighbour", routing.CONVERGE_S)

    lab.step("cut off", "a gateway whose policies take every packet drops what its own hosts send in the clear")
    done = lab.network.node("left-host").run(["ping", "-n", "-c", "1", "-W", "1", lab.inner("right")])
    assert done.returncode, "the ping of the hosts came through"
    packets = lab.packets()
    ends = lab.inner("left"), lab.inner("right")
    points = {p.point for p in packets if p.last("ICMP") and routing.inner_ends(p) == ends}
    assert points == {"left-host:lan", "left:lan"}, f"the echo request was seen at {', '.join(sorted(points))}"
    for name in SIDES:
        routing.layered([one.packet for one in routing.sent(routing.heard(packets), name)], f"{INSIDE} | OSPF")


def hellos(lab, name):
    """The hellos of a gateway that came in at the other one."""
    return routing.arrived(routing.heard(lab.packets()), name, OspfType.HELLO)


@pytest.mark.rfc("4301#4.4.1", "2328#10")
@pytest.mark.needs("tunnel", "xfrm-interface")
@pytest.mark.pairings(*map(str, ON_XFRM))
def test_xfrm_interfaces(lab, left, right):
    """Route-based: what is routed into an XFRM interface is in ESP, groups too, so OSPF becomes FULL over it."""
    sides = {name: Tunnel(child=EVERYTHING | {"if_id_in": hex(n), "if_id_out": str(n)}) for name, n in IF_IDS.items()}
    lab.up("direct", **sides)
    lab.step("interfaces", f"{DEVICE} at both ends, each with an ID of its own")
    for name, number in IF_IDS.items():
        lab.network.xfrm_interface(name, XfrmInterface(number, routing.ADDRESSES[name], DEVICE))
    lab.establish()
    routing.routers(lab, FAST, link=DEVICE)
    routing.converge(lab)
    routing.ping(lab, PINGS)

    lab.step("clear", "what is not routed into the interface stays outside, although the selectors take everything")
    router = "203.0.113.1"
    done = lab.network.node("left").run(["ping", "-n", "-c", "1", "-W", "2", router])
    assert done.returncode == 0, f"the left gateway does not reach {router}: {done.stdout}"

    lab.step("layers", f"{INSIDE} | OSPF, and the same around the echoes of the hosts")
    packets = lab.packets()
    said = routing.heard(packets)
    for name in SIDES:
        routing.layered([one.packet for one in routing.sent(said, name)], f"{INSIDE} | OSPF")
        for kind in (OspfType.HELLO, OspfType.DATABASE_DESCRIPTION, OspfType.LINK_STATE_UPDATE):
            assert routing.sent(said, name, kind), f"{name} became FULL without a {kind.name}"
    routing.carried(lab, packets, INSIDE, PINGS)
