import pytest

from lab.errors import ConfigError
from lab.matrix import ALL, DEFAULT, IKEV2, NEWER, ON_XFRM, WE_INITIATE, WE_RESPOND, Pairing, wanted

OURS_FIRST, OURS_SECOND, OURS_TWICE, NEVER_OURS = ALL


def test_a_pairing_reads_as_it_is_written():
    assert str(Pairing.parse("ours>strongswan")) == "ours>strongswan" == str(DEFAULT[0])


@pytest.mark.parametrize(("text", "word"), [("ours", "initiator>responder"), ("ours>sonicwall", "sonicwall")])
def test_a_pairing_that_cannot_be_is_an_error_that_says_why(text, word):
    with pytest.raises(ConfigError, match=word):
        Pairing.parse(text)


def test_its_directory_name_is_allowed_everywhere():
    assert OURS_FIRST.directory == "ours-to-strongswan"


def test_without_options_every_pairing_is_wanted():
    assert all(wanted(pairing) for pairing in ALL)


def test_a_role_is_the_role_of_our_stack():
    assert [p for p in ALL if wanted(p, role="initiator")] == [OURS_FIRST, OURS_TWICE]
    assert [p for p in ALL if wanted(p, role="responder")] == [OURS_SECOND, OURS_TWICE]


def test_peers_are_the_only_ones_beside_our_own_stack():
    assert [p for p in ALL if wanted(p, peers=["ours"])] == [OURS_TWICE]
    assert all(wanted(p, peers=["strongswan"]) for p in ALL)


def test_a_pairing_says_what_it_lacks():
    assert OURS_FIRST.lacks(["tunnel", "cookie"]) == ""
    assert OURS_FIRST.lacks(["telepathy"]) == "ours lacks telepathy; strongswan lacks telepathy"


def test_a_lack_that_others_of_its_kind_do_not_have_comes_with_its_reason():
    assert OURS_FIRST.lacks(["mlkem"]).startswith("strongswan lacks mlkem (Debian builds this release without")
    assert NEWER[0].lacks(["mlkem"]) == ""


def test_our_ike_on_the_kernel_s_esp_has_our_roles_and_is_left_out_unless_named():
    assert [p for p in ON_XFRM if wanted(p, role="initiator")] == [ON_XFRM[0]]
    assert not any(p in ON_XFRM for p in ALL)
    assert not any(wanted(p, peers=["strongswan"]) for p in ON_XFRM)
    assert all(wanted(p, peers=["strongswan", "ours-xfrm"]) for p in ON_XFRM)


def test_ikev2_is_spoken_with_every_strongswan_of_our_day_in_both_roles():
    assert set(IKEV2) == {*DEFAULT, *NEWER}
    assert {pairing.initiator for pairing in WE_INITIATE} == {pairing.responder for pairing in WE_RESPOND} == {"ours"}
    assert {*WE_INITIATE, *WE_RESPOND} == set(IKEV2)
