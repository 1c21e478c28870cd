"""Rules in a topology file: what is wrong is said with file, line and key before anything is started."""

import re

import pytest

from lab.emulation import topology
from lab.emulation.gate import place, written
from lab.errors import ConfigError

BASE = (topology.directory() / "direct.yaml").read_text()
LINE = len(BASE.splitlines()) + 2


def load(rules: str) -> topology.Topology:
    return topology.parse(f"{BASE}gates:\n  {rules}\n", "gated.yaml")


def test_rules_are_read() -> None:
    found = load("internet: [{hold: ESP from left, until: 2nd IKE, for: 2s}, {order: [ESP, AH], gather: 2}]").gates
    assert [written.fields(one) for one in found["internet"]] == [
        {"action": "hold", "filter": "ESP from left", "until": "2nd IKE", "for": "2s"},
        {"action": "order", "filters": ["ESP", "AH"], "gather": 2},
    ]
    assert load("left-wan: [{drop: ESP}]").gates["left-wan"][0].drop == "ESP"


@pytest.mark.parametrize(
    ("rules", "key", "said"),
    [
        ("nowhere: [{drop: ESP}]", "nowhere", "there is no node or link `nowhere`; there are left-host"),
        ("left: [{drop: ESP}]", "left", "`left` is no router or NAT box"),
        ("left-lan: [{drop: ESP}]", "left-lan", "nor a link next to one"),
        ("internet: [{drop: 2nd IKE_AUTH respnse}]", "internet.0.drop", "word 3: `respnse` is not expected"),
        ("internet: [{drop: ESP}, {hold: ESP, until: ESq}]", "internet.1.until", "did you mean ESP"),
        ("internet: [{drop: ESP, hold: ESP}]", "internet.0.drop", "a rule has one action of"),
        ("internet: [{}]", "internet.0", "this one has none"),
        ("internet: [{delay: ESP}]", "internet.0.delay", "wants to know `for` how long"),
        ("internet: [{delay: ESP, for: 5x}]", "internet.0.for", "write for instance 20ms"),
        ("internet: [{delay: ESP, for: 700s}]", "internet.0.for", "at most 600 s"),
        ("internet: [{drop: ESP, octet: 4}]", "internet.0.octet", "drop takes a filter alone, not octet"),
        ("internet: [{hold: ESP from lft}]", "internet.0.hold", "names a node `lft` that is not beside this gate"),
        ("internet: [{hold: ESP from internet}]", "internet.0.hold", "`internet` that is not beside"),
        ("internet: [{dorp: ESP}]", "internet.0.dorp", "`dorp` is not a known key"),
        ("internet: [{drop: 5}]", "internet.0.drop", "must be text"),
        ("internet: [{order: [ESP]}]", "internet.0.order", "length >= 2"),
    ],
)
def test_mistakes(rules: str, key: str, said: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(f"gated.yaml:{LINE}: gates.{key}: ") + ".*" + re.escape(said)):
        load(rules)


def test_places() -> None:
    both = topology.load("nat-both")
    assert place.usual(both) == "internet"
    assert place.sides(both, "internet")["left-host"] == place.sides(both, "internet")["left"]
    roaming = topology.load("roaming")
    prefixes = dict(place.networks(roaming, "internet"))
    assert prefixes["198.51.100.0/24"] == roaming.toward("internet", "right").interface
    assert prefixes["203.0.113.0/24"] == roaming.toward("internet", "isp").interface
