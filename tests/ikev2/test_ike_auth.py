"""IKE_AUTH: proofs, identities, the first child and its refusals, what happens to older SAs."""

from dataclasses import replace

import pytest

from lab.ike.credentials import Identity
from lab.ikev2 import ike_auth
from lab.wire.ids import AuthMethod, ExchangeType, NotifyType, PayloadType
from lab.wire.message import Message
from lab.wire.payloads import Payload, Unknown
from lab.wire.payloads_v2 import ID, TS, Auth, Notify, TrafficSelector, VendorId
from tests.pair import LEFT, RIGHT, Pair, engine_of, is_request, is_response, mirrored, net

AUTH, INFO = ExchangeType.IKE_AUTH, ExchangeType.INFORMATIONAL
BOTH = pytest.mark.parametrize("by", ["left", "right"])


def messages(pair: Pair) -> list[str]:
    """What each side sent inside, as its trace tells."""
    return [r.text.removeprefix("sent ") for side in pair.sides for r in side.records if r.text.startswith("sent ")]


def between(left: str, right: str, by: str = "left") -> Pair:
    return Pair(left, right).initiate(by)


@BOTH
def test_a_wrong_pre_shared_key(by: str) -> None:
    # HDR, SK {IDi, AUTH, ...}  -->    <--  HDR, SK {N(AUTHENTICATION_FAILED)}
    pair = between(net(), mirrored(net()).replace("a shared secret", "another"), by)
    here, there = pair.ends(by)
    (refused,), (found,) = here.told("failed"), there.told("failed")
    name = f"{here.name}.example.org"
    assert found["reason"] == f"AUTH of {name} does not verify: its pre-shared key is not ours"
    assert "AUTHENTICATION_FAILED" in str(refused["reason"])
    assert refused["stage"] == found["stage"] == "IKE_AUTH"
    assert refused["child"] == "net"
    assert pair.left.up == pair.right.up == []
    assert pair.left.ever == pair.right.ever == []
    assert "IKE_AUTH response 1 [ N(AUTHENTICATION_FAILED) ]" in messages(pair)
    assert len(pair.wire.sent) == 4


def test_a_responder_that_cannot_prove_itself_is_told_so() -> None:
    # HDR, SK {IDi, AUTH, ...}  -->    <--  HDR, SK {IDr, AUTH', ...}
    # HDR, SK {N(AUTHENTICATION_FAILED)}  -->    <--  HDR, SK {}
    pair = Pair()
    pair.left.do("initiate", "net")
    pair.step()
    pair.step()
    engine_of(pair.right).sa.sent = b"not what was sent"
    pair.settle()
    (failed,) = pair.left.told("failed")
    assert failed["reason"] == "AUTH of right.example.org does not verify: its pre-shared key is not ours"
    assert "INFORMATIONAL request 2 [ N(AUTHENTICATION_FAILED) ]" in messages(pair)
    assert pair.left.up == pair.right.up == []
    assert pair.left.names == ["failed"], "it never was up for us"
    assert pair.right.names == ["ike-up", "child-up", "child-down", "ike-down"]
    assert pair.left.installed == pair.right.installed == {}


def test_an_unknown_initiator() -> None:
    pair = between(net().replace("id = left.example.org", "id = stranger.example.org"), mirrored(net()))
    assert pair.right.told("failed")[0]["reason"] == (
        "peer calls itself stranger.example.org and asks for right.example.org; connections at this address: "
        "gw (we as right.example.org, peer as left.example.org)"
    )
    assert "AUTHENTICATION_FAILED" in str(pair.left.told("failed")[0]["reason"])


def test_a_responder_that_is_somebody_else() -> None:
    left = net().replace("id = right.example.org", "id = other.example.org")
    right = mirrored(net())
    pair = Pair(left, right).initiate()
    # Our responder refuses to be asked for somebody else ...
    assert "asks for other.example.org" in str(pair.right.told("failed")[0]["reason"])
    # ... but one that answers all the same is refused by the initiator.
    pair = Pair(left.replace("id = other.example.org", "id = %any"), right)
    pair.left.do("initiate", "net")
    sa = engine_of(pair.left).sa
    sa.connection = replace(sa.connection, remote=replace(sa.connection.remote, id=None))
    pair.settle()
    pair.check()


def test_the_initiator_refuses_another_identity_than_it_expects() -> None:
    pair = Pair()
    pair.left.do("initiate", "net")
    pair.step()
    pair.step()
    pair.step()  # the IKE_AUTH response is on its way
    sa = engine_of(pair.left).sa
    other = replace(sa.connection.remote, id=Identity.parse("other.example.org"))
    sa.connection = replace(sa.connection, remote=other)
    pair.settle()
    assert pair.left.told("failed")[0]["reason"] == "peer calls itself right.example.org; we expect other.example.org"
    assert pair.right.up == []


def test_no_secret_for_the_peer_at_the_initiator() -> None:
    owned = net().replace("secret =", "id = somebody.else\n secret =")
    pair = Pair(owned, mirrored(net())).initiate()
    assert pair.left.told("failed")[0]["reason"] == (
        "we hold no pre-shared key for local left.example.org and remote right.example.org"
    )
    assert pair.left.up == []


def test_no_secret_for_the_peer_at_the_responder() -> None:
    pair = Pair(net(), mirrored(net()).replace("secret =", "id = somebody.else\n secret =")).initiate()
    assert "we hold no pre-shared key" in str(pair.right.told("failed")[0]["reason"])
    assert "AUTHENTICATION_FAILED" in str(pair.left.told("failed")[0]["reason"])


def test_identities_choose_the_connection_among_those_for_the_address() -> None:
    base = mirrored(net())
    other = base[base.index("    gw {") : base.index("secrets {")].rsplit("}", 1)[0]
    other = other.replace("gw {", "other {", 1).replace("left.example.org", "other.example.org")
    both = base.replace("connections {", "connections {\n" + other, 1)
    pair = Pair(net(), both).initiate()
    pair.check()
    assert pair.right.sas[0]["name"] == "gw"


@BOTH
def test_selectors_without_anything_in_common_leave_the_ike_sa_alive(by: str) -> None:
    # HDR, SK {IDi, AUTH, SAi2, TSi, TSr}  -->    <--  HDR, SK {IDr, AUTH, N(TS_UNACCEPTABLE)}
    pair = between(net(), mirrored(net()).replace("10.1.0.0/24", "10.9.0.0/24"), by)
    here, there = pair.ends(by)
    assert pair.left.up == pair.right.up == ["ESTABLISHED"]
    assert here.names == ["ike-up", "failed"]
    assert "TS_UNACCEPTABLE" in str(here.told("failed")[0]["reason"])
    assert (here.told("failed")[0]["child"], here.told("failed")[0]["stage"]) == ("net", "IKE_AUTH")
    assert "10.9.0.0/24" in str(there.told("failed")[0]["reason"])
    assert here.endpoint.stats()["child_spis"] == there.endpoint.stats()["child_spis"] == 0


def test_no_common_esp_proposal_leaves_the_ike_sa_alive() -> None:
    left, right = net(child="esp_proposals = aes128-sha256"), mirrored(net(child="esp_proposals = aes256gcm16"))
    pair = Pair(left, right).initiate()
    assert pair.left.up == pair.right.up == ["ESTABLISHED"]
    assert "NO_PROPOSAL_CHOSEN" in str(pair.left.told("failed")[0]["reason"])
    assert "(we offer aes128-sha256)" in str(pair.left.told("failed")[0]["reason"])
    assert "peer offers" in str(pair.right.told("failed")[0]["reason"])


def test_selectors_are_narrowed_to_what_both_allow() -> None:
    left = net().replace("10.2.0.0/24", "10.0.0.0/8")
    right = mirrored(net()).replace("remote_ts = 10.1.0.0/24", "remote_ts = 10.1.0.128/25[tcp/80]")
    pair = Pair(left, right).initiate()
    pair.check()
    child = pair.left.ever[0]
    assert [str(s) for s in child.ts_local] == ["10.1.0.128/25[6/80]"]
    assert [str(s) for s in child.ts_remote] == ["10.2.0.0/24"]


def test_dynamic_selectors_are_the_addresses_of_both_ends() -> None:
    left = net().replace("local_ts = 10.1.0.0/24", "local_ts = dynamic").replace("remote_ts = 10.2.0.0/24", "")
    pair = Pair(left, mirrored(left)).initiate()
    pair.check()
    assert [str(s) for s in pair.left.ever[0].ts_local] == [f"{LEFT}/32"]
    assert [str(s) for s in pair.left.ever[0].ts_remote] == [f"{RIGHT}/32"]


def test_the_second_child_of_a_connection_may_be_the_one() -> None:
    right = mirrored(net()).replace("children {", "children { a { local_ts = 10.7.0.0/24 }\n")
    pair = Pair(net(), right).initiate()
    pair.check()
    assert pair.right.ever[0].name == "net"


def test_transport_mode_only_where_both_are_configured_for_it() -> None:
    transport = net(child="mode = transport").replace("10.1.0.0/24", "dynamic").replace("10.2.0.0/24", "dynamic")
    tunnel = transport.replace("mode = transport", "")
    for left, right, mode in ((transport, transport, "transport"), (transport, tunnel, "tunnel")):
        pair = Pair(left, mirrored(right)).initiate()
        pair.check()
        assert pair.left.ever[0].mode == mode


def change_auth(pair: Pair, change) -> None:
    """Rewrite what is inside the IKE_AUTH request: opened and sealed again with the left side's keys."""

    def rewrite(data: bytes) -> bytes:
        sa, peer = engine_of(pair.left).sa, engine_of(pair.right).sa
        message = Message.decode(data).opened(peer.opener)
        return Message(message.header, tuple(change(message.payloads))).encode(sa.sealer)

    pair.wire.change(is_request(AUTH), rewrite)


def test_odd_payloads_in_ike_auth_are_passed_over() -> None:
    pair = Pair()
    extra = (VendorId(b"x"), Notify(NotifyType(40002)), Unknown(PayloadType(201), False, b""))
    change_auth(pair, lambda payloads: (*extra, *reversed(payloads)))
    pair.initiate()
    pair.check()


def test_a_critical_payload_in_ike_auth_ends_the_sa() -> None:
    pair = Pair()
    change_auth(pair, lambda payloads: (*payloads, Unknown(PayloadType(201), True, b"")))
    pair.initiate()
    assert "IKE_AUTH response 1 [ N(UNSUPPORTED_CRITICAL_PAYLOAD) ]" in messages(pair)
    assert pair.left.up == pair.right.up == []
    assert "UNSUPPORTED_CRITICAL_PAYLOAD" in str(pair.left.told("failed")[0]["reason"])


def without(kind: type) -> object:
    return lambda payloads: (p for p in payloads if not isinstance(p, kind))


def each(kind: type, change) -> object:
    return lambda payloads: (change(p) if isinstance(p, kind) else p for p in payloads)


FAILED = "AUTHENTICATION_FAILED"
BROKEN = {
    "no ID": (without(ID), "INVALID_SYNTAX"),
    "no AUTH": (without(Auth), FAILED),
    "NULL method": (each(Auth, lambda p: Auth(AuthMethod.NULL, b"")), FAILED),
    "short AUTH": (each(Auth, lambda p: Auth(p.method, p.data[:-1])), FAILED),
    "reserved octets of ID": (each(ID, lambda p: ID(p.kind, p.id_type, p.data, b"\1\0\0")), FAILED),
}


@pytest.mark.parametrize(("change", "notify"), BROKEN.values(), ids=BROKEN.keys())
def test_what_ends_authentication(change: object, notify: str) -> None:
    pair = Pair()
    change_auth(pair, change)
    pair.initiate()
    assert f"IKE_AUTH response 1 [ N({notify}) ]" in messages(pair)
    assert pair.left.up == pair.right.up == []
    assert pair.right.ever == []


def test_reserved_octets_of_the_id_payload_are_signed_as_they_are() -> None:
    pair = Pair()
    pair.left.do("initiate", "net")
    pair.step()

    def odd(kind: PayloadType, identity) -> ID:
        return ID(kind, identity.id_type, identity.data, b"\1\2\3")

    original, ike_auth._payload = ike_auth._payload, odd
    try:
        pair.settle()
    finally:
        ike_auth._payload = original
    pair.check()


def test_initial_contact_ends_what_a_crashed_peer_left() -> None:
    pair = Pair().initiate()
    old = pair.right.sas[0]["spi_i"]
    pair.left.endpoint = Pair(seed="after the crash").left.endpoint
    pair.left.installed.clear()
    pair.initiate()
    assert [sa["spi_i"] for sa in pair.right.sas] != [old]
    assert pair.right.told("ike-down")[0]["reason"] == "replaced: the peer made first contact anew"
    pair.check()


@pytest.mark.parametrize(
    ("unique", "sas", "outcome"),
    [("no", 2, "ike-up"), ("never", 2, "ike-up"), ("replace", 1, "ike-up"), ("keep", 1, "failed")],
)
def test_a_second_sa_between_the_same_identities(unique: str, sas: int, outcome: str) -> None:
    pair = Pair(net(), mirrored(net(f"unique = {unique}"))).initiate()
    pair.left.do("initiate", "net", anew=True)
    pair.settle()
    assert len(pair.right.sas) == sas
    assert pair.left.events[2].name == outcome


def test_initial_contact_is_sent_with_the_first_sa_only() -> None:
    pair = Pair().initiate()
    pair.left.do("initiate", "net", anew=True)
    pair.settle()
    sent = [text for text in messages(pair) if text.startswith("IKE_AUTH request")]
    assert ["INITIAL_CONTACT" in text for text in sent] == [True, False]


def test_unique_never_ignores_initial_contact() -> None:
    pair = Pair(net(), mirrored(net("unique = never"))).initiate()
    pair.left.endpoint = Pair(seed="after the crash").left.endpoint
    pair.left.installed.clear()
    pair.initiate()
    assert len(pair.right.sas) == 2


def test_the_peers_window_is_taken_from_ike_auth() -> None:
    pair = Pair()
    change_auth(pair, lambda ps: (*ps, Notify(NotifyType.SET_WINDOW_SIZE, (5).to_bytes(4, "big"))))
    pair.initiate()
    assert engine_of(pair.right).sa.peer_window == 5
    assert engine_of(pair.left).sa.peer_window == 1


def test_our_window_is_told_where_it_is_more_than_one() -> None:
    pair = Pair(net(settings="window_size = 4"), mirrored(net())).initiate()
    assert engine_of(pair.right).sa.peer_window == 4
    assert engine_of(pair.left).sa.peer_window == 1


def test_ike_auth_without_a_child_makes_an_ike_sa_alone() -> None:
    pair = Pair()

    def childless(payloads: tuple[Payload, ...]) -> tuple[Payload, ...]:
        return tuple(p for p in payloads if p.type not in (PayloadType.SA, PayloadType.TSi, PayloadType.TSr))

    change_auth(pair, childless)
    pair.initiate()
    assert pair.right.names == ["ike-up"]
    assert pair.left.told("failed")[0]["reason"] == "peer's answer holds neither a child nor a reason why there is none"
    assert pair.left.up == pair.right.up == ["ESTABLISHED"]
    assert len(pair.wire.seen(is_response(AUTH))) == 1


def test_a_child_answer_that_we_cannot_take_is_deleted_at_the_peer() -> None:
    # HDR, SK {..., SAi2, TSi, TSr}  -->    <--  HDR, SK {..., SAr2, TSi(elsewhere), TSr}
    # HDR, SK {D(ESP)}  -->    <--  HDR, SK {D(ESP)}
    pair = Pair()

    def elsewhere(data: bytes) -> bytes:
        sa, peer = engine_of(pair.right).sa, engine_of(pair.left).sa
        message = Message.decode(data).opened(peer.opener)
        wrong = TS(PayloadType.TSi, (TrafficSelector.of_network("10.99.0.0/16"),))
        changed = tuple(wrong if p.type == PayloadType.TSi else p for p in message.payloads)
        return Message(message.header, changed).encode(sa.sealer)

    pair.wire.change(is_response(AUTH), elsewhere)
    pair.initiate()
    assert pair.left.told("failed")[0]["reason"] == "peer offers local 10.99.0.0/16; we allow 10.1.0.0/24"
    assert pair.right.names == ["ike-up", "child-up", "child-down"]
    assert pair.left.up == pair.right.up == ["ESTABLISHED"]
    pair.check(children=0)
    assert len(pair.wire.seen(is_request(INFO))) == 1


@pytest.mark.parametrize("later", [0.0, 0.005, 0.015, 0.025, 0.035, 0.1])
@pytest.mark.parametrize("late", ["IKE_SA_INIT", "IKE_AUTH"])
def test_both_begin_at_once_and_each_side_knows_the_same_ike_sas(later: float, late: str) -> None:
    """Nothing joins two IKE SAs that cross (RFC 7296 2.8); but INITIAL_CONTACT of the later one must not end the other
    at one side alone: it says that there is no other (2.4), so it is left out where one has come up meanwhile."""
    # HDR, SAi1, ...  -->   <--  HDR, SAi1, ...
    pair = Pair()
    delayed = is_response(ExchangeType[late])
    pair.wire.delay(lambda datagram: delayed(datagram) and datagram.src[0] == LEFT, by=0.5)
    pair.left.do("initiate", "net")
    pair.wait(later)
    pair.right.do("initiate", "net")
    pair.wait(30)
    ends = [{(sa["spi_i"], sa["spi_r"]) for sa in side.sas} for side in pair.sides]
    assert ends[0] == ends[1] and ends[0], "an IKE SA is up at one side alone"
    spis = [{tuple(sorted((c.spi_in, c.spi_out))) for c in side.installed.values()} for side in pair.sides]
    assert spis[0] == spis[1] and spis[0]
