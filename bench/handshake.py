"""Handshakes per second of CPU: our daemon as responder, and strongSwan's charon, in turns in the same guest.

    bench/handshake.py [--json FILE] [--rounds N] [--handshakes N]

One initiator (our endpoint in this program) sets up IKE SAs one after the other: IKE_SA_INIT and IKE_AUTH with a
pre-shared key, X25519, AES-256-GCM and PRF-HMAC-SHA2-384. What is counted is the CPU time of the responder alone (user
and system, /proc/PID/stat), so neither initiator, network nor waiting matter. Each round begins with fresh daemons;
every SA is left until the daemon ends. Both log in ordinary words to a file and put their ESP keys into the kernel.
Guest CPU time passes while the host runs something else on that CPU, so compare figures of one run, not of two.

`child`    the IKE SA with its first CHILD SA: `handshake_ratio` is that of these, ours / charon's
`childless`  the CHILD SA is refused (TS_UNACCEPTABLE) and the IKE SA stands alone: `childless_ratio`
"""

import argparse
import contextlib
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from common.daemons import cpu_seconds, log_in_ordinary_words, wait_for

from lab.emulation import topology
from lab.emulation.network import Network
from lab.emulation.node import Node
from lab.endpoint import Endpoint
from lab.errors import LabError
from lab.guest import boot
from lab.ike.actions import Event, Send
from lab.ike.config import load
from lab.ike.path import PORT
from lab.ike.path import Path as UdpPath
from lab.ike.swanctl import Section, Value, mirror, parse, render
from lab.peers.charon_conf import CONF
from lab.peers.strongswan import StrongSwan
from lab.trace import Trace

ROOT = Path(__file__).resolve().parents[1]
VARIANTS, WARM_UP, LIMIT_S = ("child", "childless"), 5, 300.0
TOPOLOGY = "direct"
CONFIG = """
connections {{
    gw {{
        version = 2
        local_addrs = {left}
        remote_addrs = {right}
        proposals = aes256gcm16-prfsha384-x25519
        mobike = no
        unique = never
        local {{
            auth = psk
            id = left.lab
        }}
        remote {{
            auth = psk
            id = right.lab
        }}
        children {{
            child {{
                local_ts = 10.1.0.0/24
                remote_ts = 10.2.0.0/24
                esp_proposals = aes256gcm16
            }}
            {more}
        }}
    }}
}}
secrets {{
    ike-lab {{
        secret = "lab only, not a secret"
    }}
}}
ikelab {{
    cookie_threshold = 100000
    block_threshold = 0
    half_open_limit = 100000
    max_ike_sas = 100000
}}
"""
# What only the initiator has, so that the responder refuses it.
REFUSED = "childless { local_ts = 10.8.0.0/24 \n remote_ts = 10.9.0.0/24 \n esp_proposals = aes256gcm16 \n }"


class Charon(StrongSwan):
    """charon that takes any number of half-open SAs and logs in ordinary words."""

    def configs(self) -> dict[str, str]:
        files = super().configs()
        conf = parse(files[CONF])
        (daemon,) = conf.sections.values()
        limits = {"cookie_threshold": "100000", "cookie_threshold_ip": "100000", "block_threshold": "0"}
        daemon.values.update({key: Value(text, 0) for key, text in limits.items()})
        log_in_ordinary_words(daemon)
        return files | {CONF: render(conf)}


@contextlib.contextmanager
def charon(node: Node, directory: Path, tree: Section) -> Iterator[None]:
    """strongSwan, ready, for as long as the block runs."""
    driver = Charon(node, directory)
    driver.configure(Section(sections={name: s for name, s in tree.sections.items() if name != "ikelab"}))
    driver.start()
    try:
        driver.ready()
        yield
    finally:
        driver.stop()


@contextlib.contextmanager
def ours(node: Node, directory: Path, tree: Section) -> Iterator[None]:
    """Our daemon, ready, for as long as the block runs."""
    directory.mkdir(parents=True)
    (directory / "swanctl.conf").write_text(render(tree))
    control = directory / "control"
    argv = [sys.executable, "-m", "lab", "daemon", "--config", str(directory / "swanctl.conf"), "--backend", "xfrm"]
    process = node.popen([*argv, "--control", str(control), "--run-dir", str(directory)], cwd=ROOT)
    try:
        wait_for(process, control)
        yield
    finally:
        process.kill()
        process.wait()


RESPONDERS = {"ours": ours, "charon": charon}


def used(node: Node) -> float:
    """CPU seconds of the processes in a node so far."""
    return sum(map(cpu_seconds, node.namespace.processes()))


class Initiator:
    """Our endpoint on a socket in a node, which sets up IKE SAs one after the other."""

    def __init__(self, node: Node, text: str, host: str) -> None:
        self._endpoint = Endpoint(load(text), random=os.urandom, trace=Trace(), local=(host,))
        self._socket, self._host = node.socket(), host
        self._socket.bind((host, PORT))
        self._socket.settimeout(10)

    def handshake(self, child: str) -> None:
        """One IKE SA with this child, or with the refusal of it."""
        actions = self._endpoint.initiate(child, time.monotonic(), anew=True)
        while True:
            for action in actions:
                if isinstance(action, Send):
                    self._socket.sendto(action.data, (action.path.remote_host, action.path.remote_port))
            names = [action.name for action in actions if isinstance(action, Event)]
            if "child-up" in names or ("failed" in names and "ike-up" in names):
                assert ("child-up" in names) == (child == "child"), f"{child}: {names}"
                return
            assert "failed" not in names, [action for action in actions if isinstance(action, Event)]
            data, (host, port) = self._socket.recvfrom(65535)
            actions = self._endpoint.receive(data, UdpPath(self._host, PORT, host, port), time.monotonic())

    def close(self) -> None:
        """Let go of the port."""
        self._socket.close()


def inside(results: Path, rounds: int, handshakes: int) -> None:
    """In the guest: measure, and write what was found."""
    found = {name: {variant: [] for variant in VARIANTS} for name in RESPONDERS}
    with tempfile.TemporaryDirectory(prefix="bench-") as scratch:
        plan = topology.load(TOPOLOGY)
        with Network(plan, Path(scratch) / "network") as network:
            left, right = network.node("left"), network.node("right")
            ends = {"left": left.address(), "right": right.address()}
            tree = mirror(parse(CONFIG.format(more="", **ends)))
            for number in range(rounds):
                # Whoever comes first, comes second in the next round.
                for name in list(RESPONDERS)[:: 1 if number % 2 else -1]:
                    for variant in VARIANTS:
                        directory = Path(scratch) / f"{name}-{variant}-{number}"
                        with RESPONDERS[name](right, directory, tree):
                            initiator = Initiator(left, CONFIG.format(more=REFUSED, **ends), ends["left"])
                            found[name][variant].append(_rate(right, initiator, variant, handshakes))
                            initiator.close()
                        for what in ("state", "policy"):
                            right.run(["ip", "xfrm", what, "flush"])
    (results / "found.json").write_text(json.dumps(found))


def _rate(responder: Node, initiator: Initiator, child: str, handshakes: int) -> float:
    for _ in range(WARM_UP):
        initiator.handshake(child)
    before = used(responder)
    for _ in range(handshakes):
        initiator.handshake(child)
    return handshakes / (used(responder) - before)


def figures(found: dict[str, dict[str, list[float]]], rounds: int, handshakes: int) -> dict[str, object]:
    """Medians, extremes and ratios of what was measured."""
    out: dict[str, object] = {"rounds": rounds, "handshakes_per_round": handshakes}
    middle = {}
    for name, variants in found.items():
        for variant, rates in variants.items():
            middle[name, variant] = statistics.median(rates)
            key = "" if variant == "child" else f"_{variant}"
            out[f"{name}{key}"] = {
                "handshakes_per_cpu_second": {"median": middle[name, variant], "min": min(rates), "max": max(rates)},
                "ms_per_handshake": 1000 / middle[name, variant],
            }
    out["handshake_ratio"] = middle["ours", "child"] / middle["charon", "child"]
    out["childless_ratio"] = middle["ours", "childless"] / middle["charon", "childless"]
    return out


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, help="write all figures to this file")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--handshakes", type=int, default=100)
    parser.add_argument("--inside", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.inside:
        inside(given.inside, given.rounds, given.handshakes)
        return 0
    say: Callable[[str], None] = lambda line: print(line, file=sys.stderr)  # noqa: E731
    wish = ["--rounds", str(given.rounds), "--handshakes", str(given.handshakes), "--inside", "/results"]
    try:
        with tempfile.TemporaryDirectory(prefix="bench-") as results:
            argv = ["python3", "bench/handshake.py", *wish]
            done = boot.run(argv, source=ROOT, results=Path(results), output=say, limit_s=LIMIT_S)
            if done.exit_code != 0:
                say(f"handshake: {done.reason}")
                return done.exit_code or 5
            found = json.loads((Path(results) / "found.json").read_text())
    except LabError as error:
        say(f"handshake: {error}")
        return 3
    out = figures(found, given.rounds, given.handshakes)
    for name in ("charon", "ours", "charon_childless", "ours_childless"):
        rate = out[name]["handshakes_per_cpu_second"]  # type: ignore[index]
        print(f"{name:17} {rate['median']:7.1f} handshakes per CPU second ({rate['min']:.1f} to {rate['max']:.1f}),"
              f" {1000 / rate['median']:.2f} ms each")  # fmt: skip
    print(f"handshake_ratio {out['handshake_ratio']:.3f}")
    print(f"childless_ratio {out['childless_ratio']:.3f}")
    if given.json:
        given.json.write_text(json.dumps(out, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
