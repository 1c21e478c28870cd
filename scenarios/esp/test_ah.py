"""AH: everything can be read under way, nothing can be changed, and a NAT is a change (RFC 4302)."""

import pytest

from lab.crypto import registry
from lab.matrix import DEFAULT, IKEV2, ON_XFRM, OUR_PEERS
from lab.plugin import first_version as v1
from lab.plugin.renewal import one_new, spis
from lab.plugin.tunnel import CHILD, Tunnel

EVERY_PLANE = tuple(map(str, (*DEFAULT, *ON_XFRM)))
HOSTS = {"local_ts": "dynamic", "remote_ts": "dynamic", "mode": "transport"}
ALGORITHMS = {
    "sha2-256": "sha256",
    "sha2-384": "sha384",
    "sha2-512": "sha512",
    "sha1": "sha1",
    "xcbc": "aesxcbc",
    "cmac": "aescmac",
    "esn": "sha256-esn",
}
SETTLED_S = 10


def ah(words="sha256", **child):
    """A child of AH alone."""
    return Tunnel(esp=None, child={"ah_proposals": words} | child)


def bare(ladder):
    """AH travels as IP protocol 51 and never in UDP, and no packet of ESP is among it."""
    wrapped = [entry for entry in ladder.protected(protocol="AH") if entry["udp"]]
    assert not wrapped, f"AH was in UDP: {wrapped[0]['src']} -> {wrapped[0]['dst']}"
    assert not ladder.esp(), "ESP was sent"


def listed(*gateways, protocol="AH", mode="TUNNEL"):
    """Every side lists one child, of this protocol in this mode."""
    for gateway in gateways:
        found = [(child["protocol"], child["mode"].upper()) for child in gateway.children()]
        assert found == [(protocol, mode)], f"{gateway} lists {found}, not {protocol} in {mode} mode"


@pytest.mark.rfc("4302#3.1.2", "4302#3.3.3", "4302#2.6")
@pytest.mark.needs("ah")
@pytest.mark.pairings(*EVERY_PLANE)
@pytest.mark.parametrize("words", [pytest.param(words, id=name) for name, words in ALGORITHMS.items()])
def test_ah_tunnel(lab, left, right, words):
    """The ping crosses in AH: readable in the capture, its ICV right at every place where a packet was seen."""
    crosses(lab, left, right, words)


@pytest.mark.rfc("4543#4", "4302#2.6")
@pytest.mark.needs("ah-gmac")
@pytest.mark.pairings("ours>ours", *map(str, IKEV2))
@pytest.mark.parametrize("bits", registry.AH_GMAC)
def test_ah_gmac(lab, left, right, bits):
    """The same with AES-GMAC, whose ICV begins with the IV that it was made with."""
    crosses(lab, left, right, f"aes{bits}gmac")


def crosses(lab, left, right, words):
    """A tunnel of AH carries the ping, and both sides count the same."""
    lab.up("direct", ah(words))
    lab.establish()
    lab.ping()
    bare(lab.prove_protected("AH"))
    listed(left, right)

    lab.step("counted", "both sides count the same packets")
    (ours,), (theirs,) = left.children(), right.children()
    sent, taken = ours["packets_out"], theirs["packets_in"]
    assert sent == taken > 0, f"{left} counts {sent} packets out, {right} {taken} in"


@pytest.mark.rfc("4302#3.1.1", "4302#3.3.3.1")
@pytest.mark.needs("ah", "transport")
@pytest.mark.pairings(*EVERY_PLANE)
def test_ah_transport(lab, left, right):
    """Host to host: AH stands between the IP header and the ping, and covers both."""
    lab.up("direct", ah(**HOSTS))
    lab.establish()
    lab.ping_gateways()
    bare(lab.prove_transport("AH"))
    listed(left, right, mode="TRANSPORT")


@pytest.mark.rfc("7296#1.3.3", "7296#2.8")
@pytest.mark.needs("ah", "rekey")
@pytest.mark.pairings(*EVERY_PLANE)
def test_ah_rekeyed(lab, left, right):
    """A child of AH is rekeyed to one of AH: REKEY_SA and Delete name protocol 2, and the ping goes on."""
    lab.up("direct", ah("sha256-x25519"))
    lab.establish()
    lab.ping()
    before = spis(left, "child")
    lab.step("rekey", f"{left} rekeys the CHILD SA")
    outcome = left.rekey(child=CHILD)
    assert outcome.up, f"{left} could not rekey: {outcome.reason}"
    lab.until(lambda: one_new(left, right, "child", before), "one new CHILD SA", SETTLED_S)
    lab.ping()
    bare(lab.prove_protected("AH"))
    listed(left, right)


@pytest.mark.rfc("2407#4.4.3", "2409#5.5", "4302#3.3.3")
@pytest.mark.needs("ah", "ikev1")
@pytest.mark.pairings(*EVERY_PLANE)
def test_ah_by_ikev1(lab, left, right):
    """Quick Mode negotiates AH with its own transform numbers; rekeyed and deleted it is AH, and the ping crosses."""
    lab.up("direct", v1.tunnel(esp=None, child={"ah_proposals": "sha256"}))
    lab.establish()
    lab.ping()
    before = spis(left, "child")
    lab.step("rekey", f"{left} makes a new Quick Mode")
    outcome = left.rekey(child=CHILD)
    assert outcome.up, f"{left} could not rekey: {outcome.reason}"
    lab.until(lambda: one_new(left, right, "child", before), "one new CHILD SA", SETTLED_S)
    lab.ping()
    ladder = lab.prove_protected("AH")
    bare(ladder)
    listed(left, right)
    v1.set_up(ladder)

    lab.step("deleted", f"{left} deletes the child, and {right} takes it out")
    outcome = left.driver.terminate(child=CHILD)
    assert outcome.up, f"{left} could not delete the child: {outcome.reason}"
    lab.until(lambda: not left.children() and not right.children(), "no CHILD SA on either side", SETTLED_S)


def told(lab, gateway):
    """Why our responder says that something failed."""
    end = lab.steps.now + SETTLED_S
    event = gateway.wait_event("failed", lambda: end - lab.steps.now)
    assert event is not None, f"{gateway} did not say why"
    return str(event.fields["reason"])


@pytest.mark.rfc("3715#2.1", "7296#2.23")
@pytest.mark.needs("ah", "nat-t")
@pytest.mark.pairings(*EVERY_PLANE)
def test_ah_behind_nat(lab, left, right):
    """Through a NAT there is no AH: its ICV covers the addresses that a NAT changes, and it has no form in UDP."""
    lab.up("nat-initiator", ah())
    lab.step("refused", "no CHILD SA of AH, and our side says why")
    outcome = left.initiate()
    ladder = lab.ladder()
    assert not outcome.up, "a CHILD SA of AH came up through a NAT"
    assert not left.children() and not right.children(), "a side lists a CHILD SA"
    assert not ladder.protected(protocol="AH"), "AH was sent through a NAT"
    reason = outcome.reason if left.peer.name in OUR_PEERS else told(lab, right)
    assert "changes addresses that the ICV of AH covers" in reason, f"our side says: {reason}"
    lab.step("reason", reason)
