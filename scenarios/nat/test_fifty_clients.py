"""Fifty clients behind one carrier-grade NAT: one address, a port each, and one gateway that has them all.

Every client has a daemon of its own in a network namespace of its own; all begin at once, and all ping at once.
"""

from dataclasses import replace
from ipaddress import ip_address, ip_network

import pytest

from lab.plugin import proofs
from lab.plugin.at_once import at_once
from lab.plugin.echoes import Pinging
from lab.plugin.tunnel import Tunnel, left_tree

CLIENTS, POOL, OUTSIDE = 50, "10.4.0.0/24", "203.0.113.2"
NAMES = [f"client{number}" for number in range(1, CLIENTS + 1)]
# Both stacks take five half-open SAs from one address and no more (`block_threshold`): behind a carrier's NAT that is
# the address of all, and their first messages would be passed over until they repeat them.
FROM_ONE_ADDRESS = {"block_threshold": "0"}
SECRETS = {"ike-lab": {f"id-{name}": f"{name}.lab" for name in NAMES}}
PINGS, EVERY_S, SETTLED_S = 3, 0.2, 30
# charon refuses every cookie for 10 s after its start on a machine that has just booted: its unsigned times wrap.
CHARON_REFUSES_S = 11


@pytest.mark.rfc("7296#2.23", "7296#2.19", "3948#2.1")
@pytest.mark.needs("virtual-ip", "nat-t")
@pytest.mark.clock("virtual")
@pytest.mark.limit(120)
@pytest.mark.long
@pytest.mark.pairings("ours>ours", "ours>strongswan", "strongswan>ours")
def test_fifty_clients(lab, left, right):
    """Fifty clients come up at once behind one address, get a virtual address each, and ping at the same time."""
    asks = Tunnel(connection={"vips": "0.0.0.0"}, child={"local_ts": "dynamic"}, secrets=SECRETS)
    lends = replace(asks, connection={"pools": "lab"}, child={"remote_ts": "dynamic"}, remote={"id": "%any"})
    lends = replace(lends, settings=FROM_ONE_ADDRESS, pools={"lab": {"addrs": POOL}})
    lab.up("carrier-50", right=lends, start=("right",))
    lab.step("clients", f"{CLIENTS} daemons, each in a namespace of its own")
    clients = [started(lab, name, asks) for name in NAMES]

    lab.until(lambda: lab.steps.now >= CHARON_REFUSES_S, "charon takes cookies", 60, every=1.0)
    lab.step("handshake", "all of them initiate at once")
    outcomes = at_once(lambda client: client.initiate(), clients)
    for client, outcome in zip(clients, outcomes, strict=True):
        assert outcome.up, f"{client} could not set up its tunnel: {outcome.reason}"
    lab.until(lambda: len(right.children()) == CLIENTS, f"{right} lists {CLIENTS} CHILD SAs", SETTLED_S)
    inner = {client.name: client.established()[0]["local_vips"][0] for client in clients}
    assert len(set(inner.values())) == CLIENTS, f"clients share a virtual address: {inner}"
    assert all(ip_address(text) in ip_network(POOL) for text in inner.values()), f"addresses of no pool: {inner}"

    lab.step("ping", f"{PINGS} echo requests from each client, all at once")
    pings = [Pinging(lab.network.node(name), lab.inner("right"), PINGS, EVERY_S) for name in NAMES]
    for ping in pings:
        ping.ended()
    apart(lab, inner)


def started(lab, name, tunnel):
    """A client with its daemon."""
    address = lab.topology.attachment(name).address()
    own = replace(tunnel, local={"id": f"{name}.lab"})
    return lab.add_gateway(name, lab.left.peer.name, left_tree(own, replace(lab.ends(), left=address)))


def apart(lab, inner):
    """Of all that the capture holds: a port for each client outside, its own address inside, nothing in the open."""
    lab.step("apart", "the outer port and the inner addresses of every ESP packet are those of one client")
    frames, ladder = lab.frames(), lab.ladder()
    places = {}
    for entry in ladder.esp():
        out = entry["from"] != "right"
        client = entry["from"] if out else entry["to"]
        hops = [hop["src"] for hop in entry["hops"] if hop["point"] == "right:wan"] if out else [entry["dst"]]
        places.setdefault(client, set()).update(hops)
        assert f" {inner[client]} " in f" {entry['inner']} ", f"ESP of {client} holds {entry['inner']}"
    assert places.keys() == inner.keys(), f"no ESP of {sorted(inner.keys() - places.keys())}"
    outside = [place for found in places.values() for place in found]
    assert len(outside) == len(set(outside)) == CLIENTS, f"{len(outside)} places of {CLIENTS} clients: {places}"
    assert {place.partition(":")[0] for place in outside} == {OUTSIDE}, f"clients were seen at {outside}"
    for name, address in inner.items():
        proofs.carries_ping(ladder, (address, lab.inner("right")), [PINGS], client=name)
    proofs.no_plaintext(frames, (*inner.values(), lab.inner("right")), ("right", *NAMES))
    proofs.all_opened(ladder)
