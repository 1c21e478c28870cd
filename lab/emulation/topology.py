"""A topology: nodes and links from a YAML file, checked, with the questions that the lab asks of it.

    load("nat-both") or load("my/own.yaml") -> Topology; raises ConfigError with file, line and key.

Nodes called `left` and `right` are the gateways where peers run. No kernel is touched here.
"""

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from ipaddress import ip_interface
from pathlib import Path

from msgspec.structs import replace

import lab
from lab.emulation import checks, clients, convert, source
from lab.emulation.gate import written
from lab.emulation.model import End, GateRule, LinkSpec, Nat, NodeSpec
from lab.emulation.source import Source
from lab.errors import ConfigError


@dataclass(frozen=True)
class Attachment:
    """One end of a link, seen from its node."""

    node: str
    link: str
    end: End
    peer: str

    @property
    def interface(self) -> str:
        """The interface name in the node."""
        return self.end.interface

    def address(self, version: int = 4) -> str | None:
        """The first address of this IP version, without its prefix length."""
        return first_address(self.end, version)

    def any_address(self) -> str:
        """The first address of IPv4, else of IPv6, without its prefix length."""
        return self.address() or self.address(6) or ""


@dataclass(frozen=True, eq=False)
class Topology:
    """A checked topology. Two are equal only if they are the same, so that what follows from one can be kept."""

    name: str
    file: str
    description: str
    nodes: dict[str, NodeSpec]
    links: dict[str, LinkSpec]
    gates: dict[str, tuple[GateRule, ...]]
    counted: tuple[str, ...] = ()  # gateways that the file does not write out, but counts

    @cached_property
    def attachments(self) -> tuple[Attachment, ...]:
        """Every link end, in the order of the file."""
        return tuple(_attachments(self.links))

    @property
    def pairs(self) -> list[tuple[Attachment, Attachment]]:
        """Both ends of each link."""
        return list(zip(self.attachments[::2], self.attachments[1::2], strict=True))

    def at(self, node: str) -> list[Attachment]:
        """The link ends of a node."""
        if node not in self.nodes:
            raise ConfigError(f"there is no node `{node}`; nodes are {', '.join(self.nodes)}", file=self.file)
        return [attachment for attachment in self.attachments if attachment.node == node]

    def attachment(self, node: str, where: str = "") -> Attachment:
        """The end of `node` on a link or interface; without `where` its first `wan`, else its first at all."""
        ends = self.at(node)
        if not where:
            return next((end for end in ends if end.interface == "wan"), ends[0])
        for end in ends:
            if where in (end.link, end.interface):
                return end
        known = ", ".join(f"{end.interface} ({end.link})" for end in ends)
        raise ConfigError(f"node `{node}` has no link or interface `{where}`; it has {known}", file=self.file)

    def path(self, start: str, goal: str) -> list[str]:
        """The nodes from `start` to `goal`, both included; raises ConfigError if there is no way."""
        before: dict[str, str] = {start: ""}
        queue = deque([start])
        while queue:
            node = queue.popleft()
            for end in self.at(node):
                if end.peer not in before:
                    before[end.peer] = node
                    queue.append(end.peer)
        if goal not in before:
            raise ConfigError(f"there is no way from `{start}` to `{goal}`", file=self.file)
        way = [goal]
        while way[-1] != start:
            way.append(before[way[-1]])
        return way[::-1]

    def toward(self, node: str, goal: str) -> Attachment:
        """The link end by which `node` reaches `goal`."""
        step = self.path(node, goal)[1]
        return next(end for end in self.at(node) if end.peer == step)

    def public_address(self, node: str, version: int = 4) -> str:
        """The address at which the outside reaches this node: its own, or that of the NAT box that forwards to it."""
        for name, spec in self.nodes.items():
            if spec.nat and any(forward.to == node for forward in spec.nat.forwards):
                return self.public_address(name, version)
        address = self.attachment(node).address(version)
        if address is None:
            raise ConfigError(f"node `{node}` has no IPv{version} address", file=self.file)
        return address

    def with_nats(self, behaviours: Mapping[str, Nat]) -> "Topology":
        """The same with other NAT boxes, by their names; a box keeps its port forwards and its interface."""
        nodes = dict(self.nodes)
        for name, nat in behaviours.items():
            own = nodes[name].nat
            if own is None:
                raise ConfigError(f"`{name}` is no NAT box", file=self.file)
            behaviour = replace(nat, outside=own.outside, address=own.address, forwards=own.forwards)
            nodes[name] = replace(nodes[name], nat=behaviour)
        return Topology(self.name, self.file, self.description, nodes, self.links, self.gates, self.counted)

    def with_one_client(self) -> "Topology":
        """The same with only the first of the gateways that are alike, for a drawing."""
        others = self.counted[1:]
        nodes = {name: spec for name, spec in self.nodes.items() if name not in others}
        links = {name: link for name, link in self.links.items() if not link.ends.keys() & {*others}}
        return Topology(self.name, self.file, self.description, nodes, links, self.gates, self.counted)


def _attachments(links: dict[str, LinkSpec]) -> Iterator[Attachment]:
    for name, link in links.items():
        (one, end_one), (two, end_two) = link.ends.items()
        yield Attachment(one, name, end_one, two)
        yield Attachment(two, name, end_two, one)


def first_address(end: End, version: int) -> str | None:
    """The first address of this IP version at a link end, without its prefix length."""
    interfaces = map(ip_interface, end.addresses)
    return next((str(interface.ip) for interface in interfaces if interface.version == version), None)


# -- loading


def directory() -> Path:
    """Where the topologies of the lab lie: beside `lab/` in a checkout, inside it in a wheel."""
    package = Path(lab.__file__).parent
    inside = package / "data" / "topologies"
    return inside if inside.is_dir() else package.parent / "topologies"


def names() -> list[str]:
    """The names of the topologies that come with the lab."""
    return sorted(path.stem for path in directory().glob("*.yaml"))


def load(path_or_name: str | Path) -> Topology:
    """Load and check a topology by its name or by the path of a YAML file. An unchanged file is read once."""
    path = Path(path_or_name)
    if path.suffix not in {".yaml", ".yml"}:
        path = directory() / f"{path_or_name}.yaml"
        if not path.is_file():
            raise ConfigError(
                f"there is no topology `{path_or_name}`; choose from {', '.join(names())}, or give a file"
            )
    try:
        status = path.stat()
    except OSError:
        return build(source.read(path), path.stem)  # which says what is wrong
    return _loaded(path, status.st_mtime_ns, status.st_size)


@cache
def _loaded(path: Path, _modified_ns: int, _size: int) -> Topology:
    return build(source.read(path), path.stem)


def parse(text: str, file: str = "topology.yaml") -> Topology:
    """Check a topology given as YAML text."""
    return build(source.parse(text, file), Path(file).stem)


def build(origin: Source, name: str) -> Topology:
    """Turn YAML data into a checked topology."""
    document = convert.document(origin)
    nodes, links = document.nodes, document.links
    counted: tuple[str, ...] = ()
    if document.clients is not None:
        clients.check(document.clients, nodes, origin)
        clients.place(document.clients, origin)
        alike = clients.nodes(document.clients)
        nodes, links, counted = nodes | alike, links | clients.links(document.clients), tuple(alike)
    topology = Topology(name, origin.file, document.description, nodes, links, document.gates, counted)
    checks.check(topology.nodes, topology.links, origin)
    written.check(topology.nodes, topology.links, topology.gates, origin)
    return topology
