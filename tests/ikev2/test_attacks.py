"""What strangers and authenticated peers may try, one attack each; the random ones are in test_hostile."""

import pytest

from lab.ike.path import Path
from lab.ikev2 import create_child_sa
from lab.wire.header import NO_SPI, Header
from lab.wire.ids import ExchangeType, Flag, NotifyType, PayloadType
from lab.wire.message import Message
from lab.wire.payloads import Payload, Unknown
from lab.wire.payloads_v2 import Nonce, Notify
from tests.pair import LEFT, OUTSIDE, RIGHT, Nat, Pair, engine_of, forged, is_request, mirrored, net

INIT, AUTH, CHILD = ExchangeType.IKE_SA_INIT, ExchangeType.IKE_AUTH, ExchangeType.CREATE_CHILD_SA
INFO = ExchangeType.INFORMATIONAL


def init_response(pair: Pair, *payloads: Payload, spi_r: bytes = NO_SPI) -> bytes:
    """An answer in clear to the IKE_SA_INIT request of the left side, by somebody who saw it."""
    header = Header(pair.wire.sent[0].header.spi_i, spi_r, PayloadType.NONE, INIT, Flag.RESPONSE, 0)
    return Message(header, payloads).encode()


@pytest.mark.parametrize("size", [0, 65, 60000])
def test_a_cookie_that_is_not_1_to_64_octets_long_is_not_sent_on(size: int) -> None:
    # 2.6: "The data associated with this notification MUST be between 1 and 64 octets in length"
    pair = Pair()
    pair.left.do("initiate", "net")
    pair.inject(init_response(pair, Notify(NotifyType.COOKIE, bytes(size))), (RIGHT, 500), (LEFT, 500))
    assert len(pair.wire.sent) == 1
    assert pair.left.drops == [f"COOKIE of {size} octets, 1 to 64 allowed"]
    pair.settle()
    pair.check()


@pytest.mark.parametrize("kind", [NotifyType.REDIRECT, NotifyType(16383 + 1), NotifyType(65535)])
def test_a_status_notify_alone_is_no_answer_to_ike_sa_init(kind: NotifyType) -> None:
    pair = Pair()
    pair.left.do("initiate", "net")
    pair.inject(init_response(pair, Notify(kind, b"\1\4abcd"), spi_r=b"somebody"), (RIGHT, 500), (LEFT, 500))
    pair.settle()
    pair.check()


def test_a_stranger_cannot_have_the_answer_to_its_request_sent_to_somebody_else() -> None:
    """The answer may hold all our certificates; from where the request came it is repeated as often as that is."""
    pair = Pair()
    pair.wire.drop(is_request(AUTH), count=100)
    pair.left.do("initiate", "net")
    pair.settle()
    request = pair.wire.sent[0].data
    pair.inject(request, ("203.0.113.99", 500), (RIGHT, 500))
    assert [datagram.dst[0] for datagram in pair.wire.sent if datagram.src[0] == RIGHT] == [LEFT]
    assert pair.right.drops == ["a request again from another address, before the peer is authenticated"]
    pair.inject(request, (LEFT, 500), (RIGHT, 500))
    assert [datagram.dst[0] for datagram in pair.wire.sent if datagram.src[0] == RIGHT] == [LEFT, LEFT]


@pytest.mark.parametrize("child", [None, "net"])
@pytest.mark.parametrize("front", [(), (Nonce(bytes(32)),)])
def test_a_cookie_excuses_nothing_but_ike_sa_init(child: str | None, front: tuple[Payload, ...]) -> None:
    # In CREATE_CHILD_SA it is a notify like any other, and what is missing is missing: INVALID_SYNTAX, fatal (2.21.3).
    pair = Pair().initiate()
    pair.left.do("rekey", child=child)
    request = pair.wire.sent[-1].header
    answer = forged(pair.right, CHILD, request.message_id, *front, Notify(NotifyType.COOKIE, b"1234"), response=True)
    pair.inject(answer, (RIGHT, 500), (LEFT, 500))
    assert pair.left.up == []
    assert not pair.left.installed


@pytest.mark.parametrize("command", ["rekey", "liveness", "terminate"])
def test_a_response_that_breaks_the_rules_leaves_no_exchange_without_an_end(command: str) -> None:
    pair = Pair().initiate()
    pair.left.do(command)
    request = pair.wire.sent[-1].header
    strange = Unknown(PayloadType(200), True, b"")
    answer = forged(pair.right, request.exchange, request.message_id, strange, response=True)
    pair.inject(answer, (RIGHT, 500), (LEFT, 500))
    assert pair.left.up == []
    assert not pair.left.installed


def test_a_request_that_was_overtaken_does_not_move_the_path_back() -> None:
    settings = "window_size = 4"
    right = mirrored(net(left="%any", settings=settings))
    pair = Pair(net(settings=settings), right, nats=(Nat(LEFT, OUTSIDE),)).initiate()
    expected = engine_of(pair.right)._next_expected
    old, new = (Path(RIGHT, 4500, OUTSIDE, port) for port in (24500, 30000))
    first, second = (b"\0\0\0\0" + forged(pair.left, INFO, expected + n) for n in range(2))
    pair.right.take(pair.right.endpoint.receive(second, new, pair.now))
    assert engine_of(pair.right).sa.path == new
    pair.right.take(pair.right.endpoint.receive(first, old, pair.now))
    assert engine_of(pair.right).sa.path == new
    assert engine_of(pair.right)._next_expected == expected + 2, "it is answered all the same"


def test_a_peer_cannot_pile_up_children(monkeypatch: pytest.MonkeyPatch) -> None:
    # 1.3: NO_ADDITIONAL_SAS "indicates that the responder is unwilling to accept any more Child SAs on this IKE SA"
    monkeypatch.setattr(create_child_sa, "MOST_CHILDREN", 3)
    pair = Pair().initiate()
    engine = engine_of(pair.left)
    for _ in range(5):
        engine.sa.start(lambda sa: create_child_sa.initiator(sa, sa.connection.children["net"]))
        pair.left.do("liveness")
        pair.settle()
    assert len(pair.right.installed) == 3
    assert pair.right.up == ["ESTABLISHED"]
    assert any("NO_ADDITIONAL_SAS" in str(told["reason"]) for told in pair.left.told("failed"))


def test_a_peer_that_never_deletes_what_it_rekeyed_cannot_pile_up_ike_sas() -> None:
    left = net()
    pair = Pair(left, mirrored(net(settings="max_ike_sas = 5")))
    pair.initiate()
    for _ in range(10):
        pair.wire.drop(is_request(INFO), count=100)
        pair.left.do("rekey", ike=max(int(str(sa["number"])) for sa in pair.left.sas))
        pair.wait(1)
    assert pair.right.endpoint.stats()["ike_sas"] == 5
    assert any("no more are taken" in str(told["reason"]) for told in pair.right.told("failed"))


def test_a_replaced_ike_sa_that_nobody_deletes_ends_by_itself() -> None:
    pair = Pair().initiate()
    pair.wire.drop(is_request(INFO), count=100)
    pair.left.do("rekey")
    pair.run(400)
    assert pair.right.up == ["ESTABLISHED"]
    assert len(pair.right.installed) == 1


def test_refused_strangers_do_not_fill_the_files_with_events() -> None:
    pair = Pair(net("proposals = aes128-sha256-modp2048"), mirrored(net("proposals = aes256gcm16-prfsha384-x25519")))
    pair.left.do("initiate", "net")
    request = bytearray(pair.wire.sent[0].data)
    for number in range(100):
        request[0:8] = (number + 1).to_bytes(8, "big")
        pair.inject(bytes(request), (LEFT, 500), (RIGHT, 500))
    assert 0 < len(pair.right.told("failed")) <= 10
    assert len(pair.wire.sent) == 101, "each is answered"
