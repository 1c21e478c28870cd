"""What a gate that steps tells of messages, and that it holds them until a file is there."""

import json
import threading

from lab.emulation.gate.step import ALL, MESSAGES, Stepper
from lab.wire.ids import ExchangeType
from tests.emulation.gate.frames import SIDES, esp, ike

NODES = {"left-host": "west", "left": "west", "internet": "east", "right": "east"}


def told(directory):
    return [json.loads(line) for line in (directory / MESSAGES).read_text().splitlines()]


def test_messages_are_told_with_their_ends_and_what_passed_in_between(tmp_path):
    stepper = Stepper(tmp_path, NODES, hold=False)
    assert stepper.meet(esp(1), None, 1.0) == ""
    token = stepper.meet(ike(0, ExchangeType.IKE_SA_INIT), ["SAi1", "KEi", "Ni"], 1.5)
    again = stepper.meet(ike(0, ExchangeType.IKE_SA_INIT, response=True, back=True), None, 2.0)
    first, second = told(tmp_path)
    assert (first["token"], second["token"]) == (token, again) and token != again
    assert (first["from"], first["to"], first["passed"]) == ("left", "right", {"ESP": 1})
    assert (first["exchange"], first["response"], first["payloads"]) == ("IKE_SA_INIT", False, ["SAi1", "KEi", "Ni"])
    assert (second["from"], second["to"], second["passed"], second["payloads"]) == ("right", "left", {}, None)


def test_a_message_waits_for_its_file_or_for_the_one_of_all(tmp_path):
    stepper = Stepper(tmp_path, SIDES, hold=True)
    tokens = []

    def meet(number):
        tokens.append(stepper.meet(ike(number, ExchangeType.IKE_AUTH), None, 0.0))

    for number, name in enumerate((None, ALL)):
        thread = threading.Thread(target=meet, args=(number,))
        thread.start()
        thread.join(0.2)
        assert thread.is_alive(), "it went on by itself"
        (tmp_path / (name or told(tmp_path)[-1]["token"])).touch()
        thread.join(10)
        assert not thread.is_alive()
    meet(2)
    assert len(tokens) == 3


def test_what_the_rules_did_is_told_of_this_message_alone(tmp_path):
    stepper = Stepper(tmp_path, SIDES, hold=False)
    mine, other = ike(1, ExchangeType.IKE_AUTH), ike(2, ExchangeType.IKE_AUTH)
    events = [{"action": "release", "content": other.fingerprint}, {"action": "drop", "content": mine.fingerprint}]
    stepper.goes_on("7-1", 0.25, events, mine)
    stepper.goes_on("7-2", 0.0, events[:1], mine)
    stepper.goes_on("", 0.0, [], esp(1))
    lines = [{"token": "7-1", "waited_s": 0.25, "did": ["drop"]}, {"token": "7-2", "waited_s": 0.0, "did": []}]
    assert told(tmp_path) == lines
