"""Offered against chosen, from payload trees, and the first transform that nothing fits."""

import pytest

from lab.report import offers
from lab.report.why.finding import Finding
from tests.report.trees import START, Talk, node, notify, proposal, sa

GCM = ("ENCR ENCR_AES_GCM_16 256", "PRF PRF_HMAC_SHA2_384", "KE CURVE25519")
CBC = ("ENCR ENCR_AES_CBC 256", "INTEG AUTH_HMAC_SHA2_256_128", "PRF PRF_HMAC_SHA2_256", "KE MODP_3072")


def states(offer: offers.Offer) -> list[tuple[str, str]]:
    return [(one.name, one.state) for each in offer.proposals for one in each.transforms]


def test_the_transforms_that_were_chosen_are_marked_and_no_others() -> None:
    talk = Talk()
    # HDR, SAi1 -->
    talk.ike("IKE_SA_INIT", sa(proposal("IKE (1)", *CBC), proposal("IKE (1)", *GCM, "KE MODP_2048", number=2)))
    # <-- HDR, SAr1
    talk.ike("IKE_SA_INIT", sa(proposal("IKE (1)", *GCM, number=2)), by="right")
    (found,) = offers.find(talk.messages, talk.details, [], START)
    assert found.outcome == "right chose proposal 2 of 2 proposals."
    assert [one.chosen for one in found.proposals] == [False, True]
    assert {state for _, state in states(found)[:4]} == {""}
    assert states(found)[4:] == [
        ("ENCR_AES_GCM_16 256", "chosen"),
        ("PRF_HMAC_SHA2_384", "chosen"),
        ("CURVE25519", "chosen"),
        ("MODP_2048", ""),
    ]


def test_a_choice_that_was_not_offered_is_told() -> None:
    talk = Talk()
    talk.ike("IKE_SA_INIT", sa(proposal("IKE (1)", *GCM)))
    talk.ike("IKE_SA_INIT", sa(proposal("IKE (1)", *GCM[:2], "KE MODP_1024")), by="right")
    (found,) = offers.find(talk.messages, talk.details, [], START)
    assert "It chose MODP_1024, which was not offered." in found.outcome


@pytest.mark.parametrize(
    ("reasons", "kind", "allowed"),
    [
        (["no common ENCR: peer offers aes256; we allow aes256gcm16"], "ENCR", "aes256gcm16"),
        (["allows IKE:AES_GCM_16_256/PRF_HMAC_SHA2_384/CURVE_25519"], "ENCR", None),
        (["allows IKE:AES_CBC_256/HMAC_SHA2_256_128/PRF_HMAC_SHA2_256/MODP_2048"], "KE", None),
        (["allows IKE:AES_CBC_256/HMAC_SHA2_512_256/PRF_HMAC_SHA2_256/MODP_2048"], "INTEG", None),
        (["something else"], "", ""),
        ([], "", ""),
    ],
)
def test_the_first_mismatch_is_taken_from_who_refused(reasons: list[str], kind: str, allowed: str | None) -> None:
    talk = Talk()
    talk.ike("IKE_SA_INIT", sa(proposal("IKE (1)", *CBC)))
    talk.ike("IKE_SA_INIT", notify("NO_PROPOSAL_CHOSEN"), by="right")
    findings = [Finding(START + 0.01, "right", words, "a log", reason=True) for words in reasons]
    (found,) = offers.find(talk.messages, talk.details, findings, START)
    assert found.refused and found.outcome.startswith("right chose nothing: NO_PROPOSAL_CHOSEN.")
    by_name = dict(zip([t.kind for p in found.proposals for t in p.transforms], states(found), strict=True))
    assert [k for k, (_, state) in by_name.items() if state == "mismatch"] == ([kind] if kind else [])
    assert allowed is None or (f"allows {allowed}." in found.outcome) == bool(allowed)


def test_reasons_of_another_side_or_another_time_mark_nothing() -> None:
    talk = Talk()
    talk.ike("IKE_SA_INIT", sa(proposal("IKE (1)", *CBC)))
    talk.ike("IKE_SA_INIT", notify("NO_PROPOSAL_CHOSEN"), by="right")
    said = "no common ENCR: peer offers aes256; we allow aes256gcm16"
    findings = [Finding(START, "left", said, "", reason=True), Finding(START + 60, "right", said, "", reason=True)]
    (found,) = offers.find(talk.messages, talk.details, findings, START)
    assert {state for _, state in states(found)} == {""}


def test_after_a_cookie_the_second_request_has_the_answer() -> None:
    talk = Talk()
    talk.ike("IKE_SA_INIT", sa(proposal("IKE (1)", *GCM)))
    talk.ike("IKE_SA_INIT", notify("COOKIE"), by="right")
    talk.ike("IKE_SA_INIT", notify("COOKIE"), sa(proposal("IKE (1)", *GCM)))
    talk.ike("IKE_SA_INIT", sa(proposal("IKE (1)", *GCM)), by="right")
    first, second = offers.find(talk.messages, talk.details, [], START)
    assert (first.outcome, second.outcome) == ("right chose nothing: COOKIE.", "right chose proposal 1 of 1 proposal.")


def test_every_transform_of_ikev1_is_an_alternative() -> None:
    def transform(number: int, cipher: str) -> dict[str, object]:
        parts = [("Number", str(number)), ("ID", "1"), ("ENCRYPTION", cipher), ("LIFE_DURATION", "3600")]
        return node("Transform", "", [node(name, value) for name, value in parts])

    def offered(*transforms: dict[str, object]) -> dict[str, object]:
        return sa(node("Proposal", "", [node("Number", "1"), node("Protocol", "ISAKMP (1)"), *transforms]))

    talk = Talk()
    # HDR, SA -->, <-- HDR, SA
    talk.ike("Main Mode", offered(transform(1, "5"), transform(2, "7")), v1=True)
    talk.ike("Main Mode", offered(transform(2, "7")), by="right", v1=True)
    (found,) = offers.find(talk.messages, talk.details, [], START)
    assert [(one.number, one.chosen) for one in found.proposals] == [("1.1", False), ("1.2", True)]
    assert states(found) == [("1", ""), ("5", ""), ("1", "chosen"), ("7", "chosen")]


def test_a_retransmission_offers_nothing_new_and_silence_is_told() -> None:
    talk = Talk()
    first = talk.ike("IKE_SA_INIT", sa(proposal("IKE (1)", *GCM)))
    talk.ike("IKE_SA_INIT", sa(proposal("IKE (1)", *GCM)), retransmit_of=first)
    (found,) = offers.find(talk.messages, talk.details, [], START)
    assert found.outcome == "No answer was seen."
