"""Which sightings are one datagram: retransmissions, losses, copies, keepalives, and time that stands still."""

import random
from ipaddress import IPv4Address

from lab.evidence import ladder
from lab.evidence.capture import Frame
from lab.evidence.keys import Keys
from lab.evidence.ladder import Entry
from lab.wire.gre import GREPacket
from lab.wire.packets import GRE, IPv4
from lab.wire.pcapng import Direction, LinkType
from tests.evidence.made import LEFT, PLACES, RIGHT, RIGHT_OUT, crossing, esp, frame, ike, in_time


def build(frames: list[Frame]) -> list[Entry]:
    return ladder.build(frames, Keys(), PLACES)


def told(entries: list[Entry]) -> list[tuple[str, str, bool, int | None]]:
    return [(e["from"], e["to"], e["lost"], e["retransmit_of"]) for e in entries]


def test_one_datagram_through_two_nats_is_one_entry() -> None:
    (entry,) = build(crossing(0, ike()))
    assert told([entry]) == [("left", "right", False, None)]
    assert (entry["t_sent"], entry["t_received"]) == (0.0, 0.006)
    assert (entry["src"], entry["dst"]) == (f"{LEFT}:4500", f"{RIGHT_OUT}:4500")
    assert entry["hops"][-1]["dst"] == f"{RIGHT}:4500"
    assert len(entry["hops"]) == 7


def test_lost_request_and_its_retransmission() -> None:
    frames = in_time(crossing(0, ike(), upto=3), crossing(4000, ike()), crossing(4010, ike(response=True), back=True))
    assert told(build(frames)) == [
        ("left", "right", True, None),
        ("left", "right", False, 0),
        ("right", "left", False, None),
    ]


def test_lost_response_is_answered_again_from_the_cache() -> None:
    answer = ike(response=True)
    frames = in_time(
        crossing(0, ike()),
        crossing(7, answer, back=True, upto=4),
        crossing(4000, ike()),
        crossing(4007, answer, back=True),
    )
    assert told(build(frames)) == [
        ("left", "right", False, None),
        ("right", "left", True, None),
        ("left", "right", False, 0),
        ("right", "left", False, 1),
    ]


def test_retransmission_overtaken_by_nothing_is_told_apart_by_the_usual_time_under_way() -> None:
    # 3 s one way is more than the 2 s between the copies: the nearest one in time would be the wrong one.
    frames = in_time(
        crossing(0, ike(0), hop_ms=500), crossing(10_000, ike(1), hop_ms=500), crossing(12_000, ike(1), hop_ms=500)
    )
    entries = build(frames)
    assert [e["t_received"] for e in entries] == [3.0, 13.0, 15.0]


def test_copy_made_by_the_network_is_a_duplicate_and_no_retransmission() -> None:
    copied = crossing(0, esp(1))
    frames = in_time(copied, [frame(8, "right-nat:lan", "203.0.113.2", RIGHT, esp(1)), frame(9, *_last(esp(1)))])
    (entry,) = build(frames)
    assert entry["duplicates"] == 1
    assert entry["t_received"] == 0.006
    assert len(entry["hops"]) == 9


def _last(payload: bytes) -> tuple[str, str, str, bytes]:
    return "right:wan", "203.0.113.2", RIGHT, payload


def test_changed_under_way_is_lost_and_something_else_appears() -> None:
    frames = in_time(crossing(0, esp(1), upto=4), crossing(0, esp(1)[:-1] + b"!")[4:])
    assert told(build(frames)) == [("left", "right", True, None), ("right-nat", "right", False, None)]


def test_reordered_packets_keep_their_own_times() -> None:
    frames = in_time(crossing(0, esp(1), hop_ms=10), crossing(1, esp(2), hop_ms=1))
    entries = build(frames)
    assert [(e["seq"], e["t_received"]) for e in entries] == [(1, 0.06), (2, 0.007)]


def test_keepalives_of_both_sides_are_kept_apart_and_never_retransmissions() -> None:
    frames = in_time(*(crossing(20_000 * n, b"\xff") for n in range(3)), crossing(3, b"\xff", back=True))
    entries = build(frames)
    assert [(e["from"], e["t_sent"]) for e in entries] == [
        ("left", 0.0),
        ("right", 0.003),
        ("left", 20.0),
        ("left", 40.0),
    ]
    assert {e["protocol"] for e in entries} == {"NAT-keepalive"}
    assert all(e["retransmit_of"] is None and len(e["hops"]) == 7 and not e["lost"] for e in entries)


def test_time_that_stands_still_is_ordered_by_what_each_tap_saw() -> None:
    by_point: dict[str, list[Frame]] = {}
    for n in range(1, 6):
        # The first copy is seen by the sender's tap alone, so its place in the file says little.
        lost, request, answer = ike(100 + n), ike(n), ike(n, response=True)
        for one in (
            *crossing(0, lost, hop_ms=0, upto=1),
            *crossing(0, request, hop_ms=0),
            *crossing(0, answer, back=True, hop_ms=0),
        ):
            by_point.setdefault(one.point, []).append(one)
    source = random.Random(7)
    for _ in range(20):
        queues = [list(frames) for frames in by_point.values()]
        mixed = []
        while any(queues):
            mixed.append(source.choice([queue for queue in queues if queue]).pop(0))
        entries = build(mixed)
        assert [(e["message_id"], e["from"], e["lost"]) for e in entries] == [
            told for n in range(1, 6) for told in ((100 + n, "left", True), (n, "left", False), (n, "right", False))
        ]


def test_datagrams_that_cross_at_one_instant_are_both_there() -> None:
    there, back = crossing(0, esp(1), hop_ms=0), crossing(0, esp(9, 0xBBBBBBBB), back=True, hop_ms=0)
    frames = [there[0], back[0], *there[1:6], *back[1:6], back[6], there[6]]
    assert {(e["from"], e["lost"]) for e in build(frames)} == {("left", False), ("right", False)}


def test_receiver_of_what_never_arrives_is_who_got_it_before() -> None:
    # Only the last datagram is lost before the NAT in front of `right`, which owns the address it was sent to.
    entries = build(in_time(crossing(0, ike(0)), crossing(100, ike(1), upto=2)))
    assert told(entries)[-1] == ("left", "right", True, None)


def test_thousands_at_one_instant_take_no_time() -> None:
    frames = [f for n in range(1, 1001) for f in (crossing(0, esp(n), hop_ms=0)[0], crossing(0, esp(n), hop_ms=0)[-1])]
    assert [e["seq"] for e in build(frames)] == list(range(1, 1001))


def gre_at(t_ms: float, point: str) -> Frame:
    """The same GRE packet at a tap, from left to right."""
    data = IPv4(IPv4Address(LEFT), IPv4Address(RIGHT), GRE, GREPacket(0x0800, b"inner").encode()).encode()
    way = Direction.OUTBOUND if point == "left:wan" else Direction.INBOUND
    return Frame(int(t_ms * 1e6), point, data, LinkType.RAW, way)


def test_gre_that_linux_shows_again_was_never_on_the_wire() -> None:
    esp_packet = crossing(0, esp(1))
    assert [e["protocol"] for e in build(in_time(esp_packet, [gre_at(7, "right:wan")]))] == ["ESP"]


def test_gre_on_the_wire_stays() -> None:
    (entry,) = build([gre_at(0, "left:wan"), gre_at(3, "right:wan")])
    assert (entry["protocol"], entry["from"], entry["to"], entry["lost"]) == ("GRE", "left", "right", False)


def test_gre_of_a_sender_without_a_tap_stays() -> None:
    assert [e["protocol"] for e in build([gre_at(3, "right:wan")])] == ["GRE"]
