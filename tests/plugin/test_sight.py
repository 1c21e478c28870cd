from lab.plugin.sight import Ladder, line


def message(n, sender, exchange, response, payloads=(), **more):
    entry = {"n": n, "from": sender, "protocol": "IKEv2", "exchange": exchange, "response": response, "opened": None}
    entry |= {"message_id": 0, "payloads": list(payloads), "retransmit_of": None, "lost": False}
    return entry | more


LADDER = Ladder(
    [
        message(0, "left", "IKE_SA_INIT", False, ["SAi1", "KEi", "Ni"], lost=True),
        message(1, "left", "IKE_SA_INIT", False, ["SAi1", "KEi", "Ni"], retransmit_of=0),
        message(2, "right", "IKE_SA_INIT", True, ["SAr1", "KEr", "Nr"]),
        {**message(3, "left", None, None), "protocol": "ESP", "opened": False},
        {**message(4, "left", None, None), "protocol": "NAT-keepalive"},
    ]
)


def numbers(entries):
    return [entry["n"] for entry in entries]


def test_messages_are_found_by_exchange_direction_sender_and_payload():
    assert numbers(LADDER.ike()) == [0, 1, 2]
    assert numbers(LADDER.ike("IKE_SA_INIT", response=True)) == [2]
    assert numbers(LADDER.ike(sender="left", payload="Ni")) == [0, 1]
    assert numbers(LADDER.ike("IKE_AUTH")) == []


def test_repeats_are_left_out_on_request():
    assert numbers(LADDER.ike(again=False)) == [0, 2]


def test_other_protocols_have_their_own_question():
    assert numbers(LADDER.esp("left")) == [3] and numbers(LADDER.esp("right")) == []
    assert numbers(LADDER.keepalives()) == [4] and numbers(LADDER.sealed()) == [3]


def test_a_message_in_words():
    assert line(LADDER.entries[0]) == "left IKE_SA_INIT request 0 {SAi1 KEi Ni} (lost)"
    able = LADDER.entries[0] | {
        "payloads": ["SAi1", "N(REDIRECT_SUPPORTED)", "N(COOKIE)", "N(NAT_DETECTION_SOURCE_IP)"]
    }
    assert line(able) == "left IKE_SA_INIT request 0 {SAi1 N(COOKIE)} (lost)"
    assert LADDER.words().count("IKE_SA_INIT") == 3
