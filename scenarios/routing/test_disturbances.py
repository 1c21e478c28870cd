"""OSPF over GRE over ESP while something happens below it: what is lost, for how long, and what survives.

The mode of ESP goes by the pairing, so that each of the disturbances meets both modes on both data planes and our side
in both roles.
"""

import pytest

from lab.emulation import topology
from lab.matrix import DEFAULT, ON_XFRM
from lab.peers.frr_conf import FAST
from lab.plugin import disturbance, routing
from lab.plugin.renewal import one_new, spis
from lab.plugin.tunnel import CHILD, CONNECTION, Tunnel

# Fast timers want real time: under a virtual clock FRR spins through the last millisecond of every wait.
pytestmark = [pytest.mark.clock("real"), pytest.mark.limit(180)]
EVERY_PLANE = tuple(map(str, (*DEFAULT, *ON_XFRM)))
MODES = dict(zip(EVERY_PLANE, ("transport", "tunnel", "tunnel", "transport"), strict=True))
KINDS = {"child": {"child": CHILD}, "ike": {"ike": CONNECTION}}
# Long enough for the 5 s in which an old CHILD SA is still heard, and for a neighbour to be declared dead after it.
PINGS, EVERY_S = 260, 0.05
SETTLED_S = 10
OUTSIDE, BEFORE, AFTER = "203.0.113.2", 24500, 34500


def child(lab):
    """One of GRE alone, in the mode of this pairing."""
    return routing.GRE_ONLY | {"mode": MODES[str(lab.scenario.pairing)]}


def steady(lab, where="direct", tunnel=None, **options):
    """A tunnel with GRE and OSPF that has settled."""
    routing.up(lab, where, tunnel or Tunnel(child=child(lab)), **options)
    if where == "nat-initiator":
        lab.network.rebind("left-nat", remap={4500: BEFORE})
    lab.establish()
    routing.routers(lab, FAST)
    routing.converge(lab)


@pytest.mark.rfc("7296#2.8", "2328#10.3")
@pytest.mark.needs("transport", "tunnel", "rekey")
@pytest.mark.pairings(*EVERY_PLANE)
@pytest.mark.parametrize("kind", KINDS)
def test_adjacency_survives_rekeying(lab, left, right, kind):
    """While the initiator rekeys no hello and no echo is lost, and the adjacency does not even notice."""
    steady(lab)
    before = spis(left, kind)

    lab.step("rekey", f"{left} rekeys while {PINGS} pings go through, one every {EVERY_S * 1000:g} ms")
    with disturbance.watch(lab, f"rekeying of the {kind} SA", pings=PINGS, every=EVERY_S) as watched:
        outcome = left.rekey(**KINDS[kind])
        assert outcome.up, f"{left} could not rekey: {outcome.reason}"
        lab.until(lambda: one_new(left, right, kind, before), "one new SA on both sides", SETTLED_S)

    lab.step("unbroken", "no state change, no new database description, every hello came")
    assert lab.ladder().ike("CREATE_CHILD_SA"), "nothing was rekeyed"
    disturbance.unbroken(watched.cost)
    disturbance.nothing_lost(watched.cost)


@pytest.mark.rfc("2328#10.5")
@pytest.mark.needs("transport", "tunnel")
@pytest.mark.pairings(*EVERY_PLANE)
def test_adjacency_survives_loss(lab, left, right):
    """5 % of all packets are lost, hellos among them, but never as many in a row as make a neighbour dead."""
    steady(lab)
    for sender in ("left", "internet"):
        lab.network.set_link("left-wan", sender, loss="5%")
    count = 200
    lab.step("loss", f"5 % of the packets, both ways, while {count} pings go out, one every 0.1 s")
    with disturbance.watch(lab, "5 % loss", pings=count, every=0.1, before=1) as watched:
        pass

    lab.step("unbroken", "some were lost, and the adjacency stands")
    cost = watched.cost
    dead = FAST.dead // FAST.hello
    for name, hellos in cost.hellos.items():
        assert hellos.in_a_row < dead, f"{hellos.in_a_row} hellos of {name} were lost in a row, by chance"
    share = cost.echoes.lost / cost.echoes.sent
    assert 0.03 < share < 0.25, f"{share:.1%} of the echoes were lost; of two ways with 5 % each it is 9.75 %"
    disturbance.unbroken(cost)


def behind_nat(lab):
    """The same behind a NAT: transport mode shows the responder the NAT's address, a tunnel the initiator's own one."""
    if MODES[str(lab.scenario.pairing)] == "transport":
        steady(lab, "nat-initiator", seen_at={"left": OUTSIDE})
        return
    own = topology.load("nat-initiator").attachment("left").address()
    there = Tunnel(child=child(lab) | {"remote_ts": f"{own}[gre]"})
    steady(lab, "nat-initiator", there, left=Tunnel(child=child(lab)))


@pytest.mark.rfc("7296#2.23", "3948#2.1")
@pytest.mark.needs("transport", "tunnel", "nat-t")
@pytest.mark.pairings(*EVERY_PLANE)
def test_adjacency_survives_a_rebinding(lab, left, right):
    """The NAT before the initiator forgets its mapping; the next packet from inside shows the new one."""
    behind_nat(lab)
    lab.step("rebinding", f"the NAT forgets, and maps port 4500 to {AFTER} from now on")
    with disturbance.watch(lab, "rebinding of the NAT", pings=PINGS, every=EVERY_S) as watched:
        lab.network.rebind("left-nat", remap={4500: AFTER})

    lab.step("unbroken", "the adjacency stands, and the responder follows within a second")
    cost = watched.cost
    disturbance.unbroken(cost)
    assert cost.echoes.outage_s < 1.0, f"the hosts were cut off for {cost.echoes.outage_s} s"
    late = [e for e in lab.ladder().esp("right")[-20:] if e["dst"] != f"{OUTSIDE}:{AFTER}"]
    assert not late, f"{right} still sends to {late[0]['dst']}"


@pytest.mark.rfc("7296#2.4", "2328#10.3")
@pytest.mark.needs("transport", "tunnel", "liveness")
@pytest.mark.pairings(*EVERY_PLANE)
def test_peer_restarts(lab, left, right):
    """The responder is switched off and on: the initiator finds out, makes all anew, and OSPF comes back."""
    again = Tunnel(
        connection={"dpd_delay": "2s"},
        child=child(lab) | {"dpd_action": "restart"},
        settings={"retransmit_timeout": "0.5", "retransmit_tries": "2"},
    )
    steady(lab, tunnel=again)
    (old,) = left.established()

    def anew():
        """The initiator has one IKE SA, another one, with its child, and so has the responder."""
        fresh = [sa for sa in left.established() if sa["spi_i"] != old["spi_i"] and sa["children"]]
        return fresh and right.children()

    lab.step("restart", f"{right} is killed, which tells nobody, its kernel forgets, and it is started again")
    with disturbance.watch(lab, "restart of the peer", pings=200, every=0.1) as watched:
        right.restart(15.0)
        lab.until(anew, f"{left} has set up all anew", 60.0, every=0.1)
        routing.converge(lab, 60.0)

    lab.step("measured", f"cut off for {watched.cost.echoes.outage_s:.1f} s")
    cost = watched.cost
    assert cost.echoes.series[-1][1], "the last echo was not answered"
    taken = cost.hellos["left"].taken
    assert taken is None or taken < cost.hellos["left"].sent, f"all hellos of {left} were taken, so nothing was lost"
    assert 0 < cost.echoes.outage_s < 30.0, f"the hosts were cut off for {cost.echoes.outage_s} s"
    routing.ping(lab, 5)
