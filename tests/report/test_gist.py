from typing import Any

import pytest

from lab.report import detail

PROPOSAL = {
    "name": "Proposal", "children": [
        {"name": "Number", "value": "1"}, {"name": "Protocol", "value": "ESP (3)"},
        {"name": "Transform", "children": [
            {"name": "Type", "value": "ENCR (1)"}, {"name": "ID", "value": "ENCR_AES_GCM_16 (20)"},
            {"name": "KEY_LENGTH", "value": "256"},
        ]},
        {"name": "Transform", "children": [{"name": "ID", "value": "NO_ESN (0)"}]},
    ],
}  # fmt: skip
SELECTOR = {
    "name": "Traffic selector", "children": [
        {"name": "IP protocol", "value": "17"}, {"name": "Start port", "value": "53"},
        {"name": "End port", "value": "53"},
        {"name": "Start address", "value": "10.1.0.0"}, {"name": "End address", "value": "10.1.0.255"},
    ],
}  # fmt: skip


def field(name: str, value: str) -> dict[str, Any]:
    return {"name": name, "value": value}


@pytest.mark.parametrize(
    ("name", "children", "said"),
    [
        ("SA", [field("Length", "36"), PROPOSAL], "ENCR_AES_GCM_16 256, NO_ESN"),
        ("SA", [PROPOSAL, PROPOSAL], "ENCR_AES_GCM_16 256, NO_ESN; ENCR_AES_GCM_16 256, NO_ESN"),
        ("TSi", [SELECTOR], "10.1.0.0-10.1.0.255 protocol 17 ports 53-53"),
        ("N", [field("Type", "NO_PROPOSAL_CHOSEN (14)")], "NO_PROPOSAL_CHOSEN"),
        ("IDi", [field("ID type", "ID_FQDN (2)"), field("Identification", "left (1)")], "left (1)"),
        ("D", [field("Protocol", "ESP (3)"), field("SPI", "c0ffee01")], "ESP c0ffee01"),
        ("IKE header", [field("Exchange type", "IKE_AUTH (35)"), field("Message ID", "1")], "IKE_AUTH 1"),
        ("N", [], ""),
        ("V", [field("Data", "00")], ""),
    ],
)
def test_a_closed_node_says_what_one_would_open_it_for(name: str, children: list[Any], said: str) -> None:
    (node,) = detail.read([{"n": 0, "tree": [{"name": name, "value": "", "children": children}]}])[0].tree
    assert node.value == said


def test_many_octets_are_cut_to_a_line_and_counted() -> None:
    (node,) = detail.read([{"n": 0, "tree": [field("Data", "ab" * 48)]}])[0].tree
    assert node.value == "ab" * 12 + "..., 48 octets"
    (spi,) = detail.read([{"n": 0, "tree": [field("SPI", "ab" * 20)]}])[0].tree
    assert spi.value == "ab" * 20
