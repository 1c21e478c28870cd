"""Further children, and children rekeyed by one side: with and without a key exchange, in both roles."""

import itertools
from dataclasses import replace

import pytest

from lab.wire.ids import ExchangeType, NotifyType, ProtocolId
from lab.wire.message import Message
from lab.wire.payloads_v2 import Notify, TrafficSelector
from tests.pair import LEFT, RIGHT, Pair, engine_of, forged, is_request, is_response, mirrored, net

CHILD, INFO = ExchangeType.CREATE_CHILD_SA, ExchangeType.INFORMATIONAL
BOTH = pytest.mark.parametrize("by", ["left", "right"])
PFS = "esp_proposals = aes256gcm16-x25519"
TWO = "children {{ second {{ local_ts = 10.3.0.0/24\n remote_ts = 10.4.0.0/24\n {} }}\n"


def two(connection: str = "", child: str = "") -> str:
    return net(connection, child).replace("children {", TWO.format(child), 1)


def told(pair: Pair) -> list[str]:
    """CREATE_CHILD_SA and INFORMATIONAL messages as they were sent, in order."""
    records = [(r.now, side.name, r.text) for side in pair.sides for r in side.records if r.text.startswith("sent ")]
    return [f"{name} {text[5:]}" for _, name, text in sorted(records) if "CREATE" in text or "INFO" in text]


def rekeyed(pair: Pair, times: int = 1) -> None:
    """One child as before, used by both, and nothing left over."""
    pair.wait(20)
    pair.check()
    for side in pair.sides:
        assert side.names.count("child-rekeyed") == times
        assert side.names.count("child-down") == 0
        assert len(side.installed) == side.endpoint.stats()["child_spis"] == 1
        assert side.sending is not None
        assert side.sending.spi_in in side.installed
        assert side.drops == []


# -- a further child


@BOTH
def test_a_second_child(by: str) -> None:
    # HDR, SK {SA, Ni, TSi, TSr}  -->    <--  HDR, SK {SA, Nr, TSi, TSr}
    pair = Pair(two(), mirrored(two())).initiate()
    here, there = pair.ends(by)
    here.do("initiate", "second")
    pair.settle()
    pair.check(children=2)
    assert [t.split("[")[1] for t in told(pair)] == [" SA NONCE TSi TSr ]", " SA NONCE TSi TSr ]"]
    assert [c.name for c in here.ever] == ["net", "second"]
    assert len(here.sas) == len(there.sas) == 1
    assert here.names == there.names == ["ike-up", "child-up", "child-up"]
    assert here.ever[1].ke is None


@BOTH
def test_a_second_child_with_a_key_exchange_of_its_own(by: str) -> None:
    # HDR, SK {SA, Ni, KEi, TSi, TSr}  -->    <--  HDR, SK {SA, Nr, KEr, TSi, TSr}
    pair = Pair(two(child=PFS), mirrored(two(child=PFS))).initiate()
    here, _ = pair.ends(by)
    here.do("initiate", "second")
    pair.settle()
    pair.check(children=2)
    assert [t.split("[")[1] for t in told(pair)] == [" SA NONCE KE TSi TSr ]", " SA NONCE KE TSi TSr ]"]
    assert here.sas[0]["children"][1]["ke"] == "CURVE25519"
    assert here.sas[0]["children"][0]["ke"] is None, "the first child takes the keys of the IKE SA"


def test_a_child_asked_for_while_the_ike_sa_comes_up_follows_it() -> None:
    pair = Pair(two(), mirrored(two()))
    pair.left.do("initiate", "net")
    pair.left.do("initiate", "second")
    pair.settle()
    pair.check(children=2)
    assert len(pair.wire.sent) == 6


def test_asking_for_a_child_that_is_up_reports_it_again() -> None:
    pair = Pair().initiate()
    pair.left.do("initiate", "net")
    assert len(pair.wire.sent) == 4
    assert pair.left.names == ["ike-up", "child-up", "child-up"]


def test_a_packet_that_wants_a_child_which_is_being_made_asks_for_nothing() -> None:
    pair = Pair(two(), mirrored(two())).initiate()
    for _ in range(3):
        pair.left.do("acquire", "second")
    pair.settle()
    pair.check(children=2)
    assert len(pair.wire.seen(is_request(CHILD))) == 1


@BOTH
@pytest.mark.parametrize("trouble", ["drop", "duplicate", "delay"])
@pytest.mark.parametrize("what", [is_request(CHILD), is_response(CHILD)], ids=["request", "response"])
def test_a_second_child_with_trouble(by: str, trouble: str, what) -> None:
    pair = Pair(two(), mirrored(two())).initiate()
    getattr(pair.wire, trouble)(what, **({"by": 4.5} if trouble == "delay" else {}))
    pair.ends(by)[0].do("initiate", "second")
    pair.run(60)
    pair.check(children=2)


def test_the_group_that_the_responder_wants() -> None:
    # HDR, SK {SA, Ni, KEi(x25519), ...}  -->    <--  HDR, SK {N(INVALID_KE_PAYLOAD, ecp256)}
    # HDR, SK {SA, Ni, KEi(ecp256), ...}  -->    <--  HDR, SK {SA, Nr, KEr, ...}
    left = two(child="esp_proposals = aes256gcm16-x25519-ecp256")
    right = mirrored(two(child="esp_proposals = aes256gcm16-ecp256"))
    pair = Pair(left, right).initiate()
    pair.left.do("initiate", "second")
    pair.settle()
    pair.check(children=2)
    assert [t.split("[")[1] for t in told(pair)][1] == " N(INVALID_KE_PAYLOAD) ]"
    assert pair.left.ever[1].ke is not None
    assert pair.left.ever[1].ke.name == "ECP_256"
    assert "failed" not in pair.left.names + pair.right.names


def answered(pair: Pair, *payloads: Notify, message_id: int = 2) -> None:
    """The right side's answer to the left side's request, in place of its own."""
    pair.wire.rules.clear()
    data = forged(pair.right, CHILD, message_id, *payloads, response=True)
    pair.inject(data, (RIGHT, 500), (LEFT, 500))


@pytest.mark.parametrize("data", [b"\0\x02", b"", b"\0\x13"])
def test_a_group_that_we_did_not_offer_is_a_refusal(data: bytes) -> None:
    pair = Pair(two(child=PFS), mirrored(two(child=PFS))).initiate()
    pair.wire.drop(is_request(CHILD), count=10)
    pair.left.do("initiate", "second")
    answered(pair, Notify(NotifyType.INVALID_KE_PAYLOAD, data))
    assert "peer wants key exchange method" in str(pair.left.told("failed")[0]["reason"])
    pair.settle()
    pair.check()
    assert pair.left.up == ["ESTABLISHED"]


def test_the_rounds_of_invalid_ke_payload_are_capped() -> None:
    both = "esp_proposals = aes256gcm16-x25519-ecp256"
    pair = Pair(two(child=both), mirrored(two(child=both))).initiate()
    pair.wire.drop(is_request(CHILD), count=10)
    pair.left.do("initiate", "second")
    for round_ in range(5):
        group = (19, 31)[round_ % 2]
        data = Notify(NotifyType.INVALID_KE_PAYLOAD, group.to_bytes(2, "big"))
        pair.inject(forged(pair.right, CHILD, 2 + round_, data, response=True), (RIGHT, 500), (LEFT, 500))
    assert pair.left.told("failed")[0]["reason"] == "peer had us send CREATE_CHILD_SA 3 times"


@pytest.mark.parametrize(
    "notify", [NotifyType.NO_PROPOSAL_CHOSEN, NotifyType.TS_UNACCEPTABLE, NotifyType.NO_ADDITIONAL_SAS]
)
def test_refusals_leave_the_ike_sa_and_the_other_children(notify: NotifyType) -> None:
    pair = Pair(two(), mirrored(two())).initiate()
    pair.wire.drop(is_request(CHILD), count=10)
    pair.left.do("initiate", "second")
    answered(pair, Notify(notify))
    (failed,) = pair.left.told("failed")
    assert notify.name in str(failed["reason"])
    assert (failed["child"], failed["stage"], failed["role"]) == ("second", "CREATE_CHILD_SA", "initiator")
    pair.check()
    assert pair.left.endpoint.stats()["child_spis"] == 1


def test_the_role_of_a_failure_is_that_of_the_exchange() -> None:
    right = mirrored(two()).replace("10.4.0.0/24", "10.9.0.0/24")
    pair = Pair(two(), right).initiate()
    pair.right.do("initiate", "second")
    pair.settle()
    assert pair.right.told("failed")[0]["role"] == "initiator"
    assert pair.left.told("failed")[0]["role"] == "responder"


def test_what_the_responder_refuses_it_explains() -> None:
    right = mirrored(two()).replace("10.4.0.0/24", "10.9.0.0/24")
    pair = Pair(two(), right).initiate()
    pair.left.do("initiate", "second")
    pair.settle()
    assert "TS_UNACCEPTABLE" in str(pair.left.told("failed")[0]["reason"])
    (explained,) = pair.right.told("failed")
    assert (explained["stage"], explained["role"]) == ("CREATE_CHILD_SA", "responder")
    pair.check()


def test_a_busy_peer_is_asked_again_and_not_for_ever() -> None:
    pair = Pair(two(), mirrored(two())).initiate()
    pair.wire.drop(is_request(CHILD), count=1)
    pair.left.do("initiate", "second")
    answered(pair, Notify(NotifyType.TEMPORARY_FAILURE))
    assert pair.left.endpoint.stats()["child_spis"] == 1
    # The right side has not seen message 2, so it is told by hand that this ID is used.
    engine_of(pair.right)._next_expected = 3
    pair.wait(11)
    pair.check(children=2)

    pair = Pair(two(), mirrored(two())).initiate()
    pair.wire.drop(is_request(CHILD), count=100)
    pair.left.do("initiate", "second")
    for round_ in range(5):
        data = forged(pair.right, CHILD, 2 + round_, Notify(NotifyType.TEMPORARY_FAILURE), response=True)
        pair.inject(data, (RIGHT, 500), (LEFT, 500))
        pair.wait(10.1)
    assert len({d.header.message_id for d in pair.wire.seen(is_request(CHILD))}) == 5
    assert "TEMPORARY_FAILURE" in str(pair.left.told("failed")[0]["reason"])


# -- rekeying a child, one side


@BOTH
@pytest.mark.parametrize("child", ["", PFS], ids=["without PFS", "with PFS"])
def test_rekeying_a_child(by: str, child: str) -> None:
    # HDR, SK {N(REKEY_SA), SA, Ni, [KEi], TSi, TSr}  -->    <--  HDR, SK {SA, Nr, [KEr], TSi, TSr}
    # HDR, SK {D(old)}  -->                                  <--  HDR, SK {D(old)}
    pair = Pair(net(child=child)).initiate()
    here, _ = pair.ends(by)
    old = here.ever[0]
    here.do("rekey", child="net")
    rekeyed(pair)
    ke = " KE" if child else ""
    assert [t.split("[")[1] for t in told(pair)] == [
        f" N(REKEY_SA) SA NONCE{ke} TSi TSr ]",
        f" SA NONCE{ke} TSi TSr ]",
        " D ]",
        " D ]",
    ]
    new = here.ever[1]
    assert new.spi_in != old.spi_in
    assert new.key_encr_in != old.key_encr_in
    assert new.reqid == old.reqid
    assert (new.ke is not None) == bool(child)
    assert here.told("child-rekeyed")[0]["old_spi_in"] == old.spi_in.hex()
    assert here.told("child-rekeyed")[0]["spi_in"] == new.spi_in.hex()


@BOTH
def test_no_packet_is_lost_while_a_child_is_rekeyed(by: str) -> None:
    for delay in (0.001, 0.01, 0.05, 0.3):
        pair = Pair(delay=delay).initiate()
        pair.ping(1)
        pair.ends(by)[0].do("rekey", child="net")
        pair.ping(8)
        assert pair.lost == []
        assert pair.packets > 800
        rekeyed(pair)


def test_the_responder_sends_on_the_new_child_from_the_first_packet_that_comes_in() -> None:
    pair = Pair().initiate()
    pair.left.do("rekey", child="net")
    pair.step()  # the request arrives, the answer leaves
    old, new = pair.right.ever
    assert pair.right.sending == old
    assert new.spi_in in pair.right.installed
    pair.right.do("carried", new.spi_in, inbound=True)
    assert pair.right.sending == new
    assert pair.right.told("child-rekeyed")[0]["spi_in"] == new.spi_in.hex()
    rekeyed(pair)


def test_the_old_child_receives_for_five_seconds_more() -> None:
    pair = Pair().initiate()
    old = pair.left.ever[0], pair.right.ever[0]
    pair.left.do("rekey", child="net")
    pair.settle()
    pair.wait(4.9)
    assert all(child.spi_in in side.installed for child, side in zip(old, pair.sides, strict=True))
    pair.wait(0.2)
    assert not any(child.spi_in in side.installed for child, side in zip(old, pair.sides, strict=True))


def test_what_still_receives_goes_at_once_with_the_ike_sa() -> None:
    pair = Pair().initiate()
    pair.left.do("rekey", child="net")
    pair.settle()
    pair.left.do("terminate")
    pair.settle()
    assert pair.left.installed == pair.right.installed == {}
    assert pair.left.endpoint.stats()["child_spis"] == 0


@BOTH
@pytest.mark.parametrize("exchange", [CHILD, INFO], ids=["rekey", "delete"])
@pytest.mark.parametrize("trouble", ["drop", "duplicate", "delay"])
@pytest.mark.parametrize("response", [False, True], ids=["request", "response"])
def test_rekeying_with_trouble(by: str, exchange: ExchangeType, trouble: str, response: bool) -> None:
    pair = Pair().initiate()
    what = is_response(exchange) if response else is_request(exchange)
    getattr(pair.wire, trouble)(what, **({"by": 4.5} if trouble == "delay" else {}))
    pair.ends(by)[0].do("rekey", child="net")
    pair.ping(20)
    assert pair.lost == []
    pair.wait(20)
    for side in pair.sides:
        side.records.clear()
    rekeyed(pair)


def test_rekeying_twice_in_a_row_and_asking_twice_at_once() -> None:
    pair = Pair().initiate()
    for _ in range(2):
        pair.left.do("rekey", child="net")
    rekeyed(pair)
    pair.right.do("rekey", child="net")
    pair.wait(20)
    rekeyed(pair, times=2)


def test_selectors_that_were_narrowed_are_offered_as_they_are() -> None:
    left = net().replace("10.2.0.0/24", "10.0.0.0/8")
    pair = Pair(left, mirrored(net())).initiate()
    pair.left.do("rekey", child="net")
    rekeyed(pair)
    assert [str(s) for s in pair.left.ever[1].ts_remote] == ["10.2.0.0/24"]


def test_wider_selectors_in_a_rekeying_are_narrowed_to_what_is_allowed() -> None:
    """Windows offers 0.0.0.0/0 whatever was agreed on (RFC 7296 2.9.2 has it offer no less than before)."""
    pair = Pair().initiate()
    (child,) = engine_of(pair.left).sa.children.values()
    everything = (TrafficSelector.of_network("0.0.0.0/0"),)
    assert child.sa is not None
    child.sa = replace(child.sa, ts_local=everything, ts_remote=everything)
    pair.left.do("rekey", child="net")
    rekeyed(pair)
    for side in pair.sides:
        new = side.ever[1]
        assert {str(*new.ts_local), str(*new.ts_remote)} == {"10.1.0.0/24", "10.2.0.0/24"}


def test_a_child_that_the_peer_does_not_have_is_made_anew() -> None:
    # HDR, SK {N(REKEY_SA), ...}  -->    <--  HDR, SK {N(CHILD_SA_NOT_FOUND, SPI)}
    # HDR, SK {SA, Ni, TSi, TSr}  -->    <--  HDR, SK {SA, Nr, TSi, TSr}
    pair = Pair().initiate()
    sa = engine_of(pair.right).sa
    lost = next(iter(sa.children.values()))
    sa.drop_child(lost, "forgotten")
    pair.right.take(pair.right.endpoint.tick(pair.now))
    pair.left.do("rekey", child="net")
    pair.settle()
    pair.check()
    assert [t.split("[")[1] for t in told(pair)][1] == " N(CHILD_SA_NOT_FOUND) ]"
    assert pair.left.told("child-down")[0]["reason"] == "the peer does not have it"
    assert pair.left.names[-1] == "child-up"


def test_child_sa_not_found_names_the_spi() -> None:
    pair = Pair().initiate()
    rekey = Notify(NotifyType.REKEY_SA, protocol=ProtocolId.ESP, spi=b"none")
    pair.left.do("rekey", child="net")
    data = pair.wire.sent[-1].data
    plain = Message.decode(data).opened(engine_of(pair.right).sa.opener)
    pair.inject(forged(pair.left, CHILD, 2, rekey, *plain.payloads[1:]), (LEFT, 500), (RIGHT, 500))
    answer = Message.decode(pair.wire.sent[-1].data).opened(engine_of(pair.left).sa.opener)
    (notify,) = answer.payloads
    assert isinstance(notify, Notify)
    assert (notify.notify_type, notify.protocol, notify.spi) == (NotifyType.CHILD_SA_NOT_FOUND, ProtocolId.ESP, b"none")


def test_a_child_that_is_being_deleted_is_not_rekeyed() -> None:
    # left deletes and right rekeys: HDR, SK {D}  -->  <--  HDR, SK {N(REKEY_SA), ...}
    # right gives its part up: HDR, SK {N(TEMPORARY_FAILURE)}  -->
    pair = Pair().initiate()
    pair.left.do("terminate", child="net")
    pair.right.do("rekey", child="net")
    pair.wait(60)
    pair.check(children=0)
    assert "left CREATE_CHILD_SA response 0 [ N(TEMPORARY_FAILURE) ]" in told(pair)
    assert pair.left.endpoint.stats()["child_spis"] == pair.right.endpoint.stats()["child_spis"] == 0
    assert pair.left.up == pair.right.up == ["ESTABLISHED"]


def test_a_refused_rekeying_keeps_the_child_and_is_tried_again() -> None:
    pair = Pair().initiate()
    pair.wire.drop(is_request(CHILD), count=10)
    pair.left.do("rekey", child="net")
    answered(pair, Notify(NotifyType.NO_PROPOSAL_CHOSEN))
    engine_of(pair.right)._next_expected = 3
    assert pair.left.told("failed")[0]["child"] == "net"
    pair.check()
    pair.wait(12)
    rekeyed(pair)


# -- by time


def test_children_are_rekeyed_before_their_lifetime_ends() -> None:
    pair = Pair(net("rekey_time = 0", "rekey_time = 60s"), mirrored(net("rekey_time = 0", "rekey_time = 0"))).initiate()
    pair.run(600)
    assert 9 <= pair.left.names.count("child-rekeyed") <= 12
    times = [r.now for r in pair.left.records if "CREATE_CHILD_SA request" in r.text]
    assert all(53.9 <= after - before <= 60.1 for before, after in itertools.pairwise(times))
    pair.check()


def test_a_child_without_rekeying_ends_with_its_lifetime() -> None:
    pair = Pair(net("rekey_time = 0", "rekey_time = 0\n life_time = 50s")).initiate()
    pair.run(49)
    pair.check()
    pair.run(60)
    pair.check(children=0)
    assert "its lifetime is over" in {str(e["reason"]) for side in pair.sides for e in side.told("child-down")}
