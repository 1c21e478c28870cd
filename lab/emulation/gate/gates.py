"""All gates of a network: opened when they are first needed, closed with it, and what they recorded (gate.json).

{"schema": "ikelab.gate/1", "gates": [{"node", "rules": [{"words", "action", "seen", "acted", "ran", ...}],
 "events": [{"t", "rule", "action", "came", "leaves", "kind", "content", ...}], "unrecorded", "unopened"}]}
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab.emulation import wires
from lab.emulation.gate import filter as filters
from lab.emulation.gate import nftables, place, wire
from lab.emulation.gate.gate import Gate, InKernel, KeyLogs, Opened
from lab.errors import ConfigError

if TYPE_CHECKING:
    from lab.emulation.netlink import RouteSocket
    from lab.emulation.node import Node
    from lab.emulation.topology import Topology

SCHEMA = "ikelab.gate/1"
DIRECTORY = "gates"


class Gates:
    """The gates of one network; `nodes` and `sockets` are filled while it is built."""

    def __init__(
        self, topology: "Topology", nodes: Mapping[str, "Node"], sockets: Mapping[str, "RouteSocket"], run_dir: Path
    ) -> None:
        self._topology, self._nodes, self._sockets, self._run_dir = topology, nodes, sockets, run_dir
        self._opened: dict[str, Opened] = {}
        self._in_kernel: list[InKernel] = []
        self._logs: dict[str, Mapping[str, str]] = {}
        self._record: list[dict[str, Any]] = []
        self._step: dict[str, dict[str, Any]] = {}

    def at(self, where: str = "") -> Gate:
        """The gate at a router, a NAT box or a link next to one; without a name between left and right."""
        where = where or place.usual(self._topology)
        node = self.keeper(where)
        through = self._topology.attachment(node, where).interface if where in self._topology.links else ""

        def drop(what: filters.Filter) -> InKernel | None:
            return self.drop(where, what) if node not in self._opened else None

        return Gate(node, through, lambda: self._open(node), drop)

    def keeper(self, where: str) -> str:
        """The node that a place stands for."""
        try:
            return place.keeper(self._topology.nodes, self._topology.links, where)
        except ConfigError as error:
            raise ConfigError(error.text, file=self._topology.file) from error

    def step(self, directory: Path) -> None:
        """Have the gate between left and right tell of each message in `directory`, and hold it (step.py)."""
        node = self.keeper(place.usual(self._topology))
        hold = os.environ.get("IKELAB_CLOCK") == "virtual"
        self._step[node] = {"step": str(directory), "hold": hold}
        self._open(node)

    # -- in the kernel

    def drop(self, where: str, what: filters.Filter) -> InKernel:
        """Drop in nftables what a filter means, at a place."""
        node = self.keeper(where)
        return self.install(node, self._ways(where, node, what.came_from), what)

    def _ways(self, where: str, node: str, sender: str) -> list[str]:
        """The nft matches for packets that cross a place, from a node's side or from both; no two for one packet."""
        ways = [self._topology.toward(node, sender).interface] if sender else []
        if where not in self._topology.links:
            return [f'iifname "{way}"' for way in ways] or [""]
        here = self._topology.attachment(node, where).interface
        if not ways:
            return [f'iifname "{here}"', f'oifname "{here}"']
        return [f'iifname "{here}"' if ways == [here] else f'iifname "{ways[0]}" oifname "{here}"']

    def install(self, node: str, ways: Sequence[str], what: filters.Filter) -> InKernel:
        """Drop in nftables what a filter means and one of the nft matches `ways` says."""
        table = f"gate{len(self._in_kernel) + 1}"
        rule = nftables.install(self._nodes[node].namespace, table, ways, what)
        self._in_kernel.append(InKernel(node, f"drop {what.text}", rule))
        return self._in_kernel[-1]

    # -- in user space

    def _open(self, node: str) -> Opened:
        if node not in self._opened:
            ends = self._topology.at(node)
            tap, link = wire.lay(self._nodes[node].namespace, self._sockets[node], [end.interface for end in ends])
            request = {
                "node": node,
                "control": str(self._run_dir / DIRECTORY / node),
                "sides": place.sides(self._topology, node),
                "macs": {wires.mac(self._topology, end): end.interface for end in ends},
                "networks": place.networks(self._topology, node),
                **self._step.get(node, {}),
            }
            self._opened[node] = Opened(request, tap, link)
            self._opened[node].ask("keys", logs=list(self._logs.values()))
        return self._opened[node]

    def follow(self, logs: KeyLogs) -> None:
        """Open messages with the keys in these logs of the peers, as they come."""
        new = [log for log in logs if log["path"] not in self._logs]
        self._logs |= {log["path"]: log for log in new}
        for opened in self._opened.values():
            if new:
                opened.ask("keys", logs=new)

    # -- the end

    def close(self) -> None:
        """End every gate in user space and keep what it recorded. May be called twice."""
        while self._opened:
            node, opened = self._opened.popitem()
            found = opened.close()
            rules = [{**rule, "ran": "user space"} for rule in found["rules"]]
            self._record.append({**found, "node": node, "rules": rules})

    def record(self) -> dict[str, Any] | None:
        """gate.json, of gates that are closed, while the nodes still stand; None where there never was a rule."""
        gates = {found["node"]: dict(found) for found in self._record}
        for rule in self._in_kernel:
            gate = gates.setdefault(rule.node, {"node": rule.node, "rules": [], "events": []})
            gate["rules"] = [*gate["rules"], rule.state()]
        return {"schema": SCHEMA, "gates": list(gates.values())} if gates else None
