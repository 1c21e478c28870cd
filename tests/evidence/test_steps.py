"""Messages of IKEv1 are counted within their exchange, whatever their message ID."""

from typing import Any

from lab.evidence import steps


def sent(exchange: str | None, message_id: int = 0, *, again: int | None = None, spi: str = "aa:bb") -> dict[str, Any]:
    return {
        "exchange": exchange, "message_id": message_id, "retransmit_of": again, "spi": spi,
        "protocol": "IKEv1" if exchange else "ESP",
    }  # fmt: skip


def numbered(*entries: dict[str, Any]) -> list[int | None]:
    steps.number(entries)
    return [entry.get("step") for entry in entries]


def test_main_mode_is_counted_although_its_message_id_is_0() -> None:
    assert numbered(sent("Main Mode", spi="aa:00"), sent("Main Mode"), sent("Main Mode")) == [1, 2, 3]


def test_each_quick_mode_is_counted_by_itself() -> None:
    found = [sent("Quick Mode", 7), sent("Quick Mode", 8), sent("Quick Mode", 7), sent("Quick Mode", 8)]
    assert numbered(*found) == [1, 1, 2, 2]


def test_each_isakmp_sa_is_counted_by_itself() -> None:
    assert numbered(sent("Main Mode", spi="aa:00"), sent("Main Mode", spi="cc:00"), sent("Main Mode")) == [1, 1, 2]


def test_a_repeated_message_keeps_its_number() -> None:
    found = [sent("Main Mode"), sent("Main Mode"), sent("Main Mode", again=0), sent("Main Mode")]
    assert numbered(*found) == [1, 2, 1, 3]


def test_what_is_no_mode_has_no_number() -> None:
    assert numbered(sent("Informational", 9), sent(None), sent("IKE_AUTH", 1)) == [None, None, None]


def test_titles_say_the_place_within_the_mode() -> None:
    found = [
        sent("Main Mode"),
        sent("Quick Mode", 0x0BADC0DE),
        sent("Quick Mode", 0x0BADC0DE),
        sent("Informational", 9),
    ]
    numbered(*found)
    assert [steps.title(entry) for entry in found] == [
        "Main Mode message 1",
        "Quick Mode message 1 of 0badc0de",
        "Quick Mode message 2 of 0badc0de",
        "Informational message of 00000009",
    ]


def test_a_title_of_ikev2_has_its_message_id() -> None:
    asked = {**sent("IKE_AUTH", 1), "protocol": "IKEv2", "response": False}
    assert steps.title(asked) == "IKE_AUTH request 1"
    assert steps.title({**asked, "response": True}) == "IKE_AUTH response 1"
