"""Who is where: which node owns an address, and which nodes only forward what others send.

Read from `topology.json`. Without one (a capture from elsewhere) nothing is known, and only the names of the capture
points and the directions of frames tell sender from receiver.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lab.errors import BrokenError

FORWARDING = frozenset({"nat", "router", "switch", "bridge"})
# Only these take part in IKE; a `host` behind a gateway does not.
SPEAKING = frozenset({"gateway"})


@dataclass(frozen=True, slots=True)
class Places:
    """Owners of addresses (without prefix length) and kinds of nodes."""

    owners: Mapping[str, str] = field(default_factory=dict)
    kinds: Mapping[str, str] = field(default_factory=dict)

    def owner(self, address: str) -> str | None:
        """The node that has this address."""
        return self.owners.get(address)

    def forwards(self, node: str) -> bool:
        """Whether this node is known to only forward."""
        return self.kinds.get(node) in FORWARDING

    def peers(self) -> list[str]:
        """The nodes that speak IKE, in the order of the topology."""
        return [node for node, kind in self.kinds.items() if kind in SPEAKING]


def of_topology(topology: Mapping[str, Any]) -> Places:
    """Places from a realised topology: `nodes` with a kind, and addresses in `links` and in `nodes`."""
    nodes: Mapping[str, Any] = topology.get("nodes", {})
    kinds = {name: str(node.get("kind", "")) for name, node in nodes.items()}
    owners = {address: name for name, node in nodes.items() for address in _addresses(node)}
    for link in topology.get("links", {}).values():
        owners |= {address: name for name, end in link.get("ends", {}).items() for address in _addresses(end)}
    return Places(owners, kinds)


def _addresses(part: Mapping[str, Any]) -> Iterator[str]:
    """Addresses of a node or link end, however deep its interfaces hold them."""
    for address in part.get("addresses", ()):
        yield str(address).partition("/")[0]
    interfaces = part.get("interfaces", {})
    for interface in interfaces.values() if isinstance(interfaces, Mapping) else ():
        yield from _addresses(interface)


def read(path: Path) -> Places:
    """Places from `topology.json`; unknown places if there is no such file."""
    try:
        return of_topology(json.loads(path.read_text()))
    except FileNotFoundError:
        return Places()
    except (ValueError, AttributeError) as error:
        raise BrokenError(f"{path.name} is no topology: {error}") from error
