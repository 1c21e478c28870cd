"""A topology made real: namespaces, links, NAT boxes, impairments and a capture; gone without trace after `stop`.

    with Network(topology.load("nat-both"), run_dir) as network:
        network.node("left").run(["ping", "-c1", network.node("internet").address("left")])

What a node writes to /run lies in `run_dir/nodes/NAME/run`. One thread only: everything else is a forked process.
"""

from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

import msgspec

from lab.emulation import box, checks, convert, gre, impair, wires
from lab.emulation.box import Box
from lab.emulation.capture import Capture, Statistics
from lab.emulation.gate import filter as filters
from lab.emulation.gate import nftables, written
from lab.emulation.gate.gate import Gate, InKernel
from lab.emulation.gate.gates import Gates
from lab.emulation.gre import Gre
from lab.emulation.hosts import LabMininet
from lab.emulation.model import Impairment
from lab.emulation.netlink import RouteSocket
from lab.emulation.node import Node
from lab.emulation.topology import Topology
from lab.emulation.xfrm_interface import XfrmInterface
from lab.errors import ConfigError, LabError

PRIVATE = ("/run",)
FORWARDING = ("router", "nat", "firewall")


class Network:
    """A running network; a context manager. What its links draw by chance follows from `seed`."""

    def __init__(self, topology: Topology, run_dir: Path, seed: int = 1) -> None:
        self.topology, self.seed = topology, seed
        self.run_dir = run_dir.resolve()
        self.capture_file = self.run_dir / "wire.pcapng"
        self.nodes: dict[str, Node] = {}
        self._impairments = {(link, end): i for link, spec in topology.links.items() for end, i in spec.impair.items()}
        self._corrupting = {link for (link, _), one in self._impairments.items() if one.corrupt}
        self._sockets: dict[str, RouteSocket] = {}
        self._boxes: dict[str, Box] = {}
        self.gates = Gates(topology, self.nodes, self._sockets, self.run_dir)
        self._devices = 0
        self._blocks: dict[frozenset[str], InKernel] = {}
        self._undo: list[Callable[[], object]] = []
        self._capture: Capture | None = None
        if any(self.run_dir.is_relative_to(place) for place in PRIVATE):
            raise ConfigError(f"the run directory {run_dir} lies below {PRIVATE[0]}, which every node has for itself")

    def __enter__(self) -> "Network":
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    # -- life

    def start(self) -> None:
        """Build everything; when this returns, every packet is captured. Leaves nothing behind if it fails."""
        self.run_dir.mkdir(parents=True, exist_ok=True)
        try:
            self._build()
        except BaseException:
            self.stop()
            raise

    def _build(self) -> None:
        net = LabMininet(self._configure)
        self._undo.append(net.stop)
        for name in self.topology.nodes:
            private = [(place, self.run_dir / "nodes" / name / place.lstrip("/")) for place in PRIVATE]
            host = net.addHost(name, ip=None, privateDirs=private)
            self.nodes[name] = Node(name, self.topology, host)
        for one, two in self.topology.pairs:
            net.addLink(
                self.nodes[one.node].mininet,
                self.nodes[two.node].mininet,
                intfName1=one.interface,
                intfName2=two.interface,
                addr1=wires.mac(self.topology, one),
                addr2=wires.mac(self.topology, two),
                params1={"ip": one.end.addresses[0]},
                params2={"ip": two.end.addresses[0]},
            )
        net.build()
        net.start()
        self._undo.append(self.gates.close)
        for where, rules in self.topology.gates.items():
            written.put(rules, self.gate(where))

    def _configure(self) -> None:
        namespaces = {name: node.namespace for name, node in self.nodes.items()}
        for name, namespace in namespaces.items():
            self._sockets[name] = RouteSocket(namespace, name)
            self._undo.append(self._sockets[name].close)
        wires.realise(self.topology, namespaces, self._sockets)
        self._capture = Capture(self.topology, namespaces, self.capture_file)
        self._undo.append(self._capture.stop)
        for name, batch in impair.batches(self.topology, self.seed).items():
            self._sockets[name].send(batch)
        for name, spec in self.topology.nodes.items():
            if spec.nat is not None or spec.firewall is not None:
                self._boxes[name] = Box(self.topology, name, namespaces[name])
                self._undo.append(self._boxes[name].close)

    def stop(self) -> None:
        """Kill what still runs in the nodes, finish the capture, let go of everything. May be called twice."""
        for node in self.nodes.values():
            node.kill_leftovers()
        self.nodes.clear()
        try:
            while self._undo:
                self._undo.pop()()
        except LabError:
            self.stop()  # the rest
            raise

    # -- questions

    def node(self, name: str) -> Node:
        """A node by its name."""
        if name not in self.nodes:
            raise ConfigError(f"there is no node `{name}` here; nodes are {', '.join(self.topology.nodes)}")
        return self.nodes[name]

    @property
    def links(self) -> list[str]:
        """The names of all links."""
        return list(self.topology.links)

    def mappings(self) -> list[dict[str, Any]]:
        """What the NAT boxes have translated."""
        return box.all_mappings(self._boxes.values())

    def nat(self, name: str) -> Box:
        """A NAT box or firewall by its name: what it holds, and what can be done to it."""
        if name not in self._boxes:
            known = ", ".join(self._boxes) or "there is none"
            raise ConfigError(f"`{name}` is no NAT box ({known})", file=self.topology.file)
        return self._boxes[name]

    def nat_facts(self) -> dict[str, Any]:
        """What nat.json says: how the boxes behave now, what they translate, and what became of their mappings."""
        behaviours = {name: {"by": box.BY, **msgspec.to_builtins(one.behaviour)} for name, one in self._boxes.items()}
        return {
            "boxes": behaviours,
            "mappings": self.mappings(),
            "timeline": box.whole_timeline(self._boxes.values()),
        }

    @property
    def recorder_pid(self) -> int:
        """The process that writes the capture."""
        return self._running_capture().pid

    def flush_capture(self) -> Statistics:
        """Wait until every packet that has passed a link by now is in the capture file."""
        return self._running_capture().flush()

    def finish_capture(self) -> Statistics:
        """End the capture (and its file) while the nodes still run."""
        return self._running_capture().stop()

    def _running_capture(self) -> Capture:
        if self._capture is None:
            raise ConfigError("the network was never started")
        return self._capture

    def describe(self) -> dict[str, Any]:
        """The topology as realised, for topology.json."""
        nodes: dict[str, Any] = msgspec.to_builtins(self.topology.nodes)
        links: dict[str, Any] = msgspec.to_builtins(self.topology.links)
        for name, one in self._boxes.items():
            nodes[name]["nat" if nodes[name]["kind"] == "nat" else "firewall"] = msgspec.to_builtins(one.behaviour)
        for name, link in links.items():
            for node, end in link["ends"].items():
                end["mac"] = wires.mac(self.topology, self.topology.attachment(node, name))
            link["impair"] = {
                end: msgspec.to_builtins(i) for (where, end), i in self._impairments.items() if where == name
            }
            if name in self._corrupting:
                link["corrupted"] = True  # now or before: some packets on it were changed under way
        head = {"schema": "ikelab.topology/1", "name": self.topology.name, "description": self.topology.description}
        return {**head, "nodes": nodes, "links": links}

    # -- devices

    def gre(self, node: str, device: Gre) -> None:
        """Create a GRE device in a node, and set it up; UnfitError where the kernel has no GRE."""
        self._device(node, device)

    def xfrm_interface(self, node: str, device: XfrmInterface) -> None:
        """Create an XFRM interface in a node, and set it up; UnfitError where the kernel has none."""
        self._device(node, device)

    def _device(self, node: str, device: Gre | XfrmInterface) -> None:
        self._sockets[node].send(device.batch(gre.FIRST_INDEX + self._devices))
        self._devices += 1

    # -- faults

    def gate(self, where: str = "") -> Gate:
        """The packet gate at a router, a NAT box or a link next to one; without a name between left and right."""
        return self.gates.at(where)

    def drop(self, where: str, what: str, nth: int = 1, count: int | None = 1, *, sender: str = "") -> InKernel:
        """Drop `count` packets from the `nth` that matches the filter `what`, which says no number itself.

        `where` is a router or NAT box, or a link next to one; `count` None means all. `sender` names the node from
        whose side they come; without it both directions are counted together.
        """
        found = filters.parse(f"{what} from {sender}" if sender else what)
        if not found.every:
            raise ConfigError(f"`{what}` says itself which packets it means; take the number away, or use the gate")
        if not nftables.sayable(found):
            raise ConfigError(f"nftables cannot say `{what}`; use the gate")
        return self.gates.drop(where, found.counted(nth, count))

    def block(self, one: str, two: str) -> None:
        """Drop everything between two nodes, both ways, as if the other were dead; `unblock` ends it."""
        way = self.topology.path(one, two)
        between = [name for name in way[1:-1] if self.topology.nodes[name].kind in FORWARDING]
        if not between:
            raise ConfigError(f"no router or NAT box stands between `{one}` and `{two}`", file=self.topology.file)
        node = next((name for name in between if self.topology.nodes[name].kind == "router"), between[0])
        sides = [self.topology.toward(node, end).interface for end in (one, two)]
        ways = [f'iifname "{a}" oifname "{b}"' for a, b in (sides, sides[::-1])]
        self._blocks[frozenset((one, two))] = self.gates.install(node, ways, filters.parse("any"))

    def unblock(self, one: str, two: str) -> None:
        """Let packets pass again after `block`."""
        rule = self._blocks.pop(frozenset((one, two)), None)
        if rule is None:
            raise ConfigError(f"nothing is blocked between `{one}` and `{two}`")
        rule.remove()

    def set_link(self, link: str, sender: str, **changes: Any) -> None:
        """Change what a link does to the packets of `sender`, by the keys of `Impairment`; None takes it away."""
        before = self._impairments.get((link, sender), Impairment())
        try:
            after = msgspec.convert(msgspec.to_builtins(before) | changes, Impairment)
        except msgspec.ValidationError as error:
            text, _, where = str(error).partition(" - at ")
            raise ConfigError(convert.plain_words(text), key=f"{link}.{where.strip('`$.')}") from error
        if said := checks.contradiction(after):
            raise ConfigError(said[1], key=f"{link}.{said[0]}")
        for node, batch in impair.change(self.topology, link, sender, after, before, self.seed).items():
            self._sockets[node].send(batch)
        self._impairments[link, sender] = after
        if after.corrupt:
            self._corrupting.add(link)

    def rebind(self, name: str, **changes: Any) -> None:
        """Let a NAT box lose its mappings and behave otherwise from now on; `changes` are those of its `nat`.

        Without any it only forgets, as when it was switched off and on.
        """
        self.nat(name).rebind(**changes)
