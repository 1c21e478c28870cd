import json

from lab.matrix import Pairing
from lab.plugin.meta import Scenario
from lab.run.batches import divide
from lab.run.follow import Follower

PAIRING = Pairing("ours", "strongswan")


def follower(tmp_path, times):
    (batch,) = divide([Scenario("a/b", PAIRING, "", "")], 1)
    left = iter(times)
    return Follower(batch, tmp_path / "events.jsonl", clock=lambda: next(left))


def write(tmp_path, *events, torn=""):
    with (tmp_path / "events.jsonl").open("a") as file:
        file.write("".join(json.dumps(event) + "\n" for event in events) + torn)


STARTED = {"event": "started", "id": "a/b", "pairing": "ours>strongswan", "dir": "scenarios/a/b/x"}
FINISHED = {"event": "finished", "id": "a/b", "pairing": "ours>strongswan", "versions": {"strongswan": "6.0.1"}}


def test_nothing_is_there_before_the_guest_writes(tmp_path):
    assert follower(tmp_path, [0.0]).read() == []


def test_a_scenario_is_timed_by_the_hosts_clock(tmp_path):
    one = follower(tmp_path, [0.0, 10.0, 10.5, 10.6])
    write(tmp_path, STARTED)
    assert one.read() == [] and one.current == ("a/b", "ours>strongswan")
    write(tmp_path, FINISHED)
    (finished,) = one.read()
    assert (finished.key, finished.directory, finished.duration_s) == (
        ("a/b", "ours>strongswan"),
        "scenarios/a/b/x",
        0.5,
    )
    assert one.current is None and one.versions == {"strongswan": "6.0.1"}


def test_a_torn_line_waits_for_its_end(tmp_path):
    one = follower(tmp_path, [0.0] * 9)
    text = json.dumps(FINISHED)
    write(tmp_path, STARTED, torn=text[:20])
    assert one.read() == []
    write(tmp_path, torn=text[20:] + "\n")
    assert len(one.read()) == 1
