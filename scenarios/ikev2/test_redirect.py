"""Redirection (RFC 5685): a gateway sends its client to another one, here to its own second address."""

import pytest

from lab.matrix import IKEV2, OUR_PEERS
from lab.plugin.tunnel import Tunnel

pytestmark = pytest.mark.pairings(*map(str, IKEV2))

FIRST, SECOND = "198.51.100.2", "198.51.100.3"
WHERE = {"local_addrs": f"{FIRST}, {SECOND}"}
NO_PROVIDER = "charon redirects in IKE_SA_INIT and IKE_AUTH only where a plugin says so, and none comes with it"


def places(gateway):
    """Where a gateway's IKE SAs that are up have their peer, and where its own end is."""
    return [(sa["local_host"], sa["remote_host"]) for sa in gateway.established()]


def moved(lab, left, right):
    """Both sides hold one IKE SA and one child with the second address, and the ping goes there."""
    lab.until(lambda: places(left) == [(left.address, SECOND)], f"{left} has one IKE SA, with {SECOND}", 10)
    lab.until(lambda: places(right) == [(SECOND, left.address)], f"{right} has one IKE SA, at {SECOND}", 10)
    for gateway in (left, right):
        lab.until(lambda gateway=gateway: len(gateway.children()) == 1, f"{gateway} has one CHILD SA", 10)
    before = len(lab.ladder().esp("left"))
    lab.ping()
    ladder = lab.prove_protected()
    astray = [entry["dst"] for entry in ladder.esp("left")[before:] if entry["dst"] != SECOND]
    assert not astray, f"{left} still sends ESP to {astray[0]}"
    return ladder


def begun(ladder, target):
    """What the client's IKE_SA_INIT requests to this address carry."""
    requests = ladder.ike("IKE_SA_INIT", response=False, again=False)
    return [entry["payloads"] for entry in requests if entry["dst"] == f"{target}:500"]


@pytest.mark.rfc("5685#5")
@pytest.mark.needs("redirect")
def test_redirect_in_mid_session(lab, left, right):
    """The gateway sends a client with a running tunnel elsewhere; the client goes, and then leaves the old IKE SA."""
    lab.up("two-addresses", left=Tunnel(), right=Tunnel(connection=WHERE))
    lab.establish()
    lab.ping()
    (first,) = begun(lab.ladder(), FIRST)
    assert "N(REDIRECT_SUPPORTED)" in first, f"{left} does not say that it follows: {first}"
    old = left.established()[0]["spi_i"]

    lab.step("redirect", f"{right} sends its client to {SECOND}")
    outcome = right.redirect(SECOND)
    assert outcome.up, f"{right} could not redirect: {outcome.reason}"
    ladder = moved(lab, left, right)
    (told,) = ladder.ike("INFORMATIONAL", response=False, sender="right", again=False)
    assert told["payloads"] == ["N(REDIRECT)"], f"{right} sent {told['payloads']}"
    (again,) = begun(ladder, SECOND)
    assert "N(REDIRECTED_FROM)" in again, f"{left} does not say where it comes from: {again}"
    assert "N(REDIRECT_SUPPORTED)" not in again, f"{left} says it twice: {again}"
    (gone,) = ladder.ike("INFORMATIONAL", response=False, sender="left", again=False)
    assert (gone["payloads"], gone["spi"].partition(":")[0]) == (["D"], old), f"{left} sent {gone['payloads']}"
    (up,) = [e["n"] for e in ladder.ike("IKE_AUTH", response=True, again=False) if e["src"].startswith(SECOND)]
    assert gone["n"] > up, f"{left} left before it had arrived: {ladder.words()}"


@pytest.mark.rfc("5685#3", "5685#6")
@pytest.mark.needs("redirect")
@pytest.mark.pairings("ours>ours", *map(str, IKEV2))
@pytest.mark.parametrize("when", ["ike_sa_init", "ike_auth"])
def test_redirect_in_handshake(lab, left, right, when):
    """The gateway sends a client on before there is a tunnel: in clear with its nonce, or behind both proofs."""
    if right.peer.name not in OUR_PEERS:
        lab.unsupported(NO_PROVIDER)
    lab.up(
        "two-addresses", left=Tunnel(), right=Tunnel(connection={**WHERE, "redirect_to": SECOND, "redirect_in": when})
    )
    lab.step("handshake", f"{left} initiates and is sent on")
    left.initiate()
    ladder = moved(lab, left, right)
    exchange = when.upper()
    answer = ladder.ike(exchange, response=True, again=False)[0]
    wanted = {"ike_sa_init": ["N(REDIRECT)"], "ike_auth": ["IDr", "AUTH", "N(REDIRECT)"]}[when]
    assert answer["payloads"] == wanted, f"{right} answered {answer['payloads']}"
    assert (answer["src"].partition(":")[0], answer["opened"]) == (FIRST, None if when == "ike_sa_init" else True)
    (first,), (second,) = begun(ladder, FIRST), begun(ladder, SECOND)
    assert "N(REDIRECT_SUPPORTED)" in first, f"{left} does not say that it follows: {first}"
    assert "N(REDIRECTED_FROM)" in second, f"{left} does not say where it comes from: {second}"


@pytest.mark.rfc("5685#3")
@pytest.mark.needs("redirect")
def test_redirect_not_followed(lab, left, right):
    """A client that does not follow says nothing of it, is told nothing, and stays."""
    sends = {"redirect_to": SECOND} if right.peer.name in OUR_PEERS else {}
    lab.up(
        "two-addresses",
        left=Tunnel(settings={"follow_redirects": "no"}),
        right=Tunnel(connection={**WHERE, **sends}),
    )
    lab.establish()
    lab.step("redirect", f"{right} is to send its client to {SECOND}, and cannot")
    right.redirect(SECOND)
    lab.ping()
    ladder = lab.prove_protected()
    assert places(left) == [(left.address, FIRST)], f"{left} went to {places(left)}"
    spoken = [e["payloads"] for e in ladder.ike() if any("REDIRECT" in name for name in e["payloads"])]
    assert not spoken, f"redirection was spoken of: {spoken[0]}"
