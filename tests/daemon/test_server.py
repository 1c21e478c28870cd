"""The server with a real loop and control socket, an endpoint that plays a script, and no network."""

import json
import os
import socket
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path as File

import pytest

from lab.backends.none import NoDataplane
from lab.daemon.journal import Journal
from lab.daemon.loop import Loop
from lab.daemon.server import GRACE, Server
from lab.errors import ConfigError, UnfitError
from lab.ike.actions import (
    AddAddress,
    Event,
    InstallChild,
    KeyLog,
    MoveChild,
    RemoveAddress,
    RemoveChild,
    Send,
    UseChild,
)
from lab.ike.config import Child, load
from lab.ike.path import Path
from lab.ipsec.dataplane import Acquire, Aging, Expired, Moved
from lab.ipsec.drops import Reason
from lab.trace import Trace
from lab.wire.gateway import Gateway

CONFIG = load(
    """
connections {
  gw {
    local_addrs = 192.0.2.1
    remote_addrs = 192.0.2.2
    local {
      auth = psk
    }
    remote {
      auth = psk
    }
    children {
      net {
        local_ts = 10.1.0.0/24
        remote_ts = 10.2.0.0/24
        start_action = trap
      }
      lan {
      }
    }
  }
}
"""
)
PATH = Path("192.0.2.1", 4500, "192.0.2.2", 4500)
SPI = b"\xc1\0\0\1"


class Script:
    """An endpoint: remembers what it was asked, answers with `next` once."""

    def __init__(self) -> None:
        self.asked: list[tuple[object, ...]] = []
        self.next: list[object] = []
        self.views: list[dict[str, object]] = []
        self.deadline: float | None = None

    def __getattr__(self, name: str) -> object:
        if name.startswith("_"):
            raise AttributeError(name)

        def answer(*args: object, **kwargs: object) -> list[object]:
            self.asked.append((name, *args, *kwargs.values()))
            actions, self.next = self.next, []
            for action in actions:
                if isinstance(action, Exception):
                    raise action
            if name == "tick":
                self.deadline = None
            return actions

        return answer

    def next_deadline(self) -> float | None:
        return self.deadline

    def sas(self, now: float | None = None) -> list[dict[str, object]]:
        return json.loads(json.dumps(self.views))

    def stats(self) -> dict[str, int]:
        return {"ike_sas": len(self.views)}


class Recorder(NoDataplane):
    """A backend that remembers."""

    def __init__(self, trace: Trace, done: list[tuple[object, ...]]) -> None:
        super().__init__(trace)
        self.done, self.reports, self.times = done, [], {}

    def install(self, child: object, *, outbound: bool = True) -> None:
        self.done.append(("install" if outbound else "stand by", child))

    def use(self, spi_in: bytes) -> None:
        self.done.append(("use", spi_in))

    def remove(self, spi_in: bytes) -> None:
        self.done.append(("remove", spi_in))

    def move(self, spi_in: bytes, path: Path, *, encap: bool) -> None:
        self.done.append(("move", spi_in, path, encap))

    def roamed(self) -> None:
        self.done.append(("roamed",))

    def add_address(self, address: object) -> None:
        self.done.append(("add address", str(address)))

    def remove_address(self, address: object) -> None:
        self.done.append(("remove address", str(address)))

    def trap(self, child: Child, path: Path, local: object, remote: object) -> None:
        self.done.append(("trap", child.name, str(path), str(local[0]), str(remote[0])))

    def give_up(self, child: str) -> None:
        self.done.append(("give_up", child))

    def esp_in_udp(self, data: bytes, path: Path, now: float, traffic_class: int, segment: int = 0) -> list[object]:
        self.done.append(("esp", data, traffic_class))
        return self.reports

    def usage(self) -> dict[str, dict[str, int]]:
        return {SPI.hex(): {"packets_in": 7}}

    def carried(self) -> dict[bytes, tuple[float, float]]:
        return self.times

    def offload(self) -> dict[str, object]:
        return {"path": "none"}


class Wire:
    """Ports: nothing is bound."""

    def __init__(self, done: list[tuple[object, ...]]) -> None:
        self.done, self.fails = done, False

    def sources(self) -> tuple[int, ...]:
        return ()

    def send(self, data: bytes, path: Path, **_how: object) -> None:
        if self.fails:
            raise OSError(101, "Network is unreachable")
        self.done.append(("send", data, path))

    def close(self) -> None:
        pass


class Bench:
    def __init__(self, directory: File) -> None:
        self.now, self.done, self.records = 100.0, [], []
        self.endpoint, self.wire, self.directory = Script(), Wire(self.done), directory
        self.trace = Trace(self.records.append)
        self.backend = Recorder(self.trace, self.done)
        self.journal = Journal(directory, directory, offset=0.0)
        self.server = Server(self.endpoint, self.backend, self.wire, self.journal, trace=self.trace, config=CONFIG)
        self.loop = Loop(lambda: self.now)
        self.server.begin(self.loop, control=directory / "ctl")
        self.client = socket.socket(socket.AF_UNIX)
        self.client.connect(str(directory / "ctl"))
        self.client.setblocking(False)
        self.heard = b""

    def turn(self) -> None:
        self.loop._idle_turns = 0
        while not self.loop._idle_turns:
            self.loop.turn(0.0)
            self.server._due(self.server._now())

    def ask(self, **request: object) -> list[dict[str, object]]:
        """Send a request (none: only listen) and give back all lines that came."""
        if request:
            self.client.send(json.dumps(request).encode() + b"\n")
        self.turn()
        try:
            return [json.loads(line) for line in self.client.recv(1 << 20).splitlines()]
        except BlockingIOError:
            return []

    def notes(self) -> list[str]:
        return [record.text for record in self.records]


@pytest.fixture
def bench(tmp_path: File) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.server.close()
    made.client.close()
    made.journal.close()
    made.loop.close()


def test_a_full_disk_ends_the_daemon_whoever_is_served(bench: Bench) -> None:
    for file in bench.directory.glob("*.jsonl"):
        file.unlink()
        file.symlink_to("/dev/full")
    bench.server.journal = Journal(bench.directory, bench.directory, offset=0.0)
    bench.endpoint.next = [Event("ike-up", {"connection": "gw"})]
    with pytest.raises(UnfitError, match="No space left"):
        bench.ask(command="initiate", child="net")
    bench.endpoint.next = [Event("ike-up", {"connection": "gw"})]
    with pytest.raises(UnfitError, match="No space left"):
        bench.server._reports([Acquire("net", "flow")], 100.0)


def test_actions_are_carried_out_in_their_order(bench: Bench) -> None:
    other = Path("192.0.2.1", 4500, "192.0.2.9", 4500)
    actions = [
        AddAddress(ip_address("10.3.0.1")),
        InstallChild("child"),
        InstallChild("next", outbound=False),
        Send(b"reply", PATH),
        UseChild(SPI),
        MoveChild(SPI, other, encap=True),
        RemoveChild(SPI),
        RemoveAddress(ip_address("10.3.0.1")),
        KeyLog({"kind": "ike"}),
        Event("ike-up", {"connection": "gw"}),
    ]
    bench.done.clear()
    bench.server.perform(actions, 100.0)
    assert bench.done == [
        ("add address", "10.3.0.1"),
        ("install", "child"),
        ("stand by", "next"),
        ("send", b"reply", PATH),
        ("use", SPI),
        ("move", SPI, other, True),
        ("remove", SPI),
        ("remove address", "10.3.0.1"),
    ]
    assert json.loads((bench.directory / "keys.jsonl").read_text()) == {"kind": "ike"}
    assert json.loads((bench.directory / "events.jsonl").read_text())["event"] == "ike-up"


def test_what_the_system_does_not_send_is_a_note(bench: Bench) -> None:
    bench.wire.fails = True
    bench.server.perform([Send(b"x", PATH), RemoveChild(SPI)], 100.0)
    assert "not sent: Network is unreachable" in bench.notes() and bench.done[-1] == ("remove", SPI)


def test_the_start_sets_traps_and_starts(bench: Bench) -> None:
    assert bench.done[0] == ("trap", "net", "192.0.2.1[500]-192.0.2.2[500]", "10.1.0.0/24", "10.2.0.0/24")
    assert bench.endpoint.asked[0] == ("start", 100.0)


@pytest.mark.parametrize(
    ("data", "port", "goes_to"),
    [
        (b"\0\0\0\0IKE-message", 4500, "receive"),
        (b"IKE on 500", 500, "receive"),
        (b"\xff", 500, "receive"),
        (b"", 500, "receive"),
        (SPI + bytes(20), 4500, "esp"),
        (SPI + bytes(20), 7777, "esp"),
        (b"\xff", 4500, None),
        (b"", 4500, None),
        (b"short", 4500, None),
    ],
)
def test_datagrams_go_where_they_belong(bench: Bench, data: bytes, port: int, goes_to: str | None) -> None:
    path = Path("192.0.2.1", port, "192.0.2.2", 4500)
    bench.endpoint.asked.clear()
    bench.done.clear()
    bench.server._datagram(data, path, 3)
    assert bench.endpoint.asked == ([("receive", data, path, 100.0)] if goes_to == "receive" else [])
    assert bench.done == ([("esp", data, 3)] if goes_to == "esp" else [])
    assert (Reason.NO_PROTOCOL in bench.server._drops.counts) == (goes_to is None and data != b"\xff")


def test_initiate_answers_when_the_child_is_up(bench: Bench) -> None:
    bench.endpoint.next = [Send(b"init", PATH)]
    assert bench.ask(command="initiate", child="net", timeout=5) == []
    assert bench.endpoint.asked[-1] == ("initiate", "net", 100.0)
    bench.server.perform([Event("child-up", {"connection": "gw", "child": "lan"})], 100.0)
    bench.server.perform([Event("child-up", {"connection": "gw", "child": "net", "spi_in": "c1"})], 100.0)
    first, second, answer = bench.ask()
    assert (first["child"], second["child"]) == ("lan", "net")
    assert answer == {"ok": True, "result": {"connection": "gw", "child": "net", "spi_in": "c1"}}


@pytest.mark.parametrize(
    ("fields", "decides"),
    [
        ({"connection": "gw", "role": "initiator"}, True),
        ({"connection": "gw", "role": "initiator", "child": "net"}, True),
        ({"connection": "gw"}, True),
        ({"connection": "gw", "role": "initiator", "child": "lan"}, False),
        ({"connection": "gw", "role": "responder"}, False),
        ({"connection": "other", "role": "initiator"}, False),
    ],
)
def test_initiate_answers_when_it_failed(bench: Bench, fields: dict[str, str], decides: bool) -> None:
    bench.ask(command="initiate", child="net")
    bench.server.perform([Event("failed", {**fields, "stage": "IKE_AUTH", "reason": "because"})], 100.0)
    answers = [answer for answer in bench.ask() if "ok" in answer]
    assert answers == ([{"ok": False, "error": "IKE_AUTH: because"}] if decides else [])
    given_up = [name for what, name, *_ in bench.done if what == "give_up"]
    child = fields.get("child")
    assert given_up == ([child] if child else ["net", "lan"]) if fields["connection"] == "gw" else given_up == []


def test_an_outcome_that_comes_at_once_is_not_missed(bench: Bench) -> None:
    bench.endpoint.next = [Event("failed", {"connection": "gw", "stage": "start", "reason": "no route"})]
    assert bench.ask(command="initiate", child="net")[-1]["error"] == "start: no route"


def test_a_wait_runs_out(bench: Bench) -> None:
    assert bench.ask(command="initiate", child="net", timeout=5) == []
    assert bench.server._next_deadline() == 105.0
    bench.now = 105.0
    (answer,) = bench.ask()
    assert answer["error"] == "child 'net' was not up after 5 s" and bench.server._next_deadline() is None


def test_a_refusal_of_the_endpoint_is_the_answer(bench: Bench) -> None:
    bench.endpoint.next = [ConfigError("no child is called 'x'")]
    assert bench.ask(command="initiate", child="x")[-1] == {"ok": False, "error": "no child is called 'x'"}
    assert bench.ask(command="initiate", child="net") == [], "the wait of the refused command is gone"


def view(number: int, *children: str) -> dict[str, object]:
    return {
        "name": "gw", "number": number, "spi_i": f"{number:016x}", "spi_r": "ff",
        "children": [{"name": name, "spi_in": SPI.hex()} for name in children],
    }  # fmt: skip


def test_terminate_answers_when_all_that_was_meant_is_gone(bench: Bench) -> None:
    bench.endpoint.views = [view(1), view(2)]
    assert bench.ask(command="terminate", ike="gw") == []
    assert bench.endpoint.asked[-1] == ("terminate", 100.0, "gw", None)
    bench.endpoint.views = [view(2), view(3)]
    bench.server.perform([Event("ike-down", {"connection": "gw", "number": 1})], 100.0)
    assert [line.get("ok") for line in bench.ask()] == [None]
    bench.endpoint.views = [view(3)]
    bench.server.perform([Event("ike-down", {"connection": "gw", "number": 2})], 100.0)
    assert bench.ask()[-1] == {"ok": True, "result": {}}


def test_terminate_by_number_and_by_child(bench: Bench) -> None:
    bench.endpoint.views = [view(1, "net"), view(2)]
    bench.ask(command="terminate", ike="2", timeout=0)
    assert bench.endpoint.asked[-1] == ("terminate", 100.0, 2, None)
    assert bench.ask(command="terminate", child="net") == []
    assert bench.endpoint.asked[-1] == ("terminate", 100.0, None, "net")
    bench.endpoint.views = [view(1), view(2)]
    bench.server.perform([Event("child-down", {"connection": "gw", "child": "net"})], 100.0)
    assert bench.ask()[-1]["ok"] is True


def test_list_sas_carries_the_counters_of_the_data_plane(bench: Bench) -> None:
    bench.endpoint.views = [view(1, "net")]
    (answer,) = bench.ask(command="list-sas")
    assert answer["result"][0]["children"] == [{"name": "net", "spi_in": SPI.hex(), "packets_in": 7}]


def test_stats(bench: Bench) -> None:
    bench.backend._drops.add(Reason.UNKNOWN_SPI)
    (answer,) = bench.ask(command="stats")
    result = answer["result"]
    assert result["drops"] == {"unknown SPI": 1}
    assert result["schema"] == "ikelab.stats/1" and result["backend"] == "none"
    assert result["endpoint"] == {"ike_sas": 0} and result["loop"]["wakeups"] > 0


def test_rekey_answers_when_a_successor_is_there(bench: Bench) -> None:
    assert bench.ask(command="rekey", child="net", timeout=5) == []
    assert bench.endpoint.asked[-1] == ("rekey", 100.0, None, "net")
    bench.server.perform([Event("child-rekeyed", {"connection": "gw", "child": "lan"})], 100.0)
    bench.server.perform([Event("ike-rekeyed", {"connection": "gw"})], 100.0)
    bench.server.perform([Event("child-rekeyed", {"connection": "gw", "child": "net", "spi_in": "c1"})], 100.0)
    assert bench.ask()[-1] == {"ok": True, "result": {"connection": "gw", "child": "net", "spi_in": "c1"}}

    assert bench.ask(command="rekey", ike="gw") == []
    assert bench.endpoint.asked[-1] == ("rekey", 100.0, "gw", None)
    bench.server.perform([Event("ike-rekeyed", {"connection": "other"})], 100.0)
    bench.server.perform([Event("failed", {"connection": "gw", "stage": "IKE_AUTH", "reason": "x"})], 100.0)
    assert [line.get("ok") for line in bench.ask()] == [None, None]
    bench.server.perform([Event("ike-rekeyed", {"connection": "gw", "number": 2})], 100.0)
    assert bench.ask()[-1]["ok"]

    bench.ask(command="rekey", ike=1)
    bench.server.perform([Event("ike-rekeyed", {"connection": "gw", "number": 2})], 100.0)
    assert bench.ask()[-1]["ok"], "its number is that of the successor by now"


def test_rekey_answers_when_it_failed(bench: Bench) -> None:
    bench.ask(command="rekey", child="net")
    failed = {"connection": "gw", "child": "net", "stage": "CREATE_CHILD_SA", "reason": "because"}
    bench.server.perform([Event("failed", {**failed, "child": "lan"}), Event("failed", failed)], 100.0)
    assert bench.ask()[-1] == {"ok": False, "error": "CREATE_CHILD_SA: because"}


@pytest.mark.parametrize(
    ("event", "answer"),
    [
        (Event("moved", {"connection": "gw", "number": 1, "path": "a-b"}), {"ok": True}),
        (Event("not-moved", {"connection": "gw", "reason": "it will not"}), {"ok": False, "error": "it will not"}),
        (Event("ike-down", {"connection": "gw", "reason": "gone"}), {"ok": False, "error": "gone"}),
        (Event("moved", {"connection": "other"}), None),
        (Event("failed", {"connection": "gw", "reason": "another matter"}), None),
    ],
)
def test_move_answers_when_it_has_moved(bench: Bench, event: Event, answer: dict[str, object] | None) -> None:
    assert bench.ask(command="move", ike="gw", local="192.0.2.5") == []
    assert bench.endpoint.asked[-1] == ("move", 100.0, "gw", "192.0.2.5")
    bench.server.perform([event], 100.0)
    answers = [line for line in bench.ask() if "ok" in line]
    assert [line | answer for line in answers] == answers if answer else answers == []


@pytest.mark.parametrize(
    ("wish", "event"),
    [
        ({"child": "net"}, Event("child-down", {"connection": "gw", "child": "net", "reason": "because"})),
        ({"ike": "gw"}, Event("ike-down", {"connection": "gw", "reason": "because"})),
    ],
)
def test_rekey_answers_when_there_is_nothing_left_to_rekey(bench: Bench, wish: dict[str, str], event: Event) -> None:
    bench.ask(command="rekey", **wish)
    other = Event(event.name, {**event.fields, "connection": "other", "child": "lan"})
    bench.server.perform([other, event], 100.0)
    assert bench.ask()[-1] == {"ok": False, "error": "gone instead: because"}


def test_liveness(bench: Bench) -> None:
    assert bench.ask(command="liveness", ike="gw") == [{"ok": True, "result": {}}]
    assert bench.endpoint.asked[-1] == ("liveness", 100.0, "gw")


def test_redirect(bench: Bench) -> None:
    assert bench.ask(command="redirect", gateway="192.0.2.7", ike="3") == [{"ok": True, "result": {}}]
    assert bench.endpoint.asked[-1] == ("redirect", Gateway.parse("192.0.2.7"), 100.0, 3)


def test_events(bench: Bench) -> None:
    assert bench.ask(command="events") == [{"event": "listening"}]
    bench.server.perform([Event("ike-up", {"connection": "gw"})], 100.0)
    assert bench.ask() == [{"event": "ike-up", "connection": "gw"}]


WRONG = [
    ({"command": "dance"}, "no command 'dance'"),
    ({"command": "rekey", "child": 7}, "child is a name"),
    ({"command": "stats", "x": 1}, "stats takes no arguments"),
    ({"command": "initiate"}, "wants a child"),
    ({"command": "initiate", "child": 7}, "child is a name"),
    ({"command": "initiate", "child": "net", "timeout": "soon"}, "number of seconds"),
    ({"command": "initiate", "child": "net", "timeout": -1}, "number of seconds"),
    ({"command": "initiate", "child": "net", "timeout": True}, "number of seconds"),
    ({"command": "initiate", "child": "net", "timeout": float("nan")}, "number of seconds"),
    ({"command": "initiate", "child": "net", "timeout": float("inf")}, "number of seconds"),
    ({"command": "initiate", "child": "net", "timeout": 1e300}, "number of seconds"),
    ({"command": "initiate", "child": "net", "timeout": 10**400}, "number of seconds"),
    ({"command": "redirect"}, "wants a gateway"),
    ({"command": "redirect", "gateway": "a b"}, "gateway: 'a b' is neither"),
    ({"command": "terminate", "ike": ["gw"]}, "name of a connection"),
    ({"command": "terminate", "ike": True}, "name of a connection"),
    ({"command": "terminate", "ike": "gw", "force": True}, "not force"),
]


@pytest.mark.parametrize(("request_", "error"), WRONG)
def test_wrong_arguments_are_answered_in_words(bench: Bench, request_: dict[str, object], error: str) -> None:
    (answer,) = bench.ask(**request_)
    assert answer["ok"] is False and error in answer["error"]


def test_reports_of_the_backend_reach_the_endpoint(bench: Bench) -> None:
    bench.endpoint.views = [view(1, "net")]
    bench.endpoint.asked.clear()
    bench.server._reports([Acquire("net", "flow"), Moved(SPI, PATH), Aging(SPI), Expired(SPI)], 100.0)
    assert bench.endpoint.asked == [
        ("acquire", "net", 100.0),
        ("moved", SPI, PATH, 100.0),
        ("aging", SPI, 100.0),
        ("expired", SPI, 100.0),
    ]


def test_an_acquire_that_cannot_be_is_given_up(bench: Bench) -> None:
    bench.endpoint.next = [ConfigError("names no remote address")]
    bench.server._reports([Acquire("net", "flow")], 100.0)
    assert "Acquire: names no remote address" in bench.notes() and ("give_up", "net") in bench.done


def test_before_a_tick_the_endpoint_hears_what_was_carried(bench: Bench) -> None:
    bench.backend.times = {SPI: (99.0, 0.0)}
    bench.endpoint.asked.clear()
    bench.endpoint.deadline = 100.0
    bench.turn()
    assert bench.endpoint.asked == [("carried", SPI, 99.0, True), ("tick", 100.0)]
    bench.backend.times = {SPI: (99.0, 99.5)}
    bench.endpoint.deadline = 100.0
    bench.turn()
    assert bench.endpoint.asked[2:] == [("carried", SPI, 99.5, False), ("tick", 100.0)], "nothing is told twice"


def test_stop_deletes_all_and_waits_for_the_answers_within_reason(bench: Bench) -> None:
    bench.endpoint.views = [view(1)]
    bench.ask(command="stop")
    assert bench.endpoint.asked[-1] == ("terminate", 100.0, None, None) and bench.server.exit_code is None
    assert bench.server._next_deadline() == 100.0 + GRACE
    bench.endpoint.views = []
    bench.turn()
    assert bench.server.exit_code == 0


def test_a_peer_that_is_silent_does_not_hold_the_end_up(bench: Bench) -> None:
    bench.endpoint.views = [view(1)]
    bench.server.stop(100.0, 130)
    bench.now = 100.0 + GRACE
    bench.turn()
    assert bench.server.exit_code == 130


def test_asked_to_stop_twice_it_ends_at_once(bench: Bench) -> None:
    bench.endpoint.views = [view(1)]
    bench.server.stop(100.0)
    assert bench.server.exit_code is None
    bench.server.stop(100.1)
    assert bench.server.exit_code == 0


def test_a_daemon_that_is_abandoned_ends_at_once_and_tells_no_peer(bench: Bench) -> None:
    bench.endpoint.views, bench.endpoint.deadline = [{"name": "gw"}], 100.0
    read, write = os.pipe()
    os.write(write, b"!")
    server = Server(bench.endpoint, bench.backend, bench.wire, bench.journal, trace=bench.trace, config=CONFIG)
    loop = Loop(lambda: bench.now)
    before = list(bench.endpoint.asked)
    assert server.run(loop, until=read) == 0
    asked = [name for name, *_ in bench.endpoint.asked[len(before) :]]
    assert asked == ["start"]  # neither terminate nor the tick that is due
    loop.close()
    os.close(read)
    os.close(write)


def test_who_waits_when_the_daemon_ends_is_told(bench: Bench) -> None:
    bench.ask(command="initiate", child="net")
    bench.server.waits.close()
    assert bench.ask()[-1] == {"ok": False, "error": "the daemon ends"}


def test_a_client_that_left_is_not_waited_for(bench: Bench) -> None:
    bench.ask(command="initiate", child="net", timeout=5)
    bench.client.close()
    bench.turn()
    assert bench.server._next_deadline() is None


def test_a_number_of_thousands_of_digits_names_a_connection_that_there_is_not(bench: Bench) -> None:
    bench.ask(command="liveness", ike="9" * 5000)
    assert bench.endpoint.asked[-1][2] == "9" * 5000


def test_an_answer_that_lets_its_client_go_on_may_end_the_wait_of_another(bench: Bench) -> None:
    # One client asks for the child twice in a row, another once. The first child-up answers the first command, whose
    # client goes on at once; the endpoint reports the child again, and that answers everybody.
    up = Event("child-up", {"connection": "gw", "child": "net"})
    other = socket.socket(socket.AF_UNIX)
    other.connect(str(bench.server._control.path))
    command = json.dumps({"command": "initiate", "child": "net"}).encode() + b"\n"
    bench.client.sendall(command * 2)
    bench.turn()
    other.sendall(command)
    bench.turn()
    bench.endpoint.next = [up]
    bench.server.perform([up], bench.now)
    bench.turn()
    assert [answer["ok"] for answer in bench.ask() if "ok" in answer] == [True, True]
    assert b'"ok": true' in other.recv(65536)
    other.close()
