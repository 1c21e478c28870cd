"""What a scenario wants between its two gateways, as the swanctl.conf trees that both peers are given.

Rules: one tree is written, from the left gateway's point of view, and `mirror` makes the right one's; only what differs
by nature is set afterwards (where to listen, whom to expect). A `Tunnel` holds the few things that scenarios vary;
everything else is a default of the peers. Addresses come from the topology.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_interface

from lab.emulation.topology import Topology
from lab.ike.swanctl import Section, Value, mirror, parse, render

IKE = "aes256gcm16-prfsha384-x25519"
ESP = "aes256gcm16"
SECRET = "lab only, not a secret"
CONNECTION, CHILD = "gw", "net"

_TEMPLATE = """
connections {{
    {connection} {{
        version = 2
        local_addrs = {left}
        remote_addrs = {right}
        proposals = {ike}
        mobike = no
        fragmentation = no
        local {{
            auth = psk
            id = {left_id}
        }}
        remote {{
            auth = psk
            id = {right_id}
        }}
        children {{
            {child} {{
                local_ts = {left_net}
                remote_ts = {right_net}
                esp_proposals = {esp}
            }}
        }}
    }}
}}
secrets {{
    ike-lab {{
        id-left = {left_id}
        id-right = {right_id}
        secret = "{secret}"
    }}
}}
"""


@dataclass(frozen=True, slots=True)
class Tunnel:
    """One side's wishes. `connection`, `child` and `settings` add or replace keys of swanctl.conf by name; so do
    `local` and `remote`, from that side's own view, and `secrets`, `authorities` and `pools`, section by section. `gre`
    are the GRE tunnels of our own data plane, by interface. `second` is a further connection (and its child) by that
    name, the same but for our identity, `NAME.lab`; `more` is text of swanctl.conf that is put in beside all this.
    `files` are those that the others name. Without `esp` there is no ESP: then `child` has `ah_proposals`.
    """

    ike: str = IKE
    esp: str | None = ESP
    secret: str = SECRET
    connection: Mapping[str, str] = field(default_factory=dict)
    child: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)
    local: Mapping[str, str] = field(default_factory=dict)
    remote: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    authorities: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    pools: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    second: str = ""
    gre: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    more: str = ""
    files: Mapping[str, bytes] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Ends:
    """Where the two gateways are: their own addresses, the one the responder is reached at, the nets behind them."""

    left: str
    right: str
    right_public: str
    left_net: str
    right_net: str

    @classmethod
    def of(cls, topology: Topology, client: str = "left") -> "Ends":
        """Those of a topology; another `client` is a gateway in the place of the left one."""
        nets = {}
        for name in (client, "right"):
            lan = topology.toward(name, f"{name}-host").end
            nets[name] = str(ip_interface(lan.addresses[0]).network)
        address = {name: topology.attachment(name).any_address() for name in (client, "right")}
        public = topology.public_address("right", 6 if ":" in address["right"] else 4)
        return cls(address[client], address["right"], public, nets[client], nets["right"])


def left_tree(tunnel: Tunnel, ends: Ends) -> Section:
    """The left gateway's swanctl.conf."""
    return _adjusted(_tree(tunnel, ends), tunnel)


def right_tree(tunnel: Tunnel, ends: Ends) -> Section:
    """The right gateway's: the mirror of the left one's, waiting on its own address for anyone who knows the secret."""
    tree = mirror(_tree(tunnel, ends))
    _set(tree.sections["connections"].sections[CONNECTION], {"local_addrs": ends.right, "remote_addrs": "%any"})
    return _adjusted(tree, tunnel)


def _tree(tunnel: Tunnel, ends: Ends) -> Section:
    text = _TEMPLATE.format(
        connection=CONNECTION,
        child=CHILD,
        left=ends.left,
        right=ends.right_public,
        left_id="left.lab",
        right_id="right.lab",
        left_net=ends.left_net,
        right_net=ends.right_net,
        ike=tunnel.ike,
        esp=tunnel.esp,
        secret=tunnel.secret,
    )
    tree = parse(text, "tunnel")
    if tunnel.esp is None:
        del (
            tree.sections["connections"]
            .sections[CONNECTION]
            .sections["children"]
            .sections[CHILD]
            .values["esp_proposals"]
        )
    return tree


def _adjusted(tree: Section, tunnel: Tunnel) -> Section:
    """The keys a scenario adds or replaces."""
    connection = tree.sections["connections"].sections[CONNECTION]
    _set(connection, tunnel.connection)
    _set(connection.sections["children"].sections[CHILD], tunnel.child)
    for side, values in (("local", tunnel.local), ("remote", tunnel.remote)):
        _set(connection.sections[side], values)
    named = {"secrets": tunnel.secrets, "authorities": tunnel.authorities, "pools": tunnel.pools}
    for kind, sections in named.items():
        for name, values in sections.items():
            _set(_within(tree, kind, name), values)
    if tunnel.settings or tunnel.gre:
        _set(_within(tree, "ikelab"), tunnel.settings)
    for name, values in tunnel.gre.items():
        _set(_within(tree, "ikelab", "gre", name), values)
    if tunnel.second:
        _add(tree.sections["connections"], connection, tunnel.second)
    _put_in(tree, parse(tunnel.more, "more"))
    return tree


def _put_in(tree: Section, more: Section) -> None:
    """Add settings and sections of another tree, whose values win."""
    tree.values.update(more.values)
    for name, section in more.sections.items():
        _put_in(_within(tree, name), section)


def _within(tree: Section, *names: str) -> Section:
    """A section below others, made where it is not there yet."""
    for name in names:
        tree = tree.sections.setdefault(name, Section(name))
    return tree


def _add(connections: Section, connection: Section, name: str) -> None:
    """Another connection like this one, of somebody else on the same side."""
    other = parse(render(Section(sections={name: connection}))).sections[name]
    _set(other.sections["local"], {"id": f"{name}.lab"})
    children = other.sections["children"].sections
    children[name] = children.pop(CHILD)
    children[name].name = name
    connections.sections[name] = other


def _set(section: Section, values: Mapping[str, str]) -> None:
    section.values.update({key: Value(str(text), 0) for key, text in values.items()})
