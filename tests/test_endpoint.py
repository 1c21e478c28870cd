"""The endpoint around the exchanges: demultiplexing, commands, limits, time, views."""

import pytest

from lab.errors import ConfigError
from lab.ike.actions import Send
from lab.ike.path import Path
from lab.wire.header import Header
from lab.wire.ids import ExchangeType, Flag, NotifyType, PayloadType
from lab.wire.message import Message
from lab.wire.packets import NON_ESP_MARKER
from tests.pair import LEFT, RIGHT, Pair, Side, is_request, is_response, net

HERE = Path(RIGHT, 500, LEFT, 500)
INFO = ExchangeType.INFORMATIONAL


def header(exchange: ExchangeType = INFO, flags: int = Flag.INITIATOR, major: int = 2, message_id: int = 5) -> bytes:
    return Header(b"abcdefgh", b"12345678", PayloadType.NONE, exchange, flags, message_id, 28, major).encode()


def answers(side: Side, data: bytes, path: Path = HERE, now: float = 0.0) -> list[Message]:
    actions = side.endpoint.receive(data, path, now)
    return [Message.decode(a.data[4:] if a.path.marked else a.data) for a in actions if isinstance(a, Send)]


def test_a_request_for_an_unknown_sa_is_answered_with_invalid_ike_spi() -> None:
    right = Pair().right
    (answer,) = answers(right, header())
    assert answer.notify(NotifyType.INVALID_IKE_SPI)
    assert answer.header.response
    assert not answer.header.initiator
    assert (answer.header.spi_i, answer.header.spi_r, answer.header.message_id) == (b"abcdefgh", b"12345678", 5)


def test_a_response_for_an_unknown_sa_meets_silence() -> None:
    right = Pair().right
    assert answers(right, header(flags=Flag.RESPONSE)) == []
    assert right.drops == ["no IKE SA with SPIs 6162636465666768 and 3132333435363738"]


def test_notices_are_limited_to_ten_in_a_second() -> None:
    right = Pair().right
    assert sum(len(answers(right, header())) for _ in range(100)) == 10
    assert len(answers(right, header(), now=1.0)) == 1


def test_a_higher_major_version_is_answered_with_ours() -> None:
    right = Pair().right
    (answer,) = answers(right, header(major=3))
    assert answer.notify(NotifyType.INVALID_MAJOR_VERSION)
    assert answer.header.major == 2
    assert answers(right, header(major=3, flags=Flag.RESPONSE)) == []


def test_a_lower_major_version_meets_silence() -> None:
    right = Pair().right
    assert answers(right, header(major=1)) == []
    assert right.drops == ["IKE version 1"]


def test_on_port_4500_the_marker_is_taken_off_and_put_on() -> None:
    right = Pair().right
    path = Path(RIGHT, 4500, LEFT, 4500)
    assert len(answers(right, NON_ESP_MARKER + header(), path)) == 1
    assert answers(right, header(), path) == []
    assert answers(right, NON_ESP_MARKER * 2 + header(), path) == []
    assert len(right.drops) == 3


@pytest.mark.parametrize("data", [b"", b"\xff", b"\xff" * 28, b"x" * 27, b"x" * 28, bytes(28), bytes(1000)])
def test_what_is_no_ike_message_is_dropped(data: bytes) -> None:
    right = Pair().right
    assert answers(right, data) == []
    assert len(right.drops) == 1


def test_initiating_an_unknown_child_says_which_there_are() -> None:
    with pytest.raises(ConfigError, match="no child is called 'nat'; there are: net"):
        Pair().left.do("initiate", "nat")


def test_initiating_without_a_remote_address() -> None:
    text = net().replace(f"remote_addrs = {RIGHT}", "")
    with pytest.raises(ConfigError, match="names no remote address"):
        Pair(text).left.do("initiate", "net")


def test_initiating_without_a_local_address_of_that_family() -> None:
    text = net().replace(f"remote_addrs = {RIGHT}", "remote_addrs = 2001:db8::1").replace(f"local_addrs = {LEFT}", "")
    with pytest.raises(ConfigError, match="no local address of the family of 2001:db8::1"):
        Pair(text).left.do("initiate", "net")


def test_our_address_is_taken_from_the_host_where_none_is_written() -> None:
    pair = Pair(net().replace(f"local_addrs = {LEFT}", "")).initiate()
    pair.check()


def test_children_with_start_action_begin_by_themselves() -> None:
    pair = Pair(net(child="start_action = start"))
    pair.left.do("start")
    pair.settle()
    pair.check()


def test_acquire_begins_once() -> None:
    pair = Pair()
    for _ in range(3):
        pair.left.do("acquire", "net")
    pair.settle()
    pair.check()
    assert len(pair.wire.sent) == 4


def test_terminate_by_connection_number_child_or_all() -> None:
    for named in ({"ike": "gw"}, {"ike": 1}, {}):
        pair = Pair().initiate()
        pair.left.do("terminate", **named)
        pair.settle()
        assert pair.left.up == pair.right.up == []
    pair = Pair().initiate()
    pair.left.do("terminate", child="net")
    pair.settle()
    assert pair.left.up == pair.right.up == ["ESTABLISHED"]
    pair.check(children=0)


@pytest.mark.parametrize("named", [{"ike": "other"}, {"ike": 7}, {"child": "net"}, {}])
def test_terminating_what_is_not_there(named: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match="is up"):
        Pair().left.do("terminate", **named)


def test_terminating_what_is_not_up_yet() -> None:
    pair = Pair()
    pair.left.do("initiate", "net")
    pair.left.do("terminate")
    assert pair.left.told("failed")[0]["reason"] == "ended by us before it was up"
    pair.run(300)
    assert pair.left.up == pair.right.up == []


def test_half_open_sas_end_after_their_time() -> None:
    pair = Pair()
    pair.wire.drop(is_request(ExchangeType.IKE_AUTH), count=100)
    pair.initiate()
    assert pair.right.endpoint.stats()["half_open"] == 1
    pair.run(29.9)
    assert pair.right.up == ["CONNECTING"]
    pair.run(30.1)
    assert pair.right.up == []
    assert pair.right.endpoint.stats()["half_open"] == 0
    assert pair.right.told("failed")[0]["reason"] == "peer did not go on after IKE_SA_INIT"


def test_every_table_is_empty_when_all_is_over() -> None:
    pair = Pair().initiate()
    pair.left.do("terminate")
    pair.run(1000)
    for side in pair.sides:
        assert set(side.endpoint.stats().values()) == {0}
        assert side.endpoint.next_deadline() is None


def test_ticking_early_does_nothing() -> None:
    pair = Pair().initiate()
    assert pair.left.endpoint.tick(pair.now) == []
    pair.left.do("liveness")
    assert pair.left.endpoint.tick(pair.now + 3.9) == []
    assert len(pair.left.endpoint.tick(pair.now + 4.1)) == 1


def test_deadlines_do_not_pile_up() -> None:
    pair = Pair(net("dpd_delay = 1s")).initiate()
    pair.run(2000)
    assert len(pair.wire.seen(is_response(INFO))) > 1000
    assert pair.left.endpoint.stats()["deadlines"] < 70
