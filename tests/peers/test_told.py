"""What commands print is filled up and checked."""

import json

import pytest

from lab.errors import BrokenError
from lab.peers import told

CHILD = {"state": "INSTALLED", "spi_in": "c0ffee01", "spi_out": "c0ffee02"}
SA = {"state": "ESTABLISHED", "spi_i": "11" * 8, "spi_r": "22" * 8, "children": [CHILD]}


def test_what_is_not_said_is_not_known() -> None:
    (sa,) = told.sas(json.dumps([SA | {"integ": None, "established_s": 1.5}]), "mine printed")
    assert (sa["version"], sa["encr"], sa["local_vips"], sa["established_s"]) == (2, "", [], 1.5)
    assert sa["children"][0]["protocol"] == "ESP" and sa["children"][0]["bytes_in"] == 0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("no", "printed what is not JSON"),
        ("{}", "something other than a list of objects"),
        (json.dumps([SA | {"spi": 1}]), "an IKE SA with 'spi', which is no name of sas.json"),
        (json.dumps([{"state": "ESTABLISHED"}]), "an IKE SA without 'spi_i'"),
        (json.dumps([SA | {"nat_local": "no"}]), "an IKE SA whose nat_local is 'no'"),
        (json.dumps([SA | {"local_port": True}]), "an IKE SA whose local_port is True"),
        (json.dumps([SA | {"children": [{"state": "INSTALLED"}]}]), "a CHILD SA without 'spi_in'"),
    ],
)
def test_a_slip_is_named(text: str, words: str) -> None:
    with pytest.raises(BrokenError, match=words):
        told.sas(text, "mine printed")


def test_keys_get_their_source_and_must_be_whole() -> None:
    text = json.dumps({"child": [{"spi": "01", "encr": "ENCR_NULL", "encr_key": ""}]})
    found = told.keys(text, "mine printed", "mine:left")
    assert found["ike"] == [] and found["child"][0]["source"] == "mine:left"
    with pytest.raises(BrokenError, match="child keys without 'encr_key'"):
        told.keys('{"child": [{"spi": "01", "encr": "ENCR_NULL"}]}', "mine printed", "mine:left")
    with pytest.raises(BrokenError, match="something other than"):
        told.keys('{"esp": []}', "mine printed", "mine:left")


def test_events_have_names() -> None:
    (event,) = told.events('{"event": "ike-up", "ike": "gw"}\n', "mine printed")
    assert (event.name, event.fields) == ("ike-up", {"ike": "gw"})
    with pytest.raises(BrokenError, match="an event without a name"):
        told.events('{"ike": "gw"}\n', "mine printed")


def test_counters_are_numbers() -> None:
    assert told.counters('{"ike": 3}', "mine printed") == {"ike": 3}
    with pytest.raises(BrokenError, match="counters that are not"):
        told.counters('{"ike": "3"}', "mine printed")
