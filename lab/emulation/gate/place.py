"""Where a gate may stand: in a router or a NAT box, by its own name or by that of a link next to it.

Never in a gateway: its tap would no longer show when a packet was really sent.
"""

from collections.abc import Iterator, Mapping
from ipaddress import ip_interface
from typing import TYPE_CHECKING

from lab.emulation.model import LinkSpec, NodeSpec
from lab.errors import ConfigError

if TYPE_CHECKING:
    from lab.emulation.topology import Topology


def keeper(nodes: Mapping[str, NodeSpec], links: Mapping[str, LinkSpec], where: str) -> str:
    """The node whose forwarding a place stands for; ConfigError if there is none."""
    candidates = list(links[where].ends) if where in links else [where]
    for kind in ("router", "nat", "firewall"):
        for name in candidates:
            if name in nodes and nodes[name].kind == kind:
                return name
    raise ConfigError(f"`{where}` is no router or NAT box, nor a link next to one")


def usual(topology: "Topology") -> str:
    """The first router between `left` and `right`, else the first NAT box."""
    way = topology.path("left", "right")
    for kind in ("router", "nat", "firewall"):
        for name in way:
            if topology.nodes[name].kind == kind:
                return name
    raise ConfigError("no router or NAT box stands between `left` and `right`", file=topology.file)


def sides(topology: "Topology", node: str) -> dict[str, str]:
    """For every other node the interface of this one behind which it lies."""
    return {name: topology.toward(node, name).interface for name in topology.nodes if name != node}


def networks(topology: "Topology", node: str) -> list[tuple[str, str]]:
    """Every subnet with the interface that leads to it, the node's own and the longest prefixes first."""
    found = sorted(_networks(topology, node), key=lambda one: (one[0], -int(one[1].partition("/")[2])))
    return list({prefix: (prefix, interface) for _, prefix, interface in reversed(found)}.values())[::-1]


def _networks(topology: "Topology", node: str) -> Iterator[tuple[int, str, str]]:
    """(distance, prefix, interface) of every subnet."""
    behind = sides(topology, node)
    for end in topology.attachments:
        distance = 0 if end.node == node else len(topology.path(node, end.node))
        interface = end.interface if end.node == node else behind[end.node]
        for text in end.end.addresses:
            yield distance, str(ip_interface(text).network), interface
