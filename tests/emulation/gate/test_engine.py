"""The engine: which packets go on, when, in which order; what waits is bounded, and everything leaves a record."""

from typing import Any

import pytest

from lab.emulation.gate import engine as engines
from lab.emulation.gate import rule as rules
from lab.emulation.gate.engine import Engine
from lab.emulation.gate.packet import Packet
from lab.errors import ConfigError
from lab.wire.ids import ExchangeType
from tests.emulation.gate.frames import SIDES, esp, ike, packet, udp_frame

INIT, AUTH, CREATE = ExchangeType.IKE_SA_INIT, ExchangeType.IKE_AUTH, ExchangeType.CREATE_CHILD_SA
INFORMATIONAL = ExchangeType.INFORMATIONAL


class Gate:
    """An engine and the frames it sent; payload names by message ID."""

    def __init__(self, *requests: dict[str, Any], names: dict[int, tuple[str, ...]] | None = None) -> None:
        self.names = names or {}
        self.engine = Engine(SIDES, self._names)
        self.numbers = [self.engine.add(rules.read(request)) for request in requests]
        self.now = 100.0

    def _names(self, packet: Packet) -> tuple[str, ...] | None:
        return self.names.get(packet.header.message_id) if packet.header else None

    def sent(self, *packets: Packet) -> list[list[bytes]]:
        return [self.engine.take(one, self.now) for one in packets]

    @property
    def actions(self) -> list[str]:
        return [event["action"] for event in self.engine.events]


def does(action: str, what: str, **more: Any) -> dict[str, Any]:
    return {"action": action, "filter": what, **more}


def test_without_rules_everything_passes() -> None:
    gate = Gate()
    garbage = packet(b"\xff" * 60)
    assert gate.sent(garbage, esp(1)) == [[garbage.frame], [esp(1).frame]]
    assert not gate.engine.events and gate.engine.next_deadline() is None


def test_drop_and_duplicate_by_number_and_side() -> None:
    gate = Gate(does("drop", "2nd IKE_AUTH request from left"), does("duplicate", "IKE_AUTH response to left"))
    first, second, third = (ike(n, AUTH) for n in (1, 2, 3))
    other, answer = ike(4, AUTH, back=True), ike(1, AUTH, response=True, back=True)
    assert gate.sent(other, first, second, third) == [[other.frame], [first.frame], [], [third.frame]]
    assert gate.sent(answer, ike(1, AUTH, response=True)) == [[answer.frame] * 2, [ike(1, AUTH, response=True).frame]]
    assert [state["seen"] for state in gate.engine.states()] == [3, 1]
    assert [state["acted"] for state in gate.engine.states()] == [1, 1]
    assert gate.engine.events[0]["message_id"] == 2 and gate.engine.events[0]["came"] == "west"


def test_the_first_rule_whose_turn_it_is_acts_and_all_count() -> None:
    gate = Gate(does("drop", "1st ESP"), does("duplicate", "1st to 2nd ESP"))
    assert gate.sent(esp(1), esp(2), esp(3)) == [[], [esp(2).frame] * 2, [esp(3).frame]]
    assert [state["seen"] for state in gate.engine.states()] == [3, 3]


def test_what_is_inside_decides_only_where_it_could_be_opened() -> None:
    names = {1: ("N(REKEY_SA)", "SA"), 2: ("SA", "KEi")}
    gate = Gate(does("drop", "CREATE_CHILD_SA request with SA without N(REKEY_SA)"), names=names)
    sealed = ike(3, CREATE)
    assert gate.sent(ike(1, CREATE), ike(2, CREATE), sealed) == [[ike(1, CREATE).frame], [], [sealed.frame]]


def test_hold_until() -> None:
    gate = Gate(does("hold", "CREATE_CHILD_SA request from left", until="2nd CREATE_CHILD_SA request from right"))
    held, one, two = ike(1, CREATE), ike(5, CREATE, back=True), ike(6, CREATE, back=True)
    assert gate.sent(held, one, two, ike(2, CREATE)) == [
        [], [one.frame], [held.frame, two.frame], [ike(2, CREATE).frame]
    ]  # fmt: skip
    assert gate.actions == ["hold", "release"]


def test_delay_and_the_longest_hold() -> None:
    gate = Gate(does("delay", "ESP", **{"for": "2s"}), does("hold", "IKE"))
    assert gate.sent(esp(1), ike(1, AUTH)) == [[], []]
    assert gate.engine.next_deadline() == 102.0
    assert gate.engine.tick(101.999) == [] and gate.engine.tick(102.0) == [esp(1).frame]
    assert gate.engine.next_deadline() == 100.0 + rules.LONGEST_S, "no hold is for ever"
    assert gate.engine.tick(100.0 + rules.LONGEST_S) == [ike(1, AUTH).frame]
    assert gate.engine.next_deadline() is None
    assert gate.engine.events[-1]["held_s"] == rules.LONGEST_S


def test_swap_takes_the_successor_of_the_same_kind_and_side() -> None:
    gate = Gate(does("swap", "1st IKE_AUTH request"))
    answer, again = ike(1, AUTH, response=True, back=True), ike(1, AUTH)
    assert gate.sent(again, esp(1), answer, again) == [[], [esp(1).frame], [answer.frame], [again.frame] * 2]
    assert gate.sent(again) == [[again.frame]]


@pytest.mark.parametrize("first", [0, 1])
def test_order(first: int) -> None:
    """All arrive in each order; they go on in the order of the rule, none before two are there."""
    whats = ["CREATE_CHILD_SA request from right", "CREATE_CHILD_SA request from left", "CREATE_CHILD_SA response"]
    gate = Gate({"action": "order", "filters": whats, "gather": 2})
    requests = [ike(7, CREATE, back=True), ike(1, CREATE)]
    answer = ike(1, CREATE, response=True, back=True)
    assert gate.sent(requests[first], requests[first]) == [[], []], "a repeat of what waits is not sent either"
    assert gate.sent(requests[1 - first]) == [[requests[0].frame, requests[1].frame]]
    assert gate.sent(answer) == [[answer.frame]]
    gate.now += engines.BEHIND_S
    assert gate.sent(answer, ike(2, CREATE)) == [[answer.frame], [ike(2, CREATE).frame]]
    assert gate.actions.count("absorb") == 1


def test_what_comes_right_behind_an_order_waits_until_that_is_dealt_with() -> None:
    """A peer with several threads took the second one first."""
    gate = Gate({"action": "order", "filters": ["IKE_AUTH", "CREATE_CHILD_SA request"]})
    gate.sent(ike(1, AUTH))
    first, second, back = ike(2, INFORMATIONAL), ike(3, INFORMATIONAL), ike(9, INFORMATIONAL, back=True)
    assert gate.sent(first, esp(1), back) == [[], [esp(1).frame], [back.frame]]
    due = gate.engine.next_deadline()
    assert due == pytest.approx(gate.now + engines.BEHIND_S)
    gate.now = due
    assert gate.sent(second) == [[]], "nothing overtakes it"
    assert gate.engine.tick(gate.now) == [first.frame, second.frame]
    assert gate.sent(ike(1, CREATE)) == [[ike(1, CREATE).frame]], "the order goes on"
    assert gate.sent(ike(4, INFORMATIONAL)) == [[]]
    assert gate.actions.count("behind") == 3


def test_an_order_that_never_completes_lets_go() -> None:
    gate = Gate({"action": "order", "filters": ["IKE_AUTH", "ESP"], "gather": 2, "for": 3})
    assert gate.sent(ike(1, AUTH)) == [[]]
    assert gate.engine.tick(103.0) == [ike(1, AUTH).frame]
    assert gate.sent(ike(2, AUTH), esp(1)) == [[ike(2, AUTH).frame], [esp(1).frame]]


def test_release_and_remove() -> None:
    gate = Gate(does("hold", "ESP"), does("hold", "IKE"))
    gate.sent(esp(1), ike(1, AUTH), esp(2))
    assert gate.engine.release(1, 101.0) == [esp(1).frame, esp(2).frame]
    assert gate.sent(esp(3)) == [[esp(3).frame]]
    assert gate.engine.remove(2, 102.0) == [ike(1, AUTH).frame]
    with pytest.raises(ConfigError, match="has no rule 2; it has 1"):
        gate.engine.remove(2, 102.0)
    assert [state["rule"] for state in gate.engine.states()] == [2, 1]


def test_what_is_held_at_the_end_is_counted_as_kept() -> None:
    gate = Gate(does("hold", "ESP"))
    gate.sent(esp(1), esp(2))
    gate.engine.close(130.0)
    assert gate.actions == ["hold", "hold", "kept", "kept"] and gate.engine.events[-1]["held_s"] == 30.0


def test_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "MOST_HELD", 3)
    monkeypatch.setattr(engines, "MOST_EVENTS", 5)
    gate = Gate(does("hold", "ESP"))
    assert gate.sent(*(esp(n) for n in range(5))) == [[], [], [], [esp(3).frame], [esp(4).frame]]
    gate.sent(esp(5))
    assert gate.actions == ["hold"] * 3 + ["overflow"] * 2 and gate.engine.unrecorded == 1
    monkeypatch.setattr(engines, "MOST_RULES", 1)
    with pytest.raises(ConfigError, match="at most 1 rules"):
        gate.engine.add(rules.read(does("drop", "ESP")))


def test_corrupt_says_what_it_made() -> None:
    gate = Gate(does("corrupt", "2nd ESP", octet=9, mask=1), does("corrupt", "IKE", octet=5000))
    assert gate.sent(esp(1)) == [[esp(1).frame]]
    [[changed]] = gate.sent(esp(2))
    differing = [at for at, (a, b) in enumerate(zip(changed, esp(2).frame, strict=True)) if a != b]
    assert differing[-1] == 14 + 20 + 8 + 9 and set(differing[:-1]) <= {14 + 20 + 6, 14 + 20 + 7}
    assert changed == udp_frame(esp(2).content[:9] + bytes([esp(2).content[9] ^ 1]) + esp(2).content[10:], 4500)
    assert gate.engine.events[0]["made"] == packet(changed).fingerprint
    assert gate.sent(ike(1, AUTH)) == [[ike(1, AUTH).frame]] and gate.engine.events[1]["failed"]


def test_at_one_interface_only() -> None:
    gate = Gate(does("drop", "ESP", through="east"))
    assert gate.sent(esp(1)) == [[]]
    with pytest.raises(ConfigError, match="no interface `north`"):
        gate.engine.add(rules.read(does("drop", "ESP", through="north")))


def test_unknown_nodes_are_named() -> None:
    with pytest.raises(ConfigError, match="no node `middle` beside this gate; there are left, right"):
        Gate(does("hold", "ESP", until="ESP from middle"))
