"""Virtual addresses by the Configuration payload (RFC 7296 2.19): asked for, lent, used, kept over rekeying, refused.

The left gateway is the client: it pings the right host and leaves the source to routing, so that the inner source is
its virtual address only if the address and the route are there.
"""

import json
from dataclasses import replace

import pytest

from lab.matrix import IKEV2, ON_XFRM
from lab.plugin.tunnel import CHILD, CONNECTION, SECRET, Tunnel

VERSIONS = tuple(map(str, IKEV2))
EVERYWHERE = (*VERSIONS, *map(str, ON_XFRM))
VIP, DNS, NET = "10.3.0.1", "10.2.0.53", "10.2.0.0/24"
VIP6, DNS6, NET6, FAR6 = "2001:db8:3::1", "2001:db8:2::53", "2001:db8:2::/64", "2001:db8:2::10"
FOUR = {"addrs": "10.3.0.0/24", "dns": DNS, "subnet": NET}
SIX = {"addrs": "2001:db8:3::/64", "dns": DNS6, "subnet": NET6}
ONLY_ONE = {"addrs": f"{VIP}-{VIP}"}
ASKS, ASKED, GIVEN = "CP(CFG_REQUEST)", "INTERNAL_IP4_ADDRESS", f"INTERNAL_IP4_ADDRESS {VIP}"
FAILED, REQUIRED = "N(INTERNAL_ADDRESS_FAILURE)", "N(FAILED_CP_REQUIRED)"
OF_A_CHILD = {"SAr2", "TSi", "TSr"}
SECOND = "second"
SETTLED_S = 10


def client(**more):
    return Tunnel(connection={"vips": "0.0.0.0"}, child={"local_ts": "dynamic"}, **more)


def gateway(*, pool=FOUR, **more):
    return Tunnel(connection={"pools": "lab"}, child={"remote_ts": "dynamic"}, pools={"lab": pool}, **more)


def auth(ladder):
    """The first request and the last response of IKE_AUTH."""
    found = ladder.ike("IKE_AUTH", again=False)
    return found[0], found[-1]


def answered(request, response):
    """For each kind that was asked for, beside the address: what the answer holds of it."""
    wanted = {text.partition(" ")[0] for text in request["cp"]}
    return sorted(text for text in response["cp"] if text.partition(" ")[0] in wanted - {ASKED, "INTERNAL_IP6_ADDRESS"})


def on_the_client(lab):
    """The virtual addresses of the left gateway, as its system lists them."""
    listed = json.loads(lab.network.node("left").run(["ip", "-json", "addr"]).stdout)
    found = {info["local"] for link in listed for info in link.get("addr_info", [])}
    return sorted(found & {VIP, VIP6})


def told(lab, gateway):
    """The name servers that a client was given, as it says itself."""
    for log in gateway.driver.logs():
        if log.name == "resolv.conf":
            return [line.split()[1] for line in log.read_text().splitlines() if line.startswith("nameserver")]
    return [dns for event in gateway.events() if event.name == "configured" for dns in event.fields["dns"]]


def listed(left, right, vips):
    """Both sides list these virtual addresses under the IKE SA that is up."""
    (ours,), (theirs,) = left.established(), right.established()
    assert sorted(ours["local_vips"]) == vips, f"{left} lists {ours['local_vips']}"
    assert sorted(theirs["remote_vips"]) == vips, f"{right} lists {theirs['remote_vips']}"


@pytest.mark.rfc("7296#2.19", "7296#3.15")
@pytest.mark.needs("virtual-ip")
@pytest.mark.pairings(*EVERYWHERE)
def test_virtual_address(lab, left, right):
    """An address, a name server and the networks behind the gateway; the ping leaves from the address."""
    lab.up("direct", left=client(), right=gateway())
    lab.establish()
    lab.ping_virtual(VIP)
    ladder = lab.prove_virtual()

    lab.step("configured", "what was asked for in CFG_REQUEST is in CFG_REPLY, and TSi is the address")
    request, response = auth(ladder)
    assert request["payloads"].index(ASKS) < request["payloads"].index("SAi2"), f"no {ASKS}: {request['payloads']}"
    assert ASKED in request["cp"], f"the client asks for {request['cp']}"
    assert GIVEN in response["cp"], f"the gateway gives {response['cp']}"
    given = answered(request, response)
    assert f"INTERNAL_IP4_DNS {DNS}" in given, f"the client asked for {request['cp']}, the gateway gave {given}"
    if "INTERNAL_IP4_SUBNET" in request["cp"]:
        assert "INTERNAL_IP4_SUBNET 10.2.0.0/255.255.255.0" in given, f"no network: {given}"
    for side, key in ((left, "local_ts"), (right, "remote_ts")):
        (child,) = side.children()
        assert child[key] == [f"{VIP}/32"], f"{side} has {key} {child[key]}"
    listed(left, right, [VIP])
    assert told(lab, left) == [DNS], f"{left} took {told(lab, left)} for its name servers"

    lab.step("given back", f"{left} ends the IKE SA")
    assert on_the_client(lab) == [VIP], f"the system of {left} has {on_the_client(lab)}"
    outcome = left.terminate()
    assert outcome.up, f"{left} could not end the IKE SA: {outcome.reason}"
    lab.until(lambda: not on_the_client(lab), "the address has gone from the client", SETTLED_S)


@pytest.mark.rfc("7296#2.19", "7296#3.15.1")
@pytest.mark.needs("virtual-ip")
@pytest.mark.pairings(*EVERYWHERE)
def test_virtual_address_of_both_families(lab, left, right):
    """An IPv4 and an IPv6 address in one request, and a ping from each of them."""
    both = f"{NET}, {NET6}"
    lab.up(
        "dual-stack",
        left=replace(client(), connection={"vips": "0.0.0.0, ::"}, child={"local_ts": "dynamic", "remote_ts": both}),
        right=Tunnel(
            connection={"pools": "four, six"},
            child={"remote_ts": "dynamic", "local_ts": both},
            pools={"four": FOUR, "six": SIX},
        ),
    )
    lab.establish()
    lab.ping_virtual(VIP)
    lab.ping_virtual(VIP6, FAR6)
    ladder = lab.prove_virtual()
    request, response = auth(ladder)
    assert {ASKED, "INTERNAL_IP6_ADDRESS"} <= set(request["cp"]), f"the client asks for {request['cp']}"
    six = [text for text in response["cp"] if text.startswith(f"INTERNAL_IP6_ADDRESS {VIP6}/")]
    assert GIVEN in response["cp"] and six, f"the gateway gives {response['cp']}"
    assert f"INTERNAL_IP6_DNS {DNS6}" in answered(request, response), f"the gateway gives {response['cp']}"
    listed(left, right, [VIP, VIP6])


@pytest.mark.rfc("7296#2.8", "7296#2.19")
@pytest.mark.needs("virtual-ip", "rekey")
@pytest.mark.pairings(*EVERYWHERE)
def test_virtual_address_rekey(lab, left, right):
    """The IKE SA and its child are rekeyed by either side: the address stays, and nobody asks for it again."""
    lab.up("direct", left=client(), right=gateway(pool=ONLY_ONE))
    lab.establish()
    lab.ping_virtual(VIP)
    for side in (right, left):
        lab.step("rekey", f"{side} rekeys the IKE SA")
        old = {sa["spi_i"] for sa in left.established()}
        outcome = side.rekey(ike=CONNECTION)
        assert outcome.up, f"{side} could not rekey the IKE SA: {outcome.reason}"
        lab.until(lambda old=old: renewed(left, old) and renewed(right, old), "one new IKE SA on both sides", SETTLED_S)
    lab.step("rekey", f"{right} rekeys the CHILD SA")
    spi = {child["spi_out"] for child in right.children()}
    outcome = right.rekey(child=CHILD)
    assert outcome.up, f"{right} could not rekey the CHILD SA: {outcome.reason}"
    lab.until(lambda: not spi & {child["spi_out"] for child in right.children()}, "one new CHILD SA", SETTLED_S)
    lab.ping_virtual(VIP)
    ladder = lab.prove_virtual()
    for entry in ladder.ike("CREATE_CHILD_SA"):
        assert "cp" not in entry, f"asked again by {entry['from']}: {entry['payloads']}"
    listed(left, right, [VIP])


def renewed(side, old):
    """Whether a side has one IKE SA, and that is another."""
    spis = {sa["spi_i"] for sa in side.established()}
    return len(spis) == 1 and not spis & old


@pytest.mark.rfc("7296#2.19", "7296#3.15.4")
@pytest.mark.needs("virtual-ip", "delete")
@pytest.mark.pairings(*VERSIONS)
def test_virtual_address_exhausted(lab, left, right):
    """Somebody else has the only address: INTERNAL_ADDRESS_FAILURE, no child, and an IKE SA that lives."""
    secrets = {"ike-second": {"id-left": f"{SECOND}.lab", "id-right": "right.lab", "secret": SECRET}}
    lab.up(
        "direct",
        left=client(secrets=secrets, second=SECOND),
        right=gateway(pool=ONLY_ONE, secrets=secrets, remote={"id": "%any"}),
    )
    lab.establish()

    lab.step("exhausted", f"{left} asks for an address under another identity")
    outcome = left.initiate(SECOND)
    assert not outcome.up, "a second client has an address although there was only one"
    _, refusal = auth(lab.ladder())
    assert FAILED in refusal["payloads"], f"IKE_AUTH was answered with {refusal['payloads']}"
    assert "AUTH" in refusal["payloads"] and not OF_A_CHILD & set(refusal["payloads"]), f"{refusal['payloads']}"
    assert "cp" not in refusal, f"the gateway gives {refusal.get('cp')}"
    for side in (left, right):
        children = sorted(len(sa["children"]) for sa in side.established())
        assert children == [0, 1], f"{side} lists IKE SAs with {children} children"
    lab.ping_virtual(VIP)

    lab.step("alive", f"{left} ends the second IKE SA, and {right} answers under its keys")
    outcome = left.terminate(ike=SECOND)
    assert outcome.up, f"{left} could not end the second IKE SA: {outcome.reason}"
    goodbye = [e for e in lab.ladder().ike("INFORMATIONAL", again=False) if e["spi"] == refusal["spi"]]
    assert [(e["from"], e["payloads"], e["opened"]) for e in goodbye] == [
        ("left", ["D"], True),
        ("right", [], True),
    ], f"the second IKE SA did not live: {lab.ladder().words()}"

    lab.step("free again", f"{left} ends the first IKE SA, and the second client has the address")
    assert left.terminate().up, f"{left} could not end the first IKE SA"
    lab.until(lambda: not right.sas(), "the gateway has no IKE SA", SETTLED_S)
    outcome = left.initiate(SECOND)
    assert outcome.up, f"the address is not free again: {outcome.reason}"
    lab.ping_virtual(VIP)
    lab.prove_virtual()


@pytest.mark.rfc("7296#2.19")
@pytest.mark.needs("virtual-ip")
@pytest.mark.pairings(*VERSIONS)
def test_virtual_address_required(lab, left, right):
    """A client that asks for no address: FAILED_CP_REQUIRED, no child, and an IKE SA that lives."""
    lab.up("direct", left=Tunnel(child={"local_ts": "dynamic"}), right=gateway())
    lab.step("refused")
    outcome = left.initiate()
    assert not outcome.up, "a CHILD SA came up without an address"
    _, refusal = auth(lab.ladder())
    assert REQUIRED in refusal["payloads"], f"IKE_AUTH was answered with {refusal['payloads']}"
    assert "AUTH" in refusal["payloads"] and not OF_A_CHILD & set(refusal["payloads"]), f"{refusal['payloads']}"
    assert len(left.established()) == len(right.established()) == 1, "the IKE SA did not live"
    assert not left.children() and not right.children(), "a side lists a CHILD SA"
    assert left.terminate().up, f"{left} could not end the IKE SA"
    (_, answer) = lab.ladder().ike("INFORMATIONAL", again=False)
    assert (answer["from"], answer["opened"]) == ("right", True), f"the Delete had no answer: {lab.ladder().words()}"


@pytest.mark.rfc("7296#2.16", "7296#2.19")
@pytest.mark.needs("virtual-ip", "eap-mschapv2")
@pytest.mark.pairings(*VERSIONS)
def test_virtual_address_eap(lab, left, right):
    """With EAP the wish is in the first request, and the address comes with the last response."""
    secrets = {"eap-user": {"id": "carol", "secret": "Ar3etTnp"}}
    lab.up(
        "direct",
        left=client(secrets=secrets, local={"auth": "eap-mschapv2", "eap_id": "carol"}),
        right=gateway(secrets=secrets, remote={"auth": "eap-mschapv2", "eap_id": "%any"}),
    )
    lab.establish()
    lab.ping_virtual(VIP)
    ladder = lab.prove_virtual()
    found = ladder.ike("IKE_AUTH", again=False)
    holding = [n for n, entry in enumerate(found) if "cp" in entry]
    assert holding == [0, len(found) - 1], f"messages {holding} of {len(found)} hold CP: {ladder.words()}"
    assert "AUTH" not in found[0]["payloads"] and GIVEN in found[-1]["cp"], f"the gateway gives {found[-1]['cp']}"
    listed(left, right, [VIP])


@pytest.mark.rfc("7296#2.19", "7296#2.23")
@pytest.mark.needs("virtual-ip", "nat-t")
@pytest.mark.pairings(*EVERYWHERE)
def test_virtual_address_behind_nat(lab, left, right):
    """A client behind a NAT: the gateway knows it by its virtual address, whatever address the NAT gives it."""
    lab.up("nat-initiator", left=client(), right=gateway())
    lab.establish()
    lab.ping_virtual(VIP)
    ladder = lab.prove_virtual()
    bare = [entry for entry in ladder.esp() if not entry["udp"]]
    assert not bare, f"ESP was not encapsulated in UDP: {bare[0]['src']} -> {bare[0]['dst']}"
    listed(left, right, [VIP])
