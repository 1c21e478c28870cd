from lab.report import associations
from tests.report.synthetic import keys_json, sas


def test_both_sides_stand_side_by_side() -> None:
    left, right = associations.sides({"schema": "ikelab.sas/1", "left": sas("left"), "right": []})
    assert (left.name, right.name, right.sas) == ("left", "right", [])
    ((name, told, children),) = left.sas
    assert name == "net (IKEv2)"
    assert dict(told)["Algorithms"] == "ENCR_AES_GCM_16 256, PRF_HMAC_SHA2_256, CURVE25519"
    assert dict(told)["Local"] == "left.example at 192.168.1.2:4500"
    assert dict(told)["NAT"] == "before both ends"
    ((child, facts),) = children
    assert child == "net"
    assert dict(facts)["Mode"] == "ESP tunnel, in UDP"
    assert dict(facts)["Traffic selectors"] == "10.1.0.0/24 \u2194 10.2.0.0/24"


def test_what_a_peer_did_not_say_is_left_out() -> None:
    (side,) = associations.sides([{"name": "x", "local_host": "2001:db8::1", "local_port": 500, "children": [{}]}])
    assert side.sas == [("x", [("Local", "[2001:db8::1]:500")], [("unnamed", [])])]


def test_keys_that_differ_stand_apart() -> None:
    found = keys_json()
    found["ike"][1] = found["ike"][1] | {"SK_d": "00"}
    assert [caption.rpartition(" ")[2] for caption, _ in associations.keys(found)][:2] == [
        "ours:left", "strongswan:right",
    ]  # fmt: skip


def test_nothing_that_is_no_list_is_a_side() -> None:
    assert associations.sides(None) == associations.sides({"schema": "x"}) == associations.sides([]) == []


def test_keys_have_captions_that_say_whose_they_are() -> None:
    ike, child = associations.keys(keys_json())
    assert ike[0].startswith("IKE SA a1b2c3d4e5f60718 : 5d2e9b7c40f1a683, ENCR_AES_GCM_16 256")
    assert ike[0].endswith("from ours:left and strongswan:right")
    assert [name for name, _ in ike[1]] == ["SK_d", "SK_ei", "SK_er", "SK_pi", "SK_pr"]
    assert child[0].startswith("ESP SA c14be002, 192.168.1.2 \u2192 198.51.100.2") and child[0].endswith(
        "from ours:left"
    )
    assert [name for name, _ in child[1]] == ["encr_key", "salt"]


def test_virtual_addresses_say_whose_they_are() -> None:
    views = [{"name": "x", "local_vips": ["10.3.0.1", "2001:db8::1"]}, {"name": "y", "remote_vips": ["10.3.0.1"]}, {}]
    (side,) = associations.sides(views)
    assert [dict(told).get("Virtual addresses") for _, told, _ in side.sas] == [
        "10.3.0.1, 2001:db8::1 given to this end", "10.3.0.1 lent to the other end", None,
    ]  # fmt: skip
