"""The laboratory of one scenario: what a scenario function calls `lab`.

    lab.up("nat-both", Tunnel(ike=...))     the network, both peers configured, started and ready
    lab.step("rekey")                       what comes next, for the report
    lab.establish(); lab.ping()             the two things nearly every scenario does
    lab.ladder()                            what was on the wire until now
    lab.until(condition, "what", 5)         wait, blocking, and fail with words

Rules: everything waits with a deadline and by blocking; what a peer does wrong is an AssertionError or PeerFault, what
the lab does wrong anything else. Evidence is gathered whatever happens.
"""

import contextlib
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from random import Random
from tempfile import mkdtemp
from typing import Any

import pytest

from lab.emulation import topology as topologies
from lab.emulation.gate.gate import Gate
from lab.emulation.network import Network
from lab.errors import BrokenError
from lab.evidence import capture, keys, ladder, layers, places
from lab.evidence.files import write_json
from lab.evidence.finish import FinishReport
from lab.evidence.keyring import Keyring
from lab.evidence.keys import Keys
from lab.ike.swanctl import Section
from lab.matrix import OUR_PEERS
from lab.peers.ca import Ca
from lab.peers.frr import Frr
from lab.peers.registry import peer
from lab.plugin import echoes, proofs
from lab.plugin.echoes import Pinging
from lab.plugin.gateway import Gateway
from lab.plugin.gather import gather
from lab.plugin.meta import Scenario
from lab.plugin.records import Records
from lab.plugin.sight import Ladder
from lab.plugin.steps import Steps
from lab.plugin.tunnel import CHILD, Ends, Tunnel, left_tree, right_tree
from lab.plugin.verdict import FAILED, PASSED, Verdict, judge

PINGS = 3
POLL_S = 0.02
READY_S = 30.0


class Lab:
    """One scenario's network, peers, steps and evidence."""

    def __init__(self, scenario: Scenario, records: Records, seed: int) -> None:
        self.scenario, self.records, self.seed = scenario, records, seed
        self.directory = records.directory(scenario)
        # Short, because the path of a unix socket may have 107 octets; in memory, because sockets do not cross hostfs.
        self.scratch = Path(mkdtemp(prefix="lab-"))
        self.steps = Steps(time.monotonic)
        self.left = Gateway("left", peer(scenario.pairing.initiator))
        self.right = Gateway("right", peer(scenario.pairing.responder))
        self.topology: topologies.Topology | None = None
        self.verdict: Verdict | None = None
        self.finished: FinishReport | None = None
        self.negotiated: dict[str, Any] = {}
        self.routers: dict[str, Frr] = {}
        self.further: list[Gateway] = []
        self._network: Network | None = None
        self._pings: list[int] = []
        self._own_pings: list[int] = []
        self._virtual_pings: dict[tuple[str, str], list[int]] = {}
        self.forged: list[bytes] = []
        self.uncaptured = 0
        self.impaired: tuple[str, ...] = ()
        self.apart = False  # whether the sides were given different pre-shared keys
        self.probed: list[dict[str, str]] = []
        # Where the gate tells of each message and learns that it may go on (`ikelab run --step`).
        self.stepping: Path | None = None

    # -- setting up

    @property
    def gateways(self) -> tuple[Gateway, Gateway]:
        """Both gateways, the initiator's first."""
        return self.left, self.right

    @property
    def has_network(self) -> bool:
        """Whether the network stands."""
        return self._network is not None

    @property
    def network(self) -> Network:
        """The running network."""
        if self._network is None:
            raise BrokenError("the scenario used the network before lab.up()")
        return self._network

    def up(
        self,
        topology: str | topologies.Topology,
        tunnel: Tunnel | None = None,
        *,
        left: Tunnel | None = None,
        right: Tunnel | None = None,
        start: Sequence[str] = ("left", "right"),
    ) -> None:
        """Realise a topology, start the peers with their side of the tunnel, and wait until they take commands."""
        tunnel = tunnel or Tunnel()
        self.topology = topologies.load(topology) if isinstance(topology, str) else topology
        self.step("network", self.topology.name)
        self._network = Network(self.topology, self.scratch / "network", self.seed_of("network"))
        self._network.start()
        if self.stepping is not None:
            self._network.gates.step(self.stepping)
        self.step("peers", " and ".join(f"{gateway}" for gateway in self.gateways if gateway.name in start))
        ends = self.ends()
        self.left.address, self.right.address = ends.left, ends.right
        tunnels = {"left": left or tunnel, "right": right or tunnel}
        self.impaired = tuple(name for name, one in tunnels.items() if one.settings.get("impair"))
        self.apart = tunnels["left"].secret != tunnels["right"].secret
        trees = {"left": left_tree(tunnels["left"], ends), "right": right_tree(tunnels["right"], ends)}
        running = [gateway for gateway in self.gateways if gateway.name in start]
        for gateway in running:
            node = self._network.node(gateway.name)
            tree, files = trees[gateway.name], tunnels[gateway.name].files
            gateway.launch(node, self.scratch / gateway.name, tree, files, **self._options(gateway))
        for gateway in running:
            gateway.driver.ready(READY_S)
        self._show_keys()

    def gate(self, where: str = "") -> Gate:
        """The packet gate at a router, a NAT box or a link next to one; without a name between left and right."""
        self._show_keys()
        return self.network.gate(where)

    def _show_keys(self) -> None:
        """Have the gates open messages with the keys of all peers."""
        self.network.gates.follow([gateway.driver.key_log.as_dict() for gateway in self.running])

    def add_gateway(self, name: str, peer_name: str, tree: Section) -> Gateway:
        """Start a peer in a third gateway of the topology, with this swanctl.conf, and wait until it takes commands."""
        gateway = Gateway(name, peer(peer_name))
        gateway.address = self._known_topology().attachment(name).address() or ""
        self.further.append(gateway)
        gateway.launch(self.network.node(name), self.scratch / name, tree, {}, **self._options(gateway))
        gateway.driver.ready(READY_S)
        return gateway

    def dismiss(self, gateway: Gateway) -> None:
        """End a further gateway that was no peer: its keys are no evidence of what the peers agreed on."""
        gateway.driver.stop()
        self.further.remove(gateway)

    def _options(self, gateway: Gateway) -> dict[str, int]:
        """What a gateway's driver is started with beside its configuration."""
        return {"seed": self.seed_of(gateway.name)} if gateway.peer.name in OUR_PEERS else {}

    def seed_of(self, name: str) -> int:
        """The seed of one thing's randomness: different for everything in a run, the same in every run of that seed."""
        text = f"{self.seed}/{self.scenario.id}/{self.scenario.pairing}/{name}"
        return int.from_bytes(sha256(text.encode()).digest()[:8], "big")

    def ends(self, client: str = "left") -> Ends:
        """Where the gateways are; another `client` is one that `add_gateway` starts in the place of the left one."""
        return Ends.of(self._known_topology(), client)

    def _known_topology(self) -> topologies.Topology:
        if self.topology is None:
            raise BrokenError("the scenario used the topology before lab.up()")
        return self.topology

    def inner(self, name: str) -> str:
        """The address of the host behind a gateway."""
        return self._known_topology().attachment(f"{name}-host").any_address()

    def ca(self, name: str = "root") -> Ca:
        """A CA of this scenario's own, the same in every run of one seed but for its times."""
        return Ca(Random(self.seed_of(f"ca {name}")).randbytes, time.time(), name)

    @property
    def real_time(self) -> bool:
        """Whether the clock is real, so that times have tolerances."""
        return os.environ.get("IKELAB_CLOCK", "real") == "real"

    # -- doing

    def step(self, name: str, detail: str = "") -> None:
        """Begin a step; the one before has passed."""
        self.steps.begin(name, detail)

    def establish(self, child: str = CHILD) -> None:
        """The initiator sets up the tunnel, and both sides say that it stands."""
        self.step("handshake", f"{self.left} initiates")
        outcome = self.left.initiate(child)
        assert outcome.up, f"{self.left} could not set up the tunnel: {outcome.reason}"
        for gateway in self.gateways:
            self.until(gateway.children, f"{gateway} lists an installed CHILD SA", 5.0)
        proofs.same_view(self.left.sas(), self.right.sas())

    def ping(self, count: int = PINGS) -> None:
        """The left host pings the right one through the tunnel; every echo must come back."""
        self.step("ping", f"{echoes.requests(count)} from {self.inner('left')} to {self.inner('right')}")
        self._answered("left-host", self.inner("right"), count)
        self._pings.append(count)

    def _answered(self, node: str, target: str, count: int, *how: str) -> None:
        """A node pings a target; every echo must come back."""
        argv = ["ping", "-n", "-c", str(count), "-i", "0.2", "-W", "2", *how, target]
        done = self.network.node(node).run(argv, timeout=30.0 + count)
        words = done.stdout.strip().splitlines()
        assert done.returncode == 0, f"{node} pings {target} in vain: {words[-1] if words else done.stderr}"

    def ping_back(self) -> bool:
        """The right host pings the left one, once; whether the echo came back. Nothing is proven by it."""
        return self._reaches("right", "left")

    def ping_once(self) -> bool:
        """The left host pings the right one, once; whether the echo came back. Nothing is proven by it."""
        return self._reaches("left", "right")

    def _reaches(self, name: str, other: str) -> bool:
        argv = ["ping", "-n", "-c", "1", "-W", "1", self.inner(other)]
        return self.network.node(f"{name}-host").run(argv, timeout=30.0).returncode == 0

    @contextlib.contextmanager
    def pinging(self, count: int, every: float = 0.02, before: int = 1, *, whole: bool = True) -> Iterator[None]:
        """The left host pings the right one while the block runs; the block ends with the last of `count` echoes.

        It begins when `before` of them are back. Where not the `whole` of them need come back, `echoes.outage` counts.
        """
        ping = Pinging(self.network.node("left-host"), self.inner("right"), count, every)
        ping.begun(before)
        yield
        ping.ended(whole=whole)
        if whole:
            self._pings.append(count)

    def ping_gateways(self, count: int = PINGS) -> None:
        """The left gateway itself pings the right one, for children of the gateways' own addresses."""
        target = self.ends().right_public
        self.step("ping", f"{echoes.requests(count)} from {self.left.address} to {target}")
        self._answered("left", target, count, "-I", self.left.address)
        self._own_pings.append(count)

    def ping_virtual(self, source: str, target: str = "", count: int = PINGS) -> None:
        """The left gateway pings a host behind the right one and names no source: that must be its virtual address."""
        target = target or self.inner("right")
        self.step("ping", f"{echoes.requests(count)} from {source} to {target}, the source left to routing")
        self._answered("left", target, count)
        self._virtual_pings.setdefault((source, target), []).append(count)

    def prove_virtual(self) -> Ladder:
        """The left gateway's ping travelled inside ESP, from its virtual address, and none of it outside ESP."""
        self.step("protected", "ESP holds the ping from the virtual address, and nothing of it is outside ESP")
        frames = self.frames()
        found = self._ladder(frames)
        for ends, counts in self._virtual_pings.items():
            proofs.carries_ping(found, ends, counts)
            proofs.no_plaintext(frames, ends)
        self._all_opened(frames, found)
        return found

    def prove_transport(self, protocol: str = "ESP") -> Ladder:
        """The gateways' own ping travelled behind its IP header inside ESP or AH, and none of it outside."""
        self.step("protected", f"{protocol} in transport mode holds the ping, and no echo is outside {protocol}")
        frames = self.frames()
        found = self._ladder(frames)
        proofs.carries_own_ping(found, self._own_pings, protocol)
        proofs.no_open_echo(frames)
        self._all_opened(frames, found)
        return found

    def prove_protected(self, protocol: str = "ESP") -> Ladder:
        """The ping travelled inside ESP or AH, the capture opens with our keys, and nothing of it was seen outside."""
        self.step("protected", f"{protocol} holds the ping, and nothing of it is outside {protocol}")
        frames = self.frames()
        found = self._ladder(frames)
        inner = self.inner("left"), self.inner("right")
        proofs.carries_ping(found, inner, self._pings, protocol)
        proofs.no_plaintext(frames, inner)
        self._all_opened(frames, found)
        return found

    def _all_opened(self, frames: list[capture.Frame], found: Ladder) -> None:
        proofs.all_opened(found)
        if checked := proofs.every_icv(frames, self.keys()):
            self.steps.note(f"the ICV of AH is right at all {checked} places where a packet was seen")

    def keys(self) -> Keys:
        """The keys that both sides have logged until now."""
        return keys.merge(part for gateway in self.running for part in gateway.logged_keys())

    def until(self, condition: Callable[[], Any], what: str, timeout: float, every: float = POLL_S) -> Any:
        """Wait until the condition is true and return what it gave; AssertionError in words when time runs out."""
        deadline = time.monotonic() + timeout
        while not (found := condition()):
            assert time.monotonic() < deadline, f"waited {timeout:g} s in vain until {what}"
            time.sleep(every)
        return found

    # -- seeing

    def frames(self) -> list[capture.Frame]:
        """All frames captured until now."""
        self.network.flush_capture()
        return capture.read(self.network.capture_file)

    def ladder(self) -> Ladder:
        """The ladder of all that was captured until now."""
        return self._ladder(self.frames())

    def packets(self) -> list[layers.Packet]:
        """Every packet captured until now, with all its headers, opened where it was sealed."""
        return layers.packets(self.frames(), Keyring(self.keys()).open_esp)

    def _ladder(self, frames: list[capture.Frame]) -> Ladder:
        where = places.of_topology(self.network.describe())
        return Ladder(ladder.build(frames, self.keys(), where))

    def leave(self, name: str, facts: dict[str, Any]) -> None:
        """Add a file of facts to the evidence; `records` says which there are."""
        write_json(self.directory / name, facts)

    def unsupported(self, reason: str) -> None:
        """End the scenario as unsupported."""
        pytest.skip(reason)

    # -- ending

    def pause(self, where: Path) -> None:
        """Serve the network as a live lab until somebody ends it: on the socket `where`, in a guest over its line."""
        if not self.has_network:
            return
        from lab.life import inside  # noqa: PLC0415  (only a run that pauses needs it)
        from lab.life.bench import Bench  # noqa: PLC0415

        bench = Bench(self.network, {gateway.name: gateway for gateway in self.running})
        in_guest = os.environ.get("IKELAB_GUEST") == "1"
        place = inside.GUEST_SOCKET if in_guest else where
        inside.serve(bench, place, lambda: self.records.paused(self), in_guest=in_guest)
        self.records.resumed(self)

    def conclude(self, verdict: Verdict) -> None:
        """Gather the evidence, check it, and write the result; AssertionError where only the evidence fails it."""
        self.steps.end(verdict)
        problems = gather(self) if self.running or self.has_network else []
        for problem in problems:
            self.steps.add("evidence", FAILED, problem)
        if verdict.word == PASSED and self.uncaptured:
            broken = BrokenError(f"the capture lost {self.uncaptured} packets, so it proves nothing")
            self.settle(judge(broken))
            raise broken
        contradicted = verdict.word == PASSED and bool(problems)
        self.settle(Verdict(FAILED, problems[0]) if contradicted else verdict)
        assert not contradicted, problems[0]

    def settle(self, verdict: Verdict) -> None:
        """Write the result with this verdict, unless it is written already."""
        if self.verdict is None:
            self.verdict = verdict
            self.records.finished(self, verdict)

    @property
    def running(self) -> list[Gateway]:
        """The gateways that have a daemon."""
        return [gateway for gateway in (*self.gateways, *self.further) if gateway.running]

    def close(self) -> None:
        """Stop the routers, the peers and the network; what is already gone is no error."""
        for router in self.routers.values():
            router.stop()
        for gateway in self.running:
            gateway.driver.stop()
        if self._network is not None:
            self._network.stop()
            self._network = None


@contextlib.contextmanager
def open_lab(scenario: Scenario, records: Records, seed: int) -> Iterator[Lab]:
    """A laboratory that is closed and tidied away, however its scenario ends."""
    lab = Lab(scenario, records, seed)
    records.started(lab)
    try:
        yield lab
    finally:
        lab.close()
        shutil.rmtree(lab.scratch, ignore_errors=True)
