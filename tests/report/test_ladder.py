from typing import Any

from lab.report import ladder
from lab.report.ladder import Message, Run, Silence
from tests.report.synthetic import Wire, handshake, through_nat, with_losses


def entries(*times: float, protocol: str = "ESP") -> list[dict[str, Any]]:
    return [
        {"n": n, "t_sent": t, "t_received": t + 0.01, "from": "left", "to": "right", "protocol": protocol}
        for n, t in enumerate(times)
    ]


def test_times_count_from_the_first_message() -> None:
    wire = Wire()
    handshake(wire)
    first = ladder.read(wire.ladder)[0]
    assert first.sent == 0.0
    assert first.received is not None and round(first.received, 4) == 0.0204


def test_labels_are_those_of_the_rfc() -> None:
    wire = Wire(nat=True)
    through_nat(wire)
    labels = [one.label for one in ladder.read(wire.ladder)]
    assert labels[3] == "IKE_AUTH response 1 {IDr AUTH SA TSi TSr}"
    assert labels[4] == "ESP seq 1"
    assert labels[-3] == "NAT-keepalive"
    assert labels[-1] == "INFORMATIONAL response 2"


def test_marks_say_what_is_special() -> None:
    wire = Wire(nat=True)
    with_losses(wire)
    found = ladder.read(wire.ladder)
    assert [one.marks for one in found[:3]] == [["lost"], ["retransmission of 0"], []]
    sealed = ladder.read([{"n": 0, "protocol": "ESP", "encrypted": True, "opened": False, "duplicates": 2}])
    assert sealed[0].marks == ["duplicated by the network 2 times", "no key fits"]


def test_a_long_run_is_one_row_and_a_short_one_is_not() -> None:
    assert len(ladder.rows(ladder.read(entries(0, 0.01, 0.02, 0.03)))) == 4
    (run,) = ladder.rows(ladder.read(entries(0, 0.01, 0.02, 0.03, 0.04)))
    assert isinstance(run, Run) and run.ways == [("left", "right", 5)]


def test_runs_do_not_mix_protocols_and_stop_at_ike() -> None:
    listed = entries(*(n / 100 for n in range(12)))
    for place in (5, 11):
        listed[place]["protocol"] = "NAT-keepalive" if place == 11 else "IKEv2"
    kinds = [
        (type(row).__name__, row.protocol) for row in ladder.rows(ladder.read(listed)) if not isinstance(row, Silence)
    ]
    assert kinds == [("Run", "ESP"), ("Message", "IKEv2"), ("Run", "ESP"), ("Message", "NAT-keepalive")]


def test_a_silence_is_a_row_and_ends_a_run() -> None:
    rows = ladder.rows(ladder.read(entries(0, 0.1, 20, 20.1)))
    assert [type(row) for row in rows] == [Message, Message, Silence, Message, Message]
    assert isinstance(rows[2], Silence) and round(rows[2].length, 2) == 19.89
    assert [type(row) for row in ladder.rows(ladder.read(entries(*range(6))))] == [Run]


def test_no_message_is_left_out() -> None:
    wire = Wire(nat=True)
    through_nat(wire)
    messages = ladder.read(wire.ladder)
    shown = [
        one.number
        for row in ladder.rows(messages)
        if not isinstance(row, Silence)
        for one in (row.messages if isinstance(row, Run) else [row])
    ]
    assert shown == [one.number for one in messages]


def test_wrong_types_are_missing_values() -> None:
    (one,) = ladder.read(
        [{"n": "x", "t_sent": "soon", "from": 7, "payloads": {}, "lost": "yes", "hops": [1], "spi": None}]
    )
    assert (one.number, one.sent, one.sender, one.payloads, one.lost, one.hops, one.spi) == (
        1,
        None,
        "7",
        (),
        False,
        (),
        "",
    )
    assert ladder.read({"what": "ever"}) == [] and ladder.read(None) == []
