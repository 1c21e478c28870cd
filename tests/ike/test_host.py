"""What an endpoint lends: SPIs that are allowed and unique, actions before events."""

from lab.ike.actions import Event, Send
from lab.ike.config import Config
from lab.ike.host import Host
from lab.ike.path import Path
from lab.trace import Trace


def host(*draws: str) -> Host:
    octets = iter(bytes.fromhex(draw) for draw in draws)
    return Host(Config(), lambda count: next(octets), Trace())


def test_reserved_and_used_child_spis_are_drawn_again() -> None:
    one = host("00000000", "000000ff", "00000100", "00000100", "c0ffee00", "00000100")
    assert one.new_child_spi() == bytes.fromhex("00000100")
    assert one.new_child_spi() == bytes.fromhex("c0ffee00")
    one.release(bytes.fromhex("00000100"))
    assert one.new_child_spi() == bytes.fromhex("00000100")


def test_an_ike_spi_is_neither_zero_nor_used() -> None:
    one = host("00" * 8, "11" * 8, "22" * 8)
    one.ike_sas[b"\x11" * 8] = None  # type: ignore[assignment]
    assert one.new_ike_spi() == b"\x22" * 8


def test_events_come_behind_all_actions_and_nothing_is_handed_out_twice() -> None:
    one, send = host(), Send(b"", Path("192.0.2.1", 500, "192.0.2.2", 500))
    one.tell("ike-up", connection="gw", name="a field may be called name")
    one.act(send)
    assert one.take() == [send, Event("ike-up", {"connection": "gw", "name": "a field may be called name"})]
    assert one.take() == []


def test_numbers_and_fractions() -> None:
    one = host("00000000", "80000000", "ffffffff")
    assert [one.new_reqid(), one.new_reqid(), one.new_number()] == [1, 2, 1]
    assert [one.fraction(), one.fraction()] == [0.0, 0.5]
    assert 0.999 < one.fraction() < 1


def test_an_sa_is_looked_at_once_however_often_it_is_touched() -> None:
    one = host()
    for spi in (b"a", b"b", b"a"):
        one.touch(spi)
    assert one.touched == [b"a", b"b"]
