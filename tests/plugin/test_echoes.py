"""What a tap says of pings: an echo without its reply is missed, and a rekeying outside the pings is seen."""

from ipaddress import IPv4Address

import pytest

from lab.evidence.capture import Frame
from lab.plugin.echoes import all_answered, echoes, in_the_midst, outage, requests
from lab.wire.packets import ICMP, IPv4
from lab.wire.pcapng import LinkType

HERE, THERE = "10.1.0.10", "10.2.0.10"


def frame(t, kind, number, *, node="left-host", ident=7):
    source, target = (HERE, THERE) if kind == 8 else (THERE, HERE)
    body = bytes([kind, 0, 0, 0]) + ident.to_bytes(2, "big") + number.to_bytes(2, "big")
    ip = IPv4(IPv4Address(source), IPv4Address(target), ICMP, body)
    return Frame(round(t * 1e9), f"{node}:lan", ip.encode(), LinkType.RAW)


def pings(*numbers, without=()):
    frames = []
    for number in numbers:
        frames.append(frame(number, 8, number))
        frames += [] if number in without else [frame(number + 0.5, 0, number)]
    return frames


def judged(frames, count):
    return all_answered(echoes(frames, "left-host"), HERE, THERE, count)


def test_the_times_of_the_requests_come_back():
    assert judged(pings(1, 2, 3), 3) == [1.0, 2.0, 3.0]


def test_an_echo_without_its_reply():
    with pytest.raises(AssertionError, match="1 of 3 echo requests have no reply, the first is number 2"):
        judged(pings(1, 2, 3, without={2}), 3)


def test_a_reply_of_another_ping_answers_nothing():
    frames = [frame(1, 8, 1), frame(1.5, 0, 1, ident=8)]
    with pytest.raises(AssertionError, match="have no reply"):
        judged(frames, 1)


def test_a_request_too_few():
    with pytest.raises(AssertionError, match="2 echo requests left"):
        judged(pings(1, 2), 3)


def test_other_nodes_and_other_packets_do_not_count():
    strange = Frame(0, "left-host:lan", b"", LinkType.RAW)
    assert echoes([frame(1, 8, 1, node="right-host"), frame(1, 3, 1), strange], "left-host") == []


def test_what_lies_outside_the_pings():
    asked = [float(n) for n in range(10)]
    in_the_midst(asked, 3.5, 5.5, 3)
    for first, last in ((1.5, 5.5), (3.5, 7.5)):
        with pytest.raises(AssertionError, match="3 wanted of each"):
            in_the_midst(asked, first, last, 3)
    with pytest.raises(AssertionError, match="no echo request left while"):
        in_the_midst(asked, 4.1, 4.2, 3)


def test_an_outage_is_counted_in_the_last_ping_only():
    earlier = [frame(-9, 8, 1, ident=6)]
    seen = echoes([*earlier, *pings(1, 2, 3, 4, 5, without={3, 4})], "left-host")
    assert outage(seen, HERE, THERE) == (2, 3.0)
    assert outage(echoes(pings(1, 2), "left-host"), HERE, THERE) == (0, 1.0)
    with pytest.raises(AssertionError, match="no echo request left"):
        outage([], HERE, THERE)


def test_one_is_not_many():
    assert [requests(count) for count in (1, 3)] == ["1 echo request", "3 echo requests"]
