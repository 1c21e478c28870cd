"""Each proof holds for the right facts and says in words what does not hold."""

from ipaddress import IPv4Address

import pytest

from lab.evidence.capture import Frame
from lab.plugin import proofs
from lab.plugin.sight import Ladder
from lab.wire.packets import ICMP, IPv4
from lab.wire.pcapng import Direction

HANDSHAKE = [
    ("left", "IKE_SA_INIT", False),
    ("right", "IKE_SA_INIT", True),
    ("left", "IKE_AUTH", False),
    ("right", "IKE_AUTH", True),
]


def ike(n, sender, exchange, response, **more):
    entry = {"n": n, "from": sender, "protocol": "IKEv2", "exchange": exchange, "response": response, "opened": None}
    return entry | {"message_id": 0, "payloads": [], "retransmit_of": None, "lost": False, "t_sent": float(n)} | more


def ladder(rows):
    return Ladder([ike(n, *row) for n, row in enumerate(rows)])


def test_the_four_messages():
    proofs.set_up_in_four_messages(ladder(HANDSHAKE))


@pytest.mark.parametrize(
    "rows",
    [
        HANDSHAKE[:3],
        [HANDSHAKE[0], HANDSHAKE[1], *HANDSHAKE],
        [*HANDSHAKE, ("left", "IKE_AUTH", False)],
        [("right", "IKE_SA_INIT", False), *HANDSHAKE[1:]],
    ],
)
def test_anything_else_than_four_messages(rows):
    with pytest.raises(AssertionError, match=r"four messages|more messages"):
        proofs.set_up_in_four_messages(ladder(rows))


def test_a_repeat_is_no_fifth_message():
    rows = ladder(HANDSHAKE).entries
    rows.insert(1, ike(9, "left", "IKE_SA_INIT", False, retransmit_of=0))
    proofs.set_up_in_four_messages(Ladder(rows))


def test_a_sealed_packet_is_shown():
    with pytest.raises(AssertionError, match="1 of 1 packets do not open"):
        proofs.all_opened(Ladder([ike(0, "left", "IKE_AUTH", False, opened=False)]))


def esp(sender, inner):
    return {"protocol": "ESP", "from": sender, "inner": inner}


PING = [
    esp("left", "ICMP echo-request 10.1.0.10 -> 10.2.0.10 seq 1"),
    esp("right", "ICMP echo-reply 10.2.0.10 -> 10.1.0.10 seq 1"),
]


def test_a_ping_inside_esp():
    proofs.carries_ping(Ladder(PING), ("10.1.0.10", "10.2.0.10"), [1])
    proofs.carries_ping(Ladder(PING * 2), ("10.1.0.10", "10.2.0.10"), [1, 1])


def test_a_ping_inside_esp_of_another_client():
    second = [esp("second", PING[0]["inner"]), PING[1]]
    proofs.carries_ping(Ladder(second), ("10.1.0.10", "10.2.0.10"), [1], client="second")
    with pytest.raises(AssertionError, match="too few ESP packets of second hold"):
        proofs.carries_ping(Ladder(PING), ("10.1.0.10", "10.2.0.10"), [1], client="second")


@pytest.mark.parametrize(
    ("entries", "counts"), [(PING[:1], [1]), (PING[1:], [1]), (PING, [2]), ([], [1]), (PING, [1, 1]), (PING * 2, [2])]
)
def test_a_ping_that_is_not_inside_esp(entries, counts):
    with pytest.raises(AssertionError, match=r"too few ESP packets of (left|right) hold"):
        proofs.carries_ping(Ladder(entries), ("10.1.0.10", "10.2.0.10"), counts)


def frame(point, src, dst, direction):
    data = bytes(12) + b"\x08\x00" + IPv4(IPv4Address(src), IPv4Address(dst), ICMP, b"\x08\0\0\0\0\1\0\1").encode()
    return Frame(0, point, data, direction=direction)


@pytest.mark.parametrize("point", ["left:wan", "internet:left", "internet:right", "left-nat:lan", "second:wan"])
def test_an_inner_packet_in_the_open_is_found_where_it_leaves(point):
    with pytest.raises(AssertionError, match=f"{point} saw 10.1.0.10 -> 10.2.0.10 unprotected"):
        proofs.no_plaintext([frame(point, "10.1.0.10", "10.2.0.10", Direction.OUTBOUND)], ["10.1.0.10", "10.2.0.10"])


@pytest.mark.parametrize(
    ("point", "direction"),
    [
        ("left-host:lan", Direction.OUTBOUND),
        ("second-host:lan", Direction.OUTBOUND),
        ("second:wan", Direction.INBOUND),
        ("left:lan", Direction.INBOUND),
        ("right:lan", Direction.OUTBOUND),
        ("left:wan", Direction.INBOUND),
    ],
)
def test_an_inner_packet_inside_or_just_taken_out_of_esp_is_none(point, direction):
    proofs.no_plaintext([frame(point, "10.1.0.10", "10.2.0.10", direction)], ["10.1.0.10", "10.2.0.10"])


def sends(*times, copies=True):
    return [
        ike(n, "left", "IKE_SA_INIT", False, t_sent=100 + t, retransmit_of=0 if n and copies else None)
        for n, t in enumerate(times)
    ]


def test_a_schedule_that_is_kept():
    proofs.schedule(sends(0, 4.001, 11.2), [0, 4, 11.2], 0.005)


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        (sends(0, 4.1, 11.2), "instead of"),
        (sends(0, 4), "sent 2 times, not 3"),
        (sends(0, 4, 11.2, copies=False), "differs from its first"),
        ([], "nothing was sent"),
    ],
)
def test_a_schedule_that_is_not(entries, words):
    with pytest.raises(AssertionError, match=words):
        proofs.schedule(entries, [0, 4, 11.2], 0.005)


def view(spi_in, spi_out, state="ESTABLISHED", spi="i"):
    return {
        "state": state,
        "spi_i": spi,
        "spi_r": "r",
        "children": [{"spi_in": spi_in, "spi_out": spi_out, "encr": "X"}],
    }


def test_both_sides_list_the_same_with_directions_crossed():
    half_open = view("x", "y", state="CONNECTING", spi="other") | {"children": []}
    proofs.same_view([view("a", "b")], [view("b", "a"), half_open])


@pytest.mark.parametrize("other", [view("a", "b"), view("b", "a", spi="another")])
def test_sides_that_list_different_sas(other):
    with pytest.raises(AssertionError, match="the peers list different"):
        proofs.same_view([view("a", "b")], [other])
