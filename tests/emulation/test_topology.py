"""Topology files: ours load, the schema is in step, every mistake is one sentence with file, line and key."""

import json
import re
from pathlib import Path

import jsonschema
import pytest
import yaml

from lab.emulation import model, topology
from lab.errors import ConfigError

GOOD = """\
description: two routers' worth of nothing
nodes:
  left: {kind: gateway, default_route: box}
  box:
    kind: nat
    default_route: net
    nat:
      forwards:
        - {to: left, ports: [500, 4500]}
  net: {kind: router}
links:
  inside:
    ends:
      left: {interface: wan, addresses: [192.168.1.2/24, "fd00::2/64"]}
      box: {interface: lan, addresses: [192.168.1.1/24, "fd00::1/64"]}
  outside:
    ends:
      box: {interface: wan, addresses: [203.0.113.2/24]}
      net: {interface: left, addresses: [203.0.113.1/24]}
    impair:
      net: {delay: 20ms, loss: 1%}
"""


def test_the_shipped_topologies() -> None:
    assert {"direct", "nat-both", "nat-initiator", "nat-responder"} <= set(topology.names())
    for name in topology.names():
        loaded = topology.load(name)
        assert {"left", "right", "left-host", "right-host", "internet"} <= loaded.nodes.keys()
        assert loaded.path("left-host", "right-host")[1:-1] == loaded.path("left", "right")
        text = (topology.directory() / f"{name}.yaml").read_text()
        header = re.match(r"(#.*\n)+", text)
        drawn = [node for node in loaded.nodes if node in yaml.safe_load(text)["nodes"]]  # not those only counted
        assert header and all(node in header[0] for node in drawn), "the drawing names every node"


def test_the_published_schema_is_in_step() -> None:
    published = json.loads((topology.directory() / "schema.json").read_text())
    assert published == json.loads(json.dumps(model.schema())), (
        "run: python -m lab.emulation.model > topologies/schema.json"
    )


def test_the_schema_accepts_what_we_ship_and_refuses_what_we_refuse() -> None:
    validator = jsonschema.Draft202012Validator(model.schema())
    for name in topology.names():
        validator.validate(yaml.safe_load((topology.directory() / f"{name}.yaml").read_text()))
    for text in (GOOD.replace("kind: router", "kind: bridge"), GOOD.replace("delay", "dely"), "nodes: {}"):
        assert not validator.is_valid(yaml.safe_load(text))


def test_questions() -> None:
    loaded = topology.parse(GOOD)
    assert loaded.name == "topology"
    assert loaded.public_address("left") == "203.0.113.2", "the box forwards to left"
    assert loaded.public_address("net") == "203.0.113.1"
    assert loaded.attachment("left").address(6) == "fd00::2"
    assert loaded.attachment("box", "outside").interface == loaded.attachment("box", "wan").interface == "wan"
    assert loaded.toward("net", "left").peer == "box"
    assert topology.load("nat-both").public_address("right") == "198.51.100.2"
    assert topology.load("nat-both").public_address("left") == "192.168.1.2", "nothing forwards to left"


def test_unknown_names_are_config_errors() -> None:
    loaded = topology.parse(GOOD)
    with pytest.raises(ConfigError, match="no node `rigth`"):
        loaded.at("rigth")
    with pytest.raises(ConfigError, match="no link or interface `lan`; it has wan"):
        loaded.attachment("left", "lan")
    with pytest.raises(ConfigError, match=r"no topology `nope`; choose from adsl"):
        topology.load("nope")


THIRD = "      left: {interface: w, addresses: [192.0.2.1/24]}\n"
MISTAKES = {
    "type": ("kind: router", "kind: 7", 10, "nodes.net.kind", "text"),
    "enum": ("kind: router", "kind: bridge", 10, "nodes.net.kind", "bridge"),
    "unknown key": ("{kind: router", "{colour: red, kind: router", 10, "nodes.net.colour", "not a known key"),
    "missing key": ("{kind: router", "{default_route: box", 10, "nodes.net", "lacks the key `kind`"),
    "name": ("  net: {kind", "  Net: {kind", 10, "nodes.Net", "write for instance left"),
    "delay": ("delay: 20ms", "delay: 20", 21, "links.outside.impair.net.delay", "text"),
    "unit": ("delay: 20ms", "delay: 20 ms", 21, "links.outside.impair.net.delay", "20ms"),
    "loss": ("loss: 1%", "loss: '0.01'", 21, "links.outside.impair.net.loss", "1%"),
    "jitter": ("delay: 20ms", "jitter: 20ms", 21, "links.outside.impair.net.jitter", "needs a delay"),
    "unknown end": ("      net: {interface", "      nett: {interface", 19, "links.outside.ends.nett", "no node `nett`"),
    "jittery": ("delay: 20ms", "delay: 1ms, jitter: 2ms", 21, "links.outside.impair.net.jitter", "by more than"),
    "reorder": ("delay: 20ms", "reorder: 5%", 21, "links.outside.impair.net.reorder", "give a delay"),
    "bursts": ("loss: 1%", "loss: 1%, bursts: {begin: 1%, end: 9%}", 21, "links.outside.impair.net.bursts", "not both"),
    "share": ("loss: 1%", "duplicate: 101%", 21, "links.outside.impair.net.duplicate", "no more than 100%"),
    "impaired stranger": ("      net: {delay", "      left: {delay", 21, "links.outside.impair.left", "not an end"),
    "interface twice": ("interface: lan", "interface: wan", 18, "links.outside.ends.box.interface", "already"),
    "long interface": ("interface: lan", "interface: abcdefghijklmnop", 15, "links.inside.ends.box.interface", "wan"),
    "no address": ("[203.0.113.1/24]", "[]", 19, "links.outside.ends.net.addresses", "length >= 1"),
    "bad address": ("203.0.113.1/24", "203.0.113.300/24", 19, "links.outside.ends.net.addresses.0", "300"),
    "network address": ("203.0.113.1/24", "203.0.113.0/24", 19, "links.outside.ends.net.addresses.0", "not that of a"),
    "duplicate": ("203.0.113.1/24", "203.0.113.2/24", 19, "links.outside.ends.net.addresses.0", "used twice"),
    "other subnet": ("203.0.113.1/24", "203.0.114.1/24", 16, "links.outside", "different subnets"),
    "overlap at a node": ("203.0.113.", "192.168.1.", 18, "links.outside.ends.box.addresses.0", "overlaps"),
    "no neighbour": ("default_route: box", "default_route: net", 3, "nodes.left.default_route", "link of"),
    "loop": ("kind: router", "kind: router, default_route: box", 10, "nodes.net.default_route", "box -> net -> box"),
    "forward to a stranger": ("{to: left,", "{to: nobody,", 9, "nodes.box.nat.forwards.0.to", "not on a link"),
    "forward twice": ("[500, 4500]", "[500, 500]", 9, "nodes.box.nat.forwards.0.ports", "forwarded already"),
    "port": ("[500, 4500]", "[500, 70000]", 9, "nodes.box.nat.forwards.0.ports.1", "65535"),
    "outside": ("    nat:\n", "    nat:\n      outside: eth0\n", 8, "nodes.box.nat.outside", "`box` has lan, wan"),
    "timeout": ("    nat:\n", "    nat:\n      udp_timeout: 1500ms\n", 8, "nodes.box.nat.udp_timeout", "whole seconds"),
    "port range": ("    nat:\n", "    nat:\n      ports: 9-5\n", 8, "nodes.box.nat.ports", "not a range"),
    "nat without box": ("kind: router", "kind: nat", 10, "nodes.net", "needs the key `nat`"),
    "box without nat": ("kind: nat", "kind: router", 4, "nodes.box", "only a node of kind `nat`"),
    "island": ("  net: {kind: router}", "  net: {kind: router}\n  far: {kind: host}", 11, "nodes.far", "no link leads"),
    "three ends": ("      box: {interface: wan", f"{THIRD}      box: {{interface: wan", 17, "links.outside.ends", "3"),
    "key twice": ("  net: {kind: router}", "  net: {kind: router}\n  net: {kind: host}", 11, "nodes.net", "twice"),
    "mapping": ("    nat:\n", "    nat:\n      mapping: address-dependent\n", 8, "nodes.box.nat.mapping", "draw them"),
    "dependence": ("    nat:\n", "    nat:\n      filtering: none\n", 8, "nodes.box.nat.filtering", "'none'"),
    "address": ("    nat:\n", "    nat:\n      address: 192.0.2.9\n", 8, "nodes.box.nat.address", "203.0.113.2"),
    "firewall without key": ("kind: router", "kind: firewall", 10, "nodes.net", "needs the key `firewall`"),
    "firewall outside": (
        "kind: router", "kind: firewall, firewall: {outside: dmz}", 10, "nodes.net.firewall.outside", "`net` has left"
    ),
    "clients nowhere": (
        "description:", "clients: {count: 3, behind: boxx, subnet: 10.9.0.0/24}\ndescription:", 1, "clients.behind",
        "no node `boxx`",
    ),
    "too many clients": (
        "description:", "clients: {count: 9, behind: box, subnet: 10.9.0.0/27}\ndescription:", 1, "clients.subnet",
        "do not fit",
    ),
    "clients overlap": (
        "description:", "clients: {count: 9, behind: box, subnet: 192.168.1.0/24}\ndescription:", 1,
        "links.client1-wan.ends.client1.addresses.0", "overlaps",
    ),
    "syntax": ("  net: {kind: router}", "  net: {kind: router", 11, "", "broken YAML"),
    "tab": ("    kind: nat", "\tkind: nat", 5, "", "broken YAML"),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_sentence_with_file_line_and_key(mistake: str) -> None:
    right, wrong, line, key, words = MISTAKES[mistake]
    assert right in GOOD
    with pytest.raises(ConfigError) as caught:
        topology.parse(GOOD.replace(right, wrong), "my.yaml")
    assert (caught.value.file, caught.value.line, caught.value.key) == ("my.yaml", line, key), caught.value
    assert words in caught.value.text, caught.value
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    ["", "---\n", "[]", "7", "a: 1\n---\nb: 2", "{a: [}", "? [a]\n: b", "a: &x [*x]", "[" * 5000, "a: !!int x"],
)  # fmt: skip
def test_rubbish_is_a_config_error(text: str) -> None:
    with pytest.raises(ConfigError):
        topology.parse(text)


def test_aliases_cannot_blow_up() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    with pytest.raises(ConfigError, match="too large"):
        topology.parse("\n".join(lines))


def test_unreadable_files(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        topology.load(tmp_path / "absent.yaml")
    binary = tmp_path / "binary.yaml"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="UTF-8"):
        topology.load(binary)


def test_two_nats_may_hide_the_same_subnet_but_one_domain_may_not() -> None:
    text = (topology.directory() / "nat-both.yaml").read_text()
    topology.parse(text.replace("192.168.2.", "192.168.1."))
    text = (topology.directory() / "direct.yaml").read_text()
    with pytest.raises(ConfigError, match="overlaps"):
        topology.parse(text.replace("10.2.0.", "10.1.0."))
