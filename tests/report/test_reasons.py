"""When the page tells why something was refused or stayed unanswered."""

import json
from pathlib import Path

import pytest

from lab.report import facts, ladder, model, reasons


def ladder_of(*payloads: list[str]) -> list[dict[str, object]]:
    return [
        {"n": n, "t_sent": 1.0 + n, "from": "right", "to": "left", "protocol": "IKEv2", "exchange": "IKE_AUTH",
         "message_id": 1, "response": True, "payloads": names}
        for n, names in enumerate(payloads)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("verdict", "payloads", "sentences"),
    [
        ("passed", ["IDr", "AUTH"], 0),
        ("passed", ["N(AUTHENTICATION_FAILED)"], 1),
        ("failed", ["N(AUTHENTICATION_FAILED)"], 1),
    ],
)
def test_a_refusal_is_told_whatever_the_verdict(
    tmp_path: Path, verdict: str, payloads: list[str], sentences: int
) -> None:
    recorded = ladder_of(payloads)
    (tmp_path / "ladder.json").write_text(json.dumps(recorded))
    result = model.result(facts.table({"id": "a/b", "verdict": verdict}), None)
    found = reasons.told(tmp_path, result, ladder.read(recorded))
    assert len(found.conclusion) == sentences


def test_the_logs_of_a_failure_are_asked_even_without_a_refusal_on_the_wire(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "left-daemon.log").write_text(
        "1.0 failed we hold no pre-shared key for local a and remote b\n"
    )
    for verdict, told in (("failed", 1), ("passed", 0)):
        result = model.result(facts.table({"id": "a/b", "verdict": verdict}), None)
        assert len(reasons.told(tmp_path, result, []).conclusion) == told
