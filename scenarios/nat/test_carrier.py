"""Fifty clients behind one address: a carrier-grade NAT, and one gateway that all of them talk to."""

from dataclasses import replace

import pytest

from lab.plugin import proofs
from lab.plugin.tunnel import Tunnel, left_tree

OUTSIDE, COUNT = "203.0.113.2", 50
SETTLED_S = 30
CLIENT = Tunnel(connection={"vips": "0.0.0.0"}, child={"local_ts": "dynamic"})
POOL = {"lab": {"addrs": "10.4.0.0/24"}}
GATEWAY = Tunnel(connection={"pools": "lab"}, child={"remote_ts": "dynamic"}, pools=POOL, remote={"id": "%any"})


def up(lab):
    """The gateway and all clients, ready; the clients are our stack, each a daemon in a node of its own."""
    names = [f"client{number}" for number in range(1, COUNT + 1)]
    known = {"ike-lab": {f"id-{name}": f"{name}.lab" for name in names}}
    lab.up("carrier-50", left=replace(CLIENT, secrets=known), right=replace(GATEWAY, secrets=known), start=("right",))
    lab.step("clients", f"{COUNT} daemons of our stack, one in each client's node")
    ends = lab.ends()
    clients = []
    for name in names:
        address = lab.network.node(name).address()
        tree = left_tree(replace(CLIENT, local={"id": f"{name}.lab"}), replace(ends, left=address))
        clients.append(lab.add_gateway(name, lab.left.peer.name, tree))
    return clients


@pytest.mark.rfc("7296#2.23", "7296#2.19", "3948#2.1")
@pytest.mark.needs("virtual-ip", "nat-t")
@pytest.mark.clock("virtual")
@pytest.mark.limit(180)  # fifty daemons in one guest: a third of it where the machine is quiet
@pytest.mark.pairings("ours>ours", "ours>strongswan")
def test_fifty_clients(lab, left, right):
    """Fifty clients behind one carrier-grade NAT, all up at one gateway, each with its address, all pinging."""
    clients = up(lab)
    lab.step("handshake", f"{COUNT} clients initiate, one after the other")
    for client in clients:
        outcome = client.initiate()
        assert outcome.up, f"{client} could not set up its tunnel: {outcome.reason}"
    lab.until(lambda: len(right.children()) == COUNT, f"{right} lists {COUNT} CHILD SAs", SETTLED_S, every=0.5)
    held = {client.name: client.established()[0]["local_vips"][0] for client in clients}
    assert len(set(held.values())) == COUNT, f"clients share virtual addresses: {sorted(held.values())}"

    lab.step("ping", f"each client pings {lab.inner('right')} from its virtual address")
    for client in clients:
        done = lab.network.node(client.name).run(["ping", "-n", "-c", "1", "-W", "2", lab.inner("right")])
        assert done.returncode == 0, f"the ping of {client} failed: {done.stdout.strip().splitlines()[-1:]}"

    lab.step("protected", "each echo went in ESP under its client's SA and from a port of its own")
    frames, ladder = lab.frames(), lab.ladder()
    ports = {}
    for client in clients:
        proofs.carries_ping(ladder, (held[client.name], lab.inner("right")), [1], client=client.name)
        places = {hop["src"] for e in ladder.esp(client.name) for hop in e["hops"] if hop["point"] == "right:wan"}
        assert len(places) == 1, f"{client} was seen at {sorted(places)}"
        ports[client.name] = places.pop()
    assert len(set(ports.values())) == COUNT, "two clients were seen at the same port"
    assert {place.partition(":")[0] for place in ports.values()} == {OUTSIDE}, sorted(ports.values())[:3]
    proofs.no_plaintext(frames, (*held.values(), lab.inner("right")))
    proofs.all_opened(ladder)
