"""Why a negotiation of IKEv1 failed: what a notify refuses, and which message nothing followed."""

import json
from pathlib import Path
from typing import Any

import pytest

from lab.report.why import account, first_version, wire

Row = dict[str, Any]
MODES = {"Main Mode": 6, "Aggressive Mode": 3, "Quick Mode": 3}


def sent(exchange: str, step: int | None, *, by: str = "", t: float = 0.0, lost: bool = False, **more: Any) -> Row:
    by = by or ("left" if (step or 1) % 2 else "right")
    return {
        "protocol": "IKEv1", "exchange": exchange, "from": by, "to": {"left": "right", "right": "left"}[by],
        "message_id": 0 if exchange in ("Main Mode", "Aggressive Mode") else 7, "payloads": [], "spi": "a:b",
        "t_sent": t, "t_received": None if lost else t + 0.01, "lost": lost, "retransmit_of": None,
        **({} if step is None else {"step": step}), **more,
    }  # fmt: skip


def mode(exchange: str, until: int) -> list[Row]:
    """The messages of a mode up to one that is sent three times."""
    rows = [sent(exchange, step) for step in range(1, until + 1)]
    again = [{**rows[-1], "t_sent": t, "t_received": t, "retransmit_of": until - 1} for t in (4.0, 11.2)]
    return [{**row, "n": n} for n, row in enumerate(rows + again)]


@pytest.mark.parametrize(("exchange", "last"), MODES.items())
def test_each_message_that_nothing_follows(exchange: str, last: int) -> None:
    for step in range(1, last):
        (found,) = first_version.silences(mode(exchange, step))
        assert found.node == ("left" if step % 2 else "right") and found.refusal
        assert found.words.startswith(
            f"sent {exchange} message {step} 3 times in 11 s and nothing followed: all of them"
        )
        assert found.words.endswith(first_version.LIKELY[exchange, step])
        assert found.proof == f"message {step - 1} of the ladder"


@pytest.mark.parametrize(("exchange", "last"), MODES.items())
def test_the_last_message_of_a_mode_waits_for_nothing(exchange: str, last: int) -> None:
    assert not list(first_version.silences(mode(exchange, last)))


def test_a_wrong_pre_shared_key_is_named_for_message_5_of_main_mode() -> None:
    (found,) = first_version.silences(mode("Main Mode", 5))
    assert "the pre-shared keys differ" in found.words


def test_who_gives_up_is_told_with_the_silence(tmp_path: Path) -> None:
    """RFC 2408 5.1: whoever waits repeats its message, and decides for itself when that was often enough."""
    log = "165.0 failed peer does not answer: a message of MAIN_MODE was sent 6 times  connection=gw\n"
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "left-daemon.log").write_text(log)
    (tmp_path / "ladder.json").write_text(json.dumps(mode("Main Mode", 5)))
    (said,) = account(tmp_path).conclusion
    assert said.endswith(
        ". 165 s after the first it gave up: peer does not answer: a message of MAIN_MODE was sent 6 times"
    )


def test_a_message_that_was_followed_later_is_no_silence() -> None:
    rows = [*mode("Main Mode", 5), sent("Main Mode", 6, t=12.0)]
    assert not list(first_version.silences(rows))


def test_a_following_message_that_was_lost_is_none() -> None:
    rows = [*mode("Main Mode", 5), sent("Main Mode", 6, t=12.0, lost=True)]
    assert len(list(first_version.silences(rows))) == 1


def test_the_network_lost_them_all() -> None:
    rows = [{**row, "lost": True, "t_received": None} for row in mode("Main Mode", 1)]
    (found,) = first_version.silences(rows)
    assert found.words.endswith("none of them arrived at right, the network lost them")


def test_one_of_them_arrived() -> None:
    rows = mode("Main Mode", 1)
    rows[0] |= {"lost": True, "t_received": None}
    (found,) = first_version.silences(rows)
    assert "2 arrived at right, which did not go on, as where it has no connection" in found.words


def ask(t: float, payload: str = first_version.ASKS, **more: Any) -> Row:
    return sent("Informational", None, t=t, payloads=[payload], **more)


def test_a_peer_that_does_not_say_that_it_lives() -> None:
    (found,) = first_version.silences([ask(1.0), ask(5.0), ask(9.0)])
    assert found.words.startswith("sent R-U-THERE 3 times in 8 s and nothing followed: all of them arrived at right")
    answered = [ask(1.0), ask(2.0, first_version.ANSWERS, by="right"), ask(5.0)]
    assert not list(first_version.silences(answered)), "one question alone is no silence"
    assert not list(first_version.silences([ask(1.0), ask(2.0), ask(3.0, first_version.ANSWERS, by="right")]))


def test_a_notify_refuses_the_last_message_of_a_mode_that_came() -> None:
    told = sent("Informational", None, by="right", payloads=["N(PAYLOAD_MALFORMED)"], n=6)
    rows = [*mode("Main Mode", 5)[:5], {**sent("Main Mode", 5, lost=True), "step": 7}, told]
    (found,) = [one for one in wire.findings(rows) if one.refusal]
    assert found.node == "right" and found.words.startswith(
        "refuses left's Main Mode message 5: PAYLOAD_MALFORMED, it "
    )
    assert found.words.endswith("(RFC 2408 3.14.1)")


def test_a_notify_that_nothing_came_before() -> None:
    (found,) = wire.findings([sent("Informational", None, by="right", payloads=["N(INVALID_COOKIE)"])])
    assert found.words.startswith("refuses what left sent: INVALID_COOKIE, it knows no such ISAKMP SA")


def test_words_of_ikev2_alone_are_no_refusals_of_ikev1() -> None:
    assert not wire.findings([sent("Informational", None, payloads=["N(TS_UNACCEPTABLE)"])])
