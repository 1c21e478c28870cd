#!/usr/bin/env python3
"""How much our user-space ESP carries, beside strongSwan's kernel-libipsec, on this machine and in the same minute.

Two gateways in network namespaces of their own, joined by a veth pair; the ends of the traffic are addresses of the
gateways themselves. strongSwan's charon and iperf3 are those of the guest image (`ikelab image build`). Needs root.
Everything runs inside namespaces that end with this program: nothing stays behind, whatever ends it.

Each round measures both, and who begins changes from round to round. In each round, for each:

    check    some megabytes through the tunnel, both ends hash them
    tcp      iperf3, --streams; CPU seconds of both gateway processes per gigabyte (10^9 octets) that arrived
    udp64    the highest rate of datagrams of 64 octets with at most 1 % lost, found by halving
    ping     mean round-trip time, nothing else under way

`tcp_ratio` is our median over kernel-libipsec's, `cpu_ratio` the same of CPU seconds per gigabyte (below 1: we use
less), `udp64_ratio` of packets per second, `ping_ratio` of round-trip times (below 1: we are faster).

Everything runs in one session of its own, which Linux prefers as a whole (sched_autogroup): charon has 17 threads and
our daemon one, so among other busy programs each of ours would wait its turn more often than all of charon's.
"""

import argparse
import contextlib
import hashlib
import json
import os
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from common.daemons import cpu_seconds, log_in_ordinary_words, wait_for

from lab.daemon.client import Client
from lab.emulation.namespace import Namespace
from lab.errors import LabError, UnfitError
from lab.guest import image
from lab.ike.swanctl import Section, Value, mirror, parse, render
from lab.peers.charon_conf import CONF
from lab.peers.strongswan import StrongSwan

ROOT = Path(__file__).resolve().parents[1]
INSIDE = "IKELAB_BENCH_INSIDE"
OUTER, INNER = {"left": "192.0.2.1", "right": "192.0.2.2"}, {"left": "10.1.0.1", "right": "10.2.0.1"}
PREFERENCE = "-18"  # as `nice`, for the session against others
PORT, CHECKED, PINGS = 5201, 16 << 20, 100
FASTEST_PPS, HALVINGS, LOST_PERCENT = 240_000, 7, 1.0
CHARON = "/usr/lib/ipsec/charon"
CONFIG = """
connections {{
    gw {{
        version = 2
        local_addrs = 192.0.2.1
        remote_addrs = 192.0.2.2
        proposals = aes256gcm16-prfsha384-x25519
        encap = yes
        mobike = no
        local {{
            auth = psk
            id = left.lab
        }}
        remote {{
            auth = psk
            id = right.lab
        }}
        children {{
            net {{
                local_ts = 10.1.0.0/24
                remote_ts = 10.2.0.0/24
                esp_proposals = {proposal}
            }}
        }}
    }}
}}
secrets {{
    ike-lab {{
        secret = "lab only, not a secret"
    }}
}}
"""


class Gateway:
    """One of the two namespaces; a `Node` as far as peer drivers need one."""

    def __init__(self, name: str) -> None:
        self.name, self.namespace = name, Namespace({})
        self._started: list[subprocess.Popen[bytes]] = []

    def popen(self, argv: list[str], **options: object) -> "subprocess.Popen[bytes]":
        """Start a process in here."""
        with self.namespace.entered():
            process = subprocess.Popen(argv, **options)  # type: ignore[call-overload]
        self._started.append(process)
        return process

    def run(self, argv: list[str], seconds: float = 60) -> str:
        """Run a command in here; its output."""
        process = self.popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        out = process.communicate(timeout=seconds)[0].decode()
        self._started.remove(process)
        if process.returncode:
            raise UnfitError(f"{' '.join(argv)} in {self.name}: {out.strip()[-300:]}")
        return out

    def socket(self, kind: socket.SocketKind = socket.SOCK_STREAM) -> socket.socket:
        """A socket in here."""
        with self.namespace.network():
            return socket.socket(socket.AF_INET, kind)

    def close(self) -> None:
        """End what is left."""
        for process in self._started:
            process.kill()
            process.wait()


def joined() -> dict[str, Gateway]:
    """Both gateways and the cable between them."""
    gateways = {name: Gateway(name) for name in OUTER}
    other = gateways["right"].namespace.net_path
    gateways["left"].run(["ip", "link", "add", "wan", "type", "veth", "peer", "name", "wan", "netns", other])
    for name, gateway in gateways.items():
        for line in (f"addr add {OUTER[name]}/24 dev wan", f"addr add {INNER[name]}/32 dev lo"):
            gateway.run(["ip", *line.split()])
        for place in ("dev", "proc"):
            gateway.run(["mount", "--bind", f"/{place}", str(image_root() / place)])
        gateway.run(["mount", "-t", "tmpfs", "tmpfs", str(image_root() / "tmp")])
        for link in ("lo", "wan"):
            gateway.run(["ip", "link", "set", link, "up"])
    return gateways


def image_root() -> Path:
    """The tree of Debian files that the guest image has."""
    return image.locate().root


class Libipsec(StrongSwan):
    """charon of the image with kernel-libipsec; logs in ordinary words."""

    launch = f'mount --bind "$1" "$2/run" && exec chroot "$2" env STRONGSWAN_CONF=/run/{CONF} {CHARON}'

    def find(self) -> str:
        """The daemon's path in the image."""
        return str(image_root() / CHARON[1:])

    def argv(self, run: Path) -> list[str]:
        """The command that starts charon with this directory as its /run."""
        return ["unshare", "--mount", "sh", "-c", self.launch, "sh", str(run), str(image_root())]

    def configs(self) -> dict[str, str]:
        """The usual one, with another data plane."""
        files = super().configs()
        conf = parse(files[CONF])
        (daemon,) = conf.sections.values()
        plugins = daemon.values["load"].text.replace("kernel-netlink", "kernel-libipsec kernel-netlink")
        daemon.values["load"] = Value(plugins, 0)
        log_in_ordinary_words(daemon)
        return files | {CONF: render(conf)}

    @property
    def pid(self) -> int:
        """Of charon itself: the shell and chroot became it."""
        assert self._process
        return self._process.pid


class Ours:
    """Our daemon."""

    def __init__(self, node: Gateway, directory: Path, offload: str) -> None:
        self._node, self._directory, self._offload = node, directory, offload

    def configure(self, tree: Section) -> None:
        """Take the configuration."""
        self._directory.mkdir(parents=True)
        text = f"{render(tree)}\nikelab {{\n    offload = {self._offload}\n}}\n"
        (self._directory / "swanctl.conf").write_text(text)

    def start(self) -> None:
        """Start it; returns at once."""
        argv = [sys.executable, "-m", "lab", "daemon", "--config", str(self._directory / "swanctl.conf")]
        places = ["--control", str(self._directory / "control"), "--run-dir", str(self._directory)]
        self._process = self._node.popen([*argv, *places], cwd=ROOT)
        self.pid = self._process.pid

    def ready(self) -> None:
        """Wait until it answers."""
        wait_for(self._process, self._directory / "control")

    def call(self, command: str, **args: object) -> dict[str, object]:
        """Give it a command."""
        with Client(self._directory / "control", timeout=30) as client:
            answer = client.call(command, **args)
            assert isinstance(answer, dict | list)
            return answer  # type: ignore[return-value]

    def initiate(self, child: str) -> None:
        """Bring the child up."""
        self.call("initiate", child=child)

    def stop(self) -> None:
        """End it."""
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()


@contextlib.contextmanager
def tunnel(
    kind: str, given: argparse.Namespace, scratch: Path, proposal: str
) -> Iterator[tuple[dict[str, Gateway], list]]:
    """Both gateways with a tunnel between them."""
    gateways = joined()
    left = parse(CONFIG.format(proposal=proposal))
    trees = {"left": left, "right": mirror(left)}
    drivers = []
    try:
        for name, gateway in gateways.items():
            place = scratch / name
            driver = Libipsec(gateway, place) if kind == "libipsec" else Ours(gateway, place, given.offload)
            drivers.append(driver)
            driver.configure(trees[name])
            driver.start()
        for driver in drivers:
            driver.ready()
        drivers[0].initiate("net")
        yield gateways, drivers
    finally:
        for driver in drivers:
            with contextlib.suppress(LabError, OSError):
                driver.stop()
        for gateway in gateways.values():
            gateway.close()


def checked(gateways: dict[str, Gateway]) -> None:
    """Send some megabytes through the tunnel: what arrives must be what was sent."""
    content = os.urandom(CHECKED)
    with gateways["right"].socket() as server, gateways["left"].socket() as client:
        server.bind((INNER["right"], PORT - 1))
        server.listen()
        client.bind((INNER["left"], 0))
        client.settimeout(60)
        found = hashlib.sha256()

        def receive() -> None:
            connection, _ = server.accept()
            with connection:
                while data := connection.recv(1 << 20):
                    found.update(data)

        receiver = threading.Thread(target=receive, daemon=True)
        receiver.start()
        client.connect((INNER["right"], PORT - 1))
        client.sendall(content)
        client.shutdown(socket.SHUT_WR)
        receiver.join(60)
    if found.digest() != hashlib.sha256(content).digest():
        raise LabError("what came out of the tunnel is not what went in")


def iperf3(gateways: dict[str, Gateway], *options: str) -> dict[str, dict[str, float]]:
    """One run from left to right: the sums of iperf3's JSON."""
    root = str(image_root())
    base = ["chroot", root, "/usr/bin/iperf3", "-p", str(PORT)]
    server = gateways["right"].popen([*base, "-s", "-1", "-B", INNER["right"]], stdout=subprocess.DEVNULL)
    try:
        listening = f":{PORT:04X} 00000000:0000 0A"
        while listening not in Path(f"/proc/{server.pid}/net/tcp").read_text() and server.poll() is None:
            time.sleep(0.01)
        out = gateways["left"].run([*base, "-c", INNER["right"], "-B", INNER["left"], "-J", *options])
        return json.loads(out)["end"]
    finally:
        server.kill()
        server.wait()


def tcp(gateways: dict[str, Gateway], drivers: list, given: argparse.Namespace) -> dict[str, float]:
    """Throughput, CPU seconds and retransmissions."""
    before = [cpu_seconds(driver.pid) for driver in drivers]
    end = iperf3(gateways, "-t", str(given.seconds), "-P", str(given.streams))
    used = [cpu_seconds(driver.pid) - b for driver, b in zip(drivers, before, strict=True)]
    gigabytes = end["sum_received"]["bytes"] / 1e9
    return {
        "tcp_gbit_s": end["sum_received"]["bits_per_second"] / 1e9,
        "cpu_s_per_gb_sender": used[0] / gigabytes,
        "cpu_s_per_gb_receiver": used[1] / gigabytes,
        "cpu_s_per_gb": sum(used) / gigabytes,
        "retransmissions": end["sum_sent"]["retransmits"],
    }


def udp64(gateways: dict[str, Gateway], seconds: float) -> float:
    """The highest rate of small datagrams of which at most 1 % are lost, per second as received."""
    low, high, best = 0, FASTEST_PPS, 0.0
    for _ in range(HALVINGS):
        rate = (low + high) // 2
        end = iperf3(gateways, "-u", "-l", "64", "-b", str(rate * 64 * 8), "-t", str(seconds))["sum"]
        sent = end["packets"] / end["seconds"]
        # A sender that cannot reach the rate shows nothing about higher ones.
        if end["lost_percent"] <= LOST_PERCENT and sent > 0.9 * rate:
            low, best = rate, sent * (1 - end["lost_percent"] / 100)
        else:
            high = rate
            best = max(best, sent * (1 - end["lost_percent"] / 100) if end["lost_percent"] <= LOST_PERCENT else 0.0)
    return best


def ping(gateways: dict[str, Gateway]) -> float:
    """The mean round-trip time in milliseconds."""
    wish = ["-q", "-c", str(PINGS), "-i", "0.01", "-I", INNER["left"], INNER["right"]]
    found = re.search(r"= [\d.]+/([\d.]+)/", gateways["left"].run(["ping", *wish]))
    if not found:
        raise LabError("no ping came back through the tunnel")
    return float(found.group(1))


def measure(kind: str, given: argparse.Namespace, proposal: str) -> dict[str, float]:
    """All figures of one side in one round."""
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as scratch,
        tunnel(kind, given, Path(scratch), proposal) as (gateways, drivers),
    ):
        checked(gateways)
        found = {"ping_ms": ping(gateways), **tcp(gateways, drivers, given)}
        if not given.no_udp:
            found["udp64_pps"] = udp64(gateways, 1)
        if kind == "ours":
            stats = [driver.call("stats") for driver in drivers]
            found["replay_drops"] = sum(
                count for one in stats for why, count in one["drops"].items() if "window" in why or "before" in why
            )
            if given.verbose:
                print([(one["offload"], one["drops"]) for one in stats], file=sys.stderr)
            found["offload"] = stats[0]["offload"]["path"]
        return found


def figures(rounds: list[dict[str, dict[str, float]]]) -> dict[str, object]:
    """Median, minimum and maximum of everything, and the ratios."""
    out: dict[str, object] = {"rounds": len(rounds)}
    middle = {}
    for kind in rounds[0]:
        table = {}
        for key, value in rounds[0][kind].items():
            if isinstance(value, str):
                table[key] = value
                continue
            values = [one[kind][key] for one in rounds]
            middle[kind, key] = statistics.median(values)
            table[key] = {"median": middle[kind, key], "min": min(values), "max": max(values)}
        out[kind] = table
    ratios = {"tcp": "tcp_gbit_s", "cpu": "cpu_s_per_gb", "udp64": "udp64_pps", "ping": "ping_ms"}
    for name, key in ratios.items():
        if middle.get(("libipsec", key)):
            out[f"{name}_ratio"] = middle["ours", key] / middle["libipsec", key]
    return out


def show(proposal: str, out: dict[str, object]) -> None:
    """The figures for people."""
    for kind in (kind for kind in ("libipsec", "ours") if kind in out):
        for key, value in out[kind].items():  # type: ignore[attr-defined]
            words = (
                value if isinstance(value, str) else f"{value['median']:.2f} ({value['min']:.2f} to {value['max']:.2f})"
            )
            print(f"{proposal:14} {kind:9} {key:22} {words}")
    for key, value in out.items():
        if key.endswith("_ratio"):
            print(f"{proposal:14} {key:32} {value:.3f}")


def contained(argv: list[str]) -> int:
    """Run this program again in namespaces that take everything with them."""
    unshare = ["unshare", "--net", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child=KILL"]
    command = [*unshare, sys.executable, __file__, *argv]
    return subprocess.call(command, env=os.environ | {INSIDE: "1"}, start_new_session=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, help="write all figures to this file")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4, help="of each TCP run")
    parser.add_argument("--streams", type=int, default=1, help="of TCP at once")
    parser.add_argument("--proposal", action="append", help="of ESP; again for another one (default aes128gcm16)")
    parser.add_argument("--offload", default="super-packets", help="ikelab.offload of our gateways")
    parser.add_argument("--no-udp", action="store_true", help="leave the small datagrams out")
    parser.add_argument("--verbose", action="store_true", help="show what our gateways counted")
    given = parser.parse_args()
    if os.geteuid() != 0:
        print("esp_throughput: network namespaces need root; run it as root", file=sys.stderr)
        return 3
    if INSIDE not in os.environ:
        return contained(sys.argv[1:])
    with contextlib.suppress(OSError):  # a kernel without it, or a container
        Path("/proc/self/autogroup").write_text(PREFERENCE)
    everything: dict[str, object] = {"load_before": os.getloadavg()[0]}
    try:
        for proposal in given.proposal or ["aes128gcm16"]:
            rounds = []
            for number in range(given.rounds):
                kinds = ("ours",) if given.verbose else ("libipsec", "ours")[:: 1 if number % 2 else -1]
                rounds.append({kind: measure(kind, given, proposal) for kind in kinds})
                print(f"round {number + 1}: {rounds[-1]}", file=sys.stderr)
            out = figures(rounds)
            show(proposal, out)
            everything |= {key: value for key, value in out.items() if key.endswith("_ratio") and key not in everything}
            everything[proposal] = out
    except LabError as error:
        print(f"esp_throughput: {error}", file=sys.stderr)
        return 3
    everything["load_after"] = os.getloadavg()[0]
    print(f"load average {everything['load_before']:.1f} before, {everything['load_after']:.1f} after")
    if given.json:
        given.json.write_text(json.dumps(everything, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
