from lab.evidence.keys import merge
from lab.plugin.agreement import agree

SECRETS = dict.fromkeys(("SK_d", "SK_ei", "SK_er", "SK_pi", "SK_pr"), "11")
IKE = {"spi_i": "01" * 8, "spi_r": "02" * 8, "encr": "ENCR_AES_GCM_16", **SECRETS}


def child(spi, key="aa"):
    return {"spi": spi, "encr": "ENCR_AES_GCM_16", "encr_key": key, "salt": "bb"}


def side(name, *children, ike=(IKE,)):
    source = {"source": f"peer:{name}"}
    return {"ike": [one | source for one in ike], "child": [one | source for one in children]}


def listed(spi_in, spi_out, state="INSTALLED"):
    return [{"children": [{"state": state, "spi_in": spi_in, "spi_out": spi_out}]}]


SAS = {"left": listed("c1", "c2"), "right": listed("c2", "c1")}


def test_equal_keys_are_counted():
    finding = agree(merge([side("left", child("c1"), child("c2")), side("right", child("c1"), child("c2"))]), SAS)
    assert finding.problems == () and finding.sentence == "equal keys on both sides: 1 IKE SA, 2 IPsec SAs"


def test_a_different_key_is_a_problem():
    finding = agree(merge([side("left", child("c1")), side("right", child("c1", key="ab"))]), {})
    assert finding.problems == ("SA c1: peer:left and peer:right differ in encr_key",)


def test_an_installed_sa_that_one_side_did_not_log_is_a_problem():
    finding = agree(merge([side("left", child("c1"), child("c2")), side("right", child("c2"))]), SAS)
    assert finding.problems == ("right did not log the keys of CHILD SA c1",)


def test_an_ike_sa_that_only_one_side_knows_is_none():
    finding = agree(merge([side("left"), side("right", ike=())]), {"left": [], "right": []})
    assert finding.problems == () and finding.sentence.endswith("; 1 known to one side only")


def test_a_child_that_is_no_longer_installed_asks_for_nothing():
    sas = {"left": listed("c1", "c2", "DELETED"), "right": listed("c2", "c1")}
    assert agree(merge([side("left"), side("right")]), sas).problems == ()


def test_a_peer_that_cannot_tell_its_keys_is_said_to_be_silent_and_is_no_problem():
    told = merge([side("left", child("c1"), child("c2"))])
    finding = agree(told, SAS, {"right"})
    assert finding.problems == () and finding.sentence.endswith("; right cannot tell its keys")
    assert agree(told, SAS, {"left"}).problems, "the other side must still tell"


def test_different_pre_shared_keys_make_different_keys():
    def isakmp(name, secret):
        secrets = dict.fromkeys(("SKEYID", "SKEYID_d", "SKEYID_a", "SKEYID_e", "Ka"), secret)
        return side(name, ike=[{**IKE, **secrets, "version": 1}])

    finding = agree(merge([isakmp("left", "01"), isakmp("right", "02")], apart=True), {})
    assert finding.problems == ()
    assert finding.sentence.endswith("0 IPsec SAs; different keys of different pre-shared keys: 1")
    (problem,) = agree(merge([isakmp("left", "01"), isakmp("right", "01")], apart=True), {}).problems
    assert problem.endswith("have the same SKEYID, of different pre-shared keys")
