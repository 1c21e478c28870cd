"""The life of mappings from connections alone: what is one mapping, what changed, and how it ended."""

from typing import Any

from lab.emulation import timeline
from lab.emulation.mappings import Connection

S = 10**9


def connection(outside: int, remote: str, began: int, ended: int = 0, **more: Any) -> Connection:
    return Connection(
        node="box",
        protocol="udp",
        inside=more.get("inside", "10.0.0.2:4500"),
        outside=f"192.0.2.1:{outside}",
        remote=remote,
        opened_by="inside",
        answered=True,
        assured=False,
        timeout_s=None,
        began_ns=began * S,
        ended_ns=ended * S,
        forgotten=more.get("forgotten", False),
    )


def told(*connections: Connection) -> list[tuple[float, str, str]]:
    entries = timeline.timeline(connections)
    return [(entry["t"], entry["event"], entry["outside"].partition(":")[2]) for entry in entries]


def test_connections_that_follow_each_other_are_one_mapping() -> None:
    a, b = connection(1, "a", 10, 40), connection(1, "b", 20, 60)
    assert told(b, a) == [(10, "created", "1"), (60, "expired", "1")]
    (mapping,) = timeline.mappings([a, b])
    assert mapping.seen_by == ["a", "b"]
    assert told(a, connection(1, "b", 20)) == [(10, "created", "1")], "it lives as long as one of them does"


def test_a_gap_ends_a_mapping() -> None:
    assert told(connection(1, "a", 10, 20), connection(1, "a", 30)) == [
        (10, "created", "1"),
        (20, "expired", "1"),
        (30, "created", "1"),
    ]


def test_another_name_for_the_same_remote_is_a_change() -> None:
    entries = timeline.timeline([connection(1, "a", 10, 20, forgotten=True), connection(2, "a", 20)])
    assert [entry["event"] for entry in entries] == ["created", "forgotten", "changed"], "the cause comes first"
    assert entries[-1]["before"] == "192.0.2.1:1"


def test_names_by_destination_are_no_change() -> None:
    assert [event for _, event, _ in told(connection(1, "a", 10), connection(2, "b", 11))] == ["created", "created"]
    other = connection(2, "a", 11, inside="10.0.0.3:4500")
    assert [event for _, event, _ in told(connection(1, "a", 10), other)] == ["created", "created"]


def test_what_was_done_comes_before_what_followed() -> None:
    done = [{"t": 20.0, "event": "rebooted", "node": "box"}]
    entries = timeline.timeline([connection(1, "a", 10, 20, forgotten=True)], done)
    assert [entry["event"] for entry in entries] == ["created", "rebooted", "forgotten"]
