"""Three sites, a tunnel between any two of them: OSPF finds the way round a tunnel that is cut."""

from functools import partial

import pytest

from lab.emulation.gre import Gre
from lab.errors import UnfitError
from lab.ike.swanctl import parse
from lab.matrix import DEFAULT, ON_XFRM, OURS
from lab.peers.frr_conf import FAST, Link, Router
from lab.plugin import routing
from lab.plugin.routing import inner_ends
from lab.plugin.tunnel import ESP, IKE, SECRET, Tunnel
from lab.wire.pcapng import Direction

pytestmark = [pytest.mark.clock("real"), pytest.mark.limit(180)]
TRANSPORT = routing.GRE_ONLY | {"mode": "transport"}
THIRD = "third"
ADDRESS = {"left": "203.0.113.2", "right": "198.51.100.2", THIRD: "192.0.2.2"}
NETWORK = {"left": "10.1.0.0/24", "right": "10.2.0.0/24", THIRD: "10.3.0.0/24"}
ROUTER_ID = {**routing.ROUTER_IDS, THIRD: "3.3.3.3"}
# interface -> node -> its address there
LINKS = {
    "gre1": {"left": "172.31.0.1/30", "right": "172.31.0.2/30"},
    "gre2": {"left": "172.31.0.5/30", THIRD: "172.31.0.6/30"},
    "gre3": {"right": "172.31.0.9/30", THIRD: "172.31.0.10/30"},
}
COUNT = 5


def connection(here, there):
    """The connection of a gateway to another one, as text of swanctl.conf; its child is called after both."""
    name = "-".join(sorted((here, there)))
    return f"""
connections {{ {name} {{
    version = 2
    local_addrs = {ADDRESS[here]}
    remote_addrs = {ADDRESS[there]}
    proposals = {IKE}
    mobike = no
    local {{
        auth = psk
        id = {here}.lab
    }}
    remote {{
        auth = psk
        id = {there}.lab
    }}
    children {{ {name} {{
        local_ts = dynamic[gre]
        remote_ts = dynamic[gre]
        mode = transport
        esp_proposals = {ESP}
    }} }}
}} }}
secrets {{ ike-{name} {{
    id-here = {here}.lab
    id-there = {there}.lab
    secret = "{SECRET}"
}} }}
"""


def devices(node):
    """The GRE devices of a node."""
    found = []
    for name, ends in LINKS.items():
        if node in ends:
            (other,) = ends.keys() - {node}
            found.append(Gre(ADDRESS[node], ADDRESS[other], ends[node], name))
    return found


def up(lab):
    """Three gateways, three tunnels with GRE in them, three routers."""
    sides = {}
    for gateway in lab.gateways:
        ours = devices(gateway.name) if gateway.peer.name == OURS else []
        gre = {device.name: routing.settings(device) for device in ours}
        # Only towards the third: between the first two it is as in every scenario.
        peer = {"remote_addrs": ADDRESS["left" if gateway.name == "right" else "right"]}
        sides[gateway.name] = Tunnel(child=TRANSPORT, connection=peer, gre=gre, more=connection(gateway.name, THIRD))
    lab.up("triangle", left=sides["left"], right=sides["right"])
    third = lab.add_gateway(THIRD, "strongswan", parse(connection(THIRD, "left") + connection(THIRD, "right")))
    lab.step("gre", ", ".join(f"{name} between {' and '.join(ends)}" for name, ends in LINKS.items()))
    for gateway in (*lab.gateways, third):
        for device in devices(gateway.name) if gateway.peer.name != OURS else ():
            try:
                lab.network.gre(gateway.name, device)
            except UnfitError as error:
                lab.unsupported(str(error))
    lab.establish()
    lab.step("tunnels", "the third gateway sets up its tunnels to the other two")
    for other in ("left", "right"):
        outcome = third.initiate("-".join(sorted((THIRD, other))))
        assert outcome.up, f"{third} could not set up its tunnel to {other}: {outcome.reason}"
    routing.start(
        lab,
        {
            name: Router(
                ROUTER_ID[name], (*(Link(device.name) for device in devices(name)), Link("lan", passive=True)), FAST
            )
            for name in ADDRESS
        },
    )


def way_to(router, network):
    """The interfaces by which a router sends to a network."""
    return routing.routes_to(router, network)


def passed(lab, since):
    """Between which gateways the echo requests of the left host travelled, from this time on: (from, to) addresses."""
    found = set()
    for packet in lab.packets():
        out = packet.point in ("left:wan", "third:wan", "right:wan") and packet.direction == Direction.OUTBOUND
        if out and packet.t >= since and packet.last("ICMP") and packet.last("ICMP")[0] == 8:
            assert packet.names == "IPv4 | ESP | GRE | IPv4 | ICMP", f"an echo travelled as {packet.names}"
            assert inner_ends(packet) == (lab.inner("left"), lab.inner("right"))
            found.add(packet.ends)
    return found


@pytest.mark.rfc("2328#16", "2784#3")
@pytest.mark.needs("transport")
@pytest.mark.pairings(*map(str, (*DEFAULT, ON_XFRM[0])))
def test_way_round_a_cut_tunnel(lab, left, right):
    """One of three tunnels is cut: OSPF sends through the third site what went straight, and back when it is mended."""
    up(lab)
    lab.step("converged", "every gateway goes straight to every network")
    for interface, ends in LINKS.items():
        for one, other in (tuple(ends), tuple(ends)[::-1]):
            what = f"{one} sends to {NETWORK[other]} by {interface}"
            lab.until(lambda o=one, t=other, i=interface: way_to(lab.routers[o], NETWORK[t]) == [i], what, 30.0)

    straight, there, on = (ADDRESS["left"], ADDRESS["right"]), (ADDRESS["left"], ADDRESS[THIRD]), ADDRESS["right"]

    def went(*ways):
        """The hosts reach each other, and their echo requests go these ways."""
        since = max(frame.t for frame in lab.frames())
        routing.ping(lab, COUNT)
        found = passed(lab, since)
        assert found == set(ways), f"the echoes went {sorted(found)}, not {sorted(ways)}"

    went(straight)
    lab.step("cut", "nothing passes between left and right any more")
    lab.network.block("left", "right")
    for one, other, by in (("left", "right", "gre2"), ("right", "left", "gre3")):
        what = f"{one} sends to {NETWORK[other]} through the third gateway"
        lab.until(partial(_goes, lab, one, other, by), what, 30.0)
    went(there, (ADDRESS[THIRD], on))

    lab.step("mended", "everything passes again")
    lab.network.unblock("left", "right")
    for one, other in (("left", "right"), ("right", "left")):
        lab.until(partial(_goes, lab, one, other, "gre1"), f"{one} goes straight to {NETWORK[other]} again", 30.0)
    went(straight)


def _goes(lab, one, other, by):
    return way_to(lab.routers[one], NETWORK[other]) == [by]
