"""MOBIKE: addresses that change in the middle of an IKE SA (RFC 4555), both roles."""

from random import Random

import pytest

from lab.errors import ConfigError
from lab.ike.actions import MoveChild, Path
from lab.ikev2.mobility import MOST_ADDRESSES
from lab.ikev2.no_nats import whereabouts
from lab.wire.ids import ExchangeType, NotifyType
from lab.wire.packets import NON_ESP_MARKER
from lab.wire.payloads_v2 import Notify
from tests.pair import (
    LEFT,
    OUTSIDE,
    RIGHT,
    Nat,
    Pair,
    Side,
    engine_of,
    forged,
    is_request,
    is_response,
    mirrored,
    net,
)

INIT, AUTH, INFO = ExchangeType.IKE_SA_INIT, ExchangeType.IKE_AUTH, ExchangeType.INFORMATIONAL
ELSEWHERE, THIRD, INSIDE, RIGHT_TOO = "192.0.2.77", "192.0.2.99", "192.168.7.2", "198.51.100.2"
N = NotifyType
UPDATE = "N(UPDATE_SA_ADDRESSES)"
NATD = "N(NAT_DETECTION_SOURCE_IP) N(NAT_DETECTION_DESTINATION_IP)"


def mobile(settings: str = "", left: str = "", right: str = "", nats: tuple[Nat, ...] = ()) -> Pair:
    """Both sides use MOBIKE, each from any of its addresses; `settings` of both, or of one side."""
    here = net("mobike = yes", left="%any", settings=f"{settings}\n{left}")
    there = mirrored(net("mobike = yes", left="%any", settings=f"{settings}\n{right}"))
    return Pair(here, there.replace(f"local_addrs = {RIGHT}", ""), nats=nats)


def messages(side: Side, since: int = 0) -> list[str]:
    """INFORMATIONAL messages that a side sent: `request 2 [ ... ]`."""
    found = [r.text.removeprefix("sent INFORMATIONAL ") for r in side.records if "sent INFORMATIONAL" in r.text]
    return found[since:]


def inside(side: Side, text: str) -> list[str]:
    """The payloads of the messages of IKE_AUTH that a side sent."""
    return [r.text.split("[ ")[1].removesuffix(" ]") for r in side.records if f"sent {text}" in r.text]


def ike(side: Side) -> Path:
    return engine_of(side).sa.path


def esp(side: Side) -> Path:
    return side.installed[side.order[0]].path


def spis(side: Side) -> list[tuple[bytes, bytes]]:
    return [(child.spi_in, child.spi_out) for child in side.installed.values()]


def paths(pair: Pair) -> list[str]:
    return [str(path) for side in pair.sides for path in (ike(side), esp(side))]


def settled(pair: Pair, left: str, right: str = RIGHT, port: int = 4500) -> None:
    """IKE and ESP of both sides go between these two, and everything else is as it was."""
    pair.check()
    here, there = Path(left, 4500, right, 4500), Path(right, 4500, left if port == 4500 else OUTSIDE, port)
    assert paths(pair) == [str(here)] * 2 + [str(there)] * 2
    assert pair.left.up == pair.right.up == ["ESTABLISHED"]


# -- IKE_AUTH


def test_mobike_is_agreed_in_ike_auth_and_ports_float_without_a_nat() -> None:
    # HDR, SK {..., N(MOBIKE_SUPPORTED), N(NO_ADDITIONAL_ADDRESSES)}  -->    <--  the same
    pair = mobile().initiate()
    pair.check()
    for side in pair.sides:
        (payloads,) = inside(side, "IKE_AUTH")
        assert payloads.endswith("N(MOBIKE_SUPPORTED) N(NO_ADDITIONAL_ADDRESSES)")
    assert [(str(d), d.src[1], d.dst[1], d.marked) for d in pair.wire.seen(lambda d: d.header.exchange == AUTH)] == [
        ("IKE_AUTH request 1", 4500, 4500, True),
        ("IKE_AUTH response 1", 4500, 4500, True),
    ]
    assert [side.installed[side.order[0]].encap for side in pair.sides] == [False, False]
    settled(pair, LEFT)


def test_mobike_is_the_default() -> None:
    pair = Pair(net("mobike = yes").replace("mobike = no", ""), mirrored(net().replace("mobike = no", ""))).initiate()
    assert all(engine_of(side).sa.mobility for side in pair.sides)


def test_further_addresses_are_listed_as_far_as_the_connection_may_use_them() -> None:
    right = mirrored(net("mobike = yes", left="%any", right=f"{RIGHT}, 2001:db8::/32"))
    pair = Pair(net("mobike = yes", left="%any"), right)
    pair.left.roam(LEFT, ELSEWHERE, "2001:db8::7")
    pair.right.roam(RIGHT, "203.0.113.200", "2001:db8::8")
    pair.initiate()
    assert inside(pair.left, "IKE_AUTH")[0].endswith(
        "N(MOBIKE_SUPPORTED) N(ADDITIONAL_IP4_ADDRESS) N(ADDITIONAL_IP6_ADDRESS)"
    )
    assert inside(pair.right, "IKE_AUTH")[0].endswith("N(MOBIKE_SUPPORTED) N(ADDITIONAL_IP6_ADDRESS)")
    assert engine_of(pair.right).sa.mobility.peer == (LEFT, ELSEWHERE, "2001:db8::7")
    assert engine_of(pair.left).sa.mobility.peer == (RIGHT, "2001:db8::8")


@pytest.mark.parametrize(("ours", "theirs", "port"), [("no", "yes", 500), ("yes", "no", 4500)])
def test_one_side_without_it_is_enough_to_do_without_it(ours: str, theirs: str, port: int) -> None:
    pair = Pair(net(f"mobike = {ours}", left="%any"), mirrored(net(f"mobike = {theirs}", left="%any"))).initiate()
    assert [engine_of(side).sa.mobility for side in pair.sides] == [None, None]
    assert ike(pair.left).local_port == ike(pair.right).local_port == port
    assert "MOBIKE" not in inside(pair.right, "IKE_AUTH")[0]
    pair.left.roam(ELSEWHERE)
    marker = NON_ESP_MARKER if port == 4500 else b""
    update = forged(pair.left, INFO, 2, Notify(N.UPDATE_SA_ADDRESSES), Notify(N.COOKIE2, bytes(8)))
    pair.inject(marker + update, (ELSEWHERE, port), (RIGHT, port))
    assert messages(pair.right) == ["response 2 [  ]"]
    assert ike(pair.right).remote_host == LEFT
    assert not any(isinstance(action, MoveChild) for side in pair.sides for action in side.actions)


def test_with_eap_it_goes_with_the_sa_payloads() -> None:
    """RFC 4555 3.2: "in case of multiple IKE_AUTH exchanges, in the message containing the SA payload"."""
    secret = "secrets {\n eap-1 {\n id = left.example.org\n secret = x\n }\n}\n"
    text = net("mobike = yes", left="%any").replace("auth = psk", "auth = eap-md5", 1)
    pair = Pair(text + secret, mirrored(text) + secret).initiate()
    requests, responses = (inside(side, "IKE_AUTH") for side in pair.sides)
    assert len(requests) == len(responses) == 3
    assert ["SA " in text and "MOBIKE_SUPPORTED" in text for text in requests] == [True, False, False]
    assert ["SA " in text and "MOBIKE_SUPPORTED" in text for text in responses] == [False, False, True]
    assert sum("MOBIKE" in text for text in (*requests, *responses)) == 2
    pair.left.roam(ELSEWHERE)
    pair.settle()
    settled(pair, ELSEWHERE)


# -- addresses change while the IKE SA comes up


@pytest.mark.parametrize("exchange", [INIT, AUTH])
@pytest.mark.parametrize("mobike", ["yes", "no"])
def test_an_address_that_goes_while_the_ike_sa_comes_up_has_it_begun_anew(exchange: ExchangeType, mobike: str) -> None:
    # HDR, SAi1, KEi, Ni  -->  (from an address that goes)    HDR, SAi1', KEi', Ni'  -->  (from the one that is there)
    pair = Pair(net(f"mobike = {mobike}", left="%any"), mirrored(net(f"mobike = {mobike}", left="%any")))
    pair.wire.drop(is_response(exchange))
    pair.initiate()
    assert pair.left.up == ["CONNECTING"]
    pair.left.roam(ELSEWHERE)
    assert pair.left.up == ["CONNECTING"], "one attempt, not two"
    pair.wait(3)
    pair.check()
    assert pair.left.names == ["ike-up", "child-up"], "nothing failed"
    pair.wait(60)
    assert [side.up for side in pair.sides] == [["ESTABLISHED"]] * 2, "the half-open SA of before is left"
    assert {ike(pair.left).local_host, esp(pair.left).local_host, ike(pair.right).remote_host} == {ELSEWHERE}
    assert any(f"{LEFT} has gone while {exchange.name} was under way" in r.text for r in pair.left.records)


@pytest.mark.parametrize("exchange", [INIT, AUTH])
def test_without_another_address_an_attempt_waits_for_one(exchange: ExchangeType) -> None:
    pair = mobile()
    pair.wire.drop(is_response(exchange))
    pair.initiate()
    pair.left.roam()
    pair.left.roam(LEFT)
    pair.wait(10)
    settled(pair, LEFT)
    assert pair.left.names == ["ike-up", "child-up"]


def test_an_attempt_stays_at_an_address_that_is_still_there() -> None:
    pair = mobile()
    pair.left.do("initiate", "net")
    pair.step()
    pair.left.roam(ELSEWHERE, LEFT)
    pair.settle()
    assert ike(pair.left).local_host == LEFT and pair.left.names == ["ike-up", "child-up"]


def test_what_waited_for_the_child_goes_along_with_the_new_attempt() -> None:
    text = net("mobike = yes", left="%any").replace("net {", "second {\n esp_proposals = aes128gcm16\n }\n net {")
    pair = Pair(text, mirrored(text))
    pair.wire.drop(is_response(INIT))
    pair.left.do("initiate", "net")
    pair.left.do("initiate", "second")
    pair.settle()
    pair.left.roam(ELSEWHERE)
    pair.wait(3)
    assert {str(event["child"]) for event in pair.left.told("child-up")} == {"net", "second"}


def test_an_address_that_comes_during_ike_auth_is_told_at_once() -> None:
    """EAP takes its time, and the list goes with the first request; who knows of no change cannot use the address."""
    pair = mobile()
    pair.wire.drop(is_response(AUTH))
    pair.initiate()
    assert pair.left.up == ["CONNECTING"], "IKE_AUTH is still under way"
    pair.left.roam(LEFT, THIRD)
    pair.wait(6)
    assert messages(pair.left) == ["request 2 [ N(ADDITIONAL_IP4_ADDRESS) N(COOKIE2) ]"]
    assert engine_of(pair.right).sa.mobility.peer == (LEFT, THIRD)  # type: ignore[union-attr]
    settled(pair, LEFT)


# -- the initiator moves


def test_the_initiator_moves_and_esp_follows_once_the_responder_knows_that_it_is_there() -> None:
    pair = mobile().initiate()
    before = [spis(side) for side in pair.sides]
    pair.left.roam(ELSEWHERE)
    # HDR, SK {N(UPDATE_SA_ADDRESSES), N(NAT_DETECTION_*_IP), N(COOKIE2)}  -->
    pair.step()
    assert ike(pair.right).remote_host == ELSEWHERE
    assert esp(pair.right).remote_host == LEFT, "ESP moved before anybody had shown to be there"
    # <--  HDR, SK {N(NAT_DETECTION_*_IP), N(COOKIE2)}
    pair.step()
    assert esp(pair.left).local_host == ELSEWHERE
    # <--  HDR, SK {N(COOKIE2)}    HDR, SK {N(COOKIE2)}  -->
    pair.settle()
    assert messages(pair.left) == [f"request 2 [ {UPDATE} {NATD} N(COOKIE2) ]", "response 0 [ N(COOKIE2) ]"]
    assert messages(pair.right) == [f"response 2 [ {NATD} N(COOKIE2) ]", "request 0 [ N(COOKIE2) ]"]
    settled(pair, ELSEWHERE)
    assert [spis(side) for side in pair.sides] == before
    assert [side.told("moved")[0]["path"] for side in pair.sides] == [str(ike(side)) for side in pair.sides]


def test_the_other_way_round() -> None:
    pair = Pair(net("mobike = yes", left="%any", right="%any"), mirrored(net("mobike = yes", right="%any")))
    pair.initiate("right")
    pair.right.roam(RIGHT_TOO)
    pair.settle()
    assert messages(pair.right) == [f"request 2 [ {UPDATE} {NATD} N(COOKIE2) ]", "response 0 [ N(COOKIE2) ]"]
    settled(pair, LEFT, RIGHT_TOO)
    pair.left.roam(ELSEWHERE)
    pair.settle()
    assert messages(pair.left)[-2].startswith("request 1 [ N(NO_ADDITIONAL_ADDRESSES)")
    settled(pair, ELSEWHERE, RIGHT_TOO)


def test_without_the_check_esp_follows_at_once() -> None:
    pair = mobile(right="return_routability = no").initiate()
    pair.left.roam(ELSEWHERE)
    pair.step()
    assert esp(pair.right).remote_host == ELSEWHERE
    pair.settle()
    assert messages(pair.right) == [f"response 2 [ {NATD} N(COOKIE2) ]"]
    settled(pair, ELSEWHERE)


def test_who_has_moved_but_does_not_answer_from_there_gets_no_esp() -> None:
    pair = mobile().initiate()
    pair.wire.drop(lambda d: d.dst[0] == ELSEWHERE and is_request()(d), count=100)
    pair.left.roam(ELSEWHERE)
    pair.run(150)
    assert {a.path.remote_host for a in pair.right.actions if isinstance(a, MoveChild)} == set()
    pair.run(200)
    assert pair.right.up == []


def test_a_child_made_before_the_check_has_the_old_path_and_goes_along_afterwards() -> None:
    pair = mobile().initiate()
    pair.wire.delay(is_request(INFO, 0), by=5.0)
    pair.left.roam(ELSEWHERE)
    pair.wait(1)
    pair.left.do("rekey", child="net")
    pair.wait(1)
    assert {child.path.remote_host for child in pair.right.installed.values()} == {LEFT}
    pair.wait(20)
    pair.check()
    assert esp(pair.right).remote_host == ELSEWHERE


@pytest.mark.parametrize(
    "lost",
    [is_request(INFO, 2), is_response(INFO, 2), is_request(INFO, 0), is_response(INFO, 0)],
    ids=["update", "its answer", "check", "its answer "],
)
@pytest.mark.parametrize("count", [1, 3])
def test_a_lost_message_of_the_move(lost, count: int) -> None:
    pair = mobile().initiate()
    pair.wire.drop(lost, count=count)
    pair.left.roam(ELSEWHERE)
    pair.wait(60)
    settled(pair, ELSEWHERE)
    assert [side.names.count("moved") for side in pair.sides] == [1, 1]


def test_doubled_messages_of_the_move_move_once() -> None:
    pair = mobile().initiate()
    pair.wire.duplicate(lambda d: d.header.exchange == INFO, count=10)
    pair.left.roam(ELSEWHERE)
    pair.wait(10)
    settled(pair, ELSEWHERE)
    assert [side.names.count("moved") for side in pair.sides] == [1, 1]


def test_who_moves_on_before_the_answer_came_asks_again_and_heeds_no_older_answer() -> None:
    pair = mobile().initiate()
    pair.left.roam(ELSEWHERE)
    pair.left.roam(THIRD)
    pair.settle()
    assert [m.split(" [")[0] for m in messages(pair.left) if UPDATE in m] == ["request 2", "request 3"]
    assert ELSEWHERE not in [a.path.local_host for a in pair.left.actions if isinstance(a, MoveChild)]
    settled(pair, THIRD)


def test_a_hundred_changes_in_a_row_need_two_exchanges() -> None:
    pair = mobile().initiate()
    for host in range(100, 200):
        pair.left.roam(f"192.0.2.{host}")
    assert len(engine_of(pair.left).sa.queue) == 1
    pair.settle()
    assert len([m for m in messages(pair.left) if UPDATE in m]) == 2
    settled(pair, "192.0.2.199")


def test_requests_under_way_go_on_along_the_new_path_at_once() -> None:
    pair = mobile().initiate()
    pair.wire.drop(is_request(INFO, 2))
    pair.left.do("liveness")
    pair.wait(1)
    pair.left.roam(ELSEWHERE)
    pair.settle()
    first, again, update = pair.wire.seen(lambda d: is_request(INFO)(d) and d.dst[0] == RIGHT)
    assert (first.data, first.src[0], again.src[0]) == (again.data, LEFT, ELSEWHERE)
    assert update.header.message_id == 3
    settled(pair, ELSEWHERE)


def test_an_address_that_comes_later_is_waited_for() -> None:
    pair = mobile().initiate()
    pair.left.roam(sources={})
    pair.left.roam(ELSEWHERE, sources={})
    assert messages(pair.left) == []
    pair.left.roam(ELSEWHERE)
    pair.settle()
    settled(pair, ELSEWHERE)


def test_a_connection_stays_at_the_address_that_it_is_configured_for() -> None:
    pair = Pair(net("mobike = yes"), mirrored(net("mobike = yes"))).initiate()
    pair.left.roam(ELSEWHERE, LEFT)
    pair.settle()
    assert messages(pair.left) == []
    pair.left.roam(ELSEWHERE)
    assert messages(pair.left) == [] and ike(pair.left).local_host == LEFT


def test_from_ipv4_to_ipv6() -> None:
    """The responder listed an address there; nothing but the outer packets changes."""
    pair = mobile()
    pair.right.roam(RIGHT, "2001:db8::8")
    pair.initiate()
    before = [spis(side) for side in pair.sides]
    pair.left.roam("2001:db8::7", sources={"2001:db8::8": "2001:db8::7"})
    pair.settle()
    settled(pair, "2001:db8::7", "2001:db8::8")
    assert [spis(side) for side in pair.sides] == before
    pair.left.roam(LEFT, sources={RIGHT: LEFT})
    pair.settle()
    settled(pair, LEFT)


def test_to_a_network_behind_a_nat_and_back() -> None:
    pair = mobile(nats=(Nat(INSIDE, OUTSIDE),)).initiate()
    before = [spis(side) for side in pair.sides]
    pair.left.roam(INSIDE)
    pair.settle()
    settled(pair, INSIDE, port=24500)
    assert [side.installed[side.order[0]].encap for side in pair.sides] == [True, True]
    assert [side.sas[0]["nat_local"] for side in pair.sides] == [True, False]
    pair.wait(50)
    assert len(pair.wire.seen(lambda d: d.keepalive and d.src == (OUTSIDE, 24500))) == 2
    pair.left.roam(LEFT)
    pair.settle()
    settled(pair, LEFT)
    assert [side.installed[side.order[0]].encap for side in pair.sides] == [False, False]
    assert [spis(side) for side in pair.sides] == before
    sent = len(pair.wire.sent)
    pair.wait(100)
    assert len(pair.wire.sent) == sent


def test_the_ike_sa_is_rekeyed_and_moves_all_the_same() -> None:
    pair = mobile().initiate()
    pair.right.do("rekey")  # the responder of RFC 4555 is now the initiator of the IKE SA
    pair.settle()
    pair.left.roam(ELSEWHERE)
    pair.settle()
    settled(pair, ELSEWHERE)
    pair.right.do("move")
    pair.settle()
    assert UPDATE not in " ".join(messages(pair.right)), "only the first initiator moves"


def test_a_move_while_the_peer_rekeys_the_ike_sa() -> None:
    pair = mobile().initiate()
    pair.wire.delay(is_response(INFO, 2), by=1.0)
    pair.left.roam(ELSEWHERE)
    pair.step()
    pair.right.do("rekey")
    pair.wait(30)
    settled(pair, ELSEWHERE)


def test_a_child_in_transport_mode_does_not_go_along() -> None:
    text = net("mobike = yes", "mode = transport\nlocal_ts = dynamic\nremote_ts = dynamic", left="%any")
    pair = Pair(text, mirrored(text)).initiate()
    assert pair.left.ever[0].mode == "transport"
    pair.left.roam(ELSEWHERE)
    pair.settle()
    assert pair.left.installed == pair.right.installed == {}
    assert "RFC 4555 1.2" in str(pair.left.told("child-down")[0]["reason"])
    assert pair.left.up == pair.right.up == ["ESTABLISHED"]


# -- on command


def test_the_command_moves_to_another_address_or_only_asks() -> None:
    pair = mobile()
    pair.left.roam(LEFT, ELSEWHERE)
    pair.initiate()
    pair.left.do("move", local=ELSEWHERE)
    pair.settle()
    settled(pair, ELSEWHERE)
    pair.left.do("move")
    pair.settle()
    assert pair.left.names.count("moved") == 2
    with pytest.raises(ConfigError, match="is no address of this host"):
        pair.left.do("move", local=THIRD)
    with pytest.raises(ConfigError, match="does not use MOBIKE"):
        Pair().initiate().left.do("move")


# -- lists of addresses


@pytest.mark.parametrize("by", ["left", "right"])
def test_a_change_of_the_other_addresses_is_told_and_moves_nothing(by: str) -> None:
    # HDR, SK {N(ADDITIONAL_IP4_ADDRESS), N(COOKIE2)}  -->    <--  HDR, SK {N(COOKIE2)}
    pair = mobile().initiate()
    here, there, host = (pair.left, pair.right, LEFT) if by == "left" else (pair.right, pair.left, RIGHT)
    for more, kind in (((THIRD,), "N(ADDITIONAL_IP4_ADDRESS)"), ((), "N(NO_ADDITIONAL_ADDRESSES)")):
        here.roam(host, *more)
        pair.settle()
        assert messages(here)[-1].endswith(f"[ {kind} N(COOKIE2) ]")
        assert messages(there)[-1].endswith("[ N(COOKIE2) ]")
        assert engine_of(there).sa.mobility.peer == (host, *more)
    here.roam(host)
    assert len(messages(here)) == 2, "the same list needs no telling"
    settled(pair, LEFT)


def test_hundreds_of_addresses_are_a_few() -> None:
    pair = mobile().initiate()
    many = [Notify(N.ADDITIONAL_IP4_ADDRESS, bytes([10, 9, n // 256, n % 256])) for n in range(200)]
    told(pair, *many, at=(LEFT, 4500))
    assert len(engine_of(pair.right).sa.mobility.peer) == MOST_ADDRESSES + 1
    assert any("200 addresses, the first 8 are kept" in r.text for r in pair.right.records)


def test_what_is_no_address_is_passed_over() -> None:
    pair = mobile().initiate()
    lists = [
        Notify(N.ADDITIONAL_IP4_ADDRESS, b"123"),
        Notify(N.ADDITIONAL_IP6_ADDRESS, bytes(4)),
        Notify(N.ADDITIONAL_IP4_ADDRESS, bytes([224, 0, 0, 1])),
        Notify(N.ADDITIONAL_IP4_ADDRESS, bytes([127, 0, 0, 1])),
        Notify(N.ADDITIONAL_IP4_ADDRESS, bytes([192, 0, 2, 5])),
        Notify(N.ADDITIONAL_IP4_ADDRESS, bytes([192, 0, 2, 5])),
    ]
    told(pair, *lists, at=(LEFT, 4500))
    assert engine_of(pair.right).sa.mobility.peer == (LEFT, "192.0.2.5")
    assert len(pair.right.drops) == 4


# -- the responder's addresses


def test_the_initiator_follows_a_responder_whose_address_went() -> None:
    pair = mobile().initiate()
    # <--  HDR, SK {N(NO_ADDITIONAL_ADDRESSES), N(NAT_DETECTION_*_IP), N(COOKIE2)}   from the new address
    pair.right.roam(RIGHT_TOO)
    pair.settle()
    assert messages(pair.right)[0] == f"request 0 [ N(NO_ADDITIONAL_ADDRESSES) {NATD} N(COOKIE2) ]"
    assert UPDATE in " ".join(messages(pair.left)), "the initiator has the last word"
    settled(pair, LEFT, RIGHT_TOO)


def test_a_request_that_nobody_answers_is_tried_at_the_other_addresses_of_the_responder() -> None:
    text = net("mobike = yes\n dpd_delay = 30s", left="%any")
    pair = Pair(text, mirrored(net("mobike = yes", left="%any")).replace(f"local_addrs = {RIGHT}", ""))
    pair.right.roam(RIGHT, RIGHT_TOO)
    pair.initiate()
    pair.wire.drop(lambda d: RIGHT in (d.src[0], d.dst[0]), count=1000)
    pair.run(60)
    tried = [d.dst[0] for d in pair.wire.seen(lambda d: is_request(INFO, 2)(d) and d.src[0] == LEFT)]
    assert tried == [RIGHT, RIGHT, RIGHT_TOO]
    settled(pair, LEFT, RIGHT_TOO)


# -- mappings of NATs


def behind(settings: str = "", connection: str = "dpd_delay = 30s") -> Pair:
    left = net(f"mobike = yes\n{connection}", settings=settings)
    return Pair(left, mirrored(net("mobike = yes", left="%any")), nats=(Nat(LEFT, OUTSIDE),)).initiate()


@pytest.mark.parametrize("when", [10, 40])
def test_a_mapping_that_changed_is_found_by_liveness_from_behind_the_nat(when: int) -> None:
    """Also before the first one: charon has nothing to compare with then and loses the tunnel."""
    pair = behind()
    pair.run(when)
    pair.nats[0].rebind(30000)
    pair.run(100)
    settled(pair, LEFT, port=34500)


def test_a_mapping_that_stays_needs_no_second_update() -> None:
    pair = behind()
    pair.run(100)
    updates = [UPDATE in text for text in messages(pair.left) if text.startswith("request")]
    assert updates == [True, False, False]
    assert all(NATD in text for text in messages(pair.left) if text.startswith("request"))
    assert messages(pair.right)[-1].endswith(f"[ {NATD} ]"), "asked with them, answered with them"


def test_other_requests_from_a_new_mapping_move_nothing() -> None:
    pair = behind(connection="")
    pair.nats[0].rebind(30000)
    pair.left.do("rekey", child="net")
    pair.settle()
    assert ike(pair.right).remote_port == 24500
    assert [a for a in pair.right.actions if isinstance(a, MoveChild)] == []
    assert pair.wire.sent[-1].dst == (OUTSIDE, 34500), "the answer goes to where the request came from"


def test_esp_from_a_new_mapping_moves_esp_alone() -> None:
    pair = behind(connection="")
    pair.right.do("moved", next(iter(pair.right.installed)), Path(RIGHT, 4500, OUTSIDE, 34500))
    assert esp(pair.right).remote_port == 34500
    assert ike(pair.right).remote_port == 24500


# -- bad input


@pytest.mark.parametrize("how", ["another", "none", "short"])
def test_another_cookie2_ends_the_initiators_sa(how: str) -> None:
    pair = mobile().initiate()
    pair.wire.drop(is_response(INFO, 2), count=100)
    pair.left.roam(ELSEWHERE)
    pair.step()
    cookies = {"another": (Notify(N.COOKIE2, bytes(16)),), "none": (), "short": (Notify(N.COOKIE2, b""),)}[how]
    answer = forged(pair.right, INFO, 2, *cookies, response=True)
    pair.inject(NON_ESP_MARKER + answer, (RIGHT, 4500), (ELSEWHERE, 4500))
    assert pair.left.up == []
    assert "COOKIE2" in str(pair.left.told("ike-down")[0]["reason"])


def test_another_cookie2_ends_the_responders_sa() -> None:
    pair = mobile().initiate()
    pair.wire.drop(is_request(INFO, 0), count=100)
    pair.left.roam(ELSEWHERE)
    pair.settle()
    answer = forged(pair.left, INFO, 0, Notify(N.COOKIE2, bytes(16)), response=True)
    pair.inject(NON_ESP_MARKER + answer, (ELSEWHERE, 4500), (RIGHT, 4500))
    assert pair.right.up == []
    assert not any(isinstance(action, MoveChild) for action in pair.right.actions)


def told(pair: Pair, *payloads: Notify, at: tuple[str, int] = (ELSEWHERE, 4500), message_id: int = 2) -> str:
    """What the responder answers to a request of the initiator's that its engine knows nothing of."""
    pair.inject(NON_ESP_MARKER + forged(pair.left, INFO, message_id, *payloads), at, (RIGHT, 4500))
    return messages(pair.right)[-1]


@pytest.mark.parametrize("octets", [0, 7, 65, 500])
def test_a_cookie2_of_a_length_that_is_not_allowed_is_not_returned(octets: int) -> None:
    pair = mobile().initiate()
    assert told(pair, Notify(N.COOKIE2, bytes(octets))) == "response 2 [  ]"
    assert pair.right.drops == [f"COOKIE2 of {octets} octets, 8 to 64 allowed"]


def test_an_update_from_somebody_who_is_not_authenticated() -> None:
    pair = mobile().initiate()
    data = bytearray(forged(pair.left, INFO, 2, Notify(N.UPDATE_SA_ADDRESSES)))
    data[-1] ^= 1
    pair.inject(NON_ESP_MARKER + bytes(data), (ELSEWHERE, 4500), (RIGHT, 4500))
    assert messages(pair.right) == [] and len(pair.right.drops) == 1
    settled(pair, LEFT)


def test_a_replayed_update_from_elsewhere_moves_nothing() -> None:
    pair = mobile().initiate()
    pair.left.roam(ELSEWHERE)
    pair.settle()
    (update,) = pair.wire.seen(is_request(INFO, 2))
    pair.inject(update.data, (THIRD, 4500), (RIGHT, 4500))
    settled(pair, ELSEWHERE)


def test_the_responder_may_not_move() -> None:
    pair = mobile().initiate()
    update = forged(pair.right, INFO, 0, Notify(N.UPDATE_SA_ADDRESSES), Notify(N.COOKIE2, bytes(8)))
    pair.inject(NON_ESP_MARKER + update, (RIGHT_TOO, 4500), (LEFT, 4500))
    assert messages(pair.left) == ["response 0 [ N(UNACCEPTABLE_ADDRESSES) N(COOKIE2) ]"]
    assert pair.left.drops == [f"UPDATE_SA_ADDRESSES from {RIGHT_TOO}: only the initiator moves, and that is us"]
    settled(pair, LEFT)


def test_addresses_that_the_connection_is_not_for_are_not_acceptable() -> None:
    pair = Pair(net("mobike = yes", left="%any"), mirrored(net("mobike = yes"))).initiate()
    pair.left.roam(ELSEWHERE, LEFT)
    pair.settle()
    assert "UNACCEPTABLE_ADDRESSES" in messages(pair.right)[0]
    assert "connection gw is not for these" in pair.right.drops[0]
    assert "UNACCEPTABLE_ADDRESSES" in str(pair.left.told("not-moved")[0]["reason"])
    settled(pair, LEFT)


def test_a_request_overtaken_by_a_newer_one_is_answered_and_moves_nothing() -> None:
    pair = mobile(settings="window_size = 4").initiate()
    update = Notify(N.UPDATE_SA_ADDRESSES)
    assert told(pair, update, at=(ELSEWHERE, 4500), message_id=3).startswith("re")
    assert told(pair, update, at=(THIRD, 4500), message_id=2) == "response 2 [  ]"
    assert ike(pair.right).remote_host == ELSEWHERE


KINDS = (
    *(N.MOBIKE_SUPPORTED, N.UPDATE_SA_ADDRESSES, N.COOKIE2, N.NO_NATS_ALLOWED, N.ADDITIONAL_IP4_ADDRESS),
    *(N.ADDITIONAL_IP6_ADDRESS, N.NO_ADDITIONAL_ADDRESSES, N.NAT_DETECTION_SOURCE_IP, N.NAT_DETECTION_DESTINATION_IP),
    *(N.UNACCEPTABLE_ADDRESSES, N.UNEXPECTED_NAT_DETECTED),
)


@pytest.mark.parametrize("by", ["left", "right"])
def test_notifies_of_mobike_with_any_content(by: str) -> None:
    """Whatever an authenticated peer sends is answered; the SA lives or goes, with nothing left behind."""
    random = Random(4555)
    for _ in range(60):
        pair = mobile().initiate()
        here, there = pair.ends(by)
        there.roam(there.host, THIRD)  # a request of its own is under way, which the answer below is for
        count = random.randrange(1, 6)
        kinds = [
            Notify(random.choice(KINDS), random.randbytes(random.choice((0, 4, 8, 12, 16, 20, 36))))
            for _ in range(count)
        ]
        marker, ends = NON_ESP_MARKER, (("192.0.2.200", 4500), (there.host, 4500))
        pair.inject(marker + forged(here, INFO, 2 if by == "left" else 0, *kinds), *ends)
        if there.up:
            pair.inject(marker + forged(here, INFO, 0 if by == "left" else 2, *kinds, response=True), *ends)
        pair.wait(400)
        assert all(len(side.endpoint.stats()) for side in pair.sides)
        assert there.endpoint.stats()["children"] == len(there.installed)


# -- no NAT wanted


def test_without_nat_traversal_addresses_must_arrive_as_they_were_sent() -> None:
    pair = mobile(settings="nat_traversal = no").initiate()
    assert "NAT_DETECTION" not in " ".join(inside(pair.left, "IKE_SA_INIT"))
    assert inside(pair.left, "IKE_AUTH")[0].endswith("N(NO_ADDITIONAL_ADDRESSES) N(NO_NATS_ALLOWED)")
    assert ike(pair.left).local_port == 500
    pair.left.roam(ELSEWHERE)
    pair.settle()
    assert messages(pair.left)[0] == f"request 2 [ {UPDATE} N(NO_NATS_ALLOWED) N(COOKIE2) ]"
    pair.check()
    assert (esp(pair.left).local_host, esp(pair.right).remote_host) == (ELSEWHERE, ELSEWHERE)


def test_a_nat_that_is_not_wanted_refuses_ike_auth() -> None:
    pair = mobile(left="nat_traversal = no", nats=(Nat(LEFT, OUTSIDE),)).initiate()
    assert pair.left.up == pair.right.up == []
    assert "UNEXPECTED_NAT_DETECTED" in str(pair.left.told("failed")[0]["reason"])
    reason = str(pair.right.told("failed")[0]["reason"])
    assert f"{RIGHT}[500]-{OUTSIDE}[20500], not {RIGHT}[500]-{LEFT}[500]" in reason


def test_a_nat_that_is_not_wanted_is_asked_about_again_and_then_left() -> None:
    pair = mobile(left="nat_traversal = no", nats=(Nat(INSIDE, OUTSIDE),)).initiate()
    pair.left.roam(INSIDE, LEFT)
    pair.settle()
    assert [m.split("[ ")[1].split(" ")[0] for m in messages(pair.right)] == ["N(UNEXPECTED_NAT_DETECTED)"] * 4
    assert "a NAT is in the way" in str(pair.left.told("not-moved")[0]["reason"])
    pair.check()
    assert ike(pair.left).local_host == esp(pair.left).local_host == LEFT
    assert ike(pair.right).remote_host == esp(pair.right).remote_host == LEFT


@pytest.mark.parametrize("data", [b"", bytes(11), bytes(12), bytes(36), bytes(400)])
def test_no_nats_allowed_that_says_something_else(data: bytes) -> None:
    pair = mobile().initiate()
    answer = told(pair, Notify(N.UPDATE_SA_ADDRESSES), Notify(N.NO_NATS_ALLOWED, data))
    assert answer == "response 2 [ N(UNEXPECTED_NAT_DETECTED) ]"
    settled(pair, LEFT)


def test_the_data_of_no_nats_allowed() -> None:
    assert whereabouts(("192.0.2.1", 500), ("198.51.100.1", 4500)).hex() == "c0000201c633640101f41194"
    assert len(whereabouts(("2001:db8::1", 500), ("2001:db8::2", 500))) == 36
