"""What a server works on: a network that stands, and the gateways in it that have a peer.

    bench = build(topology, {"left": "ours", "right": "strongswan"}, scratch)

The tunnel between left and right is the one that scenarios use when they ask for nothing special; any further gateway
with a peer is a client of the right one, like the left one.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lab.emulation.gate.gate import Gate
from lab.emulation.network import Network
from lab.emulation.topology import Topology
from lab.errors import ConfigError
from lab.matrix import OUR_PEERS
from lab.peers.registry import peer
from lab.plugin.gateway import Gateway
from lab.plugin.tunnel import Ends, Tunnel, left_tree, right_tree

DEFAULT_PEERS = {"left": "ours", "right": "strongswan"}
READY_S = 30.0


@dataclass
class Bench:
    """The network, the gateways by node, and the rules that were placed in gates: number -> node, words, rule."""

    network: Network
    gateways: Mapping[str, Gateway]
    rules: dict[int, Any] = field(default_factory=dict)

    def gateway(self, name: str) -> Gateway:
        """The gateway in a node; ConfigError where there is none."""
        self.network.node(name)
        if name not in self.gateways:
            known = ", ".join(self.gateways)
            raise ConfigError(f"no daemon runs in `{name}`; daemons run in {known or 'no node'}")
        return self.gateways[name]

    def gate(self, where: str) -> Gate:
        """The gate at a place (without one between left and right), which reads with the keys of all daemons."""
        self.network.gates.follow([one.driver.key_log.as_dict() for one in self.gateways.values() if one.running])
        return self.network.gate(where)

    def link(self, name: str) -> str:
        """The name of a link; ConfigError where there is none."""
        links = self.network.topology.links
        if name not in links:
            raise ConfigError(f"there is no link `{name}`; links are {', '.join(links)}")
        return name

    def close(self) -> None:
        """End the daemons and the network."""
        for gateway in self.gateways.values():
            if gateway.running:
                gateway.driver.stop()
        self.network.stop()


def peers(topology: Topology, wishes: Sequence[str]) -> dict[str, str]:
    """Node -> peer, from words like `left=strongswan`; ConfigError says what is wrong, before anything is started."""
    found = {node: name for node, name in DEFAULT_PEERS.items() if node in topology.nodes}
    for wish in wishes:
        node, equals, name = wish.partition("=")
        if not equals:
            raise ConfigError(f"--peer {wish}: write NODE=NAME, like left=strongswan, or NODE=none")
        if node not in topology.nodes or topology.nodes[node].kind != "gateway":
            known = ", ".join(one for one, spec in topology.nodes.items() if spec.kind == "gateway")
            raise ConfigError(f"--peer {wish}: `{node}` is no gateway of {topology.name}; gateways are {known}")
        if name == "none":
            found.pop(node, None)
        else:
            found[node] = peer(name).name
    for node in found:
        Ends.of(topology, "left" if node == "right" else node)
    return found


def build(topology: Topology, chosen: Mapping[str, str], scratch: Path) -> Bench:
    """Realise the topology and start the peers; when this returns they take commands. Nothing stays if it fails."""
    network = Network(topology, scratch / "network")
    gateways = {node: Gateway(node, peer(name)) for node, name in chosen.items()}
    bench = Bench(network, gateways)
    try:
        network.start()
        shared = _shared(chosen)
        for gateway in gateways.values():
            _launch(bench, gateway, shared, scratch)
        for gateway in gateways.values():
            gateway.driver.ready(READY_S)
    except BaseException:
        bench.close()
        raise
    return bench


def _shared(chosen: Mapping[str, str]) -> Mapping[str, Mapping[str, str]]:
    """The further clients share the secret."""
    more = [node for node in chosen if node not in DEFAULT_PEERS]
    return {"ike-lab": {f"id-{node}": f"{node}.lab" for node in more}} if more else {}


def _launch(bench: Bench, gateway: Gateway, shared: Mapping[str, Mapping[str, str]], scratch: Path) -> None:
    """Start a gateway with its side of the tunnel."""
    name, topology = gateway.name, bench.network.topology
    found = Ends.of(topology, "left" if name == "right" else name)
    gateway.address = found.right if name == "right" else found.left
    if name == "right":
        tree = right_tree(Tunnel(secrets=shared, remote={"id": "%any"} if shared else {}), found)
    else:
        tree = left_tree(Tunnel(secrets=shared, local={"id": f"{name}.lab"} if name != "left" else {}), found)
    seed = {"seed": int.from_bytes(os.urandom(8), "big")} if gateway.peer.name in OUR_PEERS else {}
    gateway.launch(bench.network.node(name), scratch / name, tree, {}, **seed)


# -- arguments of commands


def word(args: Mapping[str, Any], key: str) -> str:
    """A text among the arguments; empty where it is not there."""
    value = args.get(key, "")
    if not isinstance(value, str):
        raise ConfigError(f"{key} is text")
    return value


def words(args: Mapping[str, Any], key: str) -> list[str]:
    """A list of texts among the arguments."""
    value = args.get(key, [])
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise ConfigError(f"{key} is a list of words")
    return value


def table(args: Mapping[str, Any], key: str) -> dict[str, Any]:
    """A table among the arguments."""
    value = args.get(key, {})
    if not isinstance(value, dict):
        raise ConfigError(f"{key} is a table")
    return value
