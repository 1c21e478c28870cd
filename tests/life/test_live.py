"""A lab in a guest as a person uses it: up, every command, down; and what is left when something is killed."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.cli import schemas
from lab.life import records
from lab.wire import pcapng

pytestmark = pytest.mark.guest
SOURCE = Path(__file__).parents[2]
DEADLINE_S = 90.0
INNER = "10.2.0.10"


def start(*words: str, **options: Any) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-m", "lab", *words], cwd=SOURCE, **options)


def ikelab(*words: str, code: int = 0, data: bytes = b"") -> str:
    """Run a command to its end; what it said on stdout, or on stderr where it must fail."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process = start(*words, **pipes)
    out, err = process.communicate(data, timeout=DEADLINE_S)
    assert process.returncode == code, f"ikelab {' '.join(words)}: {process.returncode}: {err.decode()}"
    if "--json" in words and not code:
        schemas.strict(out)
    return (err if code else out).decode()


def until(condition: Callable[[], Any], what: str) -> Any:
    deadline = time.monotonic() + DEADLINE_S
    while not (found := condition()):
        assert time.monotonic() < deadline, f"waited in vain until {what}"
        time.sleep(0.05)
    return found


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Labs of these tests alone."""
    place = tmp_path_factory.mktemp("run")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", str(place))
        patch.delenv("IKELAB_LAB", raising=False)
        try:
            yield place
        finally:
            ikelab("down", "--all")


@pytest.fixture(scope="module")
def up(runtime: Path) -> None:
    """A lab that all the tests of commands share."""
    ikelab("up", "nat-both", "--json")


def pings(code: int = 0) -> str:
    """One echo through the tunnel, which must come back or (code 1) must not."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    process = start("exec", "left-host", "--", "ping", "-n", "-c", "1", "-W", "2", INNER, **pipes)
    said = process.communicate(timeout=DEADLINE_S)[0].decode()
    assert process.returncode == code, said
    return said


def counted() -> dict[str, Any]:
    """The rules of the gates by their words."""
    return {rule["words"]: rule for rule in json.loads(ikelab("gate", "show", "--json"))["rules"]}


def daemons() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(ikelab("status", "--json"))["labs"][0]["daemons"]
    return found


@pytest.mark.usefixtures("up")
def test_programs_run_in_nodes_with_input_and_exit_code() -> None:
    assert ikelab("exec", "left-host", "--", "ip", "-4", "-br", "addr", "show", "lan").split()[2] == "10.1.0.10/24"
    assert ikelab("exec", "left", "--", "sh", "-c", "exit 7", code=7) == ""
    data = os.urandom(60_000)  # more than a console of the guest holds
    assert int(ikelab("exec", "-i", "left", "--", "wc", "-c", data=data)) == len(data)
    assert ikelab("shell", "right", data=b"ip -4 -br addr show lan\n").split()[-1] == "10.2.0.1/24"


@pytest.mark.usefixtures("up")
def test_mistakes_are_one_sentence_and_exit_code_2() -> None:
    for words, said in (
        (("exec", "lefty", "--", "true"), "there is no node `lefty` here; nodes are left-host, left,"),
        (("exec", "left", "--", "no-such-program"), "`no-such-program` cannot be run in `left`"),
        (("capture", "nowhere", "-w", os.devnull), "there is no link `nowhere`; links are left-lan,"),
        (("capture", "left-wan", "-w", os.devnull, "--at", "right"), "`right` is no end of the link `left-wan`"),
        (("link", "set", "nowhere", "--delay", "1ms"), "there is no link `nowhere`"),
        (("link", "set", "left-uplink", "--delay", "soon"), "left-uplink.delay"),
        (("link", "set", "left-uplink", "--reorder", "5%"), "only packets that are delayed can be overtaken"),
        (("link", "set", "left-uplink", "--bursts", "1%"), "--bursts 1%: begin=1%,end=25%"),
        (("link", "set", "left-uplink", "--mtu", "big"), "--mtu big: a number of octets"),
        (("gate", "drop", "ESP", "--at", "nowhere"), "`nowhere` is no router or NAT box"),
        (("gate", "hold", "EPS"), "the gate does not know `EPS`"),
        (("gate", "release", "99"), "no rule of a gate has the number 99"),
        (("nat", "show", "internet"), "`internet` is no NAT box"),
        (("nat", "rebind", "left-nat", "--remap", "x"), "--remap x: write PORT=OUTSIDE"),
        (("nat", "rebind", "left-nat", "--address", "192.0.2.7"), "192.0.2.7 is not an address of `left-nat`"),
        (("ctl", "left-host", "list-sas"), "no daemon runs in `left-host`; daemons run in left, right"),
        (("logs", "internet"), "no daemon runs in `internet`"),
        (("up", "nat-both"), "there is a lab called `nat-both` already; use it"),
        (("down", "another"), "no lab is called `another`; there are nat-both"),
    ):
        lines = ikelab(*words, code=2).strip().splitlines()
        assert len(lines) == 1 and said in lines[0], (words, lines)


@pytest.mark.usefixtures("up")
def test_the_tunnel_the_gate_the_nat_and_the_link(tmp_path: Path) -> None:
    file = tmp_path / "wire.pcapng"
    capture = start("capture", "left-uplink", "-w", str(file), "--at", "internet")
    until(lambda: file.exists() and file.stat().st_size, "the capture has begun")

    # a drop in the kernel: the daemon must send its request twice
    ikelab("gate", "drop", "1st IKE_AUTH request")
    ikelab("ctl", "left", "initiate", "net")
    assert counted()["drop 1st IKE_AUTH request"]["acted"] == 1
    assert counted()["drop 1st IKE_AUTH request"]["seen"] >= 2
    pings()
    for node in ("left", "right"):  # both kinds of daemon have the published shapes
        ikelab("ctl", node, "list-sas", "--json")
        ikelab("ctl", node, "stats", "--json")
    for name, found in daemons().items():
        assert [child["state"] for sa in found["sas"] for child in sa["children"]] == ["INSTALLED"], name

    # a hold in user space: nothing comes back until it is removed
    ikelab("gate", "hold", "ESP", "from", "left")
    pings(code=1)
    held = counted()["hold ESP from left"]
    assert held["ran"] == "user space" and held["held"] >= 1
    assert ikelab("gate", "release", str(held["rule"])).split() == [str(held["held"]), "released"]
    ikelab("gate", "remove", str(held["rule"]))
    pings()

    # both daemons rekey on command: other SPIs
    before = spis()
    ikelab("ctl", "left", "rekey", "net")
    assert spis().isdisjoint(before)
    before = spis()
    ikelab("ctl", "right", "rekey", "net")
    until(lambda: spis().isdisjoint(before), "strongSwan has rekeyed")

    # the NAT maps to another port: the next packet comes from there
    ikelab("nat", "rebind", "left-nat", "--remap", "4500=34500")
    start("exec", "left-host", "--", "ping", "-c", "1", "-W", "1", INNER, stdout=subprocess.DEVNULL).wait(DEADLINE_S)
    until(lambda: "203.0.113.2:34500" in {one["outside"] for one in mappings()}, "the mapping has changed")
    ikelab("nat", "set-timeout", "left-nat", "--udp", "17s")
    ikelab("nat", "reboot", "left-nat")
    facts = json.loads(ikelab("nat", "show", "left-nat", "--json"))
    assert facts["boxes"]["left-nat"]["udp_timeout"] == "17s"
    assert {"created", "rebound", "changed", "forgotten", "rebooted", "timeout"} <= {
        one["event"] for one in facts["timeline"]
    }
    assert {one["node"] for one in facts["timeline"]} == {"left-nat"}

    # a slow link, both ways
    ikelab("link", "set", "left-uplink", "--delay", "60ms", "--bursts", "begin=0%,end=100%")
    pings()  # which makes the mapping anew
    assert float(pings().split("time=")[1].split()[0]) >= 120
    ikelab("link", "set", "left-uplink", "--delay", "none")
    assert float(pings().split("time=")[1].split()[0]) < 120

    capture.send_signal(signal.SIGINT)
    assert capture.wait(DEADLINE_S) == 130
    seen = pcapng.decode(file.read_bytes())
    assert [one.name for one in seen.interfaces] == ["internet:left"]
    ports = {packet.data[34:36] for packet in seen.packets if packet.data[26:30] == bytes([203, 0, 113, 2])}
    assert {(4500).to_bytes(2, "big"), (34500).to_bytes(2, "big")} <= ports


def spis() -> set[str]:
    found = daemons()
    return {
        child[way]
        for daemon in found.values()
        for sa in daemon["sas"]
        for child in sa["children"]
        for way in ("spi_in", "spi_out")
        if child["state"] == "INSTALLED"
    }


def mappings() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(ikelab("nat", "show", "left-nat", "--json"))["mappings"]
    return found


@pytest.mark.usefixtures("up")
def test_logs_are_followed_while_other_commands_run() -> None:
    with start("logs", "-f", "right", stdout=subprocess.PIPE) as follower:
        assert follower.stdout is not None
        assert follower.stdout.readline().startswith(b"right: ")
        ikelab("ctl", "right", "stats")
        assert "graph" in ikelab("graph", "--dot")
        follower.send_signal(signal.SIGINT)
        follower.stdout.read()
    assert all(line.startswith("left: ") for line in ikelab("logs", "left").splitlines())


def test_what_a_kill_leaves_is_taken_away(runtime: Path) -> None:
    """Two labs at once; of one the keeper is killed, of the other the guest."""
    alone = ("--peer", "left=none", "--peer", "right=none")
    ups = [start("up", "direct", "--name", "one", *alone, "--virtual"), start("up", "direct", "--name", "two", *alone)]
    assert [one.wait(DEADLINE_S) for one in ups] == [0, 0]
    assert "several labs are up" in ikelab("exec", "left", "--", "true", code=2)
    # an hour passes at once, and none while nobody commands
    script = "date +%s; sleep 3600; date +%s"
    first, second = map(int, ikelab("exec", "--lab", "one", "left", "--", "sh", "-c", script).split())
    assert 3600 <= second - first < 3700
    assert int(ikelab("exec", "--lab", "one", "left", "--", "date", "+%s")) - second < 60
    found = {name: records.read(name) for name in ("one", "two")}
    assert found["one"] is not None and found["two"] is not None
    left = [*found["one"].processes, *found["two"].processes]
    directories = [Path(one) for record in found.values() if record for one in record.directories]
    for record, role in ((found["one"], "keeper"), (found["two"], "guest")):
        os.kill(next(one.pid for one in record.processes if one.role == role), signal.SIGKILL)
    until(lambda: not any(one.alive for one in left), "the killed took all with them")
    assert "gone: its keeper ended" in ikelab("exec", "--lab", "one", "left", "--", "true", code=2)
    assert "gone: the guest ended" in ikelab("exec", "--lab", "two", "left", "--", "true", code=2)
    ikelab("down", "one")
    ikelab("down", "two")
    assert not {"one", "two"} & set(records.names())
    assert not [one for one in directories if one.exists()]
