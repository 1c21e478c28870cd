"""list-sas and events as charon sends them (values from a recorded run), in the lab's shape."""

from lab.peers.charon_sas import event, sa_view

CHILD = {
    "name": "net",
    "uniqueid": "1",
    "state": "INSTALLED",
    "mode": "TUNNEL",
    "protocol": "ESP",
    "encap": "yes",
    "spi-in": "6c6a32d6",
    "spi-out": "e166d406",
    "encr-alg": "AES_CBC",
    "encr-keysize": "256",
    "integ-alg": "HMAC_SHA2_256_128",
    "bytes-in": "84",
    "packets-in": "1",
    "bytes-out": "84",
    "packets-out": "1",
    "local-ts": ["10.1.0.0/24"],
    "remote-ts": ["10.2.0.0/24"],
}
IKE = {
    "uniqueid": "1",
    "version": "2",
    "state": "ESTABLISHED",
    "local-host": "192.168.9.1",
    "local-port": "4500",
    "local-id": "left.lab",
    "remote-host": "192.168.9.2",
    "remote-port": "4500",
    "remote-id": "right.lab",
    "initiator": "yes",
    "initiator-spi": "15578e6604497db0",
    "responder-spi": "1db65ec0526bae27",
    "nat-remote": "yes",
    "encr-alg": "AES_GCM_16",
    "encr-keysize": "256",
    "prf-alg": "PRF_HMAC_SHA2_384",
    "dh-group": "CURVE_25519",
    "established": "7",
    "child-sas": {"net-1": CHILD},
}


def test_an_ike_sa_in_the_common_shape():
    view = sa_view("gw", IKE)
    assert (view["name"], view["state"], view["role"]) == ("gw", "ESTABLISHED", "initiator")
    assert (view["encr"], view["encr_key_length"], view["ke"]) == ("ENCR_AES_GCM_16", 256, "CURVE25519")
    assert (view["integ"], view["nat_local"], view["nat_remote"]) == (None, False, True)
    assert (view["local_port"], view["established_s"]) == (4500, 7)
    assert (view["local_vips"], view["remote_vips"]) == ([], [])


def test_virtual_addresses_of_both_sides():
    view = sa_view("gw", IKE | {"local-vips": ["10.3.0.1", "2001:db8:3::1"], "remote-vips": ["10.4.0.1"]})
    assert (view["local_vips"], view["remote_vips"]) == (["10.3.0.1", "2001:db8:3::1"], ["10.4.0.1"])


def test_a_child_in_the_common_shape():
    (child,) = sa_view("gw", IKE)["children"]
    assert (child["encr"], child["integ"], child["ke"]) == ("ENCR_AES_CBC", "AUTH_HMAC_SHA2_256_128", None)
    assert (child["packets_in"], child["bytes_out"], child["encap"], child["esn"]) == (1, 84, True, False)
    assert (child["local_ts"], child["remote_ts"]) == (["10.1.0.0/24"], ["10.2.0.0/24"])


def test_an_sa_without_optional_fields_does_not_break_the_view():
    view = sa_view("gw", {"version": "1"})
    assert view["children"] == [] and view["spi_i"] == "" and view["version"] == 1


def test_events_get_the_labs_names():
    assert [e.name for e in event("ike-updown", {"up": "yes", "gw": IKE})] == ["ike-up"]
    (down,) = event("child-updown", {"gw": IKE})
    assert (down.name, down.fields["ike"]) == ("child-down", "gw")
    assert [e.name for e in event("ike-rekey", {"gw": {"old": {}, "new": {}}})] == ["ike-rekey"]
