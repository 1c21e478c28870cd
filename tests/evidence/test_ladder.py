"""The ladder of recorded strongSwan runs, checked against what was done there (tests/captures/README.md)."""

import pytest

from lab.evidence import keys, ladder, places
from tests.evidence.recorded import NAMES, frames, keys_of, ladder_of, places_of

NAT = [
    # from, exchange or protocol, message id, response, lost, retransmit of
    ("left", "IKE_SA_INIT", 0, False, True, None),
    ("left", "IKE_SA_INIT", 0, False, False, 0),
    ("right", "IKE_SA_INIT", 0, True, False, None),
    ("left", "IKE_AUTH", 1, False, False, None),
    ("right", "IKE_AUTH", 1, True, False, None),
    *[(side, "ESP", None, None, False, None) for side in ("left", "right", "left", "right")],
    ("left", "CREATE_CHILD_SA", 2, False, False, None),
    ("right", "CREATE_CHILD_SA", 2, True, False, None),
    ("left", "INFORMATIONAL", 3, False, False, None),
    ("right", "INFORMATIONAL", 3, True, False, None),
    *[(side, "ESP", None, None, False, None) for side in ("left", "right", "left", "right")],
    ("right", "INFORMATIONAL", 0, False, False, None),
    ("left", "INFORMATIONAL", 0, True, False, None),
]


def test_nat_run_is_told_in_full() -> None:
    entries = ladder_of("nat-gcm")
    told = [
        (e["from"], e["exchange"] or e["protocol"], e["message_id"], e["response"], e["lost"], e["retransmit_of"])
        for e in entries
    ]
    assert told == NAT
    assert all({e["from"], e["to"]} == {"left", "right"} for e in entries)
    assert [e["n"] for e in entries] == list(range(len(entries)))
    assert all(e["t_received"] is None if e["lost"] else e["t_received"] >= e["t_sent"] for e in entries)


def test_payload_names_are_those_of_the_rfc() -> None:
    entries = ladder_of("nat-gcm")
    assert entries[1]["payloads"][:3] == ["SAi1", "KEi", "Ni"]
    assert entries[2]["payloads"][:3] == ["SAr1", "KEr", "Nr"]
    assert "N(NAT_DETECTION_SOURCE_IP)" in entries[1]["payloads"]
    assert entries[3]["payloads"][:7] == ["IDi", "N(INITIAL_CONTACT)", "IDr", "AUTH", "SAi2", "TSi", "TSr"]
    assert entries[4]["payloads"] == ["IDr", "AUTH", "SAr2", "TSi", "TSr"]
    assert [entries[n].get("auth") for n in (1, 3, 4)] == [None, "SHARED_KEY", "SHARED_KEY"]
    assert entries[9]["payloads"] == ["N(REKEY_SA)", "SA", "Ni", "KEi", "TSi", "TSr"]
    assert entries[11]["payloads"] == ["D"]
    assert entries[-1]["payloads"] == []
    assert entries[-1]["opened"] is True


def test_nat_rewrites_are_visible() -> None:
    request = ladder_of("nat-gcm")[3]
    assert (request["src"], request["dst"]) == ("192.168.1.2:4500", "198.51.100.2:4500")
    assert [(hop["point"], hop["src"]) for hop in request["hops"]] == [
        ("left:wan", "192.168.1.2:4500"),
        ("right:wan", "203.0.113.2:24500"),
    ]


def test_esp_shows_what_was_inside() -> None:
    esp = [e for e in ladder_of("nat-gcm") if e["protocol"] == "ESP"]
    assert esp[0]["inner"] == "ICMP echo-request 10.1.0.1 -> 10.2.0.1 seq 1"
    assert esp[1]["inner"] == "ICMP echo-reply 10.2.0.1 -> 10.1.0.1 seq 1"
    assert [(e["spi"], e["seq"]) for e in esp[::2]] == [
        ("80cd589a", 1), ("80cd589a", 2), ("04b600bd", 1), ("04b600bd", 2),
    ]  # fmt: skip
    assert all(e["udp"] and e["encrypted"] and e["opened"] for e in esp)


@pytest.mark.parametrize("name", NAMES)
def test_everything_opens_with_either_sides_keys(name: str) -> None:
    both = keys_of(name)
    for side in ("left", "right"):
        one = keys.Keys(
            ike=[k for k in both.ike if k.source.endswith(side)],
            child=[k for k in both.child if k.source.endswith(side)],
        )
        entries = ladder.build(frames(name), one, places_of(name))
        assert any(e["encrypted"] for e in entries)
        assert all(e["opened"] for e in entries if e["encrypted"])


@pytest.mark.parametrize("name", NAMES)
def test_without_keys_sealed_messages_stay_sealed(name: str) -> None:
    entries = ladder.build(frames(name), keys.Keys(), places_of(name))
    assert len(entries) == len(ladder_of(name))
    sealed = [e for e in entries if e["encrypted"]]
    assert sealed
    assert all(e["opened"] is False and "inner" not in e for e in sealed)
    assert all(e["payloads"] == ["SK"] for e in sealed if e["protocol"] == "IKEv2")


def test_refused_authentication_is_four_messages() -> None:
    entries = ladder_of("psk-bad")
    assert entries[-1]["payloads"] == ["N(AUTHENTICATION_FAILED)"]
    assert ladder.count(entries) == {"ikev2_init": 2, "ikev2_auth": 2}


def test_request_that_waited_is_not_lost_and_its_repetition_is_one() -> None:
    first, second = ladder_of("ipv6-gcm")[:2]
    assert (first["lost"], second["lost"], second["retransmit_of"]) == (False, False, 0)
    assert first["t_received"] - first["t_sent"] > 0.9
    assert first["src"] == "[2001:db8:1::2]:500"


def test_counts_leave_retransmissions_out_of_the_messages() -> None:
    counts = ladder.count(ladder_of("nat-gcm"))
    assert counts == {
        "ikev2_init": 2, "ikev2_auth": 2, "ikev2_create_child": 2, "ikev2_informational": 4, "esp": 8,
        "retransmissions": 1, "lost": 1,
    }  # fmt: skip


def test_without_a_topology_the_capture_points_still_pair_what_was_received() -> None:
    entries = ladder.build(frames("nat-gcm"), keys_of("nat-gcm"), places.Places())
    assert len(entries) == len(NAT)
    assert [e["from"] for e in entries] == [told[0] for told in NAT]


def test_virtual_time_with_nat_on_both_sides_and_every_link_captured() -> None:
    """The clock stands still during an exchange: only the order at each capture point tells what came first."""
    entries = ladder_of("guest-nat-both")
    assert [(e["from"], e["exchange"], e["response"], e["lost"], e["retransmit_of"]) for e in entries[:6]] == [
        ("left", "IKE_SA_INIT", False, False, None),
        ("right", "IKE_SA_INIT", True, False, None),
        ("left", "IKE_AUTH", False, False, None),
        ("right", "IKE_AUTH", True, True, None),
        ("left", "IKE_AUTH", False, False, 2),
        ("right", "IKE_AUTH", True, False, 3),
    ]
    assert [hop["point"] for hop in entries[0]["hops"]] == [
        "left:wan", "left-nat:lan", "left-nat:wan", "internet:left",
        "internet:right", "right-nat:wan", "right-nat:lan", "right:wan",
    ]  # fmt: skip
    assert [hop["point"] for hop in entries[3]["hops"]][-1] == "internet:right"
    assert [e["inner"].partition(" 10")[0] for e in entries if e["protocol"] == "ESP"] == [
        f"ICMP echo-{word}" for _ in range(4) for word in ("request", "reply")
    ]
    keepalives = [(e["from"], round(e["t_sent"] - entries[5]["t_sent"])) for e in entries if not e["spi"]]
    assert sorted(keepalives) == [("left", 21), ("left", 41), ("right", 21), ("right", 41)]
    assert all(len(e["hops"]) == 8 for e in entries if not e["lost"])


def test_bare_esp_of_the_kernel() -> None:
    esp = [e for e in ladder_of("guest-direct") if e["protocol"] == "ESP"]
    assert len(esp) == 6
    assert not any(e["udp"] or e["src"].count(":") for e in esp)
    assert all(e["opened"] for e in esp)
