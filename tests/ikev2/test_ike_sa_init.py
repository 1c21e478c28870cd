"""IKE_SA_INIT in trouble: cookies, other groups, both, refusals; nothing of it authenticated."""

import pytest

from lab.ike.actions import Send
from lab.ike.path import Path
from lab.wire.ids import ExchangeType, KeMethod, NotifyType, PayloadType
from lab.wire.message import Message
from lab.wire.payloads import Unknown
from lab.wire.payloads_v2 import KE, Nonce, Notify, VendorId
from tests.pair import LEFT, RIGHT, Datagram, Pair, is_request, is_response, mirrored, net

INIT, AUTH = ExchangeType.IKE_SA_INIT, ExchangeType.IKE_AUTH
ALWAYS = "cookie_threshold = 0"
FIRST_ECP = "proposals = aes256gcm16-prfsha384-ecp256-x25519"
ONLY_X25519 = "proposals = aes256gcm16-prfsha384-x25519"


def decoded(datagram: Datagram) -> Message:
    return Message.decode(datagram.ike)


def names(pair: Pair) -> list[str]:
    """The payloads that mark each message of IKE_SA_INIT."""
    marks = {"N(COOKIE)", "N(INVALID_KE_PAYLOAD)", "KE", "N(NO_PROPOSAL_CHOSEN)"}
    return ["+".join(n for n in decoded(d).names if n in marks) for d in pair.wire.sent if d.header.exchange == INIT]


def cookies(here: str = "", there: str = ALWAYS, connection: str = "", remote: str = "") -> Pair:
    right = mirrored(net(remote or connection, settings=there))
    return Pair(net(connection, settings=here), right)


def for_all(settings: str) -> str:
    """A responder that takes initiators from any address."""
    return mirrored(net(settings=settings, left="%any"))


def strangers(pair: Pair, count: int, address: str) -> None:
    """IKE_SA_INIT requests of initiators that never go on."""
    for n in range(count):
        request = Pair(seed=f"stranger {n}")
        request.left.do("initiate", "net")
        pair.inject(request.wire.sent[0].data, (address.format(n), 500), (RIGHT, 500))


def test_the_responder_demands_a_cookie() -> None:
    # HDR, SAi1, KEi, Ni  -->    <--  HDR, N(COOKIE)
    # HDR, N(COOKIE), SAi1, KEi, Ni  -->    <--  HDR, SAr1, KEr, Nr
    pair = cookies().initiate()
    pair.check()
    assert names(pair) == ["KE", "N(COOKIE)", "N(COOKIE)+KE", "KE"]
    first, demand, second, _ = (decoded(d) for d in pair.wire.seen(lambda d: d.header.exchange == INIT))
    assert second.names[0] == "N(COOKIE)", "the cookie comes first"
    assert second.payloads[1:] == first.payloads, "the request is otherwise the same"
    assert demand.header.spi_r == bytes(8)
    assert {d.header.message_id for d in pair.wire.seen(is_request(INIT))} == {0}
    assert pair.wire.seen(is_request(AUTH))[0].header.message_id == 1


def test_a_request_without_a_cookie_leaves_nothing_behind() -> None:
    pair = cookies()
    pair.left.do("initiate", "net")
    before = pair.right.endpoint.stats()
    pair.step()
    assert pair.right.endpoint.stats() == before
    assert set(before.values()) == {0}


def test_the_threshold_is_the_number_of_half_open_sas() -> None:
    pair = Pair(net(), for_all("cookie_threshold = 2\n block_threshold = 0"))
    strangers(pair, 4, "203.0.113.9")
    answers = [decoded(d) for d in pair.wire.seen(is_response(INIT))]
    assert [a.notify(NotifyType.COOKIE) is not None for a in answers] == [False, False, True, True]


def test_a_forged_cookie_brings_another_demand() -> None:
    pair = cookies()
    request = Pair(seed="stranger")
    request.left.do("initiate", "net")
    message = decoded(request.wire.sent[0])
    forged = Message(message.header, (Notify(NotifyType.COOKIE, bytes(33)), *message.payloads)).encode()
    pair.inject(forged, ("203.0.113.9", 500), (RIGHT, 500))
    assert [decoded(d).names for d in pair.wire.sent] == [("N(COOKIE)",)]
    assert pair.right.endpoint.stats()["half_open"] == 0


def test_a_cookie_is_good_for_one_address_only() -> None:
    pair = cookies()
    pair.wire.drop(is_response(INIT), count=0)
    pair.left.do("initiate", "net")
    pair.step()
    pair.step()
    second = pair.wire.sent[-1]
    assert decoded(second).notify(NotifyType.COOKIE)
    pair.inject(second.data, ("203.0.113.9", 500), (RIGHT, 500))
    assert decoded(pair.wire.sent[-1]).names == ("N(COOKIE)",)


def test_a_stale_cookie_is_replaced_by_a_fresh_one() -> None:
    pair = cookies()
    pair.wire.delay(is_request(INIT), by=0.0, count=1)
    pair.wire.delay(is_request(INIT), by=130.0, count=1)  # the request with the cookie; secrets live 60 s, twice
    pair.wire.drop(is_request(INIT), count=5)
    pair.initiate()
    pair.run(164)
    pair.check()
    # The late request met other secrets: a second demand, and a third request that got through.
    assert names(pair)[-2:] == ["N(COOKIE)+KE", "KE"]


def test_invalid_ke_payload_leads_to_the_group_that_the_responder_wants() -> None:
    # HDR, SAi1, KEi(ecp256), Ni  -->    <--  HDR, N(INVALID_KE_PAYLOAD, x25519)
    # HDR, SAi1, KEi(x25519), Ni  -->    <--  HDR, SAr1, KEr, Nr
    pair = Pair(net(FIRST_ECP), mirrored(net(ONLY_X25519))).initiate()
    pair.check()
    assert names(pair) == ["KE", "N(INVALID_KE_PAYLOAD)", "KE", "KE"]
    first, refusal, second, _ = (decoded(d) for d in pair.wire.seen(lambda d: d.header.exchange == INIT))
    retry = refusal.notify(NotifyType.INVALID_KE_PAYLOAD)
    assert retry is not None
    assert retry.data == (31).to_bytes(2, "big")
    assert (ke := second.get(KE)) is not None
    assert ke.group == KeMethod.CURVE25519
    assert second.get(Nonce) == first.get(Nonce)
    assert second.header.spi_i == first.header.spi_i
    assert pair.right.told("failed") == [], "sending another group is no failure"
    assert pair.left.sas[0]["ke"] == "CURVE25519"


@pytest.mark.parametrize(
    ("responder", "order"),
    [
        # We look at the cookie before anything else, so it always comes first from us ...
        (ALWAYS, ["KE", "N(COOKIE)", "N(COOKIE)+KE", "N(INVALID_KE_PAYLOAD)", "N(COOKIE)+KE", "KE"]),
    ],
)
def test_cookie_then_invalid_ke(responder: str, order: list[str]) -> None:
    pair = cookies(there=responder, connection=FIRST_ECP, remote=ONLY_X25519).initiate()
    pair.check()
    assert names(pair) == order


def test_invalid_ke_then_cookie() -> None:
    """... but other responders ask for the group first: the cookie then goes in front of the new KE."""
    pair = Pair(net(FIRST_ECP), mirrored(net(ONLY_X25519)))
    pair.left.do("initiate", "net")
    pair.step()
    pair.right.endpoint._gate._settings = pair.right.endpoint.host.config.settings.__class__(cookie_threshold=0)
    pair.settle()
    pair.check()
    assert names(pair) == ["KE", "N(INVALID_KE_PAYLOAD)", "KE", "N(COOKIE)", "N(COOKIE)+KE", "KE"]


def fake_answer(pair: Pair, *payloads: Notify, spi_r: bytes = bytes(8)) -> None:
    """A forged answer to the left side's IKE_SA_INIT request."""
    request = decoded(pair.wire.seen(is_request(INIT))[-1])
    header = request.header.__class__(request.header.spi_i, spi_r, PayloadType.NONE, INIT, 0x20, 0)
    pair.inject(Message(header, payloads).encode(), (RIGHT, 500), (LEFT, 500))


def test_a_group_that_we_did_not_offer_is_not_used() -> None:
    pair = Pair(net(ONLY_X25519))
    pair.left.do("initiate", "net")
    fake_answer(pair, Notify(NotifyType.INVALID_KE_PAYLOAD, (2).to_bytes(2, "big")))
    assert pair.left.told("failed")[0]["reason"] == "peer wants key exchange method MODP_1024; we offer CURVE25519"
    assert len(pair.wire.seen(is_request(INIT))) == 1


@pytest.mark.parametrize("data", [b"", b"\x1f", b"\0\0\x1f"])
def test_an_invalid_ke_payload_without_a_group(data: bytes) -> None:
    pair = Pair(net(ONLY_X25519))
    pair.left.do("initiate", "net")
    fake_answer(pair, Notify(NotifyType.INVALID_KE_PAYLOAD, data))
    assert pair.left.names == ["failed"]


def test_the_rounds_are_capped() -> None:
    pair = Pair()
    pair.left.do("initiate", "net")
    for n in range(20):
        if pair.left.up:
            fake_answer(pair, Notify(NotifyType.COOKIE, bytes([n])))
    assert pair.left.told("failed")[0]["reason"] == "peer had us send IKE_SA_INIT 8 times and never answered it"
    assert len(pair.wire.seen(is_request(INIT))) == 8


def test_the_same_cookie_twice_is_an_old_answer_and_the_request_is_not_repeated() -> None:
    pair = cookies()
    pair.wire.duplicate(lambda d: d.header.exchange == INIT and d.header.response, by=0.005)
    pair.initiate()
    pair.check()
    assert len(pair.wire.seen(is_request(INIT))) == 2


def test_an_old_invalid_ke_payload_is_ignored() -> None:
    pair = Pair(net(FIRST_ECP), mirrored(net(ONLY_X25519)))
    pair.wire.duplicate(is_response(INIT), by=0.005)
    pair.initiate()
    pair.check()
    assert len(pair.wire.seen(is_request(INIT))) == 2


def test_no_common_proposal_is_told_to_both_with_the_words() -> None:
    pair = Pair(net("proposals = aes128-sha256-modp2048, aes128-sha256-ecp256"), mirrored(net(ONLY_X25519)))
    pair.initiate()
    (here,), (there,) = pair.left.told("failed"), pair.right.told("failed")
    assert "NO_PROPOSAL_CHOSEN" in str(here["reason"])
    assert "(we offer aes128-prfsha256-sha256-modp2048" in str(here["reason"])
    assert (here["stage"], here["child"]) == ("IKE_SA_INIT", "net")
    assert there["stage"] == "IKE_SA_INIT"
    assert "we allow" in str(there["reason"])
    assert set(pair.right.endpoint.stats().values()) == {0}


def test_no_connection_for_the_peers_address() -> None:
    pair = Pair(net(), mirrored(net(left="192.0.2.99"))).initiate()
    assert "NO_PROPOSAL_CHOSEN" in str(pair.left.told("failed")[0]["reason"])
    assert pair.right.told("failed")[0]["reason"] == f"no connection for {LEFT} at {RIGHT}"


def changed(pair: Pair, *extra: object, drop: tuple[PayloadType, ...] = ()) -> None:
    """Rewrite the IKE_SA_INIT request in flight."""

    def change(data: bytes) -> bytes:
        message = Message.decode(data)
        kept = tuple(p for p in message.payloads if p.type not in drop)
        return Message(message.header, (*kept, *extra)).encode()  # type: ignore[arg-type]

    pair.wire.change(is_request(INIT), change)


def test_vendor_ids_unknown_notifies_and_unknown_payloads_are_passed_over() -> None:
    pair = Pair()
    extra = VendorId(b"somebody"), Notify(NotifyType(40001), b"x"), Unknown(PayloadType(200), False, b"y")
    changed(pair, *extra)
    pair.left.do("initiate", "net")
    pair.step()
    assert pair.right.up == ["CONNECTING"]


def test_a_critical_payload_that_we_do_not_know_is_refused_by_its_type() -> None:
    pair = Pair()
    changed(pair, Unknown(PayloadType(200), True, b"y"))
    pair.left.do("initiate", "net")
    pair.step()
    (refusal,) = pair.wire.seen(is_response(INIT))
    notify = decoded(refusal).notify(NotifyType.UNSUPPORTED_CRITICAL_PAYLOAD)
    assert notify is not None
    assert notify.data == bytes([200])
    assert pair.right.up == []
    pair.settle()
    assert "UNSUPPORTED_CRITICAL_PAYLOAD" in str(pair.left.told("failed")[0]["reason"])


@pytest.mark.parametrize("missing", [PayloadType.SA, PayloadType.KE, PayloadType.NONCE])
def test_a_request_without_a_mandatory_payload_meets_silence(missing: PayloadType) -> None:
    pair = Pair()
    changed(pair, drop=(missing,))
    pair.left.do("initiate", "net")
    pair.step()
    assert pair.wire.seen(is_response()) == []
    assert pair.right.up == []


def test_a_response_that_breaks_the_rules_is_not_the_answer_and_the_true_one_still_counts() -> None:
    pair = Pair()
    pair.left.do("initiate", "net")
    fake_answer(pair, spi_r=b"12345678")
    assert pair.left.up == ["CONNECTING"]
    assert "0 SA payloads" in pair.left.drops[0]
    pair.settle()
    pair.check()


def test_a_request_with_a_message_id_meets_silence() -> None:
    pair = Pair()
    pair.left.do("initiate", "net")
    data = bytearray(pair.wire.sent[0].data)
    data[23] = 1
    pair.inject(bytes(data), ("203.0.113.9", 500), (RIGHT, 500))
    assert pair.wire.seen(is_response()) == []
    assert pair.right.drops == ["IKE_SA_INIT request with a message ID or without SPI"]


def test_no_more_half_open_sas_than_allowed_in_all_and_from_one_address() -> None:
    def flood(per_source: int, limit: int, address: str) -> int:
        pair = Pair(net(), for_all(f"block_threshold = {per_source}\n half_open_limit = {limit}"))
        strangers(pair, 10, address)
        return pair.right.endpoint.stats()["half_open"]

    assert flood(3, 100, "203.0.113.9") == 3
    assert flood(3, 100, "203.0.113.{}") == 10
    assert flood(0, 7, "203.0.113.{}") == 7


def test_the_table_of_ike_sas_is_bounded() -> None:
    pair = Pair(net(settings="max_ike_sas = 1")).initiate()
    request = Pair(seed="stranger")
    request.left.do("initiate", "net")
    actions = pair.right.endpoint.receive(request.wire.sent[0].data, Path(RIGHT, 500, LEFT, 501), pair.now)
    assert not [a for a in actions if isinstance(a, Send)]
    assert pair.right.drops == ["the table of IKE SAs is full"]
