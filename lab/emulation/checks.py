"""What a schema cannot say about a topology: names that exist, addresses that fit, routes that end.

Each check raises the first fault it finds, as a ConfigError with file, line and key, before anything is started.
Two links may use the same subnet if a NAT box stands between them; within one routing domain they may not.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from ipaddress import IPv4Interface, IPv4Network, IPv6Interface, IPv6Network, ip_interface, ip_network
from itertools import combinations

from lab.emulation.model import End, Impairment, LinkSpec, Nat, NodeSpec
from lab.emulation.source import KeyPath, Source
from lab.emulation.units import nanoseconds, parts_per_million

_WHOLE = 1_000_000  # parts per million
Nodes = Mapping[str, NodeSpec]
Links = Mapping[str, LinkSpec]
Interface = IPv4Interface | IPv6Interface
Network = IPv4Network | IPv6Network


def check(nodes: Nodes, links: Links, source: Source) -> None:
    """Raise a ConfigError for the first contradiction."""
    _sizes(nodes, links, source)
    _link_ends(nodes, links, source)
    _connected(nodes, links, source)
    _nat(nodes, links, source)
    _routes(nodes, links, source)
    _addresses(nodes, links, source)
    _impairments(nodes, links, source)


def _sizes(nodes: Nodes, links: Links, source: Source) -> None:
    if len(nodes) < 2:
        raise source.error(("nodes",), "a topology needs at least two nodes")
    for name, link in links.items():
        if len(link.ends) != 2:
            raise source.error(("links", name, "ends"), f"a link has two ends, not {len(link.ends)}")


def _link_ends(nodes: Nodes, links: Links, source: Source) -> None:
    seen: set[tuple[str, str]] = set()
    for name, link in links.items():
        for node, end in link.ends.items():
            path: KeyPath = ("links", name, "ends", node)
            if node not in nodes:
                raise source.error(path, f"there is no node `{node}`; nodes are {', '.join(nodes)}")
            if (node, end.interface) in seen or end.interface == "lo":
                raise source.error((*path, "interface"), f"node `{node}` has an interface `{end.interface}` already")
            seen.add((node, end.interface))


def _connected(nodes: Nodes, links: Links, source: Source) -> None:
    reached = {next(iter(nodes))}
    while more := {peer for node in reached for peer in neighbours(links, node)} - reached:
        reached |= more
    for name in nodes:
        if name not in reached:
            raise source.error(("nodes", name), f"no link leads from `{next(iter(nodes))}` to this node")


def neighbours(links: Links, node: str) -> Iterator[str]:
    """The nodes at the other ends of this node's links."""
    for link in links.values():
        if node in link.ends:
            yield from (other for other in link.ends if other != node)


# -- NAT boxes


def _nat(nodes: Nodes, links: Links, source: Source) -> None:
    for name, spec in nodes.items():
        _kind(name, spec, source)
        box, path = spec.nat or spec.firewall, ("nodes", name, spec.kind)
        if box is None:
            continue
        ends = [link.ends[name] for link in links.values() if name in link.ends]
        if box.outside not in [end.interface for end in ends]:
            known = ", ".join(end.interface for end in ends)
            raise source.error((*path, "outside"), f"there is no interface `{box.outside}`; `{name}` has {known}")
        for key in ("udp_timeout", "udp_timeout_stream"):
            timeout = nanoseconds(getattr(box, key) or "1s")
            if timeout < 10**9 or timeout % 10**9:
                raise source.error((*path, key), "the kernel counts this in whole seconds, from 1")
        if spec.nat is not None:
            _behaviour(spec.nat, next(end for end in ends if end.interface == box.outside), source, path)
            _forwards(name, spec, links, source)


def _kind(name: str, spec: NodeSpec, source: Source) -> None:
    """A node of kind `nat` or `firewall` has the key of that name, and no other node has it."""
    for kind, there in (("nat", spec.nat is not None), ("firewall", spec.firewall is not None)):
        if (spec.kind == kind) != there:
            text = f"a node of kind `{kind}` needs the key `{kind}` (it may be `{{}}`)"
            if there:
                text = f"only a node of kind `{kind}` has the key `{kind}`"
            raise source.error(("nodes", name), text)


def _behaviour(nat: Nat, outside: End, source: Source, path: KeyPath) -> None:
    _port_range(nat.ports, source, (*path, "ports"))
    if nat.ports == "preserve" and nat.maps != "endpoint-independent":
        text = "a NAT that keeps ports has one for all destinations; draw them with `ports: random` or a range"
        raise source.error((*path, "mapping"), text)
    own = [address for text in outside.addresses if ":" not in (address := text.partition("/")[0])]
    if nat.address is not None and nat.address not in own:
        text = f"{nat.address} is not an address of `{outside.interface}`; it has {', '.join(own) or 'none of IPv4'}"
        raise source.error((*path, "address"), text)


def _port_range(ports: str, source: Source, path: KeyPath) -> None:
    low, dash, high = ports.partition("-")
    if dash and not 0 < int(low) <= int(high) < 65536:
        raise source.error(path, f"{ports} is not a range of ports")


def _forwards(name: str, spec: NodeSpec, links: Links, source: Source) -> None:
    taken: set[tuple[str, int]] = set()
    assert spec.nat is not None
    for place, forward in enumerate(spec.nat.forwards):
        path: KeyPath = ("nodes", name, "nat", "forwards", place)
        if forward.to not in neighbours(links, name):
            raise source.error((*path, "to"), f"`{forward.to}` is not on a link of `{name}`")
        if forward.to_port and len(forward.ports) > 1:
            raise source.error((*path, "to_port"), "`to_port` goes with a single port; write one forward for each")
        for port in forward.ports:
            if (forward.protocol, port) in taken:
                raise source.error((*path, "ports"), f"{forward.protocol} port {port} is forwarded already")
            taken.add((forward.protocol, port))


# -- routes


def _routes(nodes: Nodes, links: Links, source: Source) -> None:
    for name, spec in nodes.items():
        path: KeyPath = ("nodes", name)
        if spec.default_route is not None:
            _neighbour(spec.default_route, name, links, source, (*path, "default_route"))
        for place, route in enumerate(spec.routes):
            _neighbour(route.via, name, links, source, (*path, "routes", place, "via"))
            try:
                ip_network(route.to)
            except ValueError as error:
                raise source.error((*path, "routes", place, "to"), str(error)) from error
    for name in nodes:
        _default_route_ends(name, nodes, source)


def _neighbour(node: str, of: str, links: Links, source: Source, path: KeyPath) -> None:
    if node in neighbours(links, of):
        return
    known = dict.fromkeys(name for link in links.values() for name in link.ends)
    if node not in known:
        raise source.error(path, f"there is no node `{node}`; nodes are {', '.join(known)}")
    raise source.error(path, f"`{node}` is not on a link of `{of}`")


def _default_route_ends(start: str, nodes: Nodes, source: Source) -> None:
    way = [start]
    while (step := nodes[way[-1]].default_route) is not None:
        if step in way:
            loop = " -> ".join([*way[way.index(step) :], step])
            raise source.error(("nodes", way[-1], "default_route"), f"the default routes run in a loop: {loop}")
        way.append(step)


# -- addresses


def _addresses(nodes: Nodes, links: Links, source: Source) -> None:
    subnets = {name: list(_subnets(name, link, source)) for name, link in links.items()}
    domains = _domains(nodes, links)
    for one, two in combinations(links, 2):
        if domains[one] == domains[two] or links[one].ends.keys() & links[two].ends.keys():
            _disjoint(subnets[one], one, subnets[two], source)


def _subnets(name: str, link: LinkSpec, source: Source) -> Iterator[tuple[Network, KeyPath]]:
    found: dict[str, dict[int, Network]] = {}
    taken: Counter[str] = Counter()
    for node, end in link.ends.items():
        for place, text in enumerate(end.addresses):
            path: KeyPath = ("links", name, "ends", node, "addresses", place)
            interface = _interface(text, source, path)
            taken[str(interface.ip)] += 1
            if taken[str(interface.ip)] > 1:
                raise source.error(path, f"the address {interface.ip} is used twice on this link")
            found.setdefault(node, {})[interface.version] = interface.network
            yield interface.network, path
    one, two = (found.get(node, {}) for node in link.ends)
    for version in one.keys() & two.keys():
        if one[version] != two[version]:
            text = f"the ends lie in different subnets: {one[version]} and {two[version]}"
            raise source.error(("links", name), text)
    if not one.keys() & two.keys():
        raise source.error(("links", name), "the ends share no IP version")


def _interface(text: str, source: Source, path: KeyPath) -> Interface:
    try:
        interface = ip_interface(text)
    except ValueError as error:
        raise source.error(path, str(error)) from error
    network = interface.network
    if network.prefixlen < network.max_prefixlen - 1 and interface.ip in (network[0], network[-1]):
        raise source.error(path, f"{interface.ip} is the first or last address of {network}, not that of a node")
    return interface


def _domains(nodes: Nodes, links: Links) -> dict[str, int]:
    """Number the routing domains: links joined by nodes that do not translate between them."""
    domain = {name: number for number, name in enumerate(links)}
    for one, two in combinations(links, 2):
        for node in links[one].ends.keys() & links[two].ends.keys():
            nat = nodes[node].nat
            if nat is None or nat.outside not in (links[one].ends[node].interface, links[two].ends[node].interface):
                old, new = domain[two], domain[one]
                domain = {name: new if number == old else number for name, number in domain.items()}
    return domain


def _disjoint(
    one: list[tuple[Network, KeyPath]], name: str, two: list[tuple[Network, KeyPath]], source: Source
) -> None:
    for network, path in two:
        for other, _ in one:
            if network.version == other.version and network.overlaps(other):
                raise source.error(path, f"the subnet {network} overlaps with {other} of link `{name}`")


# -- impairments


def _impairments(nodes: Nodes, links: Links, source: Source) -> None:
    for name, link in links.items():
        for sender, impairment in link.impair.items():
            path: KeyPath = ("links", name, "impair", sender)
            if sender not in link.ends:
                raise source.error(path, f"`{sender}` is not an end of this link; ends are {', '.join(link.ends)}")
            if impairment.queued and all(nodes[node].kind == "gateway" for node in link.ends):
                raise source.error(path, "a link between two gateways cannot be impaired; put a router between them")
            if said := contradiction(impairment):
                raise source.error((*path, said[0]), said[1])


def contradiction(impairment: Impairment) -> tuple[str, str] | None:
    """The key of an impairment that cannot be meant, and why; None where all is well."""
    delay, jitter = (nanoseconds(text or "0s") for text in (impairment.delay, impairment.jitter))
    if jitter and not delay:
        return "jitter", "jitter needs a delay to vary"
    if jitter > delay:
        return "jitter", "a delay cannot vary by more than itself"
    if impairment.reorder and not delay:
        return "reorder", "only packets that are delayed can be overtaken; give a delay too"
    if impairment.bursts and impairment.loss:
        return "bursts", "losses come one by one (`loss`) or in bursts (`bursts`), not both"
    for key in ("loss", "reorder", "duplicate", "corrupt"):
        if parts_per_million(getattr(impairment, key) or "0%") > _WHOLE:
            return key, "no more than 100%"
    for key in ("begin", "end", "loss", "between") if impairment.bursts else ():
        if parts_per_million(getattr(impairment.bursts, key)) > _WHOLE:
            return "bursts", f"`{key}` is no more than 100%"
    return None
