"""NAT traversal of IKEv1: vendor IDs, NAT-D, the move to port 4500 with the fifth message, UDP encapsulation."""

from dataclasses import replace
from itertools import pairwise

import pytest

from lab.matrix import IKEV1, OUR_PEERS
from lab.plugin import first_version as v1
from lab.wire.ids_v1 import Mode1, Phase2

pytestmark = pytest.mark.pairings(*map(str, IKEV1))

KEEPALIVE_S = 20


def detected(gateway, local, remote):
    """What a side knows of NATs before itself and before its peer."""
    (sa,) = gateway.established()
    found = (sa["nat_local"], sa["nat_remote"])
    assert found == (local, remote), f"{gateway}: a NAT here: {found[0]}, there: {found[1]}; true is {local}, {remote}"
    assert all(child["encap"] for child in sa["children"]), f"{gateway}: a child is not encapsulated in UDP"


NATS = {
    "nat-initiator": ((True, False), (False, True)),
    "nat-responder": ((False, True), (True, False)),
    "nat-both": ((True, True), (True, True)),
}


@pytest.mark.rfc("3947#3", "3947#4", "3947#5.1", "3948#2.1")
@pytest.mark.needs("ikev1", "nat-t")
@pytest.mark.parametrize("where", NATS)
def test_nat(lab, left, right, where):
    """NAT-D in messages 3 and 4 finds the NAT; from message 5 on everything goes over port 4500, ESP in UDP."""
    lab.up(where, v1.tunnel())
    lab.establish()
    lab.ping()
    ladder = lab.prove_protected()

    lab.step("traversal", "found by both, moved to port 4500 with message 5, ESP in UDP")
    v1.set_up(ladder)
    for gateway, known in zip((left, right), NATS[where], strict=True):
        detected(gateway, *known)
    discovery = [entry["payloads"].count("NAT_D") for entry in v1.messages(ladder, v1.MAIN)]
    assert discovery == [0, 0, 2, 2, 0, 0], f"NAT-D payloads: {discovery}"
    v1.floated(ladder, v1.MAIN, 5)


DRAFT_PAYLOADS = {"NAT_D": "NAT_D_DRAFT", "NAT_OA": "NAT_OA_DRAFT"}
MODES = {
    "rfc3947": {"tunnel": Mode1.UDP_TUNNEL, "transport": Mode1.UDP_TRANSPORT},
    "draft": {"tunnel": Mode1.UDP_TUNNEL_DRAFT, "transport": Mode1.UDP_TRANSPORT_DRAFT},
}
DOCUMENTS = ["rfc3947-transport", "draft-03-tunnel", "draft-03-transport", "draft-02-tunnel", "draft-02-transport"]


@pytest.mark.rfc("3947#3.1", "3947#5.1", "3947#5.2", "3948#2.1")
@pytest.mark.needs("ikev1", "nat-t")
@pytest.mark.parametrize("kind", DOCUMENTS)
def test_nat_by_document(lab, left, right, kind):
    """Ours knows one document: the drafts number NAT-D, NAT-OA and the modes otherwise, and the peer follows."""
    document, _, mode = kind.rpartition("-")
    if document == "draft-03" and left.peer.name not in OUR_PEERS:
        lab.unsupported("charon announces RFC 3947 and draft 02 and understands draft 03 as a responder only")
    hosts = {"local_ts": "dynamic", "remote_ts": "dynamic", "mode": "transport"} if mode == "transport" else {}
    plain = v1.tunnel(child=hosts)
    poor = replace(plain, settings={"nat_t_documents": document})
    ours = {side.name: poor if side.peer.name in OUR_PEERS else plain for side in (left, right)}
    lab.up("nat-initiator", **ours)
    lab.establish()
    if hosts:
        lab.ping_gateways()
        ladder = lab.prove_transport()
    else:
        lab.ping()
        ladder = lab.prove_protected()

    lab.step("numbered", f"NAT-D, NAT-OA and the {mode} mode by the numbers of {document}")
    v1.floated(ladder, v1.MAIN, 5)
    draft = document != "rfc3947"
    nat_d, nat_oa = (DRAFT_PAYLOADS[name] if draft else name for name in DRAFT_PAYLOADS)
    discovery = [entry["payloads"].count(nat_d) for entry in v1.messages(ladder, v1.MAIN)]
    assert discovery == [0, 0, 2, 2, 0, 0], f"{nat_d} payloads: {discovery} in {ladder.words()}"
    quick = v1.inside(lab.frames(), lab.keys(), v1.QUICK)
    wanted = MODES["draft" if draft else document][mode]
    for message in quick[:2]:
        agreed = v1.attributes(message, Phase2.MODE)
        assert agreed == {wanted}, f"encapsulation modes {agreed} in Quick Mode, not {wanted}"
        original = message.names.count(nat_oa)
        assert original == (2 if hosts else 0), f"{original} {nat_oa} payloads in {message.names}"


@pytest.mark.rfc("3948#4")
@pytest.mark.needs("ikev1", "nat-t")
@pytest.mark.clock("virtual")
def test_keepalive(lab, left, right):
    """The side behind the NAT keeps the mapping open every 20 s while nothing else is sent; the other side does not."""
    lab.up("nat-initiator", v1.tunnel())
    lab.establish()
    lab.step("quiet", "nobody sends anything")
    lab.until(lambda: len(lab.ladder().keepalives("left")) >= 3, "three keepalives", 100, every=1.0)
    ladder = lab.ladder()
    assert not ladder.keepalives("right"), "the side without a NAT sends keepalives"
    times = [entry["t_sent"] for entry in ladder.keepalives("left")]
    off = [later - earlier for earlier, later in pairwise(times) if abs(later - earlier - KEEPALIVE_S) > 1.1]
    assert not off, f"keepalives are {off[0]:.1f} s apart, not {KEEPALIVE_S}"
    lab.ping()
    lab.prove_protected()
