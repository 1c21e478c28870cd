"""Packets in time: what is drawn is countable, and said beside it."""

import re

from lab.report import timeline
from tests.report.trees import Talk


def test_every_direction_has_a_lane_and_every_packet_a_tick() -> None:
    talk = Talk()
    talk.ike("IKE_SA_INIT")
    talk.ike("IKE_SA_INIT", by="right")
    for _ in range(5):
        talk.esp("aaaaaaaa")
    found = timeline.draw(talk.messages)
    assert found is not None
    assert [found.drawn.count(f">{way}<") for way in ("left \u2192 right", "right \u2192 left")] == [1, 1]
    ticks = re.findall(r'd="([^"]*)" class="tick (\w+)"', found.drawn)
    assert [(kind, path.count("M")) for path, kind in ticks] == [("ike", 1), ("esp", 5), ("ike", 1)]
    assert found.sentence == "2 IKE, 5 ESP, AH or GRE in 61.0 ms."


def test_what_happened_to_packets_is_marked_and_said() -> None:
    talk = Talk()
    first = talk.ike("IKE_SA_INIT", lost=True, t_received=None)
    talk.ike("IKE_SA_INIT", retransmit_of=first)
    talk.ike("IKE_AUTH", payloads=["SKF(1/2)"])
    talk.esp("aaaaaaaa", duplicates=1)
    found = timeline.draw(talk.messages)
    assert found is not None
    assert [kind for kind, _, _ in found.marks] == ["lost", "again", "twice", "pieces"]
    assert found.sentence.endswith("; 1 lost, 1 sent again, 1 duplicated by the network, 1 in fragments.")
    assert all(f'class="sign {kind}"' in found.drawn for kind, _, _ in found.marks)


def test_a_day_of_traffic_stays_small() -> None:
    talk = Talk()
    for _ in range(20_000):
        talk.esp("aaaaaaaa")
    found = timeline.draw(talk.messages)
    assert found is not None and len(found.drawn) < 40_000


def test_steps_are_round() -> None:
    assert [timeline.step_of(end) for end in (8.0, 0.83, 165.0)] == [1.0, 0.2, 50.0]
    assert timeline.draw([]) is None
