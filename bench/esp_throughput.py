#!/usr/bin/env python3
"""How much our user-space ESP carries, beside strongSwan's kernel-libipsec, on this machine and in the same minute.

Two gateways in network namespaces of their own, joined by a veth pair; the ends of the traffic are addresses of the
gateways themselves. strongSwan's charon and iperf3 are those of the guest image (`ikelab image build`). Needs root.
Everything runs inside namespaces that end with this program: nothing stays behind, whatever ends it.

Each round measures both, and who begins changes from round to round. In each round, for each:

    check          some megabytes through the tunnel, both ends hash them
    tcp1, tcp4     iperf3, one stream and four; CPU seconds of both gateway processes per gigabyte (10^9 octets)
    udp64, udp1372 the highest rate of datagrams with at most 1 % lost, found by halving; 1372 make packets of 1400
    ping           mean round-trip time, nothing else under way

A `..._ratio` is our median over kernel-libipsec's; below 1 is good for CPU seconds and round-trip times. At the end
comes the kernel's ESP for reference, set up by our daemon between two namespaces of the guest: a user-mode Linux on one
core, so its figures say nothing about a kernel on bare hardware.

Everything runs in one session of its own, which Linux prefers as a whole (sched_autogroup): charon has 17 threads and
our daemon one, so among other busy programs each of ours would wait its turn more often than all of charon's.
"""

import argparse
import contextlib
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from common.daemons import log_in_ordinary_words, wait_for
from common.gateways import IN_GUEST, Gateway, image_root, joined
from common.traffic import checked, ping, tcp, udp

from lab.daemon.client import Client
from lab.errors import LabError
from lab.guest import boot
from lab.ike.swanctl import Section, Value, mirror, parse, render
from lab.peers.charon_conf import CONF
from lab.peers.strongswan import StrongSwan

ROOT = Path(__file__).resolve().parents[1]
INSIDE = "IKELAB_BENCH_INSIDE"
LIBIPSEC, OURS, KERNEL = "libipsec", "ours", "kernel"
PROPOSALS = ("aes128gcm16", "chacha20poly1305", "aes128-sha256")
PREFERENCE = "-18"  # as `nice`, for the session against others
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
    """Our daemon, with one of its data planes."""

    def __init__(self, node: Gateway, directory: Path, offload: str, backend: str = "userspace") -> None:
        self._node, self._directory, self._offload, self._backend = node, directory, offload, backend

    def configure(self, tree: Section) -> None:
        """Take the configuration."""
        self._directory.mkdir(parents=True)
        text = f"{render(tree)}\nikelab {{\n    offload = {self._offload}\n}}\n"
        (self._directory / "swanctl.conf").write_text(text)

    def start(self) -> None:
        """Start it; returns at once."""
        argv = [sys.executable, "-m", "lab", "daemon", "--config", str(self._directory / "swanctl.conf")]
        places = ["--control", str(self._directory / "control"), "--run-dir", str(self._directory)]
        self._process = self._node.popen([*argv, *places, "--backend", self._backend], cwd=ROOT)
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


def driver(kind: str, gateway: Gateway, place: Path, offload: str) -> Libipsec | Ours:
    """The daemon of one gateway."""
    if kind == LIBIPSEC:
        return Libipsec(gateway, place)
    return Ours(gateway, place, offload, "xfrm" if kind == KERNEL else "userspace")


@contextlib.contextmanager
def tunnel(kind: str, offload: str, scratch: Path, proposal: str) -> Iterator[tuple[dict[str, Gateway], list]]:
    """Both gateways with a tunnel between them."""
    gateways = joined()
    left = parse(CONFIG.format(proposal=proposal))
    trees = {"left": left, "right": mirror(left)}
    drivers = []
    try:
        for name, gateway in gateways.items():
            drivers.append(driver(kind, gateway, scratch / name, offload))
            drivers[-1].configure(trees[name])
            drivers[-1].start()
        for one in drivers:
            one.ready()
        drivers[0].initiate("net")
        yield gateways, drivers
    finally:
        for one in drivers:
            with contextlib.suppress(LabError, OSError):
                one.stop()
        for gateway in gateways.values():
            gateway.close()


def measure(kind: str, given: argparse.Namespace, proposal: str) -> dict[str, float | str]:
    """All figures of one side in one round."""
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as scratch,
        tunnel(kind, given.offload, Path(scratch), proposal) as (gateways, drivers),
    ):
        checked(gateways)
        found: dict[str, float | str] = {"ping_ms": ping(gateways)}
        for streams in given.streams:
            carried = tcp(gateways, [one.pid for one in drivers], given.seconds, streams)
            # What the kernel's own ESP costs is on nobody's account.
            found |= {f"tcp{streams}_{k}": v for k, v in carried.items() if kind != KERNEL or not k.startswith("cpu")}
        for octets in given.datagrams:
            found[f"udp{octets}_pps"] = udp(gateways, octets, 1)
        if kind == OURS:
            stats = [one.call("stats") for one in drivers]
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
    for (kind, key), value in middle.items():
        theirs = middle.get((LIBIPSEC, key))
        if kind == OURS and theirs and (name := ratio(key)):
            out[name] = value / theirs
    return out


def ratio(key: str) -> str:
    """The name of the ratio of these figures; of one stream of TCP it has no number. Empty where it says nothing."""
    what, _, unit = key.partition("_")
    number = what.removeprefix("tcp").removeprefix("1")
    names = {"gbit_s": f"tcp{number}_ratio", "cpu_s_per_gb": f"cpu{number}_ratio"}
    return names.get(unit, f"{what}_ratio" if unit in ("pps", "ms") else "")


def show(proposal: str, out: dict[str, object]) -> None:
    """The figures for people."""
    for kind in (kind for kind in (LIBIPSEC, OURS, KERNEL) if kind in out):
        for key, value in out[kind].items():  # type: ignore[attr-defined]
            words = (
                value if isinstance(value, str) else f"{value['median']:.2f} ({value['min']:.2f} to {value['max']:.2f})"
            )
            print(f"{proposal:14} {kind:9} {key:26} {words}")
    for key, value in out.items():
        if key.endswith("_ratio"):
            print(f"{proposal:14} {key:36} {value:.3f}")


def contained(argv: list[str]) -> int:
    """Run this program again in namespaces that take everything with them."""
    unshare = ["unshare", "--net", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child=KILL"]
    command = [*unshare, sys.executable, __file__, *argv]
    return subprocess.call(command, env=os.environ | {INSIDE: "1"}, start_new_session=True)


def rounds_of(given: argparse.Namespace, proposal: str) -> Iterator[dict[str, dict[str, float | str]]]:
    """Both sides again and again, each time the other one first."""
    for number in range(given.rounds):
        found = {kind: measure(kind, given, proposal) for kind in (LIBIPSEC, OURS)[:: 1 if number % 2 else -1]}
        print(f"round {number + 1}: {found}", file=sys.stderr)
        yield found


def reference(argv: list[str]) -> None:
    """The kernel's ESP, set up by our daemon, in the guest: one round, for what it is worth in an emulated machine."""
    lines: list[str] = []
    with tempfile.TemporaryDirectory(prefix="bench-") as results:
        program = ["python3", f"bench/{Path(__file__).name}", *argv]
        done = boot.run(program, source=ROOT, results=Path(results), output=lines.append, limit_s=600)
        if done.exit_code:
            print(f"esp_throughput: no reference from the guest ({done.reason}): {lines[-1:]}", file=sys.stderr)
    print(*(line for line in lines if KERNEL in line), sep="\n")


def inside(given: argparse.Namespace) -> dict[str, object]:
    """Everything that is measured in namespaces of this machine, or of the guest."""
    everything: dict[str, object] = {"load_before": os.getloadavg()[0]}
    for proposal in given.proposal or PROPOSALS:
        if IN_GUEST:
            show(proposal, figures([{KERNEL: measure(KERNEL, given, proposal)}]))
            continue
        out = figures([*rounds_of(given, proposal)])
        show(proposal, out)
        everything |= {key: value for key, value in out.items() if key.endswith("_ratio") and key not in everything}
        everything[proposal] = out
    everything["load_after"] = os.getloadavg()[0]
    return everything


def options() -> argparse.Namespace:
    """What the user wants."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, help="write all figures to this file")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4, help="of each TCP run")
    parser.add_argument("--streams", type=int, nargs="*", default=[1, 4], help="of TCP at once; default 1 4")
    parser.add_argument("--datagrams", type=int, nargs="*", default=[64, 1372], help="octets in UDP; default 64 1372")
    parser.add_argument("--proposal", action="append", help=f"of ESP; again for another one (default {PROPOSALS})")
    parser.add_argument("--offload", default="super-packets", help="ikelab.offload of our gateways")
    parser.add_argument("--no-reference", action="store_true", help="leave the kernel's ESP in the guest out")
    parser.add_argument("--verbose", action="store_true", help="show what our gateways counted")
    return parser.parse_args()


def main() -> int:
    given = options()
    if os.geteuid() != 0:
        print("esp_throughput: network namespaces need root; run it as root", file=sys.stderr)
        return 3
    try:
        if INSIDE not in os.environ and not IN_GUEST:
            code = contained(sys.argv[1:])
            if not code and not given.no_reference:
                reference(sys.argv[1:])
            return code
        with contextlib.suppress(OSError):  # a kernel without it, or a container
            Path("/proc/self/autogroup").write_text(PREFERENCE)
        everything = inside(given)
    except LabError as error:
        print(f"esp_throughput: {error}", file=sys.stderr)
        return 3
    print(f"load average {everything['load_before']:.1f} before, {everything['load_after']:.1f} after")
    if given.json and not IN_GUEST:
        given.json.write_text(json.dumps(everything, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
