"""Who is where: which node owns an address, which nodes only forward what others send, which are told to misbehave.

Read from `topology.json`. Without one (a capture from elsewhere) nothing is known, and only the names of the capture
points and the directions of frames tell sender from receiver.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_interface
from pathlib import Path
from typing import Any

from lab.errors import BrokenError

FORWARDING = frozenset({"nat", "firewall", "router", "switch", "bridge"})
# Only these take part in IKE; a `host` behind a gateway does not.
SPEAKING = frozenset({"gateway"})


@dataclass(frozen=True, slots=True)
class Places:
    """Owners of addresses (without prefix length), kinds of nodes, the nodes whose IKE messages are wrong on purpose,
    and whether a link has changed packets under way.
    """

    owners: Mapping[str, str] = field(default_factory=dict)
    kinds: Mapping[str, str] = field(default_factory=dict)
    impaired: frozenset[str] = frozenset()
    corrupted: bool = False

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
    """Places from a realised topology: `nodes` with a kind, `links` whose ends have an interface and addresses."""
    kinds = {name: str(node.get("kind", "")) for name, node in topology.get("nodes", {}).items()}
    owners = {
        str(ip_interface(address).ip): node
        for link in topology.get("links", {}).values()
        for node, end in link.get("ends", {}).items()
        for address in end.get("addresses", ())
    }
    impaired = frozenset(name for name, node in topology.get("nodes", {}).items() if node.get("impaired"))
    corrupted = any(link.get("corrupted") is True for link in topology.get("links", {}).values())
    return Places(owners, kinds, impaired, corrupted)


def read(path: Path) -> Places:
    """Places from `topology.json`; unknown places if there is no such file."""
    try:
        return of_topology(json.loads(path.read_text()))
    except FileNotFoundError:
        return Places()
    except (ValueError, AttributeError, TypeError) as error:
        raise BrokenError(f"{path.name} is no topology: {error}") from error
