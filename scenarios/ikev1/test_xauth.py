"""XAUTH and Mode Config: a user proves itself behind phase 1, and is lent an address; as remote access was in IKEv1."""

from dataclasses import replace

import pytest

from lab.matrix import IKEV1, OUR_PEERS, SELVES
from lab.plugin import first_version as v1
from lab.plugin import papers
from lab.plugin.tunnel import CONNECTION
from lab.wire.ids_v1 import AuthMethod1

pytestmark = pytest.mark.pairings(*map(str, IKEV1))

USER, PASSWORD, VIP = "carol", "Ar3etTnp", "10.3.0.1"
SETTLED_S = 20
POOL = {"lab": {"addrs": "10.3.0.0/24"}}
VIP6, DNS6, NET6, FAR6 = "2001:db8:3::1", "2001:db8:2::53", "2001:db8:2::/64", "2001:db8:2::10"
SIX = {"lab": {"addrs": "2001:db8:3::/64", "dns": DNS6}}
ADDRESS, ADDRESS6 = "INTERNAL_IP4_ADDRESS", "INTERNAL_IP6_ADDRESS"


def user(*, password=PASSWORD, more="", **tunnel):
    """One side that proves itself as a user too, and the other that asks for it."""
    name = f"xauth_id = {USER}"
    left = v1.tunnel(
        secrets={"xauth-user": {"id": USER, "secret": password}}, more=_second_round("local-2", name), **tunnel
    )
    right = v1.tunnel(
        secrets={"xauth-user": {"id": USER, "secret": PASSWORD}}, more=_second_round("remote-2", ""), **tunnel
    )
    return left, right


def _second_round(section, more):
    return f"connections {{\n {CONNECTION} {{\n {section} {{\n auth = xauth\n {more}\n }}\n }}\n}}"


def lent(left, right, *, pull="yes", vips="0.0.0.0", pool=None):
    """The same with an address of a pool."""
    asks, lends = ({**side.connection, "pull": pull} for side in (left, right))
    client = replace(left, connection={**asks, "vips": vips}, child={"local_ts": "dynamic"})
    gateway = replace(right, connection={**lends, "pools": "lab"}, child={"remote_ts": "dynamic"}, pools=pool or POOL)
    return client, gateway


def counted(ladder, mode=v1.MAIN, transactions=2, config=0):
    """XAUTH in two pairs that the right side begins, Mode Config in one of the left, between phase 1 and phase 2."""
    v1.set_up(ladder, mode)
    found = v1.messages(ladder, v1.TRANSACTION)
    senders = [entry["from"] for entry in found]
    wanted = ["right", "left"] * transactions + ["left", "right"] * config
    assert senders == wanted, f"Transaction is not {len(wanted)} messages by turns: {ladder.words()}"
    pairs = [entry["message_id"] for entry in found]
    assert pairs[::2] == pairs[1::2] and len(set(pairs)) == len(pairs) // 2, f"message IDs of Transaction: {pairs}"
    v1.hidden(found, first=1)
    last, first = v1.messages(ladder, mode)[-1], v1.messages(ladder, v1.QUICK)[0]
    assert last["n"] < found[0]["n"] and found[-1]["n"] < first["n"], f"not between the phases: {ladder.words()}"


@pytest.mark.rfc("2409#5.4")
@pytest.mark.needs("ikev1", "xauth")
@pytest.mark.pairings(*map(str, (*IKEV1, *SELVES)))
@pytest.mark.parametrize("mode", [v1.MAIN, v1.AGGRESSIVE], ids=["main", "aggressive"])
def test_xauth(lab, left, right, mode):
    """A user proves itself by name and password in four messages between phase 1 and Quick Mode."""
    ours, theirs = user(connection={"aggressive": "yes"} if mode == v1.AGGRESSIVE else {})
    lab.up("direct", left=ours, right=theirs)
    lab.establish()
    lab.ping()
    ladder = lab.prove_protected()

    lab.step("messages", "phase 1, four of XAUTH, three of Quick Mode, counted in the capture")
    counted(ladder, mode)


@pytest.mark.rfc("2409#5.1")
@pytest.mark.needs("ikev1", "xauth", "certificates", "rsa")
def test_xauth_behind_signatures(lab, left, right):
    """Both gateways prove themselves by certificates, and the user by its password behind them."""
    ca = lab.ca()
    ours, theirs = user()
    leaves = {side: ca.leaf(side, "rsa-2048", identities=(f"{side}.lab",)) for side in ("left", "right")}
    plain = {"left": ours, "right": theirs}
    lab.up("direct", **{side: papers.trusting(papers.certified(plain[side], leaves[side]), ca.root) for side in plain})
    lab.establish()
    lab.ping()
    ladder = lab.prove_protected()

    lab.step("messages", "six, four, three")
    counted(ladder)


@pytest.mark.rfc("2409#5.1")
@pytest.mark.needs("ikev1", "xauth", "hybrid", "certificates", "rsa")
@pytest.mark.pairings(*map(str, (*IKEV1, *SELVES)))
@pytest.mark.parametrize("mode", [v1.MAIN, v1.AGGRESSIVE], ids=["main", "aggressive"])
def test_hybrid_authentication(lab, left, right, mode):
    """The gateway signs, the user has nothing but its password: SIG of one side, HASH of the other, then XAUTH."""
    ours, theirs = hybrid(lab, aggressive=mode == v1.AGGRESSIVE)
    lab.up("direct", left=ours, right=theirs)
    lab.establish()
    lab.ping()
    ladder = lab.prove_protected()

    lab.step("messages", "phase 1 with one signature, four messages of XAUTH, three of Quick Mode")
    counted(ladder, mode)
    chosen = v1.method(lab.frames())
    assert chosen == AuthMethod1.HYBRID_INIT_RSA, f"the responder chose {chosen.name}"
    phase1 = v1.messages(ladder, mode)
    found = {name: [e["from"] for e in phase1 if name in e["payloads"]] for name in ("SIG", "CERT", "HASH")}
    assert found == {"SIG": ["right"], "CERT": ["right"], "HASH": ["left"]}, f"who proves what: {ladder.words()}"


@pytest.mark.rfc("2409#5.1")
@pytest.mark.needs("ikev1", "xauth", "hybrid", "certificates", "rsa")
def test_hybrid_authentication_of_a_stranger(lab, left, right):
    """The gateway's certificate is of another CA: the user does not show its password, and no SA comes up."""
    ours, theirs = hybrid(lab, issuer="other")
    lab.up("direct", left=ours, right=theirs)
    lab.step("handshake", f"{left} initiates to a gateway that it has no reason to trust")
    outcome = left.initiate()
    assert not outcome.up, "a tunnel came up with a stranger"
    ladder = lab.ladder()
    told = [e for e in v1.messages(ladder, v1.TRANSACTION) if e["from"] == "left"]
    assert not told, f"the user answered XAUTH: {ladder.words()}"
    assert not v1.messages(ladder, v1.QUICK), f"a Quick Mode was begun: {ladder.words()}"


def hybrid(lab, *, issuer="root", aggressive=False):
    """A user with a password and no more, and a gateway with a certificate of an `issuer`."""
    plain = v1.tunnel(connection={"aggressive": "yes"} if aggressive else {})
    secrets = {"xauth-user": {"id": USER, "secret": PASSWORD}}
    leaf = lab.ca(issuer).leaf("right", "rsa-2048", identities=("right.lab",))
    own = {"auth": "xauth", "xauth_id": USER}
    ours = papers.trusting(replace(plain, secrets=secrets, local=own), lab.ca().root)
    theirs = replace(papers.certified(plain, leaf), remote={"auth": "xauth"})
    return ours, replace(theirs, secrets={**theirs.secrets, **secrets})


@pytest.mark.rfc("2409#5.4")
@pytest.mark.needs("ikev1", "xauth", "mode-config")
@pytest.mark.pairings(*map(str, (*IKEV1, *SELVES)))
def test_mode_config(lab, left, right):
    """Behind XAUTH the client asks for an address, in 6 + 4 + 2 + 3 messages; the ping leaves from that address."""
    ours, theirs = lent(*user())
    lab.up("direct", left=ours, right=theirs)
    lab.establish()
    lab.ping_virtual(VIP)
    ladder = lab.prove_virtual()

    lab.step("messages", "six, four, two, three, counted in the capture")
    counted(ladder, config=1)

    lab.step("lent", f"both sides list {VIP}, and it is the selector of the client's side")
    for side, key in ((left, "local_ts"), (right, "remote_ts")):
        (child,) = side.children()
        assert child[key] == [f"{VIP}/32"], f"{side} has {key} {child[key]}"
    (mine,), (other,) = left.established(), right.established()
    assert mine["local_vips"] == other["remote_vips"] == [VIP]


@pytest.mark.rfc("2409#5.4")
@pytest.mark.needs("ikev1", "xauth", "mode-config", "push")
def test_mode_config_pushed(lab, left, right):
    """Behind XAUTH the gateway gives an address without being asked: CFG_SET and CFG_ACK in place of the request."""
    ours, theirs = lent(*user(), pull="no")
    lab.up("direct", left=ours, right=theirs)
    lab.establish()
    lab.ping_virtual(VIP)
    ladder = lab.prove_virtual()

    lab.step("messages", "six, four, two that the gateway begins, three, counted in the capture")
    counted(ladder, transactions=3)
    told, taken = v1.messages(ladder, v1.TRANSACTION)[-2:]
    assert f"{ADDRESS} {VIP}" in told["cp"], f"the gateway gives {told['cp']}"
    assert ADDRESS in taken["cp"], f"the client takes {taken['cp']}"
    (mine,), (other,) = left.established(), right.established()
    assert mine["local_vips"] == other["remote_vips"] == [VIP]


@pytest.mark.rfc("2409#5.4")
@pytest.mark.needs("ikev1", "xauth", "mode-config", "push")
def test_mode_config_pushed_and_asked_for(lab, left, right):
    """The gateway pushes and the client asks: it takes nothing of the push, and its own question is answered."""
    ours, theirs = lent(*user(), pull="no")
    lab.up("direct", left=replace(ours, connection={**ours.connection, "pull": "yes"}), right=theirs)
    lab.establish()
    lab.ping_virtual(VIP)
    ladder = lab.prove_virtual()

    lab.step("messages", "two questions cross, and the client answers the gateway's without an address")
    found = v1.messages(ladder, v1.TRANSACTION)[4:]
    asked = [entry for entry in found if entry["from"] == "left"]
    assert len(found) == 4 and len(asked) == 2, f"not two pairs of Mode Config: {ladder.words()}"
    named = [text for entry in asked for text in entry.get("cp", ()) if VIP in text]
    assert not named, f"the client names {named}"
    (mine,), (other,) = left.established(), right.established()
    assert mine["local_vips"] == other["remote_vips"] == [VIP]


@pytest.mark.rfc("2409#5.4")
@pytest.mark.needs("ikev1", "xauth", "mode-config")
@pytest.mark.parametrize("way", ["pull", "push"])
def test_mode_config_of_ipv6(lab, left, right, way):
    """An IPv6 address and a name server, asked for or pushed; the ping leaves from that address."""
    pull = "yes" if way == "pull" else "no"
    ours, theirs = lent(*user(), pull=pull, vips="::", pool=SIX)
    ours, theirs = (
        replace(ours, child={**ours.child, "remote_ts": NET6}),
        replace(theirs, child={**theirs.child, "local_ts": NET6}),
    )
    lab.up("dual-stack", left=ours, right=theirs)
    lab.establish()
    lab.ping_virtual(VIP6, FAR6)
    ladder = lab.prove_virtual()

    lab.step("configured", "16 octets of address without a prefix length, and the name server")
    asked, given = v1.messages(ladder, v1.TRANSACTION)[-2:]
    carries = given if way == "pull" else asked
    wanted = {f"{ADDRESS6} {VIP6}", f"INTERNAL_IP6_DNS {DNS6}"}
    assert wanted <= set(carries["cp"]), f"the gateway gives {carries['cp']}"
    for side, key in ((left, "local_ts"), (right, "remote_ts")):
        (child,) = side.children()
        assert child[key] == [f"{VIP6}/128"], f"{side} has {key} {child[key]}"


@pytest.mark.rfc("2409#5.4")
@pytest.mark.needs("ikev1", "xauth", "mode-config", "rekey")
def test_a_user_authenticates_anew(lab, left, right):
    """Phase 1 and XAUTH anew: the user keeps its address, and the tunnel goes on."""
    ours, theirs = lent(*user())
    lab.up("direct", left=ours, right=theirs)
    lab.establish()
    (before,) = left.established()
    outcome = left.rekey(ike=CONNECTION)
    assert outcome.up, f"{left} could not begin phase 1 anew: {outcome.reason}"
    lab.until(lambda: anew(left, before) and anew(right, before), "one new ISAKMP SA on both sides", SETTLED_S)
    lab.ping_virtual(VIP)
    ladder = lab.prove_virtual()

    lab.step("messages", "phase 1 twice, four messages of XAUTH each time, the address kept")
    assert len(v1.messages(ladder, v1.MAIN)) == 12, f"not two times Main Mode: {ladder.words()}"
    asked = [e for e in v1.messages(ladder, v1.TRANSACTION) if e["from"] == "right"]
    assert len(asked) >= 5, f"XAUTH was not repeated: {ladder.words()}"
    (mine,), (other,) = left.established(), right.established()
    assert mine["local_vips"] == other["remote_vips"] == [VIP]


def anew(gateway, before):
    """Whether just one ISAKMP SA is left, and it is another than before."""
    cookies = [sa["spi_i"] for sa in gateway.established()]
    return len(cookies) == 1 and cookies[0] != before["spi_i"]


@pytest.mark.rfc("2409#5.4")
@pytest.mark.needs("ikev1", "xauth")
def test_wrong_password(lab, left, right):
    """With a wrong password the four messages of XAUTH are the last: no Quick Mode, and no SA on either side."""
    ours, theirs = user(password="another")
    lab.up("direct", left=ours, right=theirs)
    lab.step("handshake", f"{left} answers XAUTH with a password that is not the user's")
    outcome = left.initiate()
    assert not outcome.up, "a tunnel came up with a wrong password"
    assert not left.established() and not right.established(), "one side holds an SA"

    lab.step("messages", "six and four, and no Quick Mode")
    ladder = lab.ladder()
    v1.by_turns(ladder, v1.MAIN, 6)
    senders = [entry["from"] for entry in v1.messages(ladder, v1.TRANSACTION)]
    assert senders == ["right", "left"] * 2, f"Transaction is not four messages by turns: {ladder.words()}"
    assert not v1.messages(ladder, v1.QUICK), f"a Quick Mode was begun: {ladder.words()}"
    assert outcome.reason, f"{left} does not say why"


TALK = {f"pull-{number}": ("yes", number) for number in range(1, 7)} | {"push-5": ("no", 5), "push-6": ("no", 6)}
FIRST_S = 4.0


def asked_again(ladder):
    """Whether a Transaction message that was repeated arrived."""
    return [e for e in ladder.ike(v1.TRANSACTION) if e["retransmit_of"] is not None and not e["lost"]]


@pytest.mark.rfc("2408#5.1", "2409#5.4")
@pytest.mark.needs("ikev1", "xauth", "mode-config")
@pytest.mark.parametrize("case", TALK)
def test_transaction_lost_once(lab, left, right, case):
    """One of the messages of XAUTH or of Mode Config is lost: who asked repeats it, and one tunnel comes of it."""
    pull, number = TALK[case]
    if pull == "no" and right.peer.name not in OUR_PEERS:
        lab.unsupported("charon as a gateway never repeats what it pushes")
    ours, theirs = lent(*user(), pull=pull)
    lab.up("direct", left=ours, right=theirs)
    rule = lab.network.drop("internet", "TRANSACTION message", nth=number)
    lab.step("handshake", f"message {number} of XAUTH and Mode Config is lost")
    lab.establish()
    # With its answer lost the gateway that pushed may serve Quick Mode all the same, and repeats its question later.
    lab.until(lambda: rule.dropped() and asked_again(lab.ladder()), "the question was asked again", 20, every=0.5)
    lab.ping_virtual(VIP)
    ladder = lab.prove_virtual()

    lab.step("repeated", "the question after 4 s, bit for bit, and the answer to it; nothing was asked twice")
    assert rule.dropped() == 1, f"the network dropped {rule.dropped()} packets"
    found = v1.messages(ladder, v1.TRANSACTION)
    assert len(found) == 6, f"not two pairs of XAUTH and one of Mode Config: {ladder.words()}"
    (lost,) = [entry for entry in ladder.ike(v1.TRANSACTION) if entry["lost"]]
    question = found[(number - 1) // 2 * 2]
    again = [entry for entry in ladder.ike(v1.TRANSACTION) if entry["retransmit_of"] == question["n"]]
    assert again, f"the question was not asked again: {ladder.words()}"
    waited = again[0]["t_sent"] - question["t_sent"]
    assert FIRST_S - 0.1 <= waited <= FIRST_S + 0.6, f"it was asked again after {waited:.2f} s"
    assert lost["message_id"] == question["message_id"], f"another message was lost: {ladder.words()}"
    assert len(left.children()) == len(right.children()) == 1, "more than one child came of it"
