"""Transport mode: packets of the gateways themselves keep their IP header, and only what is behind it is protected."""

from socket import AF_INET, SOCK_DGRAM, SOCK_STREAM

import pytest

from lab.evidence.network import packet
from lab.matrix import DEFAULT, ON_XFRM, OUR_PEERS
from lab.plugin.renewal import one_new, spis
from lab.plugin.tunnel import CHILD, Tunnel

HOSTS = {"local_ts": "dynamic", "remote_ts": "dynamic"}
TRANSPORT = {"mode": "transport"}
EVERY_PLANE = tuple(map(str, (*DEFAULT, *ON_XFRM)))
MODE = "N(USE_TRANSPORT_MODE)"
SETTLED_S = 10
PORT, KINDS, NUMBERS = 7777, {"TCP": SOCK_STREAM, "UDP": SOCK_DGRAM}, (6, 17)


def agreed(left, right, mode):
    """Both sides list one child, in this mode."""
    for gateway in (left, right):
        modes = [child["mode"].lower() for child in gateway.children()]
        assert modes == [mode], f"{gateway} lists children in the modes {modes}, not {mode}"


@pytest.mark.rfc("7296#1.3.1", "4303#3.1.1")
@pytest.mark.needs("transport")
@pytest.mark.pairings(*EVERY_PLANE)
def test_transport(lab, left, right):
    """Host to host in transport mode: asked for and agreed, and ESP holds ICMP, not IP in IP."""
    lab.up("direct", Tunnel(child=HOSTS | TRANSPORT))
    lab.establish()
    lab.ping_gateways()
    ladder = lab.prove_transport()

    lab.step("agreed", "USE_TRANSPORT_MODE in both messages, both lists say transport")
    request, response = ladder.ike("IKE_AUTH", again=False)
    for entry in (request, response):
        assert MODE in entry["payloads"], f"no {MODE} in {entry['payloads']}"
    agreed(left, right, "transport")


@pytest.mark.rfc("7296#1.3.1", "7296#2.8")
@pytest.mark.needs("transport", "rekey")
@pytest.mark.pairings(*EVERY_PLANE)
def test_rekey_in_transport(lab, left, right):
    """A child in transport mode that is rekeyed is one in transport mode again, and the ping goes on."""
    lab.up("direct", Tunnel(child=HOSTS | TRANSPORT))
    lab.establish()
    lab.ping_gateways()
    before = spis(left, "child")

    lab.step("rekey", f"{left} rekeys the CHILD SA")
    outcome = left.rekey(child=CHILD)
    assert outcome.up, f"{left} could not rekey: {outcome.reason}"
    lab.until(lambda: one_new(left, right, "child", before), "one new CHILD SA", SETTLED_S)
    lab.ping_gateways()
    ladder = lab.prove_transport()
    for entry in ladder.ike("CREATE_CHILD_SA", again=False):
        assert MODE in entry["payloads"], f"no {MODE} in {entry['payloads']}"
    agreed(left, right, "transport")


@pytest.mark.rfc("7296#1.3.1", "7296#2.9")
@pytest.mark.needs("transport")
@pytest.mark.pairings(*EVERY_PLANE)
def test_transport_for_networks(lab, left, right):
    """Transport mode cannot carry the networks behind the gateways: no CHILD SA, whoever asks.

    charon drops the selectors of such a child that are not the two hosts, and asks with none: TS_UNACCEPTABLE. Ours
    does not ask at all, and says why.
    """
    lab.up("direct", Tunnel(child=TRANSPORT))
    lab.step("refused")
    outcome = left.initiate()
    assert not outcome.up, "a CHILD SA came up although transport mode cannot carry its networks"
    if left.peer.name in OUR_PEERS:
        assert "configured for transport mode, and 10.1.0.0/24 is not our address" in outcome.reason, outcome.reason
        asked = lab.ladder().ike("IKE_AUTH")
        assert not asked, f"{left} asked for what cannot be: {asked[0]['payloads']}"
    else:
        answered_unacceptable(lab)
    none_made(lab, left, right)


@pytest.mark.rfc("7296#1.3.1", "7296#2.9")
@pytest.mark.needs("transport", "tunnel")
def test_tunnel_to_transport(lab, left, right):
    """A tunnel between networks is offered to a responder that is configured for transport mode: TS_UNACCEPTABLE."""
    lab.up("direct", left=Tunnel(), right=Tunnel(child=TRANSPORT))
    lab.step("refused")
    outcome = left.initiate()
    assert not outcome.up, "a tunnel came up that the responder is not configured for"
    (request,) = lab.ladder().ike("IKE_AUTH", response=False, again=False)
    assert MODE not in request["payloads"], f"transport mode was asked for: {request['payloads']}"
    answered_unacceptable(lab)
    none_made(lab, left, right)


def answered_unacceptable(lab):
    """The answer to IKE_AUTH refuses the selectors."""
    (answer,) = lab.ladder().ike("IKE_AUTH", response=True, again=False)
    assert "N(TS_UNACCEPTABLE)" in answer["payloads"], f"IKE_AUTH was answered with {answer['payloads']}"


def none_made(lab, left, right):
    """Neither side has a child, and nothing was sent through one."""
    assert not left.children() and not right.children(), "a side lists a CHILD SA"
    assert not lab.ladder().esp(), "ESP was sent without a CHILD SA"


@pytest.mark.rfc("7296#1.3.1")
@pytest.mark.needs("transport", "tunnel")
def test_transport_declined(lab, left, right):
    """A responder that is configured for a tunnel leaves the notify out, and the child is a tunnel on both sides."""
    lab.up("direct", left=Tunnel(child=HOSTS | TRANSPORT), right=Tunnel(child=HOSTS))
    lab.establish()
    request, response = lab.ladder().ike("IKE_AUTH", again=False)
    assert MODE in request["payloads"], f"transport mode was not asked for: {request['payloads']}"
    assert MODE not in response["payloads"], f"the responder agreed: {response['payloads']}"
    agreed(left, right, "tunnel")


def ask(lab, kind):
    """Octets sent from the left gateway to the right one over TCP or UDP, and what came back."""
    left, right = (lab.network.node(name) for name in ("left", "right"))
    text = bytes(n & 0xFF for n in range(700))
    with right.socket(AF_INET, kind) as there, left.socket(AF_INET, kind) as here:
        there.bind(("", PORT))
        here.settimeout(SETTLED_S)
        there.settimeout(SETTLED_S)
        if kind == SOCK_STREAM:
            there.listen()
        here.connect((lab.ends().right_public, PORT))
        here.send(text)
        if kind == SOCK_DGRAM:
            data, sender = there.recvfrom(2000)
            there.sendto(data, sender)
        else:
            with there.accept()[0] as served:
                served.settimeout(SETTLED_S)
                served.sendall(served.recv(2000))
                return text, here.recv(2000)
        return text, here.recv(2000)


@pytest.mark.rfc("3948#3.1.2")
@pytest.mark.needs("transport", "nat-t")
@pytest.mark.pairings(*EVERY_PLANE)
@pytest.mark.parametrize("protocol", list(KINDS))
def test_behind_nat(lab, left, right, protocol):
    """TCP and UDP sum up addresses that the NAT changes: each side mends the sum, and the octets come back."""
    lab.up("nat-initiator", Tunnel(child=HOSTS | TRANSPORT))
    lab.establish()
    lab.step(protocol, f"700 octets there and back over {protocol}")
    sent, got = ask(lab, KINDS[protocol])
    assert got == sent, f"{len(got)} octets came back, other than those sent"

    lab.step("protected", f"{protocol} travelled inside ESP, both ways, and nowhere outside")
    ladder = lab.ladder()
    for sender in ("left", "right"):
        inner = [entry.get("inner", "") for entry in ladder.esp(sender)]
        assert any(one.startswith(f"{protocol} ") and str(PORT) in one for one in inner), f"{sender} sent {inner}"
    assert not ladder.sealed(), "a packet does not open with the run's keys"
    for frame in lab.frames():
        ip = packet(frame)
        outside = frame.node in ("left-nat", "internet")
        seen = outside and ip is not None and ip.protocol in NUMBERS and str(PORT) in ports(ip)
        assert not seen, f"{frame.point} saw {protocol} outside ESP"


def ports(ip):
    """The ports of TCP or UDP in words."""
    return [str(int.from_bytes(ip.payload[at : at + 2])) for at in (0, 2)]


@pytest.mark.rfc("7296#2.23.1", "3948#3.1.2")
@pytest.mark.needs("transport", "nat-t")
@pytest.mark.pairings(*EVERY_PLANE)
def test_transport_behind_nat(lab, left, right):
    """Transport mode through a NAT: the responder puts the address that it sees into TSi, and the ping comes back."""
    lab.up("nat-initiator", Tunnel(child=HOSTS | TRANSPORT))
    lab.establish()
    lab.ping_gateways()
    ladder = lab.prove_transport()
    bare = [entry for entry in ladder.esp() if not entry["udp"]]
    assert not bare, f"ESP was not encapsulated in UDP: {bare[0]['src']} -> {bare[0]['dst']}"
    agreed(left, right, "transport")
