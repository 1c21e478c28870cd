"""The clients of a topology file that are only counted there: nodes and links for each of them.

Client N is the gateway `clientN`; its interface `wan` and the interface `cN` of the node before it have the two
addresses of the N-th piece of the subnet.
"""

from ipaddress import IPv4Network, ip_network
from itertools import islice

from lab.emulation.model import Clients, End, LinkSpec, NodeSpec
from lab.emulation.source import Source

_PIECE = 30  # prefix length of a client's network: two addresses


def nodes(clients: Clients) -> dict[str, NodeSpec]:
    """The gateways."""
    return {name: NodeSpec(kind="gateway", default_route=clients.behind) for name in _names(clients)}


def links(clients: Clients) -> dict[str, LinkSpec]:
    """Their links, by the name of the client."""
    pieces = islice(IPv4Network(clients.subnet).subnets(new_prefix=_PIECE), clients.count)
    found = {}
    for number, (name, piece) in enumerate(zip(_names(clients), pieces, strict=True), 1):
        near, far = (f"{piece[place]}/{_PIECE}" for place in (1, 2))
        ends = {
            name: End(interface="wan", addresses=(far,)),
            clients.behind: End(interface=f"c{number}", addresses=(near,)),
        }
        found[f"{name}-wan"] = LinkSpec(ends=ends)
    return found


def check(clients: Clients, known: dict[str, NodeSpec], source: Source) -> None:
    """Raise a ConfigError if they cannot be made."""
    if clients.behind not in known:
        raise source.error(("clients", "behind"), f"there is no node `{clients.behind}`; nodes are {', '.join(known)}")
    if taken := [name for name in _names(clients) if name in known]:
        raise source.error(("nodes", taken[0]), "a client has this name already; see `clients`")
    try:
        network = ip_network(clients.subnet)
    except ValueError as error:
        raise source.error(("clients", "subnet"), str(error)) from error
    room = 2 ** (_PIECE - network.prefixlen) if network.prefixlen <= _PIECE else 0
    if network.version != 4 or room < clients.count:
        text = f"{clients.count} clients do not fit: each takes an IPv4 network with a prefix of {_PIECE} bits"
        raise source.error(("clients", "subnet"), text)


def place(clients: Clients, source: Source) -> None:
    """Have what is wrong with a generated node or link point to the line that asked for it."""
    line = source.line(("clients",))
    for name in _names(clients):
        source.lines["nodes", name] = source.lines["links", f"{name}-wan"] = line


def _names(clients: Clients) -> list[str]:
    return [f"client{number}" for number in range(1, clients.count + 1)]
