"""What FRR 10.3 answered, recorded, and what its answers may not be."""

import json
from pathlib import Path

import pytest

from lab.errors import BrokenError
from lab.peers.frr_show import Neighbor, Route, hellos_in, neighbors, routes

HERE = Path(__file__).parent
NEIGHBOR, DETAIL, ROUTE = (
    (HERE / f"frr-10.3-{name}.json").read_text() for name in ("neighbor", "neighbor-detail", "route")
)


def test_a_neighbour():
    assert neighbors(NEIGHBOR, DETAIL) == [Neighbor("2.2.2.2", "Full", "172.31.0.2", "gre1", 4.157, 5)]


def test_a_neighbour_that_went_between_the_questions_has_no_details():
    assert neighbors(NEIGHBOR, '{"neighbors":{}}')[0].changes == 0


def test_a_neighbour_that_no_hello_keeps_yet() -> None:
    row = json.loads(NEIGHBOR)
    for key in ("upTimeInMsec", "upTime", "deadTime"):
        del row["neighbors"]["2.2.2.2"][0][key]
    assert neighbors(json.dumps(row), DETAIL)[0].up_s == 0.0


@pytest.mark.parametrize("nothing", ['{"neighbors":{}}', "{}"])
def test_no_neighbour(nothing):
    assert neighbors(nothing, nothing) == []


def test_routes_of_our_own_and_one_that_was_learned():
    assert routes(ROUTE) == [
        Route("10.1.0.0/24", "", "lan", 10, installed=False),
        Route("10.2.0.0/24", "172.31.0.2", "gre1", 20, installed=True),
    ]


@pytest.mark.parametrize("text", ["% OSPF is not enabled\n", "[]", '{"neighbors": []}'])
def test_an_answer_of_another_shape_is_the_labs_mistake(text):
    with pytest.raises(BrokenError):
        neighbors(text, text)


def test_hellos_that_ospfd_took():
    counters = '"ifIndex":10,"helloIn":4,"helloOut":5,"dbDescIn":2,"dbDescOut":3,"packetsQueued":0'
    assert hellos_in(f'{{"gre1":{{{counters}}}}}') == {"gre1": 4}
    assert hellos_in("{}") == {}


def test_no_json_instead_of_routes():
    with pytest.raises(BrokenError, match="did not answer with JSON: '% Unknown command'"):
        routes("% Unknown command")
