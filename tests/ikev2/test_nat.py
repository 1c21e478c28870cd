"""NAT traversal: detection on both sides, the move to port 4500, keepalives, mappings that change."""

import pytest

from lab.ike.actions import MoveChild, Path
from lab.wire.ids import ExchangeType, NotifyType
from lab.wire.message import Message
from lab.wire.payloads_v2 import Notify
from tests.pair import LEFT, OUTSIDE, RIGHT, Datagram, Nat, Pair, Side, engine_of, is_request, mirrored, net

INIT, AUTH, INFO = ExchangeType.IKE_SA_INIT, ExchangeType.IKE_AUTH, ExchangeType.INFORMATIONAL
RIGHT_OUTSIDE = "203.0.113.200"


def before_left(settings: str = "", **nat: int) -> Pair:
    """Left behind a NAT box, right open to any address."""
    right = mirrored(net(left="%any", settings=settings))
    return Pair(net(settings=settings), right, nats=(Nat(LEFT, OUTSIDE, **nat),))


def before_both(settings: str = "") -> Pair:
    """Both behind NAT boxes, the right one with ports 500 and 4500 forwarded."""
    left = net(settings=settings, right=RIGHT_OUTSIDE)
    right = mirrored(net(settings=settings, left="%any", right="%any"))
    return Pair(left, right, nats=(Nat(LEFT, OUTSIDE), Nat(RIGHT, RIGHT_OUTSIDE).forward(500, 4500)))


def situation(side: Side) -> tuple[object, object]:
    return side.sas[0]["nat_local"], side.sas[0]["nat_remote"]


def ports(pair: Pair) -> list[tuple[str, int, int]]:
    return [(str(d), d.src[1], d.dst[1]) for d in pair.wire.sent]


def keepalives(pair: Pair) -> list[Datagram]:
    return pair.wire.seen(lambda d: d.keepalive)


def test_no_nat_no_float_no_keepalive() -> None:
    pair = Pair().initiate()
    pair.run(100)
    assert {(d.src[1], d.dst[1]) for d in pair.wire.sent} == {(500, 500)}
    assert not any(d.marked or d.keepalive for d in pair.wire.sent)
    assert [situation(side) for side in pair.sides] == [(False, False)] * 2
    assert pair.left.ever[0].encap is False


def test_a_nat_before_the_initiator() -> None:
    pair = before_left().initiate()
    pair.check()
    assert [situation(side) for side in pair.sides] == [(True, False), (False, True)]
    assert ports(pair) == [
        ("IKE_SA_INIT request 0", 20500, 500),
        ("IKE_SA_INIT response 0", 500, 20500),
        ("IKE_AUTH request 1", 24500, 4500),
        ("IKE_AUTH response 1", 4500, 24500),
    ]
    assert [d.marked for d in pair.wire.sent] == [False, False, True, True]
    child = pair.right.ever[0]
    assert child.encap
    assert child.path == Path(RIGHT, 4500, OUTSIDE, 24500)
    assert pair.left.ever[0].path == Path(LEFT, 4500, RIGHT, 4500)
    assert pair.right.sas[0]["remote_port"] == 24500


def test_nats_on_both_sides() -> None:
    pair = before_both().initiate()
    pair.check()
    assert [situation(side) for side in pair.sides] == [(True, True)] * 2
    assert all(side.ever[0].encap for side in pair.sides)
    assert pair.wire.seen(is_request(AUTH))[0].dst == (RIGHT_OUTSIDE, 4500)


def test_an_initiator_whose_nat_keeps_the_ports_is_seen_by_its_address() -> None:
    pair = before_left(shift=0).initiate()
    pair.check()
    assert [situation(side) for side in pair.sides] == [(True, False), (False, True)]


@pytest.mark.parametrize("message", [is_request(INIT), is_request(AUTH)], ids=["INIT", "AUTH"])
def test_loss_behind_a_nat(message) -> None:
    pair = before_left()
    pair.wire.drop(message, count=2)
    pair.initiate()
    pair.run(20)
    pair.check()
    assert all(d.marked or d.header.exchange == INIT for d in pair.wire.sent if not d.keepalive)


def test_encap_forces_encapsulation_without_a_nat() -> None:
    pair = Pair(net("encap = yes"), mirrored(net())).initiate()
    pair.check()
    assert pair.left.ever[0].encap
    assert pair.wire.seen(is_request(AUTH))[0].dst[1] == 4500
    assert [situation(side) for side in pair.sides] == [(True, False), (False, True)]


def test_encap_at_the_responder() -> None:
    pair = Pair(net(), mirrored(net("encap = yes"))).initiate()
    pair.check()
    assert pair.right.ever[0].encap
    assert [situation(side) for side in pair.sides] == [(False, True), (True, False)]


def without_nat_detection(data: bytes) -> bytes:
    message = Message.decode(data)
    kinds = (NotifyType.NAT_DETECTION_SOURCE_IP, NotifyType.NAT_DETECTION_DESTINATION_IP)
    kept = tuple(p for p in message.payloads if not (isinstance(p, Notify) and p.notify_type in kinds))
    return Message(message.header, kept).encode()


def test_a_peer_without_nat_detection_stays_on_port_500() -> None:
    pair = before_left()
    pair.wire.change(lambda d: d.header.exchange == INIT and d.header.response, without_nat_detection)
    pair.left.do("initiate", "net")
    pair.step()
    pair.step()
    assert engine_of(pair.left).sa.nat.spoken is False
    assert pair.wire.sent[-1].dst[1] == 500
    assert not pair.wire.sent[-1].marked


def test_one_of_several_source_hashes_is_enough() -> None:
    pair = Pair()

    def more(data: bytes) -> bytes:
        message = Message.decode(data)
        other = Notify(NotifyType.NAT_DETECTION_SOURCE_IP, bytes(20))
        return Message(message.header, (*message.payloads[:3], other, *message.payloads[3:], other)).encode()

    pair.wire.change(is_request(INIT), more)
    pair.left.do("initiate", "net")
    pair.step()
    assert engine_of(pair.right).sa.nat.detected is False


def test_the_hashes_are_computed_anew_behind_a_cookie() -> None:
    right = mirrored(net(left="%any", settings="cookie_threshold = 0"))
    pair = Pair(net(), right, nats=(Nat(LEFT, OUTSIDE),)).initiate()
    pair.check()
    assert [situation(side) for side in pair.sides] == [(True, False), (False, True)]
    pair = Pair(net(), mirrored(net(settings="cookie_threshold = 0"))).initiate()
    assert [situation(side) for side in pair.sides] == [(False, False)] * 2


def test_the_marker_is_there_from_the_first_packet_to_another_port_than_500() -> None:
    pair = Pair(net("local_port = 4500\n remote_port = 4500"), mirrored(net())).initiate()
    pair.check()
    assert all(d.marked for d in pair.wire.sent)
    assert pair.left.ever[0].encap is False


# -- keepalives


def test_keepalives_come_from_the_side_behind_the_nat_every_20_seconds_of_silence() -> None:
    pair = before_left().initiate()
    last = pair.wire.sent[2].at
    pair.run(101)
    sent = keepalives(pair)
    assert [d.at for d in sent] == pytest.approx([last + 20 * n for n in range(1, 6)])
    assert {d.data for d in sent} == {b"\xff"}
    assert {(d.src, d.dst) for d in sent} == {((OUTSIDE, 24500), (RIGHT, 4500))}


def test_keepalives_of_both_sides_behind_nats() -> None:
    pair = before_both().initiate()
    pair.run(50)
    assert len(keepalives(pair)) == 4


def test_keepalives_have_an_interval_and_can_be_off() -> None:
    for setting, count in (("keep_alive = 5s", 19), ("keep_alive = 0", 0)):
        pair = before_left(settings=setting).initiate()
        pair.run(100)
        assert len(keepalives(pair)) == count


def test_no_keepalive_while_anything_else_is_sent() -> None:
    pair = before_left().initiate()
    for second in range(15, 100, 15):
        pair.run(second)
        pair.left.do("carried", next(iter(pair.left.installed)), inbound=False)
    assert keepalives(pair) == []
    pair.left.do("liveness")
    pair.run(pair.now + 19)
    assert keepalives(pair) == []


def test_a_keepalive_that_arrives_is_no_message() -> None:
    right = Pair().right
    assert right.endpoint.receive(b"\xff", Path(RIGHT, 4500, LEFT, 4500), 0.0) == []


# -- mappings that change


def moved(pair: Pair, side: Side) -> list[Path]:
    return [a.path for a in side.actions if isinstance(a, MoveChild)]


def test_the_side_that_is_not_behind_a_nat_follows_an_authenticated_request() -> None:
    pair = before_left().initiate()
    pair.nats[0].rebind(30000)
    pair.left.do("liveness")
    pair.settle()
    there = Path(RIGHT, 4500, OUTSIDE, 34500)
    assert moved(pair, pair.right) == [there]
    assert pair.right.sas[0]["remote_port"] == 34500
    assert pair.right.told("moved")[0]["path"] == str(there)
    pair.right.do("liveness")
    assert pair.wire.sent[-1].dst == (OUTSIDE, 34500)
    pair.settle()
    assert pair.right.up == ["ESTABLISHED"]


def test_a_repeated_request_from_elsewhere_moves_nothing() -> None:
    pair = before_left().initiate()
    (auth,) = pair.wire.seen(is_request(AUTH))
    pair.inject(auth.data, ("203.0.113.66", 4500), (RIGHT, 4500))
    assert moved(pair, pair.right) == []


def test_a_forged_request_from_elsewhere_moves_nothing() -> None:
    pair = before_left().initiate()
    pair.left.do("liveness")
    request = bytearray(pair.wire.sent[-1].data)
    request[-1] ^= 1
    pair.inject(bytes(request), ("203.0.113.66", 4500), (RIGHT, 4500))
    assert moved(pair, pair.right) == []


def test_a_side_behind_a_nat_does_not_follow() -> None:
    pair = before_both().initiate()
    pair.nats[0].rebind(30000)
    pair.left.do("liveness")
    pair.settle()
    assert moved(pair, pair.right) == []


def test_without_a_nat_nobody_follows() -> None:
    pair = Pair().initiate()
    pair.left.do("liveness")
    pair.inject(pair.wire.sent[-1].data, ("203.0.113.66", 500), (RIGHT, 500))
    assert moved(pair, pair.right) == []
    assert pair.wire.sent[-1].dst == ("203.0.113.66", 500), "the answer goes to where the request came from"


def test_esp_from_a_new_mapping_moves_the_sa_as_well() -> None:
    pair = before_left().initiate()
    spi = next(iter(pair.right.installed))
    there = Path(RIGHT, 4500, OUTSIDE, 34500)
    pair.right.do("moved", spi, there)
    assert moved(pair, pair.right) == [there]
    assert pair.right.sas[0]["remote_port"] == 34500
    pair.right.do("moved", b"none", Path(RIGHT, 4500, OUTSIDE, 1))
    left_spi = next(iter(pair.left.installed))
    pair.left.do("moved", left_spi, Path(LEFT, 4500, RIGHT, 9999))
    assert moved(pair, pair.left) == []


def test_a_retransmission_goes_where_the_peer_has_moved_to() -> None:
    pair = before_left().initiate()
    pair.wire.drop(lambda d: d.dst == (OUTSIDE, 24500), count=10)
    pair.right.do("liveness")
    pair.nats[0].rebind(30000)
    pair.left.do("liveness")
    pair.run(10)
    sent = [d.dst[1] for d in pair.wire.seen(is_request(INFO)) if d.src[0] == RIGHT]
    assert sent == [24500, 34500]
    assert pair.right.up == ["ESTABLISHED"]
