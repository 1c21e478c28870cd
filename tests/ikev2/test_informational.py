"""INFORMATIONAL: deletes from both ends, crossing deletes, liveness, notifies."""

import pytest

from lab.wire.ids import ExchangeType, NotifyType, ProtocolId
from lab.wire.payloads_v2 import Delete, Notify, VendorId
from tests.pair import (
    LEFT,
    RIGHT,
    Datagram,
    Pair,
    Side,
    engine_of,
    forged,
    is_request,
    is_response,
    mirrored,
    net,
    sent_by,
)

INFO = ExchangeType.INFORMATIONAL
BOTH = pytest.mark.parametrize("by", ["left", "right"])


def told(side: Side) -> list[str]:
    """The INFORMATIONAL messages that a side sent, as its trace tells."""
    return [r.text.removeprefix("sent INFORMATIONAL ") for r in side.records if "sent INFORMATIONAL" in r.text]


@BOTH
def test_deleting_the_ike_sa(by: str) -> None:
    # HDR, SK {D(IKE)}  -->    <--  HDR, SK {}
    pair = Pair().initiate()
    here, there = pair.ends(by)
    here.do("terminate")
    assert here.up == ["DELETING"]
    pair.settle()
    assert pair.left.up == pair.right.up == []
    assert pair.left.installed == pair.right.installed == {}
    assert here.told("ike-down")[0]["reason"] == "deleted by us"
    assert there.told("ike-down")[0]["reason"] == "deleted by the peer"
    assert [t.split("[")[1] for t in (*told(here), *told(there))] == [" D ]", "  ]"]


@BOTH
def test_deleting_a_child(by: str) -> None:
    # HDR, SK {D(ESP, SPIa)}  -->    <--  HDR, SK {D(ESP, SPIb)}
    pair = Pair().initiate()
    here, there = pair.ends(by)
    here.do("terminate", child="net")
    pair.settle()
    pair.check(children=0)
    assert pair.left.up == pair.right.up == ["ESTABLISHED"]
    assert [t.split("[")[1] for t in (*told(here), *told(there))] == [" D ]", " D ]"]
    assert here.endpoint.stats()["child_spis"] == there.endpoint.stats()["child_spis"] == 0


@BOTH
@pytest.mark.parametrize("what", [is_request(INFO), is_response(INFO)], ids=["request", "response"])
@pytest.mark.parametrize("named", [{}, {"child": "net"}], ids=["IKE SA", "child"])
def test_a_delete_survives_loss_and_doubling(by: str, what, named: dict[str, str]) -> None:
    for trouble in ("drop", "duplicate", "delay"):
        pair = Pair().initiate()
        getattr(pair.wire, trouble)(what, **({"by": 4.5} if trouble == "delay" else {}))
        pair.ends(by)[0].do("terminate", **named)
        pair.run(60)
        assert pair.left.installed == pair.right.installed == {}
        assert pair.left.up == pair.right.up == (["ESTABLISHED"] if named else [])


def test_both_delete_the_ike_sa_at_once() -> None:
    # HDR, SK {D(IKE)}  -->  <--  HDR, SK {D(IKE)}    each answers with an empty message and is done
    pair = Pair().initiate()
    for side in pair.sides:
        side.do("terminate")
    pair.run(300)
    for side in pair.sides:
        assert side.up == []
        assert side.names.count("ike-down") == side.names.count("child-down") == 1
    assert len(pair.wire.seen(is_request(INFO))) == 2, "nobody repeats anything"


def test_both_delete_the_child_at_once() -> None:
    # HDR, SK {D(ESP, SPIa)}  -->  <--  HDR, SK {D(ESP, SPIb)}    neither answer names an SPI (1.4.1)
    pair = Pair().initiate()
    for side in pair.sides:
        side.do("terminate", child="net")
    pair.settle()
    pair.check(children=0)
    for side in pair.sides:
        assert [t.split("[")[1] for t in told(side)] == [" D ]", "  ]"]
        assert side.up == ["ESTABLISHED"]
        assert side.names.count("child-down") == 1


def test_one_deletes_the_ike_sa_while_the_other_deletes_the_child() -> None:
    pair = Pair().initiate()
    pair.left.do("terminate")
    pair.right.do("terminate", child="net")
    pair.run(300)
    assert pair.left.up == pair.right.up == []
    assert [side.names.count("child-down") for side in pair.sides] == [1, 1]
    assert set(pair.left.endpoint.stats().values()) == set(pair.right.endpoint.stats().values()) == {0}


def test_a_delete_whose_answer_is_lost_is_answered_from_the_cache_of_the_sa_that_is_gone() -> None:
    pair = Pair().initiate()
    pair.wire.drop(is_response(INFO))
    pair.left.do("terminate")
    pair.settle()
    assert (pair.left.up, pair.right.up) == (["DELETING"], [])
    pair.wait(5)
    assert pair.left.up == []
    first, second = pair.wire.seen(is_response(INFO))
    assert first.data == second.data


def test_a_delete_that_nobody_answers() -> None:
    pair = Pair().initiate()
    pair.wire.drop(sent_by(RIGHT), count=100)
    pair.left.do("terminate")
    pair.run(200)
    assert pair.left.up == []
    assert "peer does not answer" in str(pair.left.told("ike-down")[0]["reason"])


def test_deleting_twice_is_deleting_once() -> None:
    pair = Pair().initiate()
    for _ in range(2):
        pair.left.do("terminate", child="net")
    for _ in range(2):
        pair.left.do("terminate")
    pair.settle()
    assert [t.split(" ")[0] for t in told(pair.left)] == ["request", "request"]


@BOTH
def test_several_spis_and_several_delete_payloads_in_one_message(by: str) -> None:
    pair = Pair().initiate()
    here, there = pair.ends(by)
    spi = next(iter(here.installed))
    payloads = Delete(ProtocolId.ESP, (b"none", spi)), Delete(ProtocolId.ESP, (b"nil.",)), Delete(ProtocolId.AH, (spi,))
    message_id = 2 if by == "left" else 0
    source, destination = ((LEFT, 500), (RIGHT, 500)) if by == "left" else ((RIGHT, 500), (LEFT, 500))
    pair.inject(forged(here, INFO, message_id, *payloads), source, destination)
    assert there.installed == {}
    assert told(there) == [f"response {message_id} [ D ]"]


def test_deleting_an_unknown_child_is_answered_with_nothing() -> None:
    pair = Pair().initiate()
    pair.inject(forged(pair.left, INFO, 2, Delete(ProtocolId.ESP, (b"none",))), (LEFT, 500), (RIGHT, 500))
    assert told(pair.right) == ["response 2 [  ]"]
    pair.check()


@BOTH
def test_liveness_is_an_empty_message_and_an_empty_answer(by: str) -> None:
    # HDR, SK {}  -->    <--  HDR, SK {}
    pair = Pair().initiate()
    here, there = pair.ends(by)
    here.do("liveness")
    pair.settle()
    assert [t.split(" ", 2)[2] for t in (*told(here), *told(there))] == ["[  ]", "[  ]"]
    pair.check()


def test_a_request_with_anything_harmless_gets_an_empty_answer() -> None:
    pair = Pair().initiate()
    payloads = VendorId(b"x"), Notify(NotifyType(40003), b"y"), Notify(NotifyType.INITIAL_CONTACT)
    pair.inject(forged(pair.left, INFO, 2, *payloads), (LEFT, 500), (RIGHT, 500))
    assert told(pair.right) == ["response 2 [  ]"]
    pair.check()


def test_the_peer_is_asked_when_it_was_silent_for_dpd_delay() -> None:
    pair = Pair(net("dpd_delay = 30s"), seed="1")
    pair.right.endpoint = Pair(net(), seed="1").right.endpoint  # the right side asks nothing by itself
    pair.initiate()
    heard = pair.left.endpoint.host.now
    pair.run(100)
    asked = [d.at for d in pair.wire.seen(is_request(INFO))]
    assert asked == pytest.approx([heard + 30, heard + 60.02, heard + 90.04])
    assert {d.src[0] for d in pair.wire.seen(is_request(INFO))} == {LEFT}


def test_esp_that_arrives_is_a_sign_of_life() -> None:
    pair = Pair(net("dpd_delay = 30s")).initiate()
    for second in range(10, 200, 10):
        pair.run(second)
        for side in pair.sides:
            side.do("carried", next(iter(side.installed)), inbound=True)
    assert pair.wire.seen(is_request(INFO)) == []


def test_a_dead_peer_is_noticed_after_dpd_delay_and_165_seconds() -> None:
    pair = Pair(net("dpd_delay = 30s")).initiate()
    pair.wire.drop(sent_by(RIGHT), count=1000)
    heard = pair.left.endpoint.host.now
    pair.run(heard + 30 + 165.0)
    assert pair.left.up == ["ESTABLISHED"]
    pair.run(heard + 30 + 165.1)
    assert pair.left.up == []
    assert len(pair.wire.seen(lambda d: is_request(INFO)(d) and d.src[0] == LEFT)) == 6


@pytest.mark.parametrize(("action", "again"), [("restart", True), ("start", True), ("clear", False), ("trap", False)])
def test_what_follows_the_silence_of_a_peer(action: str, again: bool) -> None:
    pair = Pair(net("dpd_delay = 30s", f"dpd_action = {action}"), mirrored(net())).initiate()
    pair.wire.drop(lambda d: d.src[0] == RIGHT and pair.now < 200, count=1000)
    pair.run(199)
    assert pair.left.names[2:4] == ["child-down", "ike-down"]
    pair.run(400)
    assert pair.left.names.count("child-up") == 1 + again
    assert pair.left.up == ["ESTABLISHED"] * again


def test_a_deleted_sa_is_not_restarted() -> None:
    pair = Pair(net(child="dpd_action = restart")).initiate()
    pair.wire.drop(sent_by(RIGHT), count=100)
    pair.left.do("terminate")
    pair.run(300)
    assert pair.left.up == []


def test_no_liveness_while_a_request_is_under_way() -> None:
    def asked(datagram: Datagram) -> bool:
        return is_request(INFO)(datagram) and datagram.src[0] == LEFT

    pair = Pair(net("dpd_delay = 1s")).initiate()
    pair.wire.drop(asked, count=100)
    pair.left.do("terminate", child="net")
    pair.run(160)
    assert [d.header.message_id for d in pair.wire.seen(asked)] == [2] * 6


@pytest.mark.parametrize("notify", [NotifyType.AUTHENTICATION_FAILED, NotifyType.INVALID_SYNTAX])
def test_an_error_that_ends_the_sa(notify: NotifyType) -> None:
    pair = Pair().initiate()
    pair.inject(forged(pair.left, INFO, 2, Notify(notify)), (LEFT, 500), (RIGHT, 500))
    assert pair.right.up == []
    assert notify.name in str(pair.right.told("ike-down")[0]["reason"])
    assert told(pair.right) == ["response 2 [  ]"]


def test_a_peer_that_answers_with_invalid_syntax_has_given_the_sa_up() -> None:
    pair = Pair().initiate()
    pair.left.do("liveness")
    data = forged(pair.right, INFO, 2, Notify(NotifyType.INVALID_SYNTAX), response=True)
    pair.inject(data, (RIGHT, 500), (LEFT, 500))
    assert pair.left.up == []
    assert "INVALID_SYNTAX" in str(pair.left.told("ike-down")[0]["reason"])


def test_octets_behind_an_empty_payload_chain_are_ignored() -> None:
    """OpenIKED 7.2 puts an empty payload behind a chain that is already at its end."""
    pair = Pair().initiate()
    sa = engine_of(pair.left).sa
    sa.sealer = OddSealer(sa.sealer)
    pair.left.do("liveness")
    pair.settle()
    assert len(pair.wire.seen(is_response(INFO))) == 1
    assert pair.right.drops == []


class OddSealer:
    """Seals a chain and four octets more."""

    def __init__(self, sealer) -> None:
        self.sealer = sealer

    def overhead(self, length: int) -> int:
        return self.sealer.overhead(length + 4) + 4

    def seal(self, aad: bytes, plaintext: bytes) -> bytes:
        return self.sealer.seal(aad, plaintext + bytes(4))
