"""Two clients behind one NAT with one responder: one address, two ports, and nothing that one shares with the other.

The second client is another gateway in the place of the left one; it is of the first one's kind, or of the responder's.
"""

import contextlib
from dataclasses import replace

import pytest

from lab.matrix import IKEV1, IKEV2, ON_XFRM
from lab.plugin import first_version as v1
from lab.plugin import proofs
from lab.plugin.at_once import at_once
from lab.plugin.echoes import Pinging
from lab.plugin.tunnel import CHILD, Tunnel, left_tree

SECOND, OUTSIDE = "second", "203.0.113.2"
NETS = "10.1.0.0/24, 10.3.0.0/24"
COMPANY = ("alike", "mixed")
# In Main Mode the responder must choose the secret before it knows a name: by the address, which both have in common.
SHARED = {"ike-lab": {"id-second": f"{SECOND}.lab", "id-nat": OUTSIDE}}
# charon sends through its new child together with the last message of Quick Mode, which the responder has to read
# before it knows that child. So no ping may leave at that moment, which is two round trips behind one of them.
ONE_WAY, EVERY_S, COUNT, LEAST = "50ms", 0.06, 24, 5
SETTLED_S = 10
EVERY_PLANE = tuple(map(str, (*IKEV2, *ON_XFRM)))


def up(lab, company, client, responder):
    """The network with a slow path, so that whatever both clients do is on the wire at once; both clients."""
    lab.up(
        "two-clients",
        left=replace(client, secrets=SHARED),
        right=replace(responder, secrets=SHARED, remote={"id": "%any"}),
    )
    for sender in ("nat", "internet"):
        lab.network.set_link("uplink", sender, delay=ONE_WAY)
    kind = {"alike": lab.left, "mixed": lab.right}[company].peer.name
    wishes = replace(client, secrets=SHARED, local={"id": f"{SECOND}.lab"})
    return lab.left, lab.add_gateway(SECOND, kind, left_tree(wishes, lab.ends(SECOND)))


def both(clients, what, act):
    """Both clients do the same at the same time, and both succeed."""
    for client, outcome in zip(clients, at_once(act, clients), strict=True):
        assert outcome.up, f"{client} could not {what}: {outcome.reason}"


def establish(lab, clients):
    """Both clients set up their tunnels at once: each one's first message is sent before the other one has finished."""
    lab.step("handshake", " and ".join(map(str, clients)) + " initiate at once")
    both(clients, "set up its tunnel", lambda client: client.initiate())
    for gateway, count in (*((client, 1) for client in clients), (lab.right, 2)):
        lab.until(lambda g=gateway, n=count: len(g.children()) == n, f"{gateway} lists {count} CHILD SAs", SETTLED_S)
    messages = [[e for e in lab.ladder().ike() if client.name in (e["from"], e["to"])] for client in clients]
    begun, over = max(found[0]["t_sent"] for found in messages), min(found[-1]["t_sent"] for found in messages)
    assert begun < over, f"one client began {begun - over:.3f} s after the other one's last message"


def arrived(entry):
    """The source that the responder saw of a datagram."""
    return next(hop["src"] for hop in entry["hops"] if hop["point"] == "right:wan")


def mapped(lab, clients, ladder):
    """Both sent from the same ports, and the NAT changed those of one: where each client's port 4500 is outside."""
    for port in (500, 4500):
        outside = {}
        for client in clients:
            sent = [entry for entry in ladder.ike(sender=client.name) if entry["src"] == f"{client.address}:{port}"]
            seen = {arrived(entry) for entry in sent if not entry["lost"]}
            assert len(seen) == 1, f"{client} was seen at {sorted(seen)} when it sent from port {port}"
            (outside[client.name],) = seen
        addresses, ports = zip(*(place.split(":") for place in outside.values()), strict=True)
        assert set(addresses) == {OUTSIDE}, f"the clients were seen at {outside}"
        assert ports.count(str(port)) == 1, f"the NAT did not change port {port} of just one client: {outside}"
    listed = {f"{sa['remote_host']}:{sa['remote_port']}" for sa in lab.right.established()}
    assert listed == set(outside.values()), f"{lab.right} has its peers at {listed}, not at {outside}"
    return outside


def spis(client):
    """The SPIs of a client's children: to it, and from it."""
    children = client.children()
    return {child["spi_in"] for child in children}, {child["spi_out"] for child in children}


@contextlib.contextmanager
def pinging(lab, clients, nodes):
    """Both ping the right host while the block runs."""
    pings = [Pinging(lab.network.node(node), lab.inner("right"), COUNT, EVERY_S) for node in nodes]
    for ping in pings:
        ping.begun(LEAST)
    yield
    for ping in pings:
        ping.ended()


def rekey(lab, clients):
    """Each client rekeys its child while the pings go on; all the SPIs that there were, by client."""
    before = {client.name: spis(client) for client in clients}
    lab.step("rekey", "both clients rekey their children at once")
    both(clients, "rekey", lambda client: client.rekey(child=CHILD))

    def renewed():
        now = [spis(client) for client in clients]
        there = {child["spi_out"] for child in lab.right.children()}
        old = set().union(*(to for to, _ in before.values()))
        return all(len(to) == 1 for to, _ in now) and there == set().union(*(to for to, _ in now)) and not there & old

    lab.until(renewed, "one new child for each client, on both sides", SETTLED_S)
    after = {client.name: spis(client) for client in clients}
    return before, {name: tuple(a | b for a, b in zip(before[name], after[name], strict=True)) for name in before}


def own_tunnels(lab, ladder, clients, inner, outside, known):
    """Of every ESP packet the outer ports, the SPI and the inner addresses are those of one client."""
    (to_one, from_one), (to_other, from_other) = known.values()
    assert not to_one & to_other and not from_one & from_other, f"the clients share SPIs: {known}"
    target = lab.inner("right")
    for entry in ladder.esp():
        out = entry["from"] != "right"
        client = entry["from"] if out else entry["to"]
        ends = f"{inner[client]} -> {target}" if out else f"{target} -> {inner[client]}"
        place = arrived(entry) if out else entry["dst"]
        assert place == outside[client], f"ESP of {client} at {place}, not {outside[client]}: {entry['inner']}"
        assert entry["spi"] in known[client][out], f"ESP of {client} has the SPI {entry['spi']}, not of {known[client]}"
        assert f" {ends} " in entry["inner"], f"ESP of {client} holds {entry['inner']}"


def protected(lab, clients, inner, counts):
    """ESP holds every echo, none is seen outside, and the capture opens."""
    frames, ladder = lab.frames(), lab.ladder()
    for client in clients:
        proofs.carries_ping(ladder, (inner[client.name], lab.inner("right")), counts[client.name], client=client.name)
    proofs.no_plaintext(frames, (*inner.values(), lab.inner("right")))
    proofs.all_opened(ladder)
    return ladder


def all_along(lab, clients, inner, nodes, exchange):
    """Traffic of both at once, rekeying by both, the end of one: the other one's tunnel does not notice."""
    outside = mapped(lab, clients, lab.ladder())
    assert len(set(inner.values())) == 2, f"the clients share an inner address: {inner}"
    rekeyed_from = len(lab.ladder())
    lab.step("traffic", f"{COUNT} pings from behind each client, one every {EVERY_S * 1000:g} ms")
    with pinging(lab, clients, nodes):
        before, known = rekey(lab, clients)

    lab.step("apart", "the outer ports, the SPI and the inner addresses of every ESP packet belong together")
    ladder = protected(lab, clients, inner, {client.name: [COUNT] for client in clients})
    own_tunnels(lab, ladder, clients, inner, outside, known)
    asked = {e["from"] for e in ladder.entries[rekeyed_from:] if e["exchange"] == exchange and e["from"] != "right"}
    assert asked == {client.name for client in clients}, f"only {asked} rekeyed: {ladder.words()}"
    for client in clients:
        there, back = ([e for e in ladder.esp() if client.name == e[way]][-1] for way in ("from", "to"))
        old = {there["spi"], back["spi"]} & set().union(*before[client.name])
        assert not old, f"the last packets of {client} still have the SPI {old}"

    first, second = clients
    lab.step("gone", f"{second} ends its IKE SA, and only that goes")
    started = len(lab.ladder())
    assert (outcome := second.terminate()).up, f"{second} could not end its IKE SA: {outcome.reason}"
    lab.until(lambda: not second.sas() and len(lab.right.sas()) == 1, "one IKE SA is left at the responder", SETTLED_S)
    deleted = [e for e in lab.ladder().entries[started:] if "D" in e["payloads"]]
    assert deleted and not [e for e in deleted if first.name in (e["from"], e["to"])], lab.ladder().words()
    gone = len(lab.ladder())
    with pinging(lab, clients, nodes[:1]):
        pass
    ladder = protected(lab, clients, inner, {first.name: [COUNT, COUNT], second.name: [COUNT]})
    own_tunnels(lab, ladder, clients, inner, outside, known)
    stray = [e for e in ladder.entries[gone:] if second.name in (e["from"], e["to"])]
    assert not stray, f"after its end {second} has {stray[0]['protocol']} {stray[0]['src']} -> {stray[0]['dst']}"


def networks(lab, company, client, exchange):
    """Each client has its own network behind it; the responder knows of both, and each client narrows to its own."""
    clients = up(lab, company, client, replace(client, child={"remote_ts": NETS}))
    establish(lab, clients)
    inner = {gateway.name: lab.inner(gateway.name) for gateway in clients}
    all_along(lab, clients, inner, [f"{name}-host" for name in inner], exchange)


@pytest.mark.rfc("7296#2.23", "7296#2.9", "3948#2.1")
@pytest.mark.needs("nat-t", "rekey", "delete", "narrowing")
@pytest.mark.pairings(*EVERY_PLANE)
@pytest.mark.parametrize("company", COMPANY)
def test_two_clients(lab, left, right, company):
    """Two tunnels from one address to one responder, set up, used, rekeyed and ended side by side."""
    networks(lab, company, Tunnel(), "CREATE_CHILD_SA")


@pytest.mark.rfc("3947#4", "2409#5.5", "3948#2.1")
@pytest.mark.needs("ikev1", "nat-t", "rekey", "delete")
@pytest.mark.pairings(*map(str, (*IKEV1, *ON_XFRM)))
@pytest.mark.parametrize("company", COMPANY)
def test_two_clients_ikev1(lab, left, right, company):
    """The same with Main Mode and Quick Mode."""
    networks(lab, company, v1.tunnel(), v1.QUICK)


@pytest.mark.rfc("7296#2.19", "7296#2.23", "3948#2.1")
@pytest.mark.needs("virtual-ip", "nat-t", "rekey", "delete")
@pytest.mark.pairings(*EVERY_PLANE)
@pytest.mark.parametrize("company", COMPANY)
def test_two_clients_virtual_addresses(lab, left, right, company):
    """Both clients have a virtual address from one pool, and the responder tells them apart by nothing else."""
    client = Tunnel(connection={"vips": "0.0.0.0"}, child={"local_ts": "dynamic"})
    pool = {"lab": {"addrs": "10.4.0.0/24"}}
    clients = up(lab, company, client, Tunnel(connection={"pools": "lab"}, child={"remote_ts": "dynamic"}, pools=pool))
    establish(lab, clients)
    given = {}
    for entry in lab.ladder().ike("IKE_AUTH", response=True, again=False):
        (given[entry["to"]],) = (text.split()[1] for text in entry["cp"] if text.startswith("INTERNAL_IP4_ADDRESS "))
    held = {gateway.name: gateway.established()[0]["local_vips"] for gateway in clients}
    assert held == {name: [address] for name, address in given.items()}, f"given {given}, held {held}"
    all_along(lab, clients, given, [gateway.name for gateway in clients], "CREATE_CHILD_SA")
