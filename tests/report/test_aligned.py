"""The lines of both logs that are about a message."""

from datetime import UTC, datetime

import pytest

from lab.report import aligned
from tests.report.trees import START, Talk

OURS = """{t0:.6f} note serving
{t0:.6f} message sent IKE_AUTH request 1 [ IDi ]  connection=gw
{t1:.6f} message received IKE_AUTH response 1 [ IDr ]  connection=gw"""
CHARON = """{d0} 09[CFG] <1> selected proposal
{d0} 09[ENC] <gw|1> parsed IKE_AUTH request 1 [ IDi ]
{d1} 09[ENC] <gw|1> generating IKE_AUTH response 1 [ IDr ]"""


def logs(ours: float, charon: float) -> list[tuple[str, str]]:
    days = [datetime.fromtimestamp(t, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] for t in (charon, charon + 0.01)]
    return [
        ("left-daemon.log", OURS.format(t0=ours, t1=ours + 0.011)),
        ("right-charon.log", CHARON.format(d0=days[0], d1=days[1])),
    ]


@pytest.fixture
def talk() -> Talk:
    talk = Talk()
    talk.ike("IKE_AUTH", mid=1)
    talk.ike("IKE_AUTH", mid=1, by="right")
    return talk


def test_a_message_has_the_line_of_who_sent_it_and_of_who_received_it(talk: Talk) -> None:
    found = aligned.align(talk.messages, START, logs(START, START))
    assert [(line.log, line.place) for line in found[0]] == [("left-daemon.log", 1), ("right-charon.log", 1)]
    assert [(line.log, line.place) for line in found[1]] == [("right-charon.log", 2), ("left-daemon.log", 2)]
    assert found[0][0].words == "message sent IKE_AUTH request 1 [ IDi ]  connection=gw"


def test_a_line_of_another_time_is_about_another_message(talk: Talk) -> None:
    found = aligned.align(talk.messages, START, logs(START, START + 5))
    assert [line.log for lines in found.values() for line in lines] == ["left-daemon.log", "left-daemon.log"]


def test_each_line_is_about_one_message() -> None:
    talk = Talk()
    talk.ike("IKE_AUTH", mid=1)
    talk.ike("IKE_AUTH", mid=1)
    found = aligned.align(talk.messages, START, logs(START, START))
    assert list(found) == [0]


def test_the_names_of_ikev1_and_its_message_ids_are_known() -> None:
    talk = Talk()
    talk.ike("Quick Mode", mid=0x5CBD8D56, v1=True)
    said = f"{START:.6f} message sent QUICK_MODE 5cbd8d56 [ HASH ]  connection=gw"
    day = datetime.fromtimestamp(START, UTC).strftime("%Y-%m-%dT%H:%M:%S.000")
    heard = f"{day} 15[ENC] <gw|1> parsed QUICK_MODE request {0x5CBD8D56} [ HASH ]"
    found = aligned.align(talk.messages, START, [("left-daemon.log", said), ("right-charon.log", heard)])
    assert [line.log for line in found[0]] == ["left-daemon.log", "right-charon.log"]


def test_a_log_leads_back_to_its_messages_and_is_inert(talk: Talk) -> None:
    (name, content), _ = logs(START, START)
    lines = aligned.align(talk.messages, START, [(name, content)])
    shown = aligned.linked(name, "<b>&\n" + "\n".join(content.split("\n")[1:]), lines)
    assert shown.startswith("&lt;b&gt;&amp;\n")
    assert shown.count('<a id="log-left-daemon-2" href="#message-0">') == 1
    assert shown.count('href="#message-1"') == 1
