"""What a disturbance costs, counted in captures made up here."""

from dataclasses import replace

import pytest

from lab.evidence.layers import Layer, Packet
from lab.plugin import disturbance, routing
from lab.plugin.disturbance import Adjacency, Cost, Echoes, Hellos
from lab.plugin.echoes import Echo
from lab.wire.pcapng import Direction
from tests.plugin.test_routing import ospf

HERE, THERE = "10.1.0.10", "10.2.0.10"


def hello(n, point, *, kind=1):
    """The hello number `n` of the left router in an ESP packet of its own, at a tap."""
    way = Direction.OUTBOUND if point == "left:wan" else Direction.INBOUND
    layers = (Layer("IPv4", b""), Layer("ESP", bytes([n])), Layer("OSPF", ospf(kind=kind)))
    return Packet(float(n), point, way, ("", ""), layers)


def counted(sent, came, until=100.0):
    packets = [hello(n, "left:wan") for n in sent] + [hello(n, "right:wan") for n in came]
    return disturbance.hellos(routing.heard(packets), packets, "left", until)


def test_hellos_that_came_and_that_did_not():
    assert counted(range(5), range(5)) == Hellos(5, 0, 0)
    assert counted(range(10), [0, 1, 3, 6, 7, 9]) == Hellos(10, 4, 2)


def test_a_hello_that_may_still_be_under_way_is_not_lost():
    assert counted(range(5), range(4), until=3.5) == Hellos(4, 0, 0)


def test_a_hello_that_left_in_the_clear_is_lost():
    clear = replace(hello(1, "left:wan"), layers=(Layer("IPv4", b""), Layer("OSPF", ospf())))
    packets = [clear, replace(clear, point="right:wan", direction=Direction.INBOUND)]
    assert disturbance.hellos(routing.heard(packets), packets, "left", 100.0) == Hellos(1, 1, 1)


def test_a_count_that_began_anew_says_nothing():
    assert disturbance._since({"left": 9, "right": 5}, {"left": 12, "right": 2}) == {"left": 3, "right": None}


def echoes(*answers, every=1.0):
    seen = []
    for n, answered in enumerate(answers):
        seen.append(Echo(10 + n * every, 7, n, False, HERE, THERE))
        seen += [Echo(10 + n * every + 0.1, 7, n, True, THERE, HERE)] if answered else []
    return disturbance.cut_off(seen, HERE, THERE, every, 10.0)


@pytest.mark.parametrize(
    ("answers", "lost", "outage"),
    [
        ((True, True, True), 0, 0.0),
        ((True, False, True), 1, 1.0),
        ((False, True, False, False, False, True), 4, 3.0),
        ((True, False, False), 2, 2.0),
    ],
)
def test_how_long_hosts_were_cut_off(answers, lost, outage):
    found = echoes(*answers)
    assert (found.sent, found.lost, found.outage_s) == (len(answers), lost, outage)
    assert [there for _, there in found.series] == list(answers)
    assert [t for t, _ in found.series] == [float(n) for n in range(len(answers))]


QUIET = Cost(
    "a test",
    10.0,
    {"left": Hellos(10, 0, 0, taken=11), "right": Hellos(9, 0, 0, taken=9)},
    Echoes(0.1, 50, 0, 0.0),
    {"left": Adjacency(5, 5, 60.0), "right": Adjacency(5, 5, 60.0)},
    0,
)


def test_what_went_through_unnoticed():
    disturbance.unbroken(QUIET)
    disturbance.nothing_lost(QUIET)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            {"adjacencies": QUIET.adjacencies | {"right": Adjacency(5, 9, 60.0)}},
            "right the neighbour's state changed 4",
        ),
        ({"adjacencies": QUIET.adjacencies | {"left": Adjacency(5, 5, 3.0)}}, "on left the neighbour is up for 3.0 s"),
        ({"adjacencies": QUIET.adjacencies | {"left": Adjacency(5, 5, 0.0)}}, "on left the neighbour is up for 0.0 s"),
        ({"descriptions": 2}, "2 database descriptions were sent during a test"),
    ],
)
def test_an_adjacency_that_broke(change, words):
    with pytest.raises(AssertionError, match=words):
        disturbance.unbroken(replace(QUIET, **change))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"hellos": QUIET.hellos | {"left": Hellos(10, 1, 1)}}, "1 of 10 hellos of left were lost"),
        ({"hellos": QUIET.hellos | {"left": Hellos(0, 0, 0)}}, "left sent no hello"),
        ({"hellos": QUIET.hellos | {"left": Hellos(10, 0, 0, taken=9)}}, "of 10 hellos of left only 9 were taken"),
        ({"hellos": QUIET.hellos | {"left": Hellos(10, 0, 0)}}, "of 10 hellos of left only None were taken"),
        ({"echoes": Echoes(0.1, 50, 2, 0.2)}, r"2 of 50 echoes were lost during a test, 0\.2 s long"),
    ],
)
def test_what_was_lost(change, words):
    with pytest.raises(AssertionError, match=words):
        disturbance.nothing_lost(replace(QUIET, **change))


def test_there_is_no_cost_before_the_end():
    with pytest.raises(AssertionError, match="not over"):
        disturbance.Watched().cost  # noqa: B018
