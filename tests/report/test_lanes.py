from lab.report import ladder, lanes
from tests.report.synthetic import Wire, handshake, topology_json


def messages(*, nat: bool) -> list[ladder.Message]:
    wire = Wire(nat=nat)
    handshake(wire)
    return ladder.read(wire.ladder)


def test_gateways_and_nats_have_lanes_and_routers_have_none() -> None:
    assert lanes.find(messages(nat=True), topology_json(nat=True)).names == ("left", "left-nat", "right-nat", "right")
    assert lanes.find(messages(nat=False), topology_json(nat=False)).names == ("left", "right")


def test_every_capture_point_on_the_path_sees_its_stretch() -> None:
    taps = lanes.find(messages(nat=True), topology_json(nat=True)).taps
    assert taps == {
        "left:wan": 0, "left-nat:lan": 0, "left-nat:wan": 1, "internet:left": 1, "internet:right": 1,
        "right-nat:wan": 1, "right-nat:lan": 2, "right:wan": 2,
    }  # fmt: skip


def test_without_a_topology_whoever_spoke_has_a_lane() -> None:
    assert lanes.find(messages(nat=True), {}).names == ("left", "right")


def test_strangers_to_the_topology_take_it_out_of_use() -> None:
    found = [*messages(nat=True), *ladder.read([{"n": 9, "from": "203.0.113.66", "to": "right", "protocol": "IKEv2"}])]
    assert lanes.find(found, topology_json(nat=True)).names == ("left", "right", "203.0.113.66")


def test_a_node_that_talks_to_itself_still_has_two_ends() -> None:
    found = lanes.Lanes(("left", "right"), {})
    assert [found.place(*ends) for ends in (("left", "left"), ("right", "right"), ("?", "?"), ("right", "?"))] == [
        (0, 1), (1, 0), (0, 1), (1, 0),
    ]  # fmt: skip
