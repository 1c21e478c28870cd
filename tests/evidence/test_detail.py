"""The tree beside the hex view: every octet of a message belongs to exactly one field, and says what is there."""

from collections.abc import Iterator
from typing import Any

import pytest

from lab.evidence import detail
from lab.evidence.scene import Scene
from tests.evidence.recorded import NAMES, frames, keys_of, places_of


def details(name: str) -> list[dict[str, Any]]:
    return detail.build(Scene(frames(name), keys_of(name), places_of(name)))


def leaves(nodes: list[dict[str, Any]], of: str) -> Iterator[tuple[str, int, int]]:
    for node in nodes:
        inherited = node.get("of", of)
        if node.get("children"):
            yield from leaves(node["children"], inherited)
        elif node["at"][1]:
            yield inherited, *node["at"]


def find(nodes: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    found = []
    for node in nodes:
        found += [node] if node["name"] == name else []
        found += find(node.get("children", []), name)
    return found


@pytest.mark.parametrize("name", NAMES)
def test_every_octet_is_in_one_field(name: str) -> None:
    checked = 0
    for message in details(name):
        for of in ("raw", "plain"):
            octets = bytes.fromhex(message.get(of, ""))
            places = sorted(place[1:] for place in leaves(message.get("tree", []), "raw") if place[0] == of)
            end = 0
            for start, length in places:
                assert start == end, (message["n"], of, places)
                end = start + length
            assert end == len(octets)
            checked += end
    assert checked > 1000


def test_fields_say_what_the_octets_hold() -> None:
    message = details("nat-gcm")[3]
    tree = message["tree"]
    assert [node["value"] for node in find(tree, "Identification")] == ["left.lab", "right.lab"]
    assert [node["value"] for node in find(tree, "Start address")] == ["10.1.0.1", "10.2.0.1"]
    assert find(tree, "Exchange type")[0]["value"] == "IKE_AUTH (35)"
    assert find(tree, "Method")[0]["value"] == "SHARED_KEY (2)"
    assert find(tree, "KEY_LENGTH")[0]["value"] == "128"
    assert {node["rfc"] for node in find(tree, "TSi")} == {"7296 3.13"}
    identification = find(tree, "Identification")[0]
    start, length = identification["at"]
    assert bytes.fromhex(message["plain"])[start : start + length] == b"left.lab"


def test_retransmission_refers_to_the_first_copy() -> None:
    assert details("nat-gcm")[1] == {"n": 1, "same_as": 0}


def test_esp_shows_the_packet_inside() -> None:
    packet = details("nat-gcm")[5]
    assert packet["plain"].startswith("45")
    assert "ICMP echo-request 10.1.0.1 -> 10.2.0.1 seq 1" in packet["tree"][2]["value"]


def test_only_the_first_packets_of_an_esp_sa_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(detail, "ESP_SHOWN", 1)
    omitted = [message["n"] for message in details("nat-gcm") if message.get("omitted")]
    assert omitted == [7, 8, 15, 16]


def test_broken_substructures_are_shown_as_far_as_they_can_be_read() -> None:
    scene = Scene(frames("nat-gcm"), keys_of("nat-gcm"), places_of("nat-gcm"))
    reading = scene.reader.read(scene.flights[0].first)
    body = bytearray(scene.flights[0].first.body)
    body[28 + 4 + 2 : 28 + 4 + 4] = b"\xff\xff"  # the length of the first proposal
    tree = detail.of_datagram(bytes(body), reading)["tree"]
    assert find(tree, "Proposal")[0]["children"][2]["value"] == "65535"
    body[30:32] = b"\xff\xff"  # the length of the SA payload itself
    tree = detail.of_datagram(bytes(body), reading)["tree"]
    assert tree[-1]["name"] == "malformed"
