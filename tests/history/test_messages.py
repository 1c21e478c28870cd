"""Two ladders: what chance decides is no difference, everything else is one."""

import copy
from typing import Any

import pytest

from lab.history import payloads
from lab.history.messages import Recorded, compare
from tests.history.recorded import leaf, messages, part

ALIKE = messages(spi="c3:d4", nonce="ff", began=5000.0)


def changed(**edits: Any) -> Recorded:
    """The other run's messages, with some fields of the third entry changed."""
    ladder, detail = copy.deepcopy(ALIKE)
    ladder[2] |= edits
    return Recorded(ladder, detail)


def kinds(after: Recorded) -> list[str]:
    return [one.kind for one in compare(Recorded(*messages()), after)]


def test_spis_nonces_and_the_time_of_day_are_no_difference() -> None:
    assert compare(Recorded(*messages()), Recorded(*ALIKE)) == []


@pytest.mark.parametrize(
    ("edit", "kind"),
    [
        ({"payloads": ["SA"]}, "payloads"),
        ({"lost": True}, "lost"),
        ({"encrypted": False}, "encrypted"),
        ({"t_sent": 5003.0}, "time"),
    ],
)
def test_what_is_different(edit: dict[str, Any], kind: str) -> None:
    assert kinds(changed(**edit)) == [kind]


def test_a_later_message_within_tolerance_is_no_difference() -> None:
    assert kinds(changed(t_sent=5000.4)) == []


def test_messages_that_are_gone_or_new() -> None:
    ladder, detail = ALIKE
    assert kinds(Recorded(ladder[:4], detail)) == ["gone", "gone"]
    found = compare(Recorded(ladder[:4], detail), Recorded(ladder, detail))
    assert [one.where for one in found] == [
        "CREATE_CHILD_SA request 2 from left to right",
        "CREATE_CHILD_SA response 2 from right to left",
    ]


def test_a_retransmission_is_a_second_occurrence() -> None:
    ladder, detail = copy.deepcopy(ALIKE)
    again = {**ladder[2], "n": 6, "retransmit_of": 2, "t_sent": ladder[5]["t_sent"]}
    (found,) = compare(Recorded(*ALIKE), Recorded([*ladder, again], [*detail, {"n": 6, "same_as": 2}]))
    assert (found.kind, found.where) == ("new", "IKE_AUTH request 1 from left to right, time 2")


def test_another_order_in_one_ike_sa_is_a_difference_and_across_two_is_none() -> None:
    ladder, detail = ALIKE
    swapped = [ladder[0], ladder[1], ladder[4], ladder[5], ladder[2], ladder[3]]
    swapped = [{**one, "t_sent": 5000.0 + n * 0.1} for n, one in enumerate(swapped)]
    assert "order" in kinds(Recorded(swapped, detail))
    other = [{**one, "n": 6 + one["n"], "from": one["from"] + "2", "spi": "e5:f6"} for one in ladder]
    both = [one for pair in zip(ladder, other, strict=True) for one in pair]
    turned = [one for pair in zip(other, ladder, strict=True) for one in pair]
    assert compare(Recorded(both, detail * 2), Recorded(turned, detail * 2)) == []


def test_a_field_of_a_payload() -> None:
    found = compare(Recorded(*messages()), Recorded(*messages(encr="3DES")))
    assert {(one.kind, one.before, one.after) for one in found} == {("field", "AES", "3DES")}
    assert found[0].where == "IKE_SA_INIT request 0 from left to right: SA/Transform/ID"


def test_counts_of_what_is_not_ike() -> None:
    ladder, detail = ALIKE
    esp = {**ladder[0], "protocol": "ESP", "exchange": None, "n": 6}
    (found,) = compare(Recorded(*ALIKE), Recorded([*ladder, esp], detail))
    assert (found.kind, found.where, found.before, found.after) == ("count", "ESP from left", "0", "1")


def test_message_ids_of_ikev1_are_numbered_as_they_appear() -> None:
    ladder, detail = ALIKE
    one, other = (
        Recorded([{**e, "protocol": "IKEv1", "message_id": e["message_id"] * factor} for e in ladder], detail)
        for factor in (77, 1234)
    )
    assert compare(one, other) == []


@pytest.mark.parametrize(
    ("notify", "differs"), [("NAT_DETECTION_SOURCE_IP (16388)", False), ("SET_WINDOW_SIZE (16385)", True)]
)
def test_data_of_a_notify_is_chance_only_where_the_notify_says_so(notify: str, differs: bool) -> None:
    trees = [[part("N", leaf("Type", notify), leaf("Data", value))] for value in ("0001", "0002")]
    assert bool(payloads.compare(*(payloads.fields(tree) for tree in trees))) == differs


def test_chance_of_another_length_is_a_difference() -> None:
    trees = [[part("NONCE", leaf("Nonce", "00" * size, size))] for size in (16, 32)]
    assert payloads.compare(*map(payloads.fields, trees)) == [("NONCE/Nonce", "16 octets", "32 octets")]


def test_payloads_inside_sk_and_of_one_name() -> None:
    inside = part("SK", part("N", leaf("Type", "A (1)")), part("N", leaf("Type", "B (2)")))
    assert payloads.fields([inside]) == {"N/Type": "A (1)", "N 2/Type": "B (2)"}


def test_the_identifier_of_eap_is_chance() -> None:
    def tree(number: str) -> list[Any]:
        return [part("EAP", leaf("Code", "Request (1)"), leaf("Identifier", number), leaf("Type", "MD5-Challenge (4)"))]

    assert payloads.fields(tree("248")) == payloads.fields(tree("38"))


def test_the_number_of_a_question_of_ikev1_liveness_is_chance() -> None:
    def tree(data: str) -> list[Any]:
        return [part("N", leaf("Type", "R_U_THERE (36136)"), leaf("Data", data))]

    assert payloads.fields(tree("065dafd7")) == payloads.fields(tree("6811aa2b"))
