"""Why a negotiation failed: the wire says that, the logs say why. The log lines are those of real daemons."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from lab.cli import cli
from lab.errors import ConfigError
from lab.report.why import account
from lab.report.why.daemons import MEANINGS
from tests.history.recorded import entry, write

T0 = 1795780191.0
CHARON_AT = "2026-11-27T11:49:51.383 10[IKE] <gw|1> "


def exchange(*payloads: str, repeated: int = 0, lost: bool = False, answered: bool = True) -> list[dict[str, Any]]:
    """An IKE_AUTH request and its response with these payloads."""
    request = entry(0, "IKE_AUTH", 1, response=False, spi="a:b", began=T0) | {"t_received": None if lost else T0}
    rows = [request | {"lost": lost}]
    for n in range(1, repeated + 1):
        rows.append(rows[0] | {"n": n, "t_sent": T0 + 4 * n, "retransmit_of": 0})
    if answered:
        back = entry(len(rows), "IKE_AUTH", 1, response=True, spi="a:b", began=T0)
        rows.append(back | {"t_sent": T0 + 0.4, "payloads": list(payloads)})
    return rows


def scenario(tmp_path: Path, ladder: list[dict[str, Any]], **logs: str) -> Path:
    (tmp_path / "logs").mkdir()
    (tmp_path / "ladder.json").write_text(json.dumps(ladder))
    for name, text in logs.items():
        (tmp_path / "logs" / f"{name.replace('_', '-')}.log").write_text(text)
    return tmp_path


def test_a_refusal_is_joined_to_the_reason_of_who_refused(tmp_path: Path) -> None:
    log = (
        f"{CHARON_AT}received proposals: ESP:AES_CBC_128/HMAC_SHA2_256_128/NO_EXT_SEQ\n"
        f"{CHARON_AT}configured proposals: ESP:AES_GCM_16_256/NO_EXT_SEQ\n"
    )
    ours = f"{T0 + 0.4} failed peer refuses child net: NO_PROPOSAL_CHOSEN, none of ours  connection=gw child=net\n"
    place = scenario(tmp_path, exchange("IDr", "N(NO_PROPOSAL_CHOSEN)"), right_charon=log, left_daemon=ours)
    assert account(place).conclusion == (
        "right refuses left's IKE_AUTH request 1: NO_PROPOSAL_CHOSEN, none of the proposals is acceptable to it "
        "(RFC 7296 2.7). Its reason: was offered ESP:AES_CBC_128/HMAC_SHA2_256_128/NO_EXT_SEQ; "
        "allows ESP:AES_GCM_16_256/NO_EXT_SEQ",
    )


def test_who_was_refused_says_what_it_had_offered(tmp_path: Path) -> None:
    told = "peer refuses child net: NO_PROPOSAL_CHOSEN, none of ours (we offer aes128-sha256)"
    log = f"{T0 + 0.41} failed {told}  connection=gw child=net\n"
    (said,) = account(scenario(tmp_path, exchange("N(NO_PROPOSAL_CHOSEN)"), left_daemon=log)).conclusion
    assert said.endswith("(RFC 7296 2.7). The other side says: we offer aes128-sha256")


def test_a_refusal_in_a_request_is_of_what_came_before(tmp_path: Path) -> None:
    rows = exchange("AUTH")
    rows[0] |= {"exchange": "INFORMATIONAL", "payloads": ["N(AUTHENTICATION_FAILED)"]}
    (said,) = account(scenario(tmp_path, rows)).conclusion
    assert said.startswith("left refuses what right sent before, by INFORMATIONAL request 1: AUTHENTICATION_FAILED")


def test_our_daemon_gives_its_reason_in_words(tmp_path: Path) -> None:
    log = (
        f"{T0 + 0.4} failed AUTH of left.lab does not verify: its pre-shared key is not ours  connection=gw\n"
        f"{T0 + 0.4} state IKE SA gw[1]: CONNECTING -> GONE  before=CONNECTING after=GONE\n"
    )
    found = account(scenario(tmp_path, exchange("N(AUTHENTICATION_FAILED)"), right_daemon=log))
    assert found.conclusion[0].endswith("Its reason: AUTH of left.lab does not verify: its pre-shared key is not ours")
    assert {one.proof for one in found.findings} == {"right-daemon.log line 1", "message 1 of the ladder"}


def test_a_reason_of_another_time_or_side_is_not_joined(tmp_path: Path) -> None:
    late = f"{T0 + 60} failed something else  connection=gw\n"
    other = f"{T0 + 0.4} failed what the other side thinks  connection=gw\n"
    found = account(scenario(tmp_path, exchange("N(TS_UNACCEPTABLE)"), right_daemon=late, left_daemon=other))
    assert "reason" not in found.conclusion[0] and len(found.findings) == 3


@pytest.mark.parametrize(
    ("lost", "words"),
    [(True, "none of them arrived at right, the network lost them"), (False, "all of them arrived at right")],
)
def test_silence(tmp_path: Path, lost: bool, words: str) -> None:
    found = account(scenario(tmp_path, exchange(repeated=2, lost=lost, answered=False)))
    assert f"left sent IKE_AUTH request 1 3 times in 8 s and had no answer: {words}" in found.conclusion[0]


def test_a_silence_is_joined_to_the_log_of_who_was_silent(tmp_path: Path) -> None:
    silent = f"{CHARON_AT}could not decrypt payloads\n"
    asking = f"{T0 + 0.4} drop something else  connection=gw\n"
    place = scenario(tmp_path, exchange(repeated=2, answered=False), right_charon=silent, left_daemon=asking)
    (said,) = account(place).conclusion
    assert said.endswith(". The log of right: cannot decrypt a message, as with another pre-shared key")


def test_a_repeated_request_with_an_answer_is_no_failure(tmp_path: Path) -> None:
    assert account(scenario(tmp_path, exchange("AUTH", repeated=1))).conclusion == ()


def test_what_asks_for_another_try_is_no_refusal(tmp_path: Path) -> None:
    found = account(scenario(tmp_path, exchange("N(INVALID_KE_PAYLOAD)")))
    assert found.conclusion == () and len(found.findings) == 1


def test_without_a_refusal_the_daemons_complaints_are_told(tmp_path: Path) -> None:
    log = f"{CHARON_AT}destroying IKE_SA after failed XAuth authentication\n"
    (said,) = account(scenario(tmp_path, exchange("AUTH"), right_charon=log)).conclusion
    assert said == "right: ended the ISAKMP SA after a wrong XAUTH answer"


def test_every_row_has_as_many_places_as_groups() -> None:
    for pattern, words in MEANINGS:
        assert words.format(*["x"] * pattern.groups)


@pytest.mark.parametrize("rubbish", ["", "{", "[1, null, {}]", '[{"payloads": "N(X)", "t_sent": "now"}]'])
def test_rubbish_raises_nothing(tmp_path: Path, rubbish: str) -> None:
    place = scenario(tmp_path, [], right_charon="\0\xff\n" + CHARON_AT, left_daemon="nan failed x\n1.0 failed\n", x="y")
    (place / "ladder.json").write_text(rubbish)
    account(place)


def test_the_command(tmp_path: Path) -> None:
    run = write(tmp_path / "run", {"nat/a": "passed"})
    place = run / "scenarios" / "nat" / "a" / "ours-to-strongswan"
    (place / "ladder.json").write_text(json.dumps(exchange("N(AUTHENTICATION_FAILED)")))
    for path in (run / "nat" / "a", run / "scenarios" / "nat", place, run):
        done = CliRunner().invoke(cli, ["explain", str(path)], catch_exceptions=False)
        assert done.exit_code == 0 and "right refuses left's IKE_AUTH request 1" in done.stdout
    found = json.loads(CliRunner().invoke(cli, ["explain", "--json", str(place)]).stdout)
    assert found["schema"] == "ikelab.explain/1" and found["findings"][0]["refusal"] is True


@pytest.mark.parametrize(("path", "words"), [("run/nat/b", "holds no scenario"), ("elsewhere", "no run directory")])
def test_a_wrong_place_is_said(tmp_path: Path, path: str, words: str) -> None:
    write(tmp_path / "run", {"nat/a": "passed"})
    with pytest.raises(ConfigError, match=words):
        CliRunner().invoke(cli, ["explain", str(tmp_path / path)], catch_exceptions=False)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("[KNL] unable to add SAD entry with SPI c5f69fa0 (FAILED)",
         "could not add the SA with SPI c5f69fa0 to its kernel"),
        ("[KNL] algorithm CHACHA20_POLY1305 not supported by kernel!", "has a kernel that lacks CHACHA20_POLY1305"),
        ("[IKE] unable to install IPsec policies (SPD) in kernel", "could not install the policies in its kernel"),
        ("[IKE] unable to install inbound and outbound IPsec SA (SAD) in kernel",
         "could not install the inbound and outbound SA in its kernel"),
        ("[NET] ignoring IKE_SA setup from 203.0.113.2, half-open IKE_SA count of 10 exceeds limit of 9",
         "ignored a new peer at 203.0.113.2: half-open IKE_SA count of 10 exceeds limit of 9"),
        ("[NET] received unsupported IKE version 3.0 from 203.0.113.2, sending INVALID_MAJOR_VERSION",
         "was asked in IKE version 3.0 by 203.0.113.2"),
        ("[ENC] could not decrypt payloads", "cannot decrypt a message, as with another pre-shared key"),
        ("[IKE] received message ID 7, expected 2, ignored", "received message ID 7 where 2 had to come"),
        ("[IKE] IKE_AUTH request with message ID 1 processing failed", "could not process IKE_AUTH request 1"),
        ("[IKE] authentication of 'left.lab' (myself) failed", "could not prove that it is left.lab"),
    ],
)  # fmt: skip
def test_charons_complaints_in_words(tmp_path: Path, line: str, words: str) -> None:
    log = f"2026-11-27T11:49:51.383 10{line}\n"
    (said,) = account(scenario(tmp_path, exchange("AUTH"), right_charon=log)).conclusion
    assert said == f"right: {words}"
