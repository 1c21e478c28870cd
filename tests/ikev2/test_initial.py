"""The initial exchanges without trouble: four messages, keys, children, views; both roles by both sides."""

import pytest

from lab.ike.actions import Event, InstallChild, KeyLog, Send
from lab.wire.ids import ExchangeType
from tests.pair import Pair, is_response, mirrored, net

SUITES = [
    ("aes256gcm16-prfsha384-x25519", "aes256gcm16"),
    ("aes128gcm16-prfsha256-ecp256", "aes128gcm16"),
    ("chacha20poly1305-prfsha512-ecp384", "chacha20poly1305"),
    ("aes128-sha256-modp2048", "aes128-sha256"),
    ("aes256-sha512-modp3072", "aes256-sha512"),
    ("aes192-sha384-x25519", "aes192-sha384-esn"),
]


def test_four_messages_make_an_ike_sa_and_a_child() -> None:
    # HDR, SAi1, KEi, Ni  -->    <--  HDR, SAr1, KEr, Nr
    # HDR, SK {IDi, IDr, AUTH, SAi2, TSi, TSr}  -->    <--  HDR, SK {IDr, AUTH, SAr2, TSi, TSr}
    pair = Pair().initiate()
    assert pair.wire.ladder == [
        "left IKE_SA_INIT request 0",
        "right IKE_SA_INIT response 0",
        "left IKE_AUTH request 1",
        "right IKE_AUTH response 1",
    ]
    pair.check()
    for side in pair.sides:
        assert side.up == ["ESTABLISHED"]
        assert side.names == ["ike-up", "child-up"]
        assert side.drops == []


def test_the_other_side_may_begin() -> None:
    pair = Pair().initiate("right")
    pair.check()
    assert pair.wire.ladder[0] == "right IKE_SA_INIT request 0"
    assert [sa["role"] for side in pair.sides for sa in side.sas] == ["responder", "initiator"]


@pytest.mark.parametrize(("ike", "esp"), SUITES)
def test_every_family_of_algorithms(ike: str, esp: str) -> None:
    pair = Pair(net(f"proposals = {ike}", f"esp_proposals = {esp}")).initiate()
    pair.check()
    (here,), (there,) = (side.sas for side in pair.sides)
    for key in ("encr", "encr_key_length", "integ", "prf", "ke", "spi_i", "spi_r"):
        assert here[key] == there[key]
    assert pair.left.ever[0].esn is esp.endswith("-esn")


def test_the_responder_installs_before_its_answer_leaves() -> None:
    pair = Pair().initiate()
    last = max(n for n, a in enumerate(pair.right.actions) if isinstance(a, Send))
    install = next(n for n, a in enumerate(pair.right.actions) if isinstance(a, InstallChild))
    events = [n for n, a in enumerate(pair.right.actions) if isinstance(a, Event)]
    assert install < last < min(events)


def test_key_log_has_the_ike_sa_and_both_directions_alike_on_both_sides() -> None:
    pair = Pair().initiate()
    (ike, *left), (other_ike, *right) = pair.left.keys, pair.right.keys
    assert ike == other_ike
    assert [entry["kind"] for entry in (ike, *left)] == ["ike", "child", "child"]
    assert ike["encr"] == "ENCR_AES_GCM_16"
    assert len(str(ike["SK_ei"])) == 2 * 36  # key | salt
    assert ike["SK_ai"] == ""
    by_spi = {str(entry["spi"]): entry for entry in right}
    for entry in left:
        assert by_spi[str(entry["spi"])] == entry
        assert (len(str(entry["encr_key"])), len(str(entry["salt"]))) == (64, 8)
    assert {(e["src"], e["dst"]) for e in left} == {("192.0.2.1", "198.51.100.1"), ("198.51.100.1", "192.0.2.1")}


def test_no_key_leaves_without_being_asked_for() -> None:
    pair = Pair()
    for side in pair.sides:
        side.endpoint.host.keylog = False
    pair.initiate()
    assert not [a for side in pair.sides for a in side.actions if isinstance(a, KeyLog)]


def test_the_view_of_an_sa() -> None:
    pair = Pair().initiate()
    pair.wait(10)
    (sa,) = pair.left.sas
    child = pair.left.ever[0]
    assert sa["established_s"] == pytest.approx(10.0)
    assert (sa["local_id"], sa["remote_id"]) == ("left.example.org", "right.example.org")
    assert sa["children"] == [
        {
            "name": "net",
            "state": "INSTALLED",
            "mode": "TUNNEL",
            "protocol": "ESP",
            "encap": False,
            "spi_in": child.spi_in.hex(),
            "spi_out": child.spi_out.hex(),
            "encr": "ENCR_AES_GCM_16",
            "encr_key_length": 256,
            "integ": None,
            "ke": None,
            "esn": False,
            "local_ts": ["10.1.0.0/24"],
            "remote_ts": ["10.2.0.0/24"],
            "bytes_in": 0,
            "bytes_out": 0,
            "packets_in": 0,
            "packets_out": 0,
        }
    ]


def test_addresses_serve_as_identities_where_none_is_written() -> None:
    text = net().replace("id = left.example.org", "").replace("id = right.example.org", "")
    pair = Pair(text, mirrored(text)).initiate()
    pair.check()
    assert (pair.left.sas[0]["local_id"], pair.left.sas[0]["remote_id"]) == ("192.0.2.1", "198.51.100.1")


def test_two_runs_with_the_same_seed_are_the_same_to_the_bit() -> None:
    assert [d.data for d in Pair().initiate().wire.sent] == [d.data for d in Pair().initiate().wire.sent]
    assert Pair(seed="1").initiate().wire.sent[0].data != Pair().initiate().wire.sent[0].data


def test_the_nonces_are_fresh_and_the_spis_ours() -> None:
    pair = Pair().initiate()
    (answer,) = pair.wire.seen(is_response(ExchangeType.IKE_SA_INIT))
    assert answer.header.spi_r.hex() == pair.right.sas[0]["spi_r"]
    assert pair.left.ever[0].spi_in != pair.right.ever[0].spi_in
