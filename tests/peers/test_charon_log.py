"""charon's log is a foreign format: these are recorded logs of strongSwan 5.9.8 (two ends of one run).

The run: IKE_SA_INIT, IKE_AUTH, a CHILD rekey, an IKE rekey, a delete; AES-GCM-256, PRF-HMAC-SHA2-384, X25519. Hex dumps
that are no keys were cut out of the files, nothing was changed.
"""

from pathlib import Path

import pytest

from lab.evidence.keys import compare, disagreements, merge
from lab.peers.charon_log import SECRETS, SECRETS_V1, read_keys

HERE = Path(__file__).parent


def keys(side: str) -> dict:
    return read_keys((HERE / f"charon-5.9.8-{side}.log").read_text().splitlines(), f"strongswan:{side}")


@pytest.mark.parametrize("side", ["left", "right"])
def test_every_sa_of_the_run_is_found(side):
    found = keys(side)
    assert [(ike["spi_i"], ike["spi_r"]) for ike in found["ike"]] == [
        ("15578e6604497db0", "1db65ec0526bae27"),
        ("05184bc0090fc50e", "e546fe8c42ea9021"),
    ]
    assert {child["spi"] for child in found["child"]} == {"6c6a32d6", "e166d406", "31ddb225", "35b88ad4"}


def test_an_ike_sa_carries_its_algorithms_and_whole_keys():
    first = keys("left")["ike"][0]
    assert (first["encr"], first["encr_key_length"], first["prf"]) == ("ENCR_AES_GCM_16", 256, "PRF_HMAC_SHA2_384")
    assert (first["integ"], first["ke"]) == (None, "CURVE25519")
    octets = {name: len(first[name]) // 2 for name in SECRETS}
    assert octets == {"SK_d": 48, "SK_ai": 0, "SK_ar": 0, "SK_ei": 36, "SK_er": 36, "SK_pi": 48, "SK_pr": 48}
    assert first["SK_ei"].startswith("0c665980") and first["SK_ei"].endswith("78e5501b")


def test_a_child_sa_has_key_salt_and_addresses_per_direction():
    inbound, outbound = keys("left")["child"][:2]
    assert (inbound["src"], inbound["dst"]) == (outbound["dst"], outbound["src"]) == ("192.168.9.2", "192.168.9.1")
    assert outbound["spi"] == "e166d406"
    # The initiator's key protects what the initiator sends.
    assert outbound["encr_key"].startswith("367c009b") and outbound["salt"] == "f2d6e43e"
    assert inbound["encr_key"].startswith("8e0a96e9") and inbound["salt"] == "d5267227"
    assert len(inbound["encr_key"]) == 64 and inbound["encap"] is True and inbound["esn"] is False
    assert inbound["ike_spi_i"] == "15578e6604497db0"


def test_both_ends_of_the_run_agree():
    agreements = compare(merge([keys("left"), keys("right")]))
    assert all(one.equal for one in agreements)
    assert sorted((one.kind, len(one.sources)) for one in agreements) == [("child", 2)] * 4 + [("ike", 2)] * 2


def test_one_flipped_bit_is_noticed():
    left, right = keys("left"), keys("right")
    left["ike"][1]["SK_pr"] = "00" + left["ike"][1]["SK_pr"][2:]
    (sentence,) = disagreements(merge([left, right]))
    assert "05184bc0090fc50e" in sentence and "SK_pr" in sentence


@pytest.mark.parametrize("lines", range(0, 130, 7))
def test_a_log_cut_anywhere_gives_only_whole_sas(lines):
    text = (HERE / "charon-5.9.8-left.log").read_text().splitlines()[:lines]
    for ike in read_keys(text, "x")["ike"]:
        assert len(ike["SK_pr"]) == 96
    for child in read_keys(text, "x")["child"]:
        assert len(child["encr_key"]) == 64


def test_a_ppk_renews_three_secrets_of_the_same_set():
    """RFC 8784 3, in charon's words: the secrets that the PPK goes into are logged again, those that seal are not."""
    log = (HERE / "charon-5.9.8-left.log").read_text().splitlines()
    end = next(
        n for n, line in enumerate(log) if "checkin IKEv2 SA" in line and not line.endswith("0000000000000000_r")
    )
    prefix = log[end].split(" checkin")[0].replace("[MGR]", "[IKE]")

    def blob(name: str, octet: str) -> list[str]:
        rows = [f"{prefix}   {at}: {' '.join([octet] * 16)}  ................" for at in (0, 16, 32)]
        return [f"{prefix} {name} => 48 bytes @ 0x7f0000000000", *rows]

    mixed = [
        *blob("derive keys using PPK", "EE"),
        *blob("Sk_d secret", "D1"),
        *blob("Sk_pi secret", "A1"),
        *blob("Sk_pr secret", "B1"),
    ]
    before = read_keys(log, "x")["ike"]
    after = read_keys([*log[: end + 1], *mixed, *log[end + 1 :]], "x")["ike"]
    assert len(after) == len(before), "the second half of a set was taken for another SA"
    first = after[0]
    assert (first["SK_d"], first["SK_pi"], first["SK_pr"]) == ("d1" * 48, "a1" * 48, "b1" * 48)
    assert (first["SK_ei"], first["SK_er"]) == (before[0]["SK_ei"], before[0]["SK_er"])
    assert after[1] == before[1]


@pytest.mark.parametrize("role", ["initiator", "responder"])
def test_ike_intermediate_renews_the_keys_of_one_ike_sa(role):
    """strongSwan 6.1.0 with KE1_ML_KEM_768 and KE2_ML_KEM_1024: three sets of keys under one pair of SPIs."""
    found = read_keys((HERE / f"charon-6.1.0-{role}.log").read_text().splitlines(), "strongswan-6.1:left")
    assert [ike["generation"] for ike in found["ike"]] == [0, 1, 2]
    assert len({(ike["spi_i"], ike["spi_r"]) for ike in found["ike"]}) == 1
    assert len({ike["SK_d"] for ike in found["ike"]}) == 3
    assert {(ike["encr"], ike["ke"]) for ike in found["ike"]} == {("ENCR_AES_GCM_16", "CURVE25519")}
    assert len(found["child"]) == 2


@pytest.mark.parametrize("role", ["initiator", "responder"])
def test_a_child_that_ike_followup_ke_completes_has_its_keys_and_algorithms(role):
    """strongSwan 6.1.0: one thread selects the proposal in CREATE_CHILD_SA, another one makes the keys later."""
    found = read_keys(
        (HERE / f"charon-6.1.0-followup-child-{role}.log").read_text().splitlines(), "strongswan-6.1:left"
    )
    assert len(found["child"]) == 4
    assert {(child["encr"], child["encr_key_length"]) for child in found["child"]} == {("ENCR_AES_GCM_16", 256)}
    assert {(len(child["encr_key"]), len(child["salt"])) for child in found["child"]} == {(64, 8)}
    assert len({child["encr_key"] for child in found["child"]}) == 4
    assert len({child["ike_spi_i"] for child in found["child"]}) == 1


@pytest.mark.parametrize("role", ["initiator", "responder"])
def test_a_rekeyed_ike_sa_that_ike_followup_ke_completes_has_one_set_of_keys(role):
    """RFC 9370 2.2.4: one SKEYSEED of all key exchanges, so one generation under the new SPIs."""
    found = read_keys((HERE / f"charon-6.1.0-followup-ike-{role}.log").read_text().splitlines(), "strongswan-6.1:left")
    by_spis: dict[tuple[str, str], list[int]] = {}
    for ike in found["ike"]:
        by_spis.setdefault((ike["spi_i"], ike["spi_r"]), []).append(ike["generation"])
    assert sorted(map(sorted, by_spis.values())) == [[0], [0, 1, 2]]
    assert {(ike["encr"], ike["encr_key_length"], ike["ke"]) for ike in found["ike"]} == {
        ("ENCR_AES_GCM_16", 256, "CURVE25519")
    }
    assert len({ike["SK_d"] for ike in found["ike"]}) == 4


# -- IKEv1: Main Mode and Quick Mode between two charons of 6.0.1, AES-CBC-256 and SHA2-256 in both phases


def first_version(side: str) -> dict:
    lines = (HERE / f"charon-6.0.1-ikev1-{side}.log").read_text().splitlines()
    return read_keys(lines, f"strongswan:{side}")


@pytest.mark.parametrize("side", ["left", "right"])
def test_an_isakmp_sa_carries_the_skeyid_family(side):
    (found,) = first_version(side)["ike"]
    assert (found["version"], found["encr"], found["encr_key_length"]) == (1, "ENCR_AES_CBC", 256)
    assert (found["prf"], found["integ"], found["ke"]) == ("PRF_HMAC_SHA2_256", "AUTH_HMAC_SHA2_256_128", "ECP_256")
    assert {name: len(found[name]) // 2 for name in SECRETS_V1} == dict.fromkeys(SECRETS_V1, 32) | {"IV": 16}


def test_both_ends_of_the_ikev1_run_agree():
    """The responder chose the algorithms of the child in one thread and derived its keys in another."""
    agreements = compare(merge([first_version("left"), first_version("right")]))
    assert all(one.equal for one in agreements)
    assert sorted((one.kind, len(one.sources)) for one in agreements) == [("child", 2)] * 2 + [("ike", 2)]
    assert {child["encr"] for child in first_version("right")["child"]} == {"ENCR_AES_CBC"}


def test_one_flipped_bit_of_skeyid_is_noticed():
    left, right = first_version("left"), first_version("right")
    left["ike"][0]["SKEYID_e"] = "00" + left["ike"][0]["SKEYID_e"][2:]
    assert "SKEYID_e" in disagreements(merge([left, right]))[0]
