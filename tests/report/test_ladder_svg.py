import re
from xml.etree import ElementTree

import pytest

from lab.report import ladder, ladder_svg, lanes
from tests.report.synthetic import Wire, handshake, topology_json, with_losses

FOUND = lanes.Lanes(("left", "right"), {})


def drawn(script: object, number: int, *, addresses: bool = False) -> ElementTree.Element:
    wire = Wire(nat=True)
    script(wire)  # type: ignore[operator]
    messages = ladder.read(wire.ladder)
    found = lanes.find(messages, topology_json(nat=True))
    return ElementTree.fromstring(ladder_svg.arrow(messages[number], found, addresses=addresses))


def ends(svg: ElementTree.Element) -> tuple[str, str]:
    line = svg.find("line")
    assert line is not None
    return line.get("x1", ""), line.get("x2", "")


def kinds(svg: ElementTree.Element) -> list[str]:
    return [path.get("class", "") for path in svg.iter("path")]


def test_a_request_points_right_and_a_response_left() -> None:
    assert ends(drawn(handshake, 0)) == ("0%", "100%")
    assert ends(drawn(handshake, 1)) == ("100%", "0%")


@pytest.mark.parametrize("number", [0, 1])
def test_both_nats_rewrite_in_both_directions(number: int) -> None:
    svg = drawn(handshake, number)
    assert [part.get("x") for part in svg.iter("svg") if part.find("path[@class='rewrite']") is not None] == (
        ["33.33%", "66.67%"] if number == 0 else ["66.67%", "33.33%"]
    )


def test_addresses_stand_on_their_stretches() -> None:
    texts = [part.text for part in drawn(handshake, 1, addresses=True).iter("text") if part.get("class") == "addr"]
    assert texts == [
        "203.0.113.2:20500 \u2190 192.168.2.2:500",
        "203.0.113.2:20500 \u2190 198.51.100.2:500",
        "192.168.1.2:500 \u2190 198.51.100.2:500",
    ]


def test_times_stand_at_the_ends_they_belong_to() -> None:
    times = {part.get("x"): part.text for part in drawn(handshake, 1).iter("text")}
    assert times == {"100%": "0.0206", "0%": "0.0410"}


def test_a_lost_message_ends_in_a_cross_before_its_receiver_and_has_no_head() -> None:
    svg = drawn(with_losses, 0)
    assert "lost" in svg.get("class", "").split()
    assert ends(svg) == ("0%", "50%")
    assert "cross" in kinds(svg) and "head" not in kinds(svg)
    assert [part.text for part in svg.iter("text")] == ["0.0000"]


def test_a_message_whose_arrival_nobody_saw_ends_open_where_it_was_seen_last() -> None:
    hops = [{"point": point, "src": "a", "dst": "b"} for point in ("left:wan", "internet:left")]
    (one,) = ladder.read([{"from": "left", "to": "right", "t_sent": 1.0, "t_received": None, "hops": hops}])
    svg = ElementTree.fromstring(ladder_svg.arrow(one, FOUND, addresses=False))
    assert one.marks == ["not seen to arrive"]
    assert ends(svg) == ("0%", "50%") and "head" not in kinds(svg)
    (other,) = ladder.read([{"from": "left", "to": "right", "t_sent": 1.0, "hops": hops[:1]}])
    assert other.marks == []
    assert "head" in kinds(ElementTree.fromstring(ladder_svg.arrow(other, FOUND, addresses=False)))


def test_a_retransmission_is_a_double_line() -> None:
    svg = drawn(with_losses, 1)
    assert [line.get("class") for line in svg.iter("line")] == ["stroke", "core"]


@pytest.mark.parametrize(("points", "stop"), [([], "50%"), (["left:wan"], "50%"), (["left:wan", "right:wan"], "75%")])
def test_where_a_message_was_lost_follows_from_where_it_was_seen(points: list[str], stop: str) -> None:
    seen = [{"point": point, "src": "a", "dst": "b"} for point in points]
    (one,) = ladder.read([{"from": "left", "to": "right", "lost": True, "hops": seen}])
    assert ends(ElementTree.fromstring(ladder_svg.arrow(one, FOUND, addresses=False)))[1] == stop


def test_names_and_addresses_are_escaped() -> None:
    hostile = "</text><script>"
    found = lanes.Lanes((hostile, "right"), {})
    (one,) = ladder.read([{"from": hostile, "to": "right", "hops": [{"point": hostile, "src": hostile, "dst": "&"}]}])
    for svg in (ladder_svg.header(found, {hostile: hostile}), ladder_svg.arrow(one, found, addresses=True)):
        assert "<script>" not in svg and not re.search(r"&(?!amp;|lt;|gt;|#3[49];)", svg)
        ElementTree.fromstring(svg)


def test_a_run_has_an_arrow_for_each_direction() -> None:
    listed = [
        {"n": n, "from": ("left", "right")[n % 2], "to": ("right", "left")[n % 2], "protocol": "ESP"} for n in range(9)
    ]
    (row,) = ladder.rows(ladder.read(listed))
    assert isinstance(row, ladder.Run)
    svg = ElementTree.fromstring(ladder_svg.run(row, FOUND))
    assert [(line.get("x1"), line.get("x2")) for line in svg.iter("line")] == [("0%", "100%"), ("100%", "0%")]
