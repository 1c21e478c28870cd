"""The assertions on IKEv1's exchanges say no where they should."""

import pytest

from lab.plugin import first_version as v1
from lab.plugin.sight import Ladder


def entry(n: int, sender: str, exchange: str, message_id: int = 0, **more: object) -> dict:
    fields = {
        "n": n, "from": sender, "exchange": exchange, "message_id": message_id, "protocol": "IKEv1", "response": None,
        "payloads": ["SA"], "encrypted": False, "retransmit_of": None, "lost": False, "dst": "198.51.100.1:500",
    }  # fmt: skip
    return fields | more


def conversation(first: int = 6, second: int = 3, exchange: str = v1.MAIN) -> list[dict]:
    sides = ("left", "right")
    return [
        *(entry(n, sides[n % 2], exchange, encrypted=n >= 4) for n in range(first)),
        *(entry(first + n, sides[n % 2], v1.QUICK, 7, encrypted=True) for n in range(second)),
    ]


def test_six_and_three() -> None:
    v1.set_up(Ladder(conversation()))
    v1.set_up(Ladder(conversation(3, exchange=v1.AGGRESSIVE)), v1.AGGRESSIVE)


@pytest.mark.parametrize(("first", "second"), [(5, 3), (7, 3), (6, 2), (6, 4), (0, 3)])
def test_other_numbers_of_messages(first: int, second: int) -> None:
    with pytest.raises(AssertionError, match="messages by turns"):
        v1.set_up(Ladder(conversation(first, second)))


def test_a_repetition_counts_once_and_another_version_not_at_all() -> None:
    again = entry(9, "left", v1.QUICK, 7, retransmit_of=6)
    v1.set_up(Ladder([*conversation(), again]))
    with pytest.raises(AssertionError, match="not all messages are of IKEv1"):
        v1.set_up(Ladder([*conversation(), entry(9, "left", "IKE_AUTH", 1, protocol="IKEv2")]))


def test_what_has_to_be_hidden() -> None:
    v1.hidden(conversation()[:6], first=5)
    with pytest.raises(AssertionError, match="message 5 of Main Mode"):
        v1.hidden(conversation()[:6], first=6)


def test_the_port_from_the_fifth_message_on() -> None:
    moved = [e | {"dst": f"198.51.100.1:{500 if e['n'] < 4 else 4500}"} for e in conversation()]
    v1.floated(Ladder(moved), v1.MAIN, 5)
    with pytest.raises(AssertionError, match="not to port 4500"):
        v1.floated(Ladder(conversation()), v1.MAIN, 5)
